"""``materialize``, and the part of ``up`` that loads missing days."""

from __future__ import annotations

import datetime as dt
import sys
import time
from collections import deque
from collections.abc import Generator, Sequence
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, Any

import click

from ecommerce_platform.cli.checking import tell_failing_checks, tell_missing
from ecommerce_platform.cli.preparation import dagster_instance, prepare
from ecommerce_platform.cli.source import convert_exports
from ecommerce_platform.cli.terminal import EXIT_FAILED, Day, console, one_clear_error, progress_bar, yesterday
from ecommerce_platform.settings import Settings, SettingsError, load_settings

if TYPE_CHECKING:
    from dagster import DagsterInstance

    from ecommerce_platform.automation.runner import RunOutcome

LOADING = "hashtextextended('ecommerce-platform up', 0)"
"""The advisory lock of an `up` that loads missing days, and of a `materialize`, on whatever machine."""


MOST_REFUSED = 10
"""The number of refused days after which ``up`` stops searching for more."""


@click.command()
@click.option("--start", type=Day(), required=True, help="First business day: YYYY-MM-DD or yesterday.")
@click.option("--end", type=Day(), required=True, help="Last business day, inclusive: YYYY-MM-DD or yesterday.")
@click.option("--select", help="Dagster asset selection, such as 'group:warehouse' or 'key:\"staging/customers\"+'.")
@one_clear_error
def materialize(start: dt.date, end: dt.date, select: str | None) -> None:
    """Materialize assets for a range of days, in one run that is visible in the Dagster UI."""
    convert_exports(load_settings())
    settings = load_settings()
    if end < start:
        raise click.UsageError(f"--end {end} is before --start {start}")
    if not settings.first_day <= start <= end <= yesterday():
        raise click.UsageError(
            f"--start {start} --end {end}: days must be from {settings.first_day} (ECOMMERCE_FIRST_DAY)"
            f" to {yesterday()}"
        )
    # The checks of a run compare tables with each other, so no second run may be updating them.
    with alone(settings):
        prepare(settings)
        with dagster_instance() as instance:
            _observe_exports(instance, settings)
            outcome = run_with_progress(instance, start, end, select)
            _remove_old_log(settings)
    if not outcome.success:
        sys.exit(EXIT_FAILED)


@contextmanager
def alone(settings: Settings) -> Generator[None]:
    """Hold the lock of `up` and `materialize`: a second one waits for the first to prepare the database and to load."""
    import psycopg

    from ecommerce_platform.resources.database import database_url, require_database

    url = database_url(settings)
    require_database(url)
    with closing(psycopg.connect(url, autocommit=True)) as connection:
        (is_taken,) = connection.execute(f"select pg_try_advisory_lock({LOADING})").fetchone() or (False,)
        if not is_taken:
            console.print("Another command is loading. Waiting for it to finish.")
            connection.execute(f"select pg_advisory_lock({LOADING})")
        yield


def somebody_loads(url: str) -> bool:
    """Whether an `up` or a run of the platform is using the database."""
    import psycopg

    with suppress(psycopg.OperationalError), closing(psycopg.connect(url, autocommit=True)) as connection:
        at_work = (
            "select count(*) from pg_stat_activity where application_name = 'ecommerce-platform' and state <> 'idle'"
        )
        (is_free,) = connection.execute(f"select pg_try_advisory_lock({LOADING})").fetchone() or (True,)
        (busy,) = connection.execute(at_work).fetchone() or (0,)
        return not is_free or bool(busy)
    return False


def load_what_is_missing(settings: Settings, end: dt.date) -> bool:
    """Prepare the database, load the days up to ``end``, and print missing days and failing checks.

    Returns:
        Whether nothing is missing and nothing fails.
    """
    prepare(settings)
    with dagster_instance() as instance:
        from ecommerce_platform.automation.daily import what_is_loaded_now
        from ecommerce_platform.instance.orphaned_runs import fail_orphaned_runs
        from ecommerce_platform.reports.status import failing_checks_now

        # Required even if there is nothing to load: the daemon's queue would wait for these runs.
        fail_orphaned_runs(instance)
        _observe_exports(instance, settings)
        ranges = what_is_loaded_now().to_run(settings.first_day, end)
        if not ranges:
            console.print(f"All days from {settings.first_day} to {end} are loaded.")
        # Refused days do not block the other days or the services.
        has_succeeded = _load(instance, ranges)
        if ranges:
            _remove_old_log(settings)
        missing = what_is_loaded_now().missing(settings.first_day, end)
        tell_missing(missing, settings)
        fails = tell_failing_checks(failing_checks_now())
        return has_succeeded and not missing and not fails


def _remove_old_log(settings: Settings) -> None:
    """Have the embedded server remove a load's write-ahead log now, instead of in a quarter of an hour."""
    if settings.database_url is None:
        import psycopg

        from ecommerce_platform.resources.database import embedded_server

        # If it fails, the log is removed later; what was loaded is another matter.
        with (
            suppress(psycopg.Error),
            closing(psycopg.connect(embedded_server(settings).url(), autocommit=True)) as connection,
        ):
            connection.execute("checkpoint")


