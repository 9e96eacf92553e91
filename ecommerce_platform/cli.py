"""``ecommerce-platform``: everything that the Makefile and a terminal need. Says what it does, in plain words."""

from __future__ import annotations

import datetime as dt
import json
import os
import queue
import re
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
import urllib.request
import webbrowser
from collections import deque
from collections.abc import Callable, Generator, Sequence
from contextlib import closing, contextmanager, suppress
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import dotenv
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table
from rich.text import Text

from ecommerce_platform.settings import PREFIX, PROJECT_DIR, Settings, SettingsError, load_settings

if TYPE_CHECKING:
    from dagster import DagsterInstance

    from ecommerce_platform.automation.runner import RunOutcome
    from ecommerce_platform.checks.results import CheckResult
    from ecommerce_platform.supervisor import Child

# Dagster, pandas and psycopg are imported inside the commands: `--help` should answer at once.

console = Console(stderr=True, highlight=False, emoji=False)

WRITTEN_BY_US = ("raw", "analytics", "monitoring", "postgres", "dagster", "bench", "first_day", "up.lock")
"""What the platform makes in the data folder, and what ``clean-data`` may delete with it."""

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130

LOADING = "hashtextextended('ecommerce-platform up', 0)"
"""The advisory lock of whoever loads what is missing."""

PIPE_WIDTH = 500
"""Characters of a line that no terminal breaks."""

TICK_SECONDS = 60
"""How often ``up`` and ``watch`` look whether sensors tick."""

MOST_REFUSED = 10
"""So many days whose files break the contract of staging are found one by one; then ``up`` gives up."""

WATCH_SECONDS = 3
"""How often the serving ``up`` asks the code server and the database whether they are at work."""


class Day(click.ParamType):
    """A business day, written YYYY-MM-DD or ``yesterday``."""

    name = "day"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dt.date:
        """Parse a day; fails with an example."""
        if isinstance(value, dt.date):
            return value
        if value == "yesterday":
            return yesterday()
        try:
            return dt.date.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is not a day; for example 2024-01-31, or yesterday", param, ctx)


def one_clear_error(command: Callable) -> Callable:
    """Turn the errors that a user can mend into one message, without a traceback."""

    @wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except KeyboardInterrupt:
            console.print("Stopped. What was stored stays, and nothing is half-written.")
            sys.exit(EXIT_INTERRUPTED)
        except SettingsError as error:
            console.print(f"Wrong setting.\n{error}", style="red", markup=False)
            sys.exit(EXIT_USAGE)
        except Exception as error:
            ours = type(error).__module__.startswith(("ecommerce_platform.", "dashboards."))
            if isinstance(error, RuntimeError) and ours:
                console.print(str(error), style="red", markup=False)
                sys.exit(EXIT_FAILED)
            said = _outage(error)
            if said is None:
                raise
            console.print(f"PostgreSQL failed: {said}", style="red", markup=False)
            console.print("What was stored stays, and nothing is half-written. docs/operations.md tells what to do.")
            sys.exit(EXIT_FAILED)

    return wrapped


def _outage(error: BaseException | None) -> str | None:
    """What the server said when it went away, was full or refused; None for a fault of another kind."""
    while error is not None:
        module = type(error).__module__.split(".")[0]
        # Both drivers have a class for each SQLSTATE; those of an outage descend from OperationalError.
        ancestry = [ancestor.__name__ for ancestor in type(error).__mro__]
        if module in ("psycopg", "psycopg2") and "OperationalError" in ancestry:
            return " ".join(str(error).split())
        error = getattr(error, "orig", None) or error.__cause__
    return None


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
def main() -> None:
    """An e-commerce data platform on Dagster and PostgreSQL.

    \b
    Start here:
      ecommerce-platform up                 everything: database, history, Dagster UI, dashboards
      ecommerce-platform status             what is loaded, what is missing
      ecommerce-platform verify             proves that all numbers agree

    \b
    Day by day:
      ecommerce-platform materialize --start yesterday --end yesterday
      ecommerce-platform materialize --start yesterday --end yesterday --select 'key:"warehouse/fact_sales"+'
      ecommerce-platform dashboard          the dashboards alone
      ecommerce-platform db psql            a prompt on the database

    Settings are environment variables, or lines of a file .env in the project: see .env.example. Everything that the
    platform writes lies under ECOMMERCE_DATA_DIR (data/): deleting that folder is a clean start.
    """
    # Dagster lets .env override the shell; so do we, or the two would look at different databases.
    dotenv.load_dotenv(PROJECT_DIR / ".env", override=True)
    # Exports, dumps and rejected rows name people: what we and our children write is for nobody else.
    os.umask(0o077)


def yesterday() -> dt.date:
    """The last finished business day (UTC)."""
    return dt.datetime.now(dt.UTC).date() - dt.timedelta(days=1)


@main.command()
@click.option("--days", type=click.IntRange(1, 36500), help="Load this many days instead of the whole history.")
@click.option("--serve/--no-serve", default=True, help="Serve the Dagster UI and the dashboards afterwards, or stop.")
@one_clear_error
def up(days: int | None, serve: bool) -> None:
    """Bring everything up: database, tables, history, then the Dagster UI and the dashboards.

    Loads the days that are missing, so that a second call has little to do. With --days, a new platform begins that
    many days ago; where ECOMMERCE_FIRST_DAY is set, the days count from there. With ECOMMERCE_SOURCE=landing, the last
    day is the last that has a file.
    """
    end = _remember_first_day(days)
    settings = load_settings()
    if end < settings.first_day:
        raise SettingsError(f"ECOMMERCE_FIRST_DAY: {settings.first_day} is not over yet; for example 2024-01-01")
    if settings.source == "landing":
        end = _last_landed_day(settings, end)
    with _alone(settings):
        is_whole = _load_what_is_missing(settings, end)
    if serve:
        # What is missing or fails is said above, and on every page.
        _serve(settings)
    elif not is_whole:
        sys.exit(EXIT_FAILED)


