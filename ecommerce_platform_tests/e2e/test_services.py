"""The services of docker-compose.yml can reach one another, and none of them reveals the database password.

No container engine is involved: the test runs the commands, environment, and health checks from the file directly,
against a PostgreSQL server that listens on TCP and requires a password.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil
import psycopg
import pytest
import yaml

from ecommerce_platform.instance.orphaned_runs import PROCESS_TAG
from ecommerce_platform.postgres import embedded as embedded_postgres
from ecommerce_platform.postgres.embedded import EmbeddedPostgres
from ecommerce_platform.settings import PROJECT_DIR
from ecommerce_platform_tests.ports import free_port

COMPOSE = yaml.safe_load((PROJECT_DIR / "docker-compose.yml").read_text(encoding="utf-8"))
PASSWORDS = {
    "postgres_password": "s3cret-0f-the-d@tabase",
    "runs_password": "s3cret/of:runs",
    "dashboards_password": "s3cret of the %dashboards",
}
PASSWORD = PASSWORDS["postgres_password"]
NEEDED = ("ecommerce_platform", "dashboards", "sql", "docker", "dagster.yaml", "pyproject.toml")
LOCATIONS = """
query { workspaceOrError { __typename ... on Workspace { locationEntries { name loadStatus
  locationOrLoadError { __typename ... on RepositoryLocation { name repositories {
    schedules { name scheduleState { status } } sensors { name sensorState { status } } } } } } } } }
