"""``up`` and ``dashboard``: start and monitor the processes that serve Dagster and the dashboards."""

from __future__ import annotations

import datetime as dt
import json
import os
import queue
import socket
import sys
import threading
import time
import urllib.request
import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ecommerce_platform.cli.loading import alone, last_landed_day, load_what_is_missing, remember_first_day
from ecommerce_platform.cli.preparation import dagster_instance, prepare
from ecommerce_platform.cli.source import convert_exports, too_late_a_first_day
from ecommerce_platform.cli.terminal import EXIT_FAILED, console, end_when_told, one_clear_error
from ecommerce_platform.cli.upkeep import TICK_SECONDS
from ecommerce_platform.settings import PREFIX, PROJECT_DIR, Settings, SettingsError, load_settings

if TYPE_CHECKING:
    from dagster import DagsterInstance

    from ecommerce_platform.cli.supervisor import Child


@click.command()
@click.option("--days", type=click.IntRange(1, 36500), help="Load this many days instead of the whole history.")
@click.option("--serve/--no-serve", default=True, help="Whether to serve the Dagster UI and the dashboards afterwards.")
@one_clear_error
def up(days: int | None, serve: bool) -> None:
    """Start everything: the database, its tables and history, then the Dagster UI and the dashboards.

    Loads only missing days, so a second call has little to do. With --days, a new platform begins that many days ago,
    or, if ECOMMERCE_FIRST_DAY is set, loads that many days from there. With ECOMMERCE_SOURCE=landing, the last day is
    the last one with a file. With a connector, the days are those of the exports, which are converted first;
    if that fails, what was converted before is served.
    """
    converted = convert_exports(load_settings(), goes_on=serve)
    if days is not None and converted is not None:
        raise click.UsageError("--days is for the synthetic shop; the days are those of the exports")
    end = remember_first_day(days) if converted is None else converted.last_day
    settings = load_settings()
    if converted is not None and end < settings.first_day:
        raise SettingsError(too_late_a_first_day(settings, converted.first_day, end))
    if end < settings.first_day:
        raise SettingsError(f"ECOMMERCE_FIRST_DAY: {settings.first_day} must be before today; for example 2024-01-01")
    if settings.source == "landing":
        end = last_landed_day(settings, end)
    with alone(settings):
        is_whole = load_what_is_missing(settings, end)
    if serve:
        # Missing days and failures are printed above, and shown on every page.
        serve_until_stopped(settings)
    elif not is_whole:
        sys.exit(EXIT_FAILED)


@click.command()
@click.option("--quiet", is_flag=True, hidden=True, help="Do not print the address: `up` prints it later.")
@one_clear_error
def dashboard(quiet: bool) -> None:
    """Serve only the dashboards, until Ctrl-C. They read the database as the role reader."""
    settings = load_settings()
    _require_free_port(settings, "dashboard_port")
    prepare(settings)
    from dashboards.app.server import create_app, serve
    from ecommerce_platform.resources.database import Database, database_url

    # A parent that started this process in the background may have made it ignore Ctrl-C.
    end_when_told()
    database = Database(role="reader")
    show_the_currency_of(database_url(settings))
    app = create_app(database, dagster_port=settings.dagster_port, dagster_url=settings.dagster_url)
    if not quiet:
        address = _address(settings, settings.dashboard_port)
        console.print(f"Dashboards: {address}  Ctrl-C stops them; PostgreSQL keeps running.", markup=False)
    serve(app, settings.host, settings.dashboard_port)


def show_the_currency_of(url: str) -> None:
    """Let the dashboards show the currency of a database: the file that notes a connector's may be out of reach."""
    import psycopg

    with psycopg.connect(url) as connection:
        row = connection.execute("select currency from monitoring.reporting_currency").fetchone()
    if row is not None and row[0] != load_settings().currency:
        os.environ[f"{PREFIX}CURRENCY"] = row[0]
        load_settings.cache_clear()


def _require_different_ports(settings: Settings) -> None:
    if settings.dagster_port == settings.dashboard_port:
        raise SettingsError(
            f"ECOMMERCE_DASHBOARD_PORT: {settings.dashboard_port} is also Dagster's port;"
            f" for example ECOMMERCE_DASHBOARD_PORT={settings.dashboard_port + 1}"
        )
    if settings.metrics_port in (settings.dagster_port, settings.dashboard_port):
        raise SettingsError(
            f"ECOMMERCE_METRICS_PORT: {settings.metrics_port} is also the port of Dagster or the dashboards;"
            " for example ECOMMERCE_METRICS_PORT=9464"
        )


def _require_free_port(settings: Settings, setting: str) -> None:
    port = getattr(settings, setting)
    if port is None:
        return
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