def _observe_exports(instance: DagsterInstance, settings: Settings) -> None:
    """Record in Dagster which exports were converted last."""
    if settings.connector_dir is not None:
        from ecommerce_platform.assets.external import observe_exports
        from ecommerce_platform.connectors.conversion import last_conversion

        observe_exports(instance, last_conversion(settings.feed_files))


def _load(instance: DagsterInstance, ranges: Sequence[tuple[dt.date, dt.date]]) -> bool:
    """Load ranges of days, each in one run; if files are refused, load the range without their days.

    If a range breaks the contract of staging, bisection finds the day that does.

    Returns:
        Whether nothing was refused and nothing else failed.
    """
    from ecommerce_platform.feeds.days import spans_of

    # Large parts first, so that good days are loaded before the last bad day is found.
    waiting, refused, has_succeeded = deque(ranges), 0, True
    while waiting and refused < MOST_REFUSED:
        first, last = waiting.popleft()
        outcome = run_with_progress(instance, first, last, None)
        if outcome.success or not outcome.is_refused:
            has_succeeded = has_succeeded and outcome.success
            continue
        days = [first + dt.timedelta(days=number) for number in range((last - first).days + 1)]
        if outcome.refused_days:
            has_succeeded = False
            waiting += spans_of(day for day in days if day not in outcome.refused_days)
        elif len(days) > 1:
            middle = len(days) // 2
            waiting += [(first, days[middle - 1]), (days[middle], last)]
        else:
            refused, has_succeeded = refused + 1, False
    if waiting:
        left = ", ".join(f"{first} to {last}" for first, last in waiting)
        console.print(f"{refused} days were refused one by one. Not attempted: {left}.")
    return has_succeeded and not waiting


def last_landed_day(settings: Settings, end: dt.date) -> dt.date:
    """The last day up to ``end`` that has a file in the landing folder: a user's own exports may end earlier."""
    from ecommerce_platform.feeds.columns import FEEDS
    from ecommerce_platform.feeds.days import days_of_feed

    landed = [
        day for feed in FEEDS for day in days_of_feed(settings.landing, feed)[0] if settings.first_day <= day <= end
    ]
    if not landed:
        raise SettingsError(
            f"ECOMMERCE_LANDING_DIR: {settings.landing} has no file FEED/YYYY-MM-DD.csv from {settings.first_day}"
            f" (ECOMMERCE_FIRST_DAY) to {end}; for example {settings.landing}/customers/{settings.first_day}.csv"
        )
    return max(landed)


def remember_first_day(days: int | None) -> dt.date:
    """Return the last day to load; store a first day that follows from --days in the data folder for later commands."""
    settings = load_settings()
    if days is None:
        return yesterday()
    if "first_day" in settings.model_fields_set and not settings.first_day_file.exists():
        return min(settings.first_day + dt.timedelta(days=days - 1), yesterday())
    if settings.raw.is_dir():
        console.print(f"This platform started on {settings.first_day}: --days has no effect.")
        return yesterday()
    first = yesterday() - dt.timedelta(days=days - 1)
    settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    from ecommerce_platform.files import write_atomically

    write_atomically(settings.first_day_file, f"{first}\n".encode())
    load_settings.cache_clear()
    return yesterday()


def run_with_progress(instance: DagsterInstance, start: dt.date, end: dt.date, select: str | None) -> RunOutcome:
    """Run a load with a progress bar, and print its warnings and failures."""
    from ecommerce_platform.automation.runner import SelectionError, run_days, step_count
    from ecommerce_platform.definitions import defs

    days = (end - start).days + 1
    try:
        steps = step_count(defs, select)
        console.print(f"Loading {days} day{'s' * (days != 1)}, {start} to {end}.")
        begin = time.monotonic()
        with progress_bar() as progress:
            task = progress.add_task("planning", total=steps)

            def follow(event: Any) -> None:
                if event.is_step_start:
                    progress.update(task, description=event.step_key.replace("__", "."))
                elif event.is_step_success or event.is_step_failure or event.is_step_skipped:
                    progress.advance(task)

            outcome = run_days(defs, instance, start, end, select, follow)
            progress.update(task, description="done" if outcome.success else "failed")
    except SelectionError as error:
        raise click.UsageError(str(error)) from None
    for warning in outcome.warnings:
        console.print(warning, style="yellow", markup=False)
    if outcome.success:
        console.print(f"Loaded in {time.monotonic() - begin:.0f} s, run {outcome.run_id}.")
    else:
        for failure in outcome.failures:
            console.print(failure, style="red", markup=False)
        console.print(f"Run {outcome.run_id} failed. Committed data is safe, and nothing is half-written.")
    return outcome