@contextmanager
def _alone(settings: Settings) -> Generator[None]:
    """Nobody else prepares the database and loads what is missing meanwhile: a second `up` waits for the first."""
    import psycopg

    from ecommerce_platform.resources.database import database_url, require_database

    url = database_url(settings)
    require_database(url)
    with closing(psycopg.connect(url, autocommit=True)) as connection:
        (is_taken,) = connection.execute(f"select pg_try_advisory_lock({LOADING})").fetchone() or (False,)
        if not is_taken:
            console.print("Another `up` is loading: waiting until it has finished.")
            connection.execute(f"select pg_advisory_lock({LOADING})")
        yield


def _somebody_loads(url: str) -> bool:
    """Whether an `up` or a run of ours is at work on the database."""
    import psycopg

    with suppress(psycopg.OperationalError), closing(psycopg.connect(url, autocommit=True)) as connection:
        at_work = (
            "select count(*) from pg_stat_activity where application_name = 'ecommerce-platform' and state <> 'idle'"
        )
        (is_free,) = connection.execute(f"select pg_try_advisory_lock({LOADING})").fetchone() or (True,)
        (busy,) = connection.execute(at_work).fetchone() or (0,)
        return not is_free or bool(busy)
    return False


def _load_what_is_missing(settings: Settings, end: dt.date) -> bool:
    """Prepare the database, load the days up to ``end``, and say what is missing or fails.

    Returns:
        Whether nothing is missing, and nothing fails.
    """
    _prepare(settings)
    with _instance() as instance:
        from ecommerce_platform.automation.daily import what_is_loaded_now
        from ecommerce_platform.automation.runner import end_dead_runs
        from ecommerce_platform.status import failing_checks_now

        # Also where nothing is to be loaded: the daemon's queue would wait for them.
        end_dead_runs(instance)
        ranges = what_is_loaded_now().to_run(settings.first_day, end)
        if not ranges:
            console.print(f"All days from {settings.first_day} to {end} are loaded.")
        # What is refused does not keep the other days waiting, nor those who want to look at them.
        has_succeeded = _load(instance, ranges)
        missing = what_is_loaded_now().missing(settings.first_day, end)
        _tell_missing(missing, settings)
        fails = _tell_failing_checks(failing_checks_now())
        return has_succeeded and not missing and not fails


def _load(instance: DagsterInstance, ranges: Sequence[tuple[dt.date, dt.date]]) -> bool:
    """Load ranges of days, each in one run; where files are refused, what is left without their days.

    Which day of a range breaks the contract of staging is not known: it is found by halves.

    Returns:
        Whether nothing was refused, and nothing else has failed.
    """
    from ecommerce_platform.source.folder_check import spans_of

    # The large parts first: what is good among them is loaded before the last bad day is found.
    waiting, refused, has_succeeded = deque(ranges), 0, True
    while waiting and refused < MOST_REFUSED:
        first, last = waiting.popleft()
        outcome = _run(instance, first, last, None)
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
        console.print(f"{refused} days are refused, one by one. Not tried any more: {left}.")
    return has_succeeded and not waiting


def _tell_missing(missing: Sequence[tuple[dt.date, dt.date]], settings: Settings) -> None:
    """Name the days that are not loaded, and what to do."""
    if missing:
        spans = ", ".join(str(a) if a == b else f"{a} to {b}" for a, b in missing)
        drop = f"Drop their files into {settings.landing}, then load" if settings.source == "landing" else "Load"
        console.print(f"Missing days: {spans}. {drop} them with: ecommerce-platform up --no-serve", markup=False)


def _last_landed_day(settings: Settings, end: dt.date) -> dt.date:
    """The last day up to ``end`` that has a file in the landing folder: a user's own exports may end before today."""
    from ecommerce_platform.source.feeds import FEEDS
    from ecommerce_platform.source.folder_check import days_of_feed

    landed = [
        day for feed in FEEDS for day in days_of_feed(settings.landing, feed)[0] if settings.first_day <= day <= end
    ]
    if not landed:
        raise SettingsError(
            f"ECOMMERCE_LANDING_DIR: {settings.landing} holds no file FEED/YYYY-MM-DD.csv from {settings.first_day}"
            f" (ECOMMERCE_FIRST_DAY) to {end}; for example {settings.landing}/customers/{settings.first_day}.csv"
        )
    return max(landed)


@main.command()
@click.option("--quiet", is_flag=True, hidden=True, help="Do not tell the address: `up` does, once it answers.")
@one_clear_error
def dashboard(quiet: bool) -> None:
    """Serve the dashboards alone, until Ctrl-C. They read the database as the role reader."""
    settings = load_settings()
    _require_free_port(settings, "dashboard_port")
    _prepare(settings)
    from dashboards.app.server import create_app, serve
    from ecommerce_platform.resources.database import Database

    # Whoever started us in the background may have told us to ignore Ctrl-C.
    _end_when_told()
    database = Database(role="reader")
    app = create_app(database, dagster_port=settings.dagster_port, dagster_url=settings.dagster_url)
    if not quiet:
        address = _address(settings, settings.dashboard_port)
        console.print(f"Dashboards: {address}  Ctrl-C stops them; PostgreSQL goes on.", markup=False)
    serve(app, settings.host, settings.dashboard_port)


