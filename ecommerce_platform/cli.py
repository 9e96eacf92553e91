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
from contextlib import contextmanager
from functools import wraps
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

from ecommerce_platform.settings import PROJECT_DIR, Settings, SettingsError, load_settings

if TYPE_CHECKING:
    from dagster import DagsterInstance

# Dagster, pandas and psycopg are imported inside the commands: `--help` should answer at once.

console = Console(stderr=True, highlight=False)

EXIT_FAILED = 1
EXIT_USAGE = 2


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
    many days ago; where ECOMMERCE_FIRST_DAY is set, the days count from there.
    """
    end = _remember_first_day(days)
    settings = load_settings()
    if end < settings.first_day:
        raise SettingsError(f"ECOMMERCE_FIRST_DAY: {settings.first_day} is not over yet; for example 2024-01-01")
    _prepare(settings)
    with _instance() as instance:
        from ecommerce_platform.automation.runner import days_to_load

        ranges = days_to_load(instance, settings.first_day, end)
        if not ranges:
            console.print(f"All days from {settings.first_day} to {end} are loaded.")
        for first, last in ranges:
            _run(instance, first, last, None)
    if serve:
        _serve(settings)


def _remember_first_day(days: int | None) -> dt.date:
    """The last day to load. A first day that follows from --days is written to .env, for every later command."""
    settings = load_settings()
    env_file = PROJECT_DIR / ".env"
    is_remembered = "ECOMMERCE_FIRST_DAY" in dotenv.dotenv_values(env_file)
    if days is None or is_remembered:
        return yesterday()
    if "ECOMMERCE_FIRST_DAY" in os.environ:
        return min(settings.first_day + dt.timedelta(days=days - 1), yesterday())
    if settings.database_url is not None or (settings.data / "postgres").exists():
        console.print(f"This platform has begun on {settings.first_day} already: --days has no effect.")
        return yesterday()
    first = yesterday() - dt.timedelta(days=days - 1)
    dotenv.set_key(env_file, "ECOMMERCE_FIRST_DAY", first.isoformat(), quote_mode="never")
    os.environ["ECOMMERCE_FIRST_DAY"] = first.isoformat()
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
        console.print(f"Missing days: {spans}. Load them with: ecommerce-platform up --no-serve")
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
    from ecommerce_platform.resources.database import database_url

    settings = load_settings()
    program = shutil.which("psql")
    if program is None:
        raise click.UsageError("psql is not installed; on Debian and Ubuntu: apt-get install postgresql-client")
    os.execv(program, [program, database_url(settings), *arguments])  # noqa: S606


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
    from ecommerce_platform.resources.database import database_url, require_database

    os.environ.update(prepare_dagster_home(settings))
    require_database(database_url(settings))


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

    def interrupted(*_: object) -> None:
        # Ctrl-C reaches the child by itself, and it needs a few seconds to end. A signal to us alone does not.
        timer = threading.Timer(15, child.terminate)
        timer.daemon = True
        timer.start()

    signal.signal(signal.SIGINT, interrupted)
    signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    code = child.wait()
    sys.exit(0 if code in (0, -signal.SIGINT, -signal.SIGTERM, 130) else code)