def serve_until_stopped(settings: Settings) -> None:
    """Run Dagster's code server, webserver and daemon, and the dashboards, until Ctrl-C."""
    from ecommerce_platform.cli.supervisor import FolderLock, Supervisor
    from ecommerce_platform.instance.orphaned_runs import code_server_folder

    _require_different_ports(settings)
    address = _address(settings, settings.dagster_port)
    lock = FolderLock(settings.data / "up.lock")
    lock.take({"since": f"{dt.datetime.now(dt.UTC):%Y-%m-%d %H:%M} UTC", "address": address})
    for setting in ("dagster_port", "dashboard_port", "metrics_port"):
        _require_free_port(settings, setting)
    if settings.host not in ("127.0.0.1", "::1", "localhost"):
        console.print(
            "Anyone who can reach this address can start runs and delete data: Dagster has no login.",
            style="yellow",
        )

    def say(text: str) -> None:
        console.print(text, style="yellow", markup=False)

    with dagster_instance() as instance, code_server_folder() as folder:
        socket_path = Path(folder) / "code"
        code_answers = threading.Event()
        children = _children(settings, socket_path, Path(folder) / "workspace.yaml", code_answers.is_set)
        watch = _watches(settings, instance, socket_path, children[0].name, say)
        _in_background(lambda: _wait_for_code(socket_path, code_answers))
        # A tick of the sensor landed_files takes as long as the conversion of the exports; Dagster's limit is a minute.
        environment = {"DAGSTER_SENSOR_GRPC_TIMEOUT_SECONDS": "3600", **os.environ}
        # The code server does not pass the format of its logs on to the inner of its two processes.
        environment["DAGSTER_CLI_API_GRPC_LOG_FORMAT"] = settings.log_format
        supervisor = Supervisor(children, lock, PROJECT_DIR, environment, say, [watch])
        _in_background(lambda: _tell_when_it_answers(settings, address))
        supervisor.run()
    console.print(
        "Dagster and the dashboards have stopped. PostgreSQL is still running; to stop it: ecommerce-platform db stop"
    )


def _wait_for_code(socket_path: Path, answers: threading.Event) -> None:
    """Set the event once the code server works."""
    from ecommerce_platform.instance.code_server import Answer, ask_code_server

    while ask_code_server(socket=str(socket_path)) != Answer.WORKS:
        time.sleep(0.3)
    answers.set()


def _children(settings: Settings, socket_path: Path, workspace: Path, code_answers: Callable[[], bool]) -> list[Child]:
    """The processes to run. The code server listens on a socket in a folder that other users cannot enter.

    The webserver and the daemon load the code location when they start, so they wait until the code server responds.
    """
    from ecommerce_platform.cli.supervisor import Child

    server = {"socket": str(socket_path), "location_name": "ecommerce_platform"}
    workspace.write_text(json.dumps({"load_from": [{"grpc_server": server}]}), encoding="utf-8")  # JSON is YAML
    module = [sys.executable, "-m"]
    logs = ["--log-format", settings.log_format]
    code = ["dagster", "code-server", "start", "--socket", str(socket_path), "-m", "ecommerce_platform.definitions"]
    command = "from ecommerce_platform.cli import main; main()"
    web = [
        "ecommerce_platform.web.webserver",
        "-h",
        settings.host,
        "-p",
        str(settings.dagster_port),
        "-w",
        str(workspace),
    ]
    children = [
        Child("The code server", [*module, *code, *logs], is_needed=True),
        Child("The webserver", [*module, *web, *logs], can_start=code_answers),
        Child("The daemon", [*module, "dagster._daemon", "run", "-w", str(workspace), *logs], can_start=code_answers),
        Child("The dashboards", [sys.executable, "-c", command, "dashboard", "--quiet"]),
    ]
    if settings.metrics_port is not None:
        children.append(Child("The metrics", [sys.executable, "-c", command, "metrics"]))
    return children


def _watches(
    settings: Settings, instance: DagsterInstance, socket_path: Path, code_server: str, say: Callable[[str], None]
) -> Callable[[], str | None]:
    """Monitor failures that do not end a process, in the background; the result names a child to restart, if any."""
    from ecommerce_platform.automation.pulse import CodeServerWatch, TickWatch
    from ecommerce_platform.automation.receivers import receivers
    from ecommerce_platform.cli.supervisor import WATCH_SECONDS
    from ecommerce_platform.instance.code_server import ask_code_server
    from ecommerce_platform.resources.database import embedded_server

    silent: queue.SimpleQueue[str] = queue.SimpleQueue()
    code = CodeServerWatch(code_server, lambda: ask_code_server(socket=str(socket_path)))
    ticks = TickWatch(instance, say, receivers(settings), settings.ui_url, dt.datetime.now(dt.UTC))

    def ask_the_code_server() -> None:
        if (name := code()) is not None:
            silent.put(name)

    def start_the_server_again() -> None:
        if settings.database_url is None and (server := embedded_server(settings)).has_crashed():
            say("PostgreSQL has crashed. Restarting it.")
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
    """Call a function in a daemon thread, once or every ``every`` seconds; print its errors."""

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
    """Print the links once the servers respond."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # no proxy for this machine
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
