"""``ecommerce-platform``: everything that the Makefile and a terminal need. Says what it does, in plain words."""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import webbrowser
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
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

from ecommerce_platform.settings import PROJECT_DIR, Settings, SettingsError, load_settings

if TYPE_CHECKING:
    from dagster import DagsterInstance

# Dagster, pandas and psycopg are imported inside the commands: `--help` should answer at once.

console = Console(stderr=True, highlight=False)

EXIT_FAILED = 1
EXIT_USAGE = 2

WATCH_SECONDS = 3
"""How often the serving ``up`` looks after what it started."""
ENDING_SECONDS = 10
"""What Dagster's processes get to end by themselves once their parent has."""


class Day(click.ParamType):
    """A business day, written YYYY-MM-DD."""

    name = "day"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dt.date:
        """Parse a day; fails with an example."""
        if isinstance(value, dt.date):
            return value
        try:
            return dt.date.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is not a day; for example 2024-01-31", param, ctx)


def one_clear_error(command: Callable) -> Callable:
    """Turn the errors that a user can mend into one message, without a traceback."""

    @wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except SettingsError as error:
            console.print(f"Wrong setting.\n{error}", style="red", markup=False)
            sys.exit(EXIT_USAGE)
        except RuntimeError as error:
            if type(error).__module__.startswith("ecommerce_platform."):
                console.print(str(error), style="red", markup=False)
                sys.exit(EXIT_FAILED)
            raise

    return wrapped


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
def main() -> None:
    """An e-commerce data platform on Dagster and PostgreSQL.

    \b
    Start here:
      ecommerce-platform up                 everything: database, history, Dagster UI
      ecommerce-platform status             what is loaded, what is missing
      ecommerce-platform verify             proves that all numbers agree

    \b
    Day by day:
      ecommerce-platform materialize --start 2024-03-01 --end 2024-03-07
      ecommerce-platform materialize --start 2024-03-01 --end 2024-03-01 --select 'key:"warehouse/fact_sales"+'
      ecommerce-platform db psql            a prompt on the database

    Settings are environment variables, or lines of a file .env in the project: see .env.example. Everything that the
    platform writes lies under ECOMMERCE_DATA_DIR (data/): deleting that folder is a clean start.
    """
    # Dagster lets .env override the shell; so do we, or the two would look at different databases.
    dotenv.load_dotenv(PROJECT_DIR / ".env", override=True)


def yesterday() -> dt.date:
    """The last finished business day (UTC)."""
    return dt.datetime.now(dt.UTC).date() - dt.timedelta(days=1)