"""
DAEMONS = "query { instance { daemonHealth { allDaemonStatuses { daemonType required healthy } } } }"


class Services:
    """The services by name: their processes and logs."""

    def __init__(self, folder: Path, url_port: int):
        self.app = folder / "app"
        self.data = folder / "data"
        self.logs = folder / "logs"
        self.logs.mkdir()
        self.processes: dict[str, subprocess.Popen] = {}
        self.ports = {"0.0.0.0": "127.0.0.1", **{port: str(free_port()) for port in ("4000", "3000", "8050", "9464")}}
        self.address = f"http://127.0.0.1:{self.ports['3000']}"
        self.app.mkdir()
        for name in NEEDED:
            source = PROJECT_DIR / name
            (shutil.copytree if source.is_dir() else shutil.copy)(source, self.app / name)
        workspace = self.app / "docker" / "workspace.yaml"
        text = workspace.read_text(encoding="utf-8")
        for name in ("code", "4000"):
            assert f": {name}\n" in text
        workspace.write_text(text.replace(": code\n", ": 127.0.0.1\n").replace("4000", self.ports["4000"]))
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("ECOMMERCE_", "DAGSTER_"))}
        self.secrets = folder / "secrets"
        self.secrets.mkdir()
        for name, password in PASSWORDS.items():
            (self.secrets / name).write_text(f"{password}\n", encoding="utf-8")
        yesterday = time.strftime("%Y-%m-%d", time.gmtime(time.time() - 86_400))
        self.url_port = url_port
        self.shared = {
            **kept,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(self.app),
            "ECOMMERCE_FIRST_DAY": yesterday,
            "ECOMMERCE_ORDERS_PER_DAY": "20",
            "ECOMMERCE_CUSTOMERS": "50",
            "ECOMMERCE_PRODUCTS": "20",
            "DAGSTER_DISABLE_TELEMETRY": "1",
        }

    def environment_of(self, service: str) -> dict[str, str]:
        """Return a service's environment, adapted to this machine."""
        here = {
            "@${DATABASE_HOST:-postgres}:5432/": f"@127.0.0.1:{self.url_port}/",
            "/run/secrets": str(self.secrets),
            "/app": str(self.app),
            "/data": str(self.data),
            "/tmp/data": str(self.data.with_name(f"data-of-{service}")),
            "0.0.0.0": "127.0.0.1",
            "8050": self.ports["8050"],
            "9464": self.ports["9464"],
        }
        told = {}
        for name, value in COMPOSE["services"][service]["environment"].items():
            value = re.sub(r"\$\{ECOMMERCE_DAGSTER_URL:-.*\}", self.address, value)
            value = value.replace("${ECOMMERCE_LOG_FORMAT:-colored}", "json")
            value = re.sub(r"^\$\{\w+:-\}$", "", value)
            for there, ours in here.items():
                value = value.replace(there, ours) if there[0] == "@" or value.startswith(there) else value
            assert "$" not in value, f"{name}: {value}"
            told[name] = value
        return {**self.shared, **told}

    def command(self, words: Sequence[str]) -> list[str]:
        """Return a service's command, adapted to this machine's ports and folders."""
        ports = r"\b(0\.0\.0\.0|4000|3000|8050|9464)\b"
        here = [re.sub(ports, lambda found: self.ports[found[1]], word) for word in words]
        here = [word.replace("${ECOMMERCE_LOG_FORMAT:-colored}", "json") for word in here]
        here = [word.replace("/tmp/", f"{self.logs}/").replace("/run/secrets", str(self.secrets)) for word in here]
        return [sys.executable if word == "python" else word for word in here]

    def start(self, name: str) -> None:
        with (self.logs / f"{name}.log").open("wb") as log:
            self.processes[name] = subprocess.Popen(
                self.command(COMPOSE["services"][name]["command"]),
                cwd=self.app,
                env=self.environment_of(name),
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def is_healthy(self, name: str) -> bool:
        """Return the result of the service's own health check."""
        check = self.command(COMPOSE["services"][name]["healthcheck"]["test"][1:])
        with (self.logs / f"{name}-health.log").open("ab") as log:
            environment = self.environment_of(name)
            done = subprocess.run(check, cwd=self.app, env=environment, stdout=log, stderr=log, check=False)
        return done.returncode == 0

    def listens(self, name: str) -> bool:
        """Whether something has its port; true for a service without one. A health check costs seconds of CPU."""
        ports = {"code": "4000", "webserver": "3000", "dashboards": "8050", "metrics": "9464"}
        with socket.socket() as client:
            return name not in ports or client.connect_ex(("127.0.0.1", int(self.ports[ports[name]]))) == 0

    def wait(self, name: str, seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while not (self.listens(name) and self.is_healthy(name)):
            assert self.processes[name].poll() is None, (self.logs / f"{name}.log").read_text()[-3000:]
            assert time.monotonic() < deadline, f"{name} is not healthy after {seconds} s"
            time.sleep(0.5)

    def ask(self, query: str) -> Any:
        """Return the webserver's response to a GraphQL query."""
        request = urllib.request.Request(
            f"{self.address}/graphql",
            json.dumps({"query": query}).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            told = json.load(answer)
        assert "errors" not in told, told
        return told["data"]

    def stop(self) -> dict[str, int]:
        """Stop all services as a container engine does; return the exit codes by name."""
        for process in self.processes.values():
            process.send_signal(signal.SIGTERM)
        codes = {}
        for name, process in self.processes.items():
            try:
                codes[name] = process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                codes[name] = -signal.SIGKILL
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # no process of the session may remain
            process.wait()
        return codes


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[EmbeddedPostgres, int]]:
    """A PostgreSQL server on a TCP port that requires a password."""
    port = free_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(embedded_postgres, "PORT", port)
        server = EmbeddedPostgres(tmp_path_factory.mktemp("server"), {"listen_addresses": "127.0.0.1", "fsync": "off"})
        server.start()
        server.create_database("ecommerce")
        with psycopg.connect(server.url(), autocommit=True) as connection:
            connection.execute(f"alter role {embedded_postgres.SUPERUSER} password '{PASSWORD}'")
            rules = server.cluster / "pg_hba.conf"
            rules.write_text("host all all all scram-sha-256\n" + rules.read_text())
            connection.execute("select pg_reload_conf()")
        yield server, port
        server.stop("immediate")


@pytest.fixture(scope="module")
def services(server: tuple[EmbeddedPostgres, int], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """All services, started in the file's dependency order, and healthy."""
    services = Services(tmp_path_factory.mktemp("compose"), server[1])
    try:
        for once in ("init", "load"):
            services.start(once)
            log = services.logs / f"{once}.log"
            assert services.processes.pop(once).wait(timeout=180) == 0, log.read_text()[-3000:]
        services.start("code")
        services.wait("code")
        services.start("webserver")
        services.start("daemon")
        services.start("dashboards")
        services.start("watch")
        services.start("metrics")
        for name in ("webserver", "dashboards", "watch", "metrics", "daemon"):
            services.wait(name)
        yield services
    finally:
        services.stop()


def test_the_server_asks_for_the_password(server: tuple[EmbeddedPostgres, int]) -> None:
    address = f"host=127.0.0.1 port={server[1]} dbname=ecommerce user=ecommerce"
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(f"{address} password=another")
    psycopg.connect(f"{address} password={PASSWORD}").close()


def test_every_service_of_the_file_is_started_here() -> None:
    started = {"init", "load", "code", "webserver", "daemon", "dashboards", "watch", "metrics"}
    foreign = {"postgres", "login", "prometheus", "grafana", "citus", "citus-worker-1", "citus-worker-2", "citus-nodes"}
    assert set(COMPOSE["services"]) == started | foreign


def test_the_webserver_shows_the_code_location_of_the_code_server(services: Services) -> None:
    (entry,) = services.ask(LOCATIONS)["workspaceOrError"]["locationEntries"]
    assert (entry["name"], entry["loadStatus"]) == ("ecommerce_platform", "LOADED")
    (repository,) = entry["locationOrLoadError"]["repositories"]
    assert {item["name"]: item["scheduleState"]["status"] for item in repository["schedules"]} == {
        "every_day": "RUNNING",
        "every_week": "RUNNING",
    }
    assert [(item["name"], item["sensorState"]["status"]) for item in repository["sensors"] if item["name"] == "alerts"]


def test_every_daemon_beats(services: Services) -> None:
    deadline = time.monotonic() + 60
    while True:
        told = services.ask(DAEMONS)["instance"]["daemonHealth"]["allDaemonStatuses"]
        required = {status["daemonType"]: status["healthy"] for status in told if status["required"]}
        if all(required.values()) or time.monotonic() > deadline:
            break
        time.sleep(1)
    assert required
    assert all(required.values()), required
    assert {"SCHEDULER", "SENSOR", "QUEUED_RUN_COORDINATOR", "MONITORING"} <= set(required)


def test_prometheus_reads_the_metrics_under_the_name_of_the_service(services: Services) -> None:
    (job,) = yaml.safe_load((PROJECT_DIR / "deploy/prometheus/prometheus.yml").read_text())["scrape_configs"]
    (target,) = job["static_configs"][0]["targets"]
    request = urllib.request.Request(f"http://127.0.0.1:{services.ports['9464']}/metrics", headers={"Host": target})
    with urllib.request.urlopen(request, timeout=30) as answer:
        text = answer.read().decode()
    for line in ("ecommerce_up 1.0", "ecommerce_dagster_up 1.0", "ecommerce_days_behind 0.0"):
        assert f"\n{line}\n" in text
    assert 'ecommerce_daemon_heartbeat_age_seconds{daemon="sensor"}' in text


def test_services_log_one_json_object_per_line(services: Services) -> None:
    """Tracebacks of Dagster's own processes excepted, lines of the services are JSON with ECOMMERCE_LOG_FORMAT=json."""
    seen = set()
    for name in ("load", "code", "webserver", "daemon", "dashboards", "metrics"):
        for line in (services.logs / f"{name}.log").read_text(encoding="utf-8").splitlines():
            assert {"event", "level", "logger", "timestamp"} <= set(json.loads(line)), f"{name}: {line}"
            seen.add(name)
    assert {"load", "code", "webserver", "daemon", "dashboards", "metrics"} == seen


def test_no_service_listens_where_its_command_does_not_say(services: Services) -> None:
    """The test sets 127.0.0.1; the file's 0.0.0.0 applies inside a container, of which one port is published."""
    listening = {
        connection.laddr.ip.removeprefix("::ffff:")
        for process in services.processes.values()
        for child in [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
        for connection in child.net_connections(kind="inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening == {"127.0.0.1"}


def test_the_password_is_in_no_log_no_file_no_record_and_no_process_list(
    services: Services, server: tuple[EmbeddedPostgres, int]
) -> None:
    forms = [form for password in PASSWORDS.values() for form in (password, quote(password, safe=""))]
    secret = re.compile("|".join(map(re.escape, forms)))
    for process in psutil.process_iter():
        try:
            assert not secret.search(" ".join(process.cmdline())), process.pid
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
    guilty = [
        path
        for folder in (services.logs, services.data, services.app)
        for path in folder.rglob("*")
        if path.is_file() and secret.search(path.read_text(encoding="utf-8", errors="replace"))
    ]
    assert guilty == []
    assert any(services.logs.iterdir())
    assert any(services.data.rglob("*.csv"))
    with psycopg.connect(server[0].url("ecommerce_dagster")) as connection:
        tables = connection.execute("select tablename from pg_tables where schemaname = 'public'").fetchall()
        counts = {
            name: connection.execute(
                f'select count(*), count(*) filter (where row::text ~ %s) from "{name}" as row',  # type: ignore[arg-type]
                (secret.pattern,),
            ).fetchone()
            for (name,) in tables
        }
    assert counts["event_logs"][0] > 100  # type: ignore[index]
    assert {name: found for name, (_, found) in counts.items() if found} == {}  # type: ignore[misc]


def test_a_wrong_password_is_reported_without_it(services: Services) -> None:
    wrong = "n0t-the-password"
    file = services.app.with_name("wrong")
    file.write_text(wrong, encoding="utf-8")
    done = subprocess.run(
        ["ecommerce-platform", "status"],
        cwd=services.app,
        env={**services.environment_of("code"), "ECOMMERCE_DATABASE_PASSWORD_FILE": str(file)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "password authentication failed" in " ".join(done.stderr.split())
    assert wrong not in done.stderr + done.stdout
    assert "Traceback" not in done.stderr


def test_the_logins_can_do_what_they_need_and_no_more(services: Services, server: tuple[EmbeddedPostgres, int]) -> None:
    def login(user: str, secret: str, database: str) -> psycopg.Connection:
        return psycopg.connect(
            host="127.0.0.1", port=server[1], dbname=database, user=user, password=PASSWORDS[secret], autocommit=True
        )

    with login("ecommerce_dashboards", "dashboards_password", "ecommerce") as connection:
        assert connection.execute("select count(*) > 0 from warehouse.fact_sales").fetchone() == (True,)
        for refused in (
            "select * from production.customers",
            "delete from warehouse.fact_sales",
            "set role loader",
            "create temp table mine (x int)",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(refused)  # type: ignore[arg-type]
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        login("ecommerce_dashboards", "dashboards_password", "ecommerce_dagster")
    with login("ecommerce_runs", "runs_password", "ecommerce") as connection:
        for refused in ("drop table warehouse.fact_sales", "create role mine", "set role ecommerce"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(refused)  # type: ignore[arg-type]
    shown = urllib.request.urlopen(f"http://127.0.0.1:{services.ports['8050']}/healthz", timeout=30).read()
    assert shown == b"ok\n"


def test_a_code_server_whose_process_dies_ends_its_container(services: Services) -> None:
    """With a parent process in front of the code, the container stayed up and was not restarted."""
    process = psutil.Process(services.processes["code"].pid)
    assert [child for child in process.children() if "grpc" in child.cmdline()] == []
    assert services.is_healthy("code")
    process.kill()
    assert services.processes["code"].wait(30) == -signal.SIGKILL
    assert not services.is_healthy("code")
    services.start("code")
    services.wait("code")


def test_the_run_of_init_is_shown_and_was_no_process_of_the_daemon(services: Services) -> None:
    told = services.ask("query { runsOrError { ... on Runs { results { status tags { key } } } } }")
    (run,) = told["runsOrError"]["results"]
    assert run["status"] == "SUCCESS"
    assert PROCESS_TAG in [tag["key"] for tag in run["tags"]]


def test_a_service_that_is_told_to_end_does_so_in_time(services: Services) -> None:
    codes = services.stop()
    assert -signal.SIGKILL not in codes.values(), codes
    services.processes.clear()