def _end_when_told() -> None:
    """End on Ctrl-C and SIGTERM, whatever whoever started us has told us to ignore; and on SIGHUP, but for nohup."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit())
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        signal.signal(signal.SIGHUP, lambda *_: sys.exit())


def _remember_first_day(days: int | None) -> dt.date:
    """The last day to load. A first day that follows from --days is kept in the data folder, for later commands."""
    settings = load_settings()
    if days is None:
        return yesterday()
    if "first_day" in settings.model_fields_set and not settings.first_day_file.exists():
        return min(settings.first_day + dt.timedelta(days=days - 1), yesterday())
    if settings.raw.exists():
        console.print(f"This platform began on {settings.first_day}: --days has no effect on it.")
        return yesterday()
    first = yesterday() - dt.timedelta(days=days - 1)
    settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    from ecommerce_platform.resources.files import write_atomically

    write_atomically(settings.first_day_file, f"{first}\n".encode())
    load_settings.cache_clear()
    return yesterday()


@main.command()
@click.option("--start", type=Day(), required=True, help="First business day, YYYY-MM-DD.")
@click.option("--end", type=Day(), required=True, help="Last business day, included.")
@click.option("--select", help="Assets, as Dagster selects them: 'group:warehouse', 'key:\"staging/customers\"+'.")
@one_clear_error
def materialize(start: dt.date, end: dt.date, select: str | None) -> None:
    """Materialize assets for a range of days, in one run that Dagster's UI shows."""
    settings = load_settings()
    if end < start:
        raise click.UsageError(f"--end {end} is before --start {start}")
    if not settings.first_day <= start <= end <= yesterday():
        raise click.UsageError(
            f"--start {start} --end {end}: days go from {settings.first_day} (ECOMMERCE_FIRST_DAY) to {yesterday()}"
        )
    _prepare(settings)
    with _instance() as instance:
        if not _run(instance, start, end, select).success:
            sys.exit(EXIT_FAILED)


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@one_clear_error
def status(as_json: bool) -> None:
    """Show what is loaded: days, rows per table, when each was last materialized, what is missing, what fails.

    Exits with 1 when a check of severity ERROR fails.
    """
    settings = load_settings()
    _require_running(settings)
    with _instance() as instance:
        from ecommerce_platform.automation.daily import what_is_loaded_now
        from ecommerce_platform.status import failing_checks_now, table_states

        loaded = what_is_loaded_now()
        missing = loaded.missing(settings.first_day, yesterday())
        states = table_states(instance)
        failing = failing_checks_now()
    if as_json:
        answer = {
            "missing_days": [[first.isoformat(), last.isoformat()] for first, last in missing],
            "behind": loaded.behind,
            "failing_checks": [result.to_json() for result in failing],
            "tables": [state.to_json() for state in states],
        }
        click.echo(json.dumps(answer, indent=2))
        sys.exit(EXIT_FAILED if failing else 0)
    table = Table("table", "rows", "latest day", "last materialized (UTC)", title="Tables")
    table.columns[1].justify = "right"
    for state in states:
        moment = f"{state.materialized_at:%Y-%m-%d %H:%M:%S}" if state.materialized_at else "never"
        table.add_row(state.table, f"{state.rows:,}", str(state.latest_day or ""), moment)
    _show(table)
    if loaded.behind:
        console.print(
            f"Not up to date: {', '.join(loaded.behind)}. The next run, over any day, takes in what has changed:"
            " ecommerce-platform up --no-serve",
            markup=False,
        )
    _tell_missing(missing, settings)
    if not missing:
        console.print(f"Every day from {settings.first_day} to {yesterday()} is loaded.")
    if _tell_failing_checks(failing):
        sys.exit(EXIT_FAILED)


def _tell_failing_checks(failing: Sequence[CheckResult]) -> bool:
    """Name the checks that fail, with what to do; whether there are any."""
    for result in failing:
        told = f"{result.table} {result.check} failed over {result.days}: {result.description}"
        console.print(told, style="red", markup=False)
    if failing:
        console.print("A check counts as passed once it has passed over these days: run them again, or `verify`.")
    return bool(failing)


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@one_clear_error
def verify(as_json: bool) -> None:
    """Prove every promise over the whole database: numbers agree, nothing is lost, history has no gap.

    Exits with 1 when a check fails, and names the rows.
    """
    settings = load_settings()
    _require_running(settings)
    from ecommerce_platform.checks.verify import all_verification_checks
    from ecommerce_platform.checks.verify import verify as run_checks
    from ecommerce_platform.resources.database import Database, database_url

    outcomes = []
    with Database(role="loader").connect() as connection, _progress() as progress:
        task = progress.add_task("verifying", total=None)
        for outcome in run_checks(connection, all_verification_checks(database_url(settings))):
            outcomes.append(outcome)
            progress.update(task, description=f"{outcome.table} {outcome.name}", completed=len(outcomes))
    failed = [outcome for outcome in outcomes if not outcome.passed and outcome.severity == "ERROR"]
    if as_json:
        click.echo(json.dumps([_outcome_json(outcome) for outcome in outcomes], indent=2, default=str))
    else:
        table = Table("table", "check", "result", "rows", "violations", title="Verification")
        for column in table.columns[3:]:
            column.justify = "right"
        for outcome in outcomes:
            result = "ok" if outcome.passed else "FAILED" if outcome.severity == "ERROR" else "warning"
            result = result if outcome.is_judged else "not judged"
            style = {"ok": None, "FAILED": "bold red"}.get(result, "yellow")
            counts = (f"{outcome.rows_tested or 0:,}", f"{outcome.violations or 0:,}")
            table.add_row(outcome.table, outcome.name, result, *counts, style=style)
        _show(table)
        for outcome in outcomes:
            if not outcome.passed or not outcome.is_judged:
                console.print(f"\n{outcome.table} {outcome.name}: {outcome.description}", markup=False)
                for sample in outcome.samples:
                    console.print(f"  {sample}", markup=False)
    warnings = sum(not outcome.passed for outcome in outcomes) - len(failed)
    console.print(f"\n{len(outcomes)} checks, {len(failed)} failed, {warnings} warnings")
    if failed:
        sys.exit(EXIT_FAILED)