@main.command()
@click.option("--days", type=click.IntRange(1, 36500), help="Load this many days instead of the whole history.")
@click.option("--serve/--no-serve", default=True, help="Serve the Dagster UI afterwards, or stop.")
@one_clear_error
def up(days: int | None, serve: bool) -> None:
    """Bring everything up: database, tables, history, then the Dagster UI.

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
    _prepare(settings)
    with _instance() as instance:
        from ecommerce_platform.automation.runner import days_to_load, end_dead_runs

        # Also where nothing is to be loaded: the daemon's queue would wait for them.
        end_dead_runs(instance)
        ranges = days_to_load(instance, settings.first_day, end)
        if not ranges:
            console.print(f"All days from {settings.first_day} to {end} are loaded.")
        for first, last in ranges:
            _run(instance, first, last, None)
    if serve:
        _serve(settings)


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
    settings.data.mkdir(parents=True, exist_ok=True)
    settings.first_day_file.write_text(f"{first}\n", encoding="utf-8")
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
    if not settings.first_day <= start <= end <= yesterday():
        raise click.UsageError(
            f"--start {start} --end {end}: days go from {settings.first_day} (ECOMMERCE_FIRST_DAY) to {yesterday()}"
        )
    _prepare(settings)
    with _instance() as instance:
        _run(instance, start, end, select)


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@one_clear_error
def status(as_json: bool) -> None:
    """Show what is loaded: days, rows a table, when each was last materialized, and what is missing."""
    settings = load_settings()
    _require_running(settings)
    with _instance() as instance:
        from ecommerce_platform.automation.runner import days_to_load
        from ecommerce_platform.status import table_states

        missing = days_to_load(instance, settings.first_day, yesterday())
        states = table_states(instance)
    if as_json:
        rows = [state.to_json() for state in states]
        days = [[first.isoformat(), last.isoformat()] for first, last in missing]
        click.echo(json.dumps({"missing_days": days, "tables": rows}, indent=2))
        return
    table = Table("table", "rows", "latest day", "last materialized (UTC)", title="Tables")
    table.columns[1].justify = "right"
    for state in states:
        moment = f"{state.materialized_at:%Y-%m-%d %H:%M:%S}" if state.materialized_at else "never"
        table.add_row(state.table, f"{state.rows:,}", str(state.latest_day or ""), moment)
    Console().print(table)
    if missing:
        spans = ", ".join(str(a) if a == b else f"{a} to {b}" for a, b in missing)
        drop = f"Drop their files into {settings.landing}, then load" if settings.source == "landing" else "Load"
        console.print(f"Missing days: {spans}. {drop} them with: ecommerce-platform up --no-serve", markup=False)
    else:
        console.print(f"Every day from {settings.first_day} to {yesterday()} is loaded.")


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@one_clear_error
def verify(as_json: bool) -> None:
    """Prove every promise over the whole database: numbers agree, nothing is lost, history has no gap.

    Exits with 1 when a check fails, and names the rows.
    """
    settings = load_settings()
    _require_running(settings)
    from ecommerce_platform.checks.verify import verify as run_checks
    from ecommerce_platform.resources.database import Database

    outcomes = []
    with Database().connect() as connection, _progress() as progress:
        task = progress.add_task("verifying", total=None)
        for outcome in run_checks(connection):
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
            style = {"ok": None, "FAILED": "bold red", "warning": "yellow"}[result]
            counts = (f"{outcome.rows_tested or 0:,}", f"{outcome.violations or 0:,}")
            table.add_row(outcome.table, outcome.name, result, *counts, style=style)
        Console().print(table)
        for outcome in outcomes:
            if not outcome.passed:
                console.print(f"\n{outcome.table} {outcome.name}: {outcome.description}", markup=False)
                for sample in outcome.samples:
                    console.print(f"  {sample}", markup=False)
    warnings = sum(not outcome.passed for outcome in outcomes) - len(failed)
    console.print(f"\n{len(outcomes)} checks, {len(failed)} failed, {warnings} warnings")
    if failed:
        sys.exit(EXIT_FAILED)


def _outcome_json(outcome: Any) -> dict[str, Any]:
    names = ("table", "name", "severity", "passed", "rows_tested", "violations", "description", "samples")
    return {name: getattr(outcome, name) for name in names}


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
    """Print the database's URL, as psql takes it: psql "$(ecommerce-platform db url)"."""
    from ecommerce_platform.resources.database import database_url

    click.echo(database_url(load_settings()))


