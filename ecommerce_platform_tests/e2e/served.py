"""A platform in a separate folder, served by ``ecommerce-platform up`` in separate processes, as for users.

The project is copied, because ``up`` reads and writes the project's ``.env``: a test must neither change nor use the
developer's settings.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
from dagster import DagsterInstance
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.remote_origin import (
    ManagedGrpcPythonEnvCodeLocationOrigin,
    RemoteInstigatorOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.scheduler.instigation import InstigatorState, InstigatorStatus, ScheduleInstigatorData
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin

from ecommerce_platform.automation.daily import every_day
from ecommerce_platform.checks.verify import file_checks, verify, whole_database_checks
from ecommerce_platform.io_managers import PostgresConnection
from ecommerce_platform.postgres.embedded import EmbeddedPostgres
from ecommerce_platform.settings import PROJECT_DIR, load_settings
from ecommerce_platform_tests.ports import free_port
from ecommerce_platform_tests.waiting import wait_for

PARTS = ("ecommerce_platform", "dashboards", "sql", "dagster.yaml", "workspace.yaml", "pyproject.toml", "Makefile")
SMALL_SHOP = {"ORDERS_PER_DAY": "30", "CUSTOMERS": "150", "PRODUCTS": "40"}
# As from a terminal, even if the tests run under nohup.
CLI = "import signal; signal.signal(signal.SIGHUP, signal.SIG_DFL); from ecommerce_platform.cli import main; main()"
LOCATION = {"repositoryName": "__repository__", "repositoryLocationName": "ecommerce_platform"}

QUEUE_EACH_SECOND = {
    "QueuedRunCoordinator\n  config: {}": "QueuedRunCoordinator\n  config: {dequeue_interval_seconds: 1}"
}
"""Poll the queue every second instead of every five."""


def yesterday() -> dt.date:
    """Return the newest day (UTC) that the daily schedule has requested; it ticks 30 minutes after the end of a day."""
    return (dt.datetime.now(dt.UTC) - dt.timedelta(minutes=31)).date() - dt.timedelta(days=1)


def still_running(processes: Sequence[psutil.Process]) -> list[psutil.Process]:
    """Return the processes that have not ended; a zombie counts as ended."""
    running = []
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                running.append(process)
    return running


def _command_line(process: psutil.Process) -> str:
    """Return the command line of a process; empty if it has ended."""
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


class Served:
    """A copy of the project with a data folder, and the processes that serve it.

    Args:
        folder: An empty folder for the copy.
        settings: Settings by name without the prefix, for example ``ORDERS_PER_DAY``.
    """

    def __init__(self, folder: Path, settings: Mapping[str, str]):
        self.project = folder
        folder.mkdir(parents=True, exist_ok=True)
        for part in PARTS:
            source = PROJECT_DIR / part
            (shutil.copytree if source.is_dir() else shutil.copy2)(source, folder / part)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith(("ECOMMERCE_", "DAGSTER_"))
        }
        chosen = {**SMALL_SHOP, **settings, "DAGSTER_PORT": str(self.port), "DASHBOARD_PORT": str(free_port())}
        self.environment = {
            **inherited,
            **{f"ECOMMERCE_{name}": value for name, value in chosen.items()},
            "PYTHONPATH": str(folder),
            "CI": "1",
        }
        self.process: subprocess.Popen[bytes] | None = None
        self.log = folder / "served.log"

    @property
    def data(self) -> Path:
        """The data folder."""
        return self.project / "data"

    @property
    def server(self) -> EmbeddedPostgres:
        """The platform's database server."""
        return EmbeddedPostgres(self.data / "postgres")

    def command(self, *arguments: str, timeout: float = 180) -> subprocess.CompletedProcess[str]:
        """Run ``ecommerce-platform`` and wait until it exits."""
        return subprocess.run(
            [sys.executable, "-c", CLI, *arguments],
            cwd=self.project,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def up(self, *arguments: str, seconds: float = 120) -> None:
        """Start ``up`` in a separate process group, as a terminal does, and return when the UI responds."""
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-c", CLI, "up", *arguments],
                cwd=self.project,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                # A test that runs in the background ignores Ctrl-C, and its child processes would inherit this.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )
        wait_for(f"the UI (see {self.log})", self._answers, seconds)

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text(errors="replace")[-3000:]
        try:
            found = self.graphql("{ repositoriesOrError { ... on RepositoryConnection { nodes { name } } } }")
        except OSError:
            return False
        return bool(found["repositoriesOrError"].get("nodes"))

    def processes(self) -> list[psutil.Process]:
        """Return ``up`` and its descendants; the database server is not one of them."""
        assert self.process is not None
        try:
            parent = psutil.Process(self.process.pid)
            return [parent, *parent.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def process_with(self, *words: str) -> psutil.Process:
        """Return the only descendant of ``up`` whose command line contains these words."""
        found = [process for process in self.processes() if all(word in _command_line(process) for word in words)]
        assert len(found) == 1, (words, [_command_line(process) for process in self.processes()])
        return found[0]

    def pids_with(self, *words: str) -> set[int]:
        """Return the descendants of ``up`` whose command line contains these words; possibly none for a moment."""
        lines = {process.pid: _command_line(process) for process in self.processes()}
        return {pid for pid, line in lines.items() if all(word in line for word in words)}

    def set_in_instance_file(self, settings: Mapping[str, str]) -> None:
        """Replace parts of ``dagster.yaml``, for example to shorten a polling interval of the daemon."""
        file = self.project / "dagster.yaml"
        text = file.read_text(encoding="utf-8")
        for old, new in settings.items():
            assert old in text, old
            text = text.replace(old, new)
        file.write_text(text, encoding="utf-8")

    def signal_the_parent_alone(self, number: signal.Signals) -> tuple[int, list[psutil.Process]]:
        """Send ``up`` a signal, as a service manager does; return its exit code and the descendants that still run."""
        assert self.process is not None
        everything = self.processes()
        assert len(everything) >= 5
        self.process.send_signal(number)
        code = self.process.wait(40)
        return code, still_running(everything)

    def kill(self) -> None:
        """Kill ``up`` and all its descendants."""
        if self.process is not None:
            for process in self.processes():
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
            self.process.wait(5)

    def close(self) -> None:
        """Kill all processes of this platform, including its database server."""
        self.kill()
        self.server.stop("immediate")

    @contextlib.contextmanager
    def as_our_settings(self) -> Generator[None]:
        """Make this process use the platform's data folder."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("ECOMMERCE_DATA_DIR", str(self.data))
            load_settings.cache_clear()
            yield
        load_settings.cache_clear()

    @contextlib.contextmanager
    def instance(self) -> Generator[DagsterInstance]:
        """Open the platform's Dagster instance in this process; creates Dagster's database if it does not exist."""
        with self.as_our_settings(), DagsterInstance.from_config(str(self.project)) as instance:
            yield instance

    def leave_a_daemon_that_died(self, moment: dt.datetime) -> None:
        """Write the state of a daemon that last evaluated the daily schedule at ``moment``.

        Call it before the platform is served: a running daemon keeps the time of its last evaluation in memory.
        """
        origin = RemoteRepositoryOrigin(
            ManagedGrpcPythonEnvCodeLocationOrigin(
                LoadableTargetOrigin(module_name="ecommerce_platform.definitions"), LOCATION["repositoryLocationName"]
            ),
            LOCATION["repositoryName"],
        )
        seconds = moment.timestamp()
        state = InstigatorState(
            RemoteInstigatorOrigin(origin, every_day.name),
            InstigatorType.SCHEDULE,
            InstigatorStatus.DECLARED_IN_CODE,
            ScheduleInstigatorData(every_day.cron_schedule, seconds, seconds),
        )
        with self.instance() as instance:
            instance.add_instigator_state(state)

    # Requests of the UI

    def graphql(self, query: str, **variables: Any) -> Any:
        """Query the webserver as the UI does; fails on errors."""
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(f"{self.url}/graphql", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as response:
            answer = json.load(response)
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    def launch(
        self, assets: Sequence[str], tags: Mapping[str, str], checks: Sequence[tuple[str, str]] | None = None
    ) -> str:
        """Launch a run of some assets and their checks, as the Materialize button does; return its ID.

        Args:
            assets: Tables, as schema.table.
            tags: Tags that set the days of the run.
            checks: Pairs of table and check. If given, run only these, as the Execute button does.
        """
        chosen = [{"assetKey": {"path": table.split(".")}, "name": name} for table, name in checks or ()]
        answer = self.graphql(
            """
            mutation Launch($params: ExecutionParams!) {
              launchPipelineExecution(executionParams: $params) {
                __typename
                ... on LaunchRunSuccess { run { runId } }
                ... on PythonError { message }
                ... on InvalidSubsetError { message }
                ... on RunConfigValidationInvalid { errors { message } }
              }
            }
            """,
            params={
                "mode": "default",
                "selector": {
                    **LOCATION,
                    "pipelineName": "__ASSET_JOB",
                    "assetSelection": [{"path": asset.split(".")} for asset in assets],
                    **({} if checks is None else {"assetCheckSelection": chosen}),
                },
                "runConfigData": {},
                "executionMetadata": {"tags": [{"key": key, "value": value} for key, value in tags.items()]},
            },
        )["launchPipelineExecution"]
        assert answer["__typename"] == "LaunchRunSuccess", answer
        return answer["run"]["runId"]

    def backfill(self, assets: Sequence[str], days: Sequence[str]) -> str:
        """Launch a backfill of some partitions of some assets, as the partition range dialog does; return its ID."""
        answer = self.graphql(
            """
            mutation Backfill($params: LaunchBackfillParams!) {
              launchPartitionBackfill(backfillParams: $params) {
                __typename
                ... on LaunchBackfillSuccess { backfillId }
                ... on PythonError { message }
              }
            }
            """,
            params={"assetSelection": [{"path": asset.split(".")} for asset in assets], "partitionNames": list(days)},
        )["launchPartitionBackfill"]
        assert answer["__typename"] == "LaunchBackfillSuccess", answer
        return answer["backfillId"]

    def ticks(self) -> list[dict[str, Any]]:
        """Return the ticks of the daily schedule, newest first: status, runIds, and runKeys."""
        return self.graphql(
            """
            query Ticks($selector: ScheduleSelector!) {
              scheduleOrError(scheduleSelector: $selector) {
                ... on Schedule {
                  scheduleState { status ticks(limit: 20) { status runIds runKeys timestamp error { message } } }
                }
              }
            }
            """,
            selector={**LOCATION, "scheduleName": every_day.name},
        )["scheduleOrError"]["scheduleState"]["ticks"]

    def check(self, table: str, name: str) -> dict[str, Any]:
        """Return what the UI shows for a check: success, severity, description, and metadata by label."""
        checks = self.graphql(
            """
            query Checks($key: AssetKeyInput!) {
              assetNodeOrError(assetKey: $key) {
                ... on AssetNode {
                  assetChecksOrError {
                    ... on AssetChecks {
                      checks {
                        name
                        executionForLatestMaterialization {
                          status
                          runId
                          evaluation {
                            success severity description
                            metadataEntries {
                              label
                              ... on IntMetadataEntry { intValue }
                              ... on TableMetadataEntry { table { records } }
                            }
                          }
                        }
                      }
                    }
                  }
                }
              }
            }
            """,
            key={"path": table.split(".")},
        )["assetNodeOrError"]["assetChecksOrError"]["checks"]
        (found,) = [check for check in checks if check["name"] == name]
        evaluation = found["executionForLatestMaterialization"]["evaluation"]
        metadata = {
            entry["label"]: entry["table"]["records"] if "table" in entry else entry.get("intValue")
            for entry in evaluation["metadataEntries"]
        }
        return {**evaluation, "metadata": metadata, "run_id": found["executionForLatestMaterialization"]["runId"]}

    def reexecute(self, run_id: str, strategy: str) -> str:
        """Re-execute a run, as the button does; return the new run's ID."""
        answer = self.graphql(
            """
            mutation Again($params: ReexecutionParams!) {
              launchPipelineReexecution(reexecutionParams: $params) {
                __typename
                ... on LaunchRunSuccess { run { runId } }
                ... on PythonError { message }
              }
            }
            """,
            params={"parentRunId": run_id, "strategy": strategy},
        )["launchPipelineReexecution"]
        assert answer["__typename"] == "LaunchRunSuccess", answer
        return answer["run"]["runId"]

    def run_status(self, run_id: str) -> str:
        """Return the status of a run: SUCCESS, FAILURE, STARTED, QUEUED, …"""
        return self.graphql("query Run($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }", id=run_id)[
            "runOrError"
        ]["status"]

    def wait_for_run(self, run_id: str, seconds: float = 90) -> str:
        """Wait for a run to end and return its status."""

        def ended() -> str | None:
            status = self.run_status(run_id)
            return status if status in ("SUCCESS", "FAILURE", "CANCELED") else None

        return wait_for(f"the end of run {run_id}", ended, seconds)

    def runs(self) -> list[dict[str, Any]]:
        """Return all runs, newest first: runId, status, tags by key, startTime and endTime in epoch seconds."""
        found = self.graphql(
            "{ runsOrError { ... on Runs { results { runId status startTime endTime tags { key value } } } } }"
        )["runsOrError"]["results"]
        return [{**run, "tags": {tag["key"]: tag["value"] for tag in run["tags"]}} for run in found]

    def steps(self, run_id: str) -> dict[str, str]:
        """Return the executed steps of a run and their outcome."""
        found = self.graphql(
            "query Steps($id: ID!) { runOrError(runId: $id) { ... on Run { stepStats { stepKey status } } } }",
            id=run_id,
        )["runOrError"]["stepStats"]
        return {step["stepKey"]: step["status"] for step in found}

    def materialized(self, asset: str) -> set[str]:
        """Return the partitions of a daily asset that Dagster shows as materialized."""
        found = self.graphql(
            """
            query Partitions($key: AssetKeyInput!) {
              assetNodeOrError(assetKey: $key) {
                ... on AssetNode {
                  partitionKeys
                  assetPartitionStatuses {
                    ... on TimePartitionStatuses { ranges { status startKey endKey } }
                  }
                }
              }
            }
            """,
            key={"path": asset.split(".")},
        )["assetNodeOrError"]
        keys: list[str] = found["partitionKeys"]
        return {
            key
            for span in found["assetPartitionStatuses"]["ranges"]
            if span["status"] == "MATERIALIZED"
            for key in keys
            if span["startKey"] <= key <= span["endKey"]
        }

    # Contents of the database

    @property
    def database(self) -> PostgresConnection:
        """Connect to the platform's database as its assets do."""
        return PostgresConnection(url=self.server.url("ecommerce"), role="loader")

    def rows(self, statement: str) -> list[tuple]:
        """Run a SELECT as the owner."""
        with psycopg.connect(self.server.url("ecommerce")) as connection:
            return connection.execute(statement).fetchall()  # type: ignore[arg-type]

    def dagster_rows(self, statement: str) -> list[tuple]:
        """Run a SELECT in Dagster's database."""
        with psycopg.connect(self.server.url("ecommerce_dagster")) as connection:
            return connection.execute(statement).fetchall()  # type: ignore[arg-type]

    def execute(self, statement: str) -> None:
        """Run a statement as the owner, as in psql."""
        with psycopg.connect(self.server.url("ecommerce")) as connection:
            connection.execute(statement)  # type: ignore[arg-type]

    def failed_checks(self) -> list[str]:
        """Run ``ecommerce-platform verify`` in this process; return table, check, and first rows of each failure."""
        with self.as_our_settings(), self.database.connect() as connection:
            outcomes = list(verify(connection, [*whole_database_checks(), *file_checks()]))
        assert len(outcomes) > 50
        return [
            f"{outcome.table} {outcome.name}: {outcome.description}"
            for outcome in outcomes
            if not outcome.passed and outcome.severity == "ERROR"
        ]