@main.command()
@click.option("--dry-run", is_flag=True, help="Say what would be deleted, and delete nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@one_clear_error
def maintenance(dry_run: bool, as_json: bool) -> None:
    """Delete what is older than ECOMMERCE_RETENTION_DAYS and no longer needed, as the weekly job does.

    Runs of Dagster, their events, ticks and logs, and files that a crash left. What says which days are loaded stays,
    and so do the last result of every check and every staging slice that production was built from.
    """
    settings = load_settings()
    _require_running(settings)
    from ecommerce_platform.maintenance import plan
    from ecommerce_platform.resources.database import Database

    done = []
    with _instance() as instance:
        for task in plan(instance, Database(role="loader"), settings, dt.datetime.now(dt.UTC)):
            if not dry_run:
                task.delete()
            done.append({"what": task.name, "count": task.count, "bytes": task.size})
    if as_json:
        click.echo(json.dumps({"dry_run": dry_run, "deleted": done}, indent=2))
        return
    table = Table("what", "count", "bytes", title="Would delete" if dry_run else "Deleted")
    for column in table.columns[1:]:
        column.justify = "right"
    for row in done:
        table.add_row(str(row["what"]), f"{row['count']:,}", f"{row['bytes']:,}")
    _show(table)
    console.print(f"Kept: what is younger than {settings.retention_days} days (ECOMMERCE_RETENTION_DAYS), or needed.")


def _outcome_json(outcome: Any) -> dict[str, Any]:
    names = ("table", "name", "severity", "passed", "is_judged", "rows_tested", "violations", "description", "samples")
    return {name: getattr(outcome, name) for name in names}


@main.command()
@click.option("--orders", type=click.IntRange(1_000, 30_000_000), default=1_000_000, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@click.option("--folder", type=click.Path(path_type=Path), help="Where its files lie; about 2 KB an order.")
@click.option("--plans", type=click.Path(path_type=Path), help="Write the plans of the extracts' queries to this file.")
@one_clear_error
def bench(orders: int, as_json: bool, folder: Path | None, plans: Path | None) -> None:
    """Measure the platform beside plain SQL in psql: the same files, the same tables, the same server.

    Works in a folder and on a server of its own, a year of the synthetic shop, and removes both.
    """
    from ecommerce_platform.bench import run_bench

    measured = run_bench(orders, (folder or load_settings().data / "bench").absolute(), console.print, plans)
    if as_json:
        click.echo(measured.to_json())
        return
    table = Table("measure", "value", title=f"{measured.orders:,} orders, {measured.rows:,} rows")
    table.columns[1].justify = "right"
    for name, value in json.loads(measured.to_json()).items():
        for label, figure in value.items() if isinstance(value, dict) else [(name, value)]:
            table.add_row(label, f"{figure:,}")
    _show(table)


@main.command()
@one_clear_error
def watch() -> None:
    """Alert when Dagster's sensors stop ticking, until Ctrl-C. `up` does this itself; only containers need it."""
    from ecommerce_platform.automation.pulse import TickWatch

    _end_when_told()
    settings = load_settings()
    _require_running(settings)
    with _instance() as instance:
        now = dt.datetime.now(dt.UTC)
        ticks = TickWatch(instance, console.print, settings.alert_webhook_url, settings.ui_url, now)
        while True:
            if ticks.look(dt.datetime.now(dt.UTC)):
                Path(tempfile.gettempdir(), "ecommerce-watch").touch()  # for the health check of its container
            time.sleep(TICK_SECONDS)


@main.command("alert-test")
@one_clear_error
def alert_test() -> None:
    """Send a test message to the webhook of ECOMMERCE_ALERT_WEBHOOK_URL."""
    from ecommerce_platform.automation.alerts import Incident, message, post

    settings = load_settings()
    if settings.alert_webhook_url is None:
        raise click.UsageError("ECOMMERCE_ALERT_WEBHOOK_URL is not set: alerts go to the log only")
    now = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
    post(settings.alert_webhook_url, message([Incident("test", "Only a test", "", settings.ui_url, now)], []))
    console.print("The webhook took the message.")


@main.command("clean-data")
@click.confirmation_option(prompt="This stops the embedded server and deletes the data folder. Go on?")
@one_clear_error
def clean_data() -> None:
    """Stop the embedded server and delete the data folder: the files, and the embedded database.

    A database that ECOMMERCE_DATABASE_URL names stays; db reset empties it.
    """
    from ecommerce_platform.resources.database import EMBEDDED_DATABASE, embedded_server
    from ecommerce_platform.supervisor import FolderLock

    settings = load_settings()
    strangers = sorted(path.name for path in settings.data.glob("*") if path.name not in WRITTEN_BY_US)
    if strangers:
        raise SettingsError(
            f"ECOMMERCE_DATA_DIR: {settings.data} holds what the platform did not write ({', '.join(strangers[:5])}):"
            " move that away, or delete the folder yourself"
        )
    if settings.data.exists():
        # Nothing may serve from what is about to go.
        lock = FolderLock(settings.data / "up.lock")
        lock.take({}, patience=0)
        lock.give_back()
    server = embedded_server(settings)
    if server.is_running() and _somebody_loads(server.url(EMBEDDED_DATABASE)):
        raise SettingsError(f"ECOMMERCE_DATA_DIR: a load writes to {settings.data} now: end it first")
    server.stop()
    files, size = 0, 0
    for path in settings.data.rglob("*"):
        with suppress(FileNotFoundError):
            files, size = files + path.is_file(), size + path.lstat().st_size * path.is_file()
    shutil.rmtree(settings.data, ignore_errors=True)
    if settings.data.exists():
        raise SettingsError(
            f"ECOMMERCE_DATA_DIR: {settings.data} could not be deleted; its files belong to somebody else"
        )
    console.print(f"{settings.data} is gone: {files:,} files, {size / 1e6:,.0f} MB.", markup=False)


@main.group()
def db() -> None:
    """The database: the embedded server, or the one that ECOMMERCE_DATABASE_URL names."""


@db.command("start")
@one_clear_error
def db_start() -> None:
    """Start the embedded server and bring its tables up to date."""
    settings = load_settings()
    _prepare(settings)
    console.print("PostgreSQL is running.")


class LoginOption(click.ParamType):
    """A login of a service, written NAME:ROLE:FILE; the file holds its password."""

    name = "login"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Parse it, and read the password."""
        from ecommerce_platform.resources.database import Login

        parts = str(value).split(":", 2)
        if (
            len(parts) != 3
            or parts[1] not in ("loader", "reader")
            or not re.fullmatch(r"[a-z_][a-z0-9_]{0,62}", parts[0])
        ):
            self.fail(f"{value!r} is not NAME:loader:FILE or NAME:reader:FILE", param, ctx)
        try:
            password = Path(parts[2]).read_text(encoding="utf-8").strip()
        except OSError as error:
            self.fail(f"{parts[2]}: {error.strerror}", param, ctx)
        if len(password) < 12:
            self.fail(f"{parts[2]}: a password of at least 12 characters is wanted", param, ctx)
        return Login(parts[0], parts[1], password)


@db.command("prepare")
@click.option(
    "--login",
    "logins",
    type=LoginOption(),
    multiple=True,
    help="NAME:ROLE:FILE, for a service; see docs/deployment.md.",
)
@one_clear_error
def db_prepare(logins: tuple[Any, ...]) -> None:
    """Make the tables or bring them up to date, and logins for services that own nothing. Loads no day."""
    from ecommerce_platform.resources.database import database_url, make_logins

    settings = load_settings()
    _prepare(settings)
    if logins:
        make_logins(database_url(settings), logins)
    console.print(f"The tables are ready. {len(logins)} logins.")


@db.command("stop")
@one_clear_error
def db_stop() -> None:
    """Stop the embedded server; the data stays."""
    settings = load_settings()
    if settings.database_url is not None:
        raise click.UsageError("ECOMMERCE_DATABASE_URL names the server: stop it where it runs.")
    from ecommerce_platform.resources.database import embedded_server

    console.print("PostgreSQL has stopped." if embedded_server(settings).stop() else "PostgreSQL was not running.")


@db.command("url")
@one_clear_error
def db_url() -> None:
    """Print the database's URL, as a libpq program takes it. It may hold the password: db psql keeps that out of ps."""
    from ecommerce_platform.resources.database import database_url

    click.echo(database_url(load_settings()))


@db.command("psql", context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@one_clear_error
def db_psql(arguments: tuple[str, ...]) -> None:
    """Open psql on the database; further arguments go to psql: db psql -- -c 'select 1'."""
    _run_client("psql", arguments)


@db.command("dump", context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@one_clear_error
def db_dump(arguments: tuple[str, ...]) -> None:
    """Back the database up with pg_dump; arguments go to it: db dump -- --format=custom --file=backup.dump."""
    _run_client("pg_dump", arguments)


@db.command("restore", context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@one_clear_error
def db_restore(arguments: tuple[str, ...]) -> None:
    """Bring a backup back with pg_restore; arguments go to it: db restore -- --clean --if-exists backup.dump."""
    _run_client("pg_restore", arguments)


def _run_client(name: str, arguments: tuple[str, ...]) -> None:
    """Become a client program of PostgreSQL, connected to the database.

    The embedded server's own programs are its version; for another server those of the machine are the likelier.
    """
    from psycopg.conninfo import conninfo_to_dict, make_conninfo

    from ecommerce_platform.resources.database import database_url, embedded_server

    settings = load_settings()
    theirs = shutil.which(name) if settings.database_url is not None else None
    program = theirs or str(embedded_server(settings).binary(name))
    # A password on the command line would show in every list of processes.
    parts: dict[str, Any] = dict(conninfo_to_dict(database_url(settings)))
    password = parts.pop("password", None)
    environment = {**os.environ, **({"PGPASSWORD": str(password)} if password else {})}
    os.execve(program, [program, f"--dbname={make_conninfo(**parts)}", *arguments], environment)  # noqa: S606


@db.command("reset")
@click.confirmation_option(prompt="This deletes every table and Dagster's history. Go on?")
@one_clear_error
def db_reset() -> None:
    """Delete both databases, the platform's and Dagster's, and make them anew, empty."""
    settings = load_settings()
    from ecommerce_platform.resources.database import drop_databases

    drop_databases(settings)
    _prepare(settings)
    console.print("The database is empty. Load it with: ecommerce-platform up")


class ListByDefault(click.Group):
    """A group whose name alone, or with options only, means its command ``list``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put ``list`` in front where no command is named."""
        if not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names):
            args = ["list", *args]
        return super().parse_args(ctx, args)


@main.group(cls=ListByDefault)
def rejects() -> None:
    """Rows of the files that production does not take, with all their reasons.

    \b
    The way back:
      1. correct the file (with the synthetic shop there is nothing to correct: its defects are on purpose)
      2. ecommerce-platform materialize --start DAY --end DAY
      3. the day's rejects are gone, and its rows are in production

    A row that waits for its parent (an order for its customer, a line for its order or product) needs nothing: it
    goes by itself once the parent has arrived.
    """


def _which_rejects(command: Callable) -> Callable:
    """The options that say which rejected rows; the command gets a RejectFilter and a connection."""
    from ecommerce_platform.source.feeds import FEEDS

    @click.option("--feed", type=click.Choice(list(FEEDS)), help="Only this feed.")
    @click.option("--day", type=Day(), help="Only this business day.")
    @click.option("--start", type=Day(), help="From this business day on.")
    @click.option("--end", type=Day(), help="Up to this business day, included.")
    @click.option("--reason", metavar="TEXT", help="Only reasons that hold this text, in any case.")
    @one_clear_error
    @wraps(command)
    def wrapped(
        feed: str | None,
        day: dt.date | None,
        start: dt.date | None,
        end: dt.date | None,
        reason: str | None,
        **rest: Any,
    ) -> None:
        if day is not None and (start is not None or end is not None):
            raise click.UsageError("give --day, or --start and --end")
        _require_running(load_settings())
        from ecommerce_platform.rejects import RejectFilter
        from ecommerce_platform.resources.database import Database

        with Database(role="loader").connect() as connection:
            command(connection, RejectFilter(feed, day or start, day or end, reason), **rest)

    return wrapped


@rejects.command("list")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="Show at most so many rows.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@_which_rejects
def rejects_list(connection: Any, wanted: Any, limit: int, as_json: bool) -> None:
    """Show rejected rows, newest first, each reason with the value that it is about."""
    from ecommerce_platform.rejects import list_rejects

    rows = list_rejects(connection, wanted, limit)
    if as_json:
        click.echo(json.dumps([row.to_json() for row in rows], indent=2, ensure_ascii=False))
        return
    table = Table("file", "row", "reasons", "waits for", title="Rejected rows")
    table.columns[0].overflow = "fold"  # a narrow terminal must not cut the day off
    for row in rows:
        reasons = Text("\n".join(row.explained_reasons()))
        table.add_row(Text(row.source_file), str(row.source_row), reasons, row.waits_for())
    _show(table)
    if len(rows) == limit:
        console.print(f"The newest {limit}; --limit shows more, and `rejects count` counts all.")


@rejects.command("count")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@_which_rejects
def rejects_count(connection: Any, wanted: Any, as_json: bool) -> None:
    """Count rejected rows by feed and reason; a row with two reasons counts under both."""
    from ecommerce_platform.rejects import count_rejects

    counts = count_rejects(connection, wanted)
    if as_json:
        click.echo(json.dumps([count.to_json() for count in counts], indent=2))
        return
    table = Table("feed", "reason", "rows", "first day", "last day", title="Rejected rows by reason")
    for count in counts:
        table.add_row(count.feed, Text(count.reason), f"{count.rows:,}", str(count.first_day), str(count.last_day))
    _show(table)


@rejects.command("export")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@_which_rejects
def rejects_export(connection: Any, wanted: Any, file: Path) -> None:
    """Write rejected rows with their original fields to a CSV FILE, safe to open in a spreadsheet."""
    from ecommerce_platform.rejects import list_rejects, rejects_csv
    from ecommerce_platform.resources.files import write_atomically

    rows = list_rejects(connection, wanted)
    write_atomically(file, rejects_csv(rows))
    console.print(f"Wrote {len(rows):,} rows to {file}.", markup=False)


@main.group()
def export() -> None:
    """The dashboards' specification and data for other tools."""


@export.command("powerbi")
@click.option("--folder", type=click.Path(file_okay=False, path_type=Path), help="Instead of dashboards/powerbi.")
@one_clear_error
def export_powerbi(folder: Path | None) -> None:
    """Write the Power BI project from the specification in dashboards/spec."""
    from dashboards.spec.powerbi import FOLDER, write_project

    written = list(write_project(folder or FOLDER))
    console.print(f"Wrote {len(written)} files to {folder or FOLDER}.", markup=False)


@export.command("tableau")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@one_clear_error
def export_tableau(file: Path) -> None:
    """Write the warehouse's star schema to FILE, a Tableau .hyper extract (pip install '.[tableau]')."""
    _require_running(load_settings())
    from dashboards.spec.tableau import write_extract
    from ecommerce_platform.resources.database import Database

    with console.status("Writing the extract"):
        rows = write_extract(Database(role="reader"), file)
    console.print(f"Wrote {sum(rows.values()):,} rows of {len(rows)} tables to {file}.", markup=False)


@main.group()
def source() -> None:
    """Your own exports, for ECOMMERCE_SOURCE=landing."""


@source.command("check")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
def source_check(folder: Path, as_json: bool) -> None:
    """Say what fits in FOLDER/FEED/YYYY-MM-DD.csv and what does not, before anything is loaded.

    Exits with 1 when something prevents the load of a day: a feed or a day without a file, a file that cannot be
    read, or so many unfit values that staging's check stops the day. A few unfit rows prevent nothing: they are
    rejected one by one (ecommerce-platform rejects).
    """
    from ecommerce_platform.source.feeds import FEEDS
    from ecommerce_platform.source.folder_check import check_folder, days_of_feed

    with _progress() as progress:
        task = progress.add_task("reading", total=sum(len(days_of_feed(folder, feed)[0]) for feed in FEEDS))
        report = check_folder(
            folder, lambda check: progress.update(task, advance=1, description=f"{check.feed} {check.day}")
        )
    if as_json:
        click.echo(json.dumps(report.to_json(), indent=2, ensure_ascii=False))
    else:
        Console(highlight=False, emoji=False).print("\n".join(report.lines()), markup=False, soft_wrap=True)
    if report.prevents_a_load:
        sys.exit(EXIT_FAILED)


def _prepare(settings: Settings) -> None:
    """Make everything ready for a run: folders, Dagster's home, server, tables.

    A login that does not own the tables, as that of a service, finds them made, and makes nothing.
    """
    from ecommerce_platform.checks import table_checks
    from ecommerce_platform.checks.contract import store_contracts
    from ecommerce_platform.checks.results import forget_former_checks
    from ecommerce_platform.checks.verify import all_verification_checks
    from ecommerce_platform.loaded_days import note_what_is_expected
    from ecommerce_platform.resources.dagster_home import prepare_dagster_home
    from ecommerce_platform.resources.database import database_url, owns_tables, require_database, require_tables
    from ecommerce_platform.resources.ddl import apply_ddl

    os.environ.update(prepare_dagster_home(settings))
    with console.status("Starting PostgreSQL"):
        url = database_url(settings)
        require_database(url)
        if settings.database_url is not None and not owns_tables(url):
            require_tables(url)
            return
        apply_ddl(url)
        store_contracts(url)
        note_what_is_expected(url, settings.first_day if settings.source == "synthetic" else None)
        forget_former_checks(url, [*table_checks(), *all_verification_checks(url)])


def _require_running(settings: Settings) -> None:
    """As :func:`_prepare`, for commands that only look: a server that is down is started, tables stay as they are."""
    from ecommerce_platform.resources.dagster_home import prepare_dagster_home
    from ecommerce_platform.resources.database import database_url, require_database, require_tables

    os.environ.update(prepare_dagster_home(settings))
    url = database_url(settings)
    require_database(url)
    require_tables(url)


@contextmanager
def _instance() -> Generator[DagsterInstance]:
    from dagster import DagsterInstance

    with DagsterInstance.get() as instance:
        yield instance


def _show(table: Table) -> None:
    """Print a table. Whoever reads it through a pipe gets whole names, however long."""
    Console(emoji=False, width=None if sys.stdout.isatty() else PIPE_WIDTH).print(table)


def _progress() -> Progress:
    return Progress(
        SpinnerColumn(),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
        console=console,
        transient=not console.is_terminal,
    )


def _run(instance: DagsterInstance, start: dt.date, end: dt.date, select: str | None) -> RunOutcome:
    """One run with a progress bar; says what it warned of, and what failed."""
    from ecommerce_platform.automation.runner import SelectionError, run_days, step_count

    days = (end - start).days + 1
    try:
        steps = step_count(select)
        console.print(f"Loading {days} day{'s' * (days != 1)}, {start} to {end}.")
        begin = time.monotonic()
        with _progress() as progress:
            task = progress.add_task("planning", total=steps)

            def follow(event: Any) -> None:
                if event.is_step_start:
                    progress.update(task, description=event.step_key.replace("__", "."))
                elif event.is_step_success or event.is_step_failure or event.is_step_skipped:
                    progress.advance(task)

            outcome = run_days(instance, start, end, select, follow)
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
        console.print(f"Run {outcome.run_id} failed; what it had stored stays, and nothing is half-written.")
    return outcome


def _require_free_port(settings: Settings, setting: str) -> None:
    port = getattr(settings, setting)
    with socket.socket(socket.AF_INET6 if ":" in settings.host else socket.AF_INET) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((settings.host, port))
        except OSError as error:
            name = f"{PREFIX}{setting.upper()}"
            raise SettingsError(
                f"{name}: {settings.host}:{port}: {error.strerror}; for example {name}={port + 1}"
            ) from None


def _address(settings: Settings, port: int) -> str:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"http://{host}:{port}"


def _serve(settings: Settings) -> None:
    """Dagster's code server, webserver and daemon, and the dashboards, until Ctrl-C."""
    from ecommerce_platform.supervisor import FolderLock, Supervisor

    if settings.dagster_port == settings.dashboard_port:
        raise SettingsError(
            f"ECOMMERCE_DASHBOARD_PORT: {settings.dashboard_port} is Dagster's port too;"
            f" for example ECOMMERCE_DASHBOARD_PORT={settings.dashboard_port + 1}"
        )
    address = _address(settings, settings.dagster_port)
    lock = FolderLock(settings.data / "up.lock")
    lock.take({"since": f"{dt.datetime.now(dt.UTC):%Y-%m-%d %H:%M} UTC", "address": address})
    _require_free_port(settings, "dagster_port")
    _require_free_port(settings, "dashboard_port")
    if settings.host not in ("127.0.0.1", "::1", "localhost"):
        console.print(
            "Anyone who can reach this address can start runs and delete data: Dagster asks for no password.",
            style="yellow",
        )

    def say(text: str) -> None:
        console.print(text, style="yellow", markup=False)

    with _instance() as instance, tempfile.TemporaryDirectory(prefix="ecommerce-", dir="/tmp") as folder:
        socket_path = Path(folder) / "code"
        code_answers = threading.Event()
        children = _children(settings, socket_path, Path(folder) / "workspace.yaml", code_answers.is_set)
        watch = _watches(settings, instance, socket_path, children[0].name, say)
        _in_background(lambda: _wait_for_code(socket_path, code_answers))
        supervisor = Supervisor(children, lock, PROJECT_DIR, os.environ, say, [watch])
        _in_background(lambda: _tell_when_it_answers(settings, address))
        supervisor.run()
    console.print("Dagster and the dashboards have stopped. PostgreSQL goes on: ecommerce-platform db stop")


def _wait_for_code(socket_path: Path, answers: threading.Event) -> None:
    """Set the event once the code server works."""
    from ecommerce_platform.automation.pulse import Answer, ask_code_server

    while ask_code_server(socket=str(socket_path)) != Answer.WORKS:
        time.sleep(0.3)
    answers.set()


def _children(
    settings: Settings, socket_path: Path, workspace: Path, code_answers: Callable[[], bool]
) -> list[Child]:
    """What is served. The code server listens on a socket in a folder of its own, which nobody else may enter.

    The webserver and the daemon load the code's description when they start, so they wait until it can be had.
    """
    from ecommerce_platform.supervisor import Child

    server = {"socket": str(socket_path), "location_name": "ecommerce_platform"}
    workspace.write_text(json.dumps({"load_from": [{"grpc_server": server}]}), encoding="utf-8")  # JSON is YAML
    module = [sys.executable, "-m"]
    code = ["dagster", "code-server", "start", "--socket", str(socket_path), "-m", "ecommerce_platform.definitions"]
    dashboards = "from ecommerce_platform.cli import main; main()"
    web = ["ecommerce_platform.webserver", "-h", settings.host, "-p", str(settings.dagster_port), "-w", str(workspace)]
    return [
        Child("The code server", [*module, *code], is_needed=True),
        Child("The webserver", [*module, *web], can_start=code_answers),
        Child("The daemon", [*module, "dagster._daemon", "run", "-w", str(workspace)], can_start=code_answers),
        Child("The dashboards", [sys.executable, "-c", dashboards, "dashboard", "--quiet"]),
    ]


def _watches(
    settings: Settings, instance: DagsterInstance, socket_path: Path, code_server: str, say: Callable[[str], None]
) -> Callable[[], str | None]:
    """Look, in the background, after what a living process does not tell; gives the child to start again, if any."""
    from ecommerce_platform.automation.pulse import CodeServerWatch, TickWatch, ask_code_server
    from ecommerce_platform.resources.database import embedded_server

    silent: queue.SimpleQueue[str] = queue.SimpleQueue()
    code = CodeServerWatch(code_server, lambda: ask_code_server(socket=str(socket_path)))
    ticks = TickWatch(instance, say, settings.alert_webhook_url, settings.ui_url, dt.datetime.now(dt.UTC))

    def ask_the_code_server() -> None:
        if (name := code()) is not None:
            silent.put(name)

    def start_the_server_again() -> None:
        if settings.database_url is None and (server := embedded_server(settings)).has_crashed():
            say("PostgreSQL has died: starting it again.")
            server.start()

    def look_at_the_ticks() -> None:
        ticks.look(dt.datetime.now(dt.UTC))

    for what, every in (
        (ask_the_code_server, WATCH_SECONDS),
        (start_the_server_again, WATCH_SECONDS),
        (look_at_the_ticks, TICK_SECONDS),
    ):
        _in_background(what, every)

    def next_silent() -> str | None:
        return None if silent.empty() else silent.get()

    return next_silent


def _in_background(what: Callable[[], None], every: float | None = None) -> None:
    """Call it in a thread that ends with us, once or every so many seconds; what goes wrong is said."""

    def call() -> None:
        while True:
            _say_what_goes_wrong(what)
            if every is None:
                return
            time.sleep(every)

    threading.Thread(target=call, daemon=True).start()


def _say_what_goes_wrong(what: Callable[[], None]) -> None:
    try:
        what()
    except Exception as error:
        console.print(" ".join(str(error).split())[:500], style="yellow", markup=False)


def _tell_when_it_answers(settings: Settings, address: str) -> None:
    """Print the links once something is behind them."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # it is this machine
    while True:
        try:
            opener.open(f"{address}/server_info", timeout=5).close()
            opener.open(f"{_address(settings, settings.dashboard_port)}/healthz", timeout=5).close()
            break
        except OSError:
            time.sleep(0.5)
    console.print(f"Dagster UI: {address}  (lineage: {address}/asset-groups)", markup=False)
    console.print(f"Dashboards: {_address(settings, settings.dashboard_port)}  Ctrl-C stops both.", markup=False)
    if console.is_terminal and not os.environ.get("CI"):
        webbrowser.open(f"{address}/asset-groups")