@db.command("psql", context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@one_clear_error
def db_psql(arguments: tuple[str, ...]) -> None:
    """Open psql on the database; further arguments go to psql: db psql -- -c 'select 1'."""
    from psycopg.conninfo import conninfo_to_dict, make_conninfo

    from ecommerce_platform.resources.database import database_url

    settings = load_settings()
    program = shutil.which("psql")
    if program is None:
        raise click.UsageError("psql is not installed; on Debian and Ubuntu: apt-get install postgresql-client")
    # A password on the command line would show in every list of processes.
    parts: dict[str, Any] = dict(conninfo_to_dict(database_url(settings)))
    password = parts.pop("password", None)
    environment = {**os.environ, **({"PGPASSWORD": str(password)} if password else {})}
    os.execve(program, [program, make_conninfo(**parts), *arguments], environment)  # noqa: S606


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
    Console().print(table)
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
    Console().print(table)


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
        Console(highlight=False).print("\n".join(report.lines()), markup=False, soft_wrap=True)
    if report.prevents_a_load:
        sys.exit(EXIT_FAILED)


def _prepare(settings: Settings) -> None:
    """Make everything ready for a run: folders, Dagster's home, server, tables."""
    from ecommerce_platform.resources.dagster_home import prepare_dagster_home
    from ecommerce_platform.resources.database import database_url, require_database
    from ecommerce_platform.resources.ddl import apply_ddl

    os.environ.update(prepare_dagster_home(settings))
    with console.status("Starting PostgreSQL"):
        url = database_url(settings)
        require_database(url)
        apply_ddl(url)


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


def _run(instance: DagsterInstance, start: dt.date, end: dt.date, select: str | None) -> None:
    """One run with a progress bar; exits with 1 and says what failed where it fails."""
    from ecommerce_platform.automation.runner import SelectionError, run_days, step_count

    days = (end - start).days + 1
    console.print(f"Loading {days} day{'s' * (days != 1)}, {start} to {end}.")
    begin = time.monotonic()
    try:
        with _progress() as progress:
            task = progress.add_task("planning", total=step_count(select))

            def follow(event: Any) -> None:
                if event.is_step_start:
                    progress.update(task, description=event.step_key.replace("__", "."))
                elif event.is_step_success or event.is_step_failure or event.is_step_skipped:
                    progress.advance(task)

            outcome = run_days(instance, start, end, select, follow)
            progress.update(task, description="done" if outcome.success else "failed")
    except SelectionError as error:
        raise click.UsageError(str(error)) from None
    if outcome.success:
        console.print(f"Loaded in {time.monotonic() - begin:.0f} s, run {outcome.run_id}.")
    else:
        for failure in outcome.failures:
            console.print(failure, style="red", markup=False)
        console.print(f"Run {outcome.run_id} failed; what it had stored stays, and nothing is half-written.")
        sys.exit(EXIT_FAILED)


def _require_free_port(settings: Settings) -> None:
    with socket.socket(socket.AF_INET6 if ":" in settings.host else socket.AF_INET) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((settings.host, settings.dagster_port))
        except OSError as error:
            raise SettingsError(
                f"ECOMMERCE_DAGSTER_PORT: {settings.host}:{settings.dagster_port}: {error.strerror};"
                " for example ECOMMERCE_DAGSTER_PORT=3001"
            ) from None


def _serve(settings: Settings) -> None:
    """Dagster's webserver and daemon, until Ctrl-C."""
    _require_free_port(settings)
    address = f"http://{settings.host}:{settings.dagster_port}"
    console.print(f"Dagster UI: {address}  (lineage: {address}/asset-groups)  Ctrl-C stops it; PostgreSQL goes on.")
    if console.is_terminal and not os.environ.get("CI"):
        webbrowser.open(f"{address}/asset-groups")
    command = [
        sys.executable,
        "-m",
        "dagster",
        "dev",
        "--host",
        settings.host,
        "--port",
        str(settings.dagster_port),
    ]
    environment = {**os.environ, "PYTHONWARNINGS": "ignore:Function `dev_command` is superseded"}
    child = subprocess.Popen(  # noqa: S603
        command,
        cwd=PROJECT_DIR,
        env=environment,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )

    stopping = threading.Event()

    def interrupted(*_: object) -> None:
        # Ctrl-C reaches the child by itself, and it needs a few seconds to end. A signal to us alone does not.
        stopping.set()
        timer = threading.Timer(15, child.terminate)
        timer.daemon = True
        timer.start()

    def terminated(*_: object) -> None:
        stopping.set()
        child.terminate()

    signal.signal(signal.SIGINT, interrupted)
    signal.signal(signal.SIGTERM, terminated)
    code = _wait_and_watch(child, settings)
    if not stopping.is_set():
        # `dagster dev` ends with 0 when its daemon or webserver was killed; whoever watches us must see a failure.
        console.print(
            "Dagster has stopped by itself; see above. Start it again with: ecommerce-platform up", style="red"
        )
        sys.exit(code or EXIT_FAILED)
    sys.exit(0 if code in (0, -signal.SIGINT, -signal.SIGTERM, 130) else code)


def _wait_and_watch(child: subprocess.Popen[bytes], settings: Settings) -> int:
    """Wait for the child and return its exit code; start the embedded server again when it has died meanwhile.

    What the child leaves behind, as when one of its processes was killed, is ended: nothing of ours goes on alone.
    """
    import psutil

    from ecommerce_platform.resources.database import embedded_server
    from ecommerce_platform.resources.embedded_postgres import EmbeddedPostgresError

    below: set[psutil.Process] = set()
    while True:
        with suppress(psutil.NoSuchProcess):
            below |= set(psutil.Process(child.pid).children(recursive=True))
        try:
            code = child.wait(WATCH_SECONDS)
            break
        except subprocess.TimeoutExpired:
            below = {process for process in below if process.is_running()}
        if settings.database_url is None and (server := embedded_server(settings)).has_crashed():
            console.print("PostgreSQL has died: starting it again.", style="yellow")
            try:
                server.start()
            except EmbeddedPostgresError as error:
                console.print(str(error), style="red", markup=False)
    _, left = psutil.wait_procs(below, timeout=ENDING_SECONDS)
    for process in left:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    return code
