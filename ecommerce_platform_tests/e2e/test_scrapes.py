"""``/metrics``: scraped over HTTP from a loaded shop with Dagster's own records, and parsed as Prometheus does."""

from __future__ import annotations

import datetime as dt
import http.client
import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from dagster import DagsterEvent, DagsterEventType, DagsterInstance
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.remote_origin import (
    ManagedGrpcPythonEnvCodeLocationOrigin,
    RemoteInstigatorOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    SensorInstigatorData,
    TickData,
    TickStatus,
)
from dagster._core.storage.dagster_run import DagsterRun
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._daemon.types import DaemonHeartbeat
from dagster._utils.error import SerializableErrorInfo
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample
from psycopg.conninfo import make_conninfo

from ecommerce_platform.automation.runner import run_days
from ecommerce_platform.checks.freshness import latest_expected_day
from ecommerce_platform.definitions import defs
from ecommerce_platform.feeds.columns import FEEDS
from ecommerce_platform.postgres.ddl import apply_ddl
from ecommerce_platform.reports.metrics import PlatformCollector
from ecommerce_platform.resources.database import database_url, embedded_server
from ecommerce_platform.settings import PROJECT_DIR, load_settings
from ecommerce_platform_tests.harness import day
from ecommerce_platform_tests.ports import free_port

DAYS = 3
LABELS = {
    "le",
    "version",
    "dagster_job",
    "status",
    "state",
    "daemon",
    "kind",
    "name",
    "feed",
    "table",
    "check",
    "severity",
    "result",
}


REPOSITORY = RemoteRepositoryOrigin(
    ManagedGrpcPythonEnvCodeLocationOrigin(LoadableTargetOrigin(module_name="x"), "here"), "all"
)


class Metrics:
    """A loaded shop, and the server of its metrics in a process of its own."""

    def __init__(self, instance: DagsterInstance, port: int):
        self.instance = instance
        self.port = port
        self.url = database_url(load_settings())

    def scrape(self) -> list[Sample]:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=30) as answer:
            assert answer.status == 200
            text = answer.read().decode()
        return [sample for family in text_string_to_metric_families(text) for sample in family.samples]

    def values(self, name: str, /, **labels: str) -> list[float]:
        """Return the values of a metric that has these labels."""
        return [
            sample.value
            for sample in self.scrape()
            if sample.name == f"ecommerce_{name}" and labels.items() <= sample.labels.items()
        ]

    def value(self, name: str, /, **labels: str) -> float:
        (value,) = self.values(name, **labels)
        return value

    def execute(self, statement: str) -> None:
        with psycopg.connect(self.url) as connection:
            connection.execute(statement)  # type: ignore[arg-type]

    def ask(self, path: str, host: str, method: str = "GET") -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request(method, path, headers={"Host": host})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


@pytest.fixture(scope="module")
def metrics(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Metrics]:
    data = tmp_path_factory.mktemp("platform")
    log = tmp_path_factory.mktemp("log") / "metrics.log"
    port = free_port()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "ECOMMERCE_DATA_DIR": str(data),
            "ECOMMERCE_ORDERS_PER_DAY": "60",
            "ECOMMERCE_CUSTOMERS": "100",
            "ECOMMERCE_PRODUCTS": "30",
            "ECOMMERCE_DEFECT_RATE": "0.05",
            "ECOMMERCE_METRICS_PORT": str(port),
            "PYTHONPATH": str(PROJECT_DIR),
        }.items():
            patch.setenv(name, value)
        load_settings.cache_clear()
        apply_ddl(database_url(load_settings()))
        # .env of the developer must not lead the process to another database.
        command = (
            "import dotenv; dotenv.load_dotenv = lambda *_, **__: None; from ecommerce_platform.cli import main; main()"
        )
        with DagsterInstance.from_config(str(PROJECT_DIR)) as instance, log.open("wb") as output:
            run_days(defs, instance, day(1), day(DAYS))
            server = subprocess.Popen(
                [sys.executable, "-c", command, "metrics"], env=dict(os.environ), stdout=output, stderr=output
            )
            try:
                wait_for(port, server, log)
                yield Metrics(instance, port)
            finally:
                server.terminate()
                server.wait(30)
        embedded_server(load_settings()).stop("immediate")
    load_settings.cache_clear()


def wait_for(port: int, server: subprocess.Popen, log: Path) -> None:
    for _ in range(600):
        assert server.poll() is None, log.read_text()
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5).close()
            return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(log.read_text())


def test_a_scrape_says_which_days_are_loaded(metrics: Metrics) -> None:
    assert metrics.value("up") == metrics.value("dagster_up") == 1
    latest = dt.datetime.fromtimestamp(metrics.value("latest_loaded_day_timestamp_seconds"), dt.UTC)
    assert latest == dt.datetime.combine(day(DAYS), dt.time(), dt.UTC)
    expected = dt.datetime.fromtimestamp(metrics.value("expected_day_timestamp_seconds"), dt.UTC).date()
    assert metrics.value("days_behind") == (expected - day(DAYS)).days == metrics.value("missing_days")
    assert metrics.value("latest_loaded_day_age_seconds") > 86_400 * metrics.value("days_behind")
    assert metrics.value("tables_behind") == 0


def test_the_expected_day_is_the_one_of_the_freshness_check(metrics: Metrics) -> None:
    """Before six o'clock (UTC), yesterday is not due yet."""
    for hour, behind in ((5, 0), (6, 1)):
        now = dt.datetime.combine(day(DAYS + 2), dt.time(hour), dt.UTC)
        found = {metric.name: metric for metric in PlatformCollector(load_settings(), lambda now=now: now).collect()}
        assert found["ecommerce_days_behind"].samples[0].value == behind
        assert dt.datetime.fromtimestamp(
            found["ecommerce_expected_day_timestamp_seconds"].samples[0].value, dt.UTC
        ).date() == latest_expected_day(now)


def test_rows_and_rejects_are_those_of_the_database(metrics: Metrics) -> None:
    with psycopg.connect(metrics.url) as connection:
        for feed in FEEDS:
            for suffix, of_day in (("", ""), ("latest_day_", f" and partition_date = '{day(DAYS)}'")):
                rows = connection.execute(f"select count(*) from staging.{feed} where true{of_day}").fetchone()  # type: ignore[arg-type]
                rejected = connection.execute(
                    f"select count(*) from production.rejected_rows where feed = '{feed}'{of_day}"  # type: ignore[arg-type]
                ).fetchone()
                assert (metrics.value(f"feed_{suffix}rows", feed=feed),) == rows
                assert (metrics.value(f"feed_{suffix}rejected_rows", feed=feed),) == rejected
    assert sum(metrics.values("feed_rejected_rows")) > 0
    assert len(metrics.values("table_bytes")) > 50


def test_a_failing_check_has_a_series_that_names_it(metrics: Metrics) -> None:
    passed = metrics.value("checks", result="passed")
    assert passed > 100
    assert metrics.values("failing_check", severity="ERROR") == []
    where = "where table_name = 'production.transactions' and check_name = 'contract'"
    metrics.execute(f"update platform.check_results set passed = false {where}")
    try:
        labels = {"table": "production.transactions", "check": "contract", "severity": "ERROR"}
        assert metrics.values("failing_check", **labels) == [1]
        assert metrics.value("checks", result="failed") == 1
        assert metrics.value("checks", result="passed") == passed - 1
    finally:
        metrics.execute(f"update platform.check_results set passed = true {where}")
    metrics.execute("delete from platform.check_results where check_name = 'volume'")
    assert metrics.value("checks", result="not_evaluated") == len(FEEDS)


def test_runs_are_counted_by_job_status_and_duration(metrics: Metrics) -> None:
    labels = {"dagster_job": "daily", "status": "success"}
    assert metrics.value("run_duration_seconds_count", **labels) == 1
    assert metrics.value("run_duration_seconds_bucket", le="+Inf", **labels) == 1
    (run,) = metrics.instance.get_run_records()
    assert run.end_time is not None
    assert run.start_time is not None
    assert metrics.value("run_duration_seconds_sum", **labels) == pytest.approx(run.end_time - run.start_time)
    assert metrics.value("last_run_end_timestamp_seconds", **labels) == pytest.approx(run.end_time)


def enqueue(instance: DagsterInstance) -> DagsterRun:
    """Add a run to the queue, as the run coordinator does."""
    run = instance.add_run(DagsterRun("daily", remote_job_origin=RemoteJobOrigin(REPOSITORY, "daily")))
    enqueued = DagsterEvent(DagsterEventType.PIPELINE_ENQUEUED.value, run.job_name)
    instance.report_dagster_event(enqueued, run_id=run.run_id)
    return run


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Tokyo"])
def test_ages_are_right_whatever_the_time_zone_of_the_database(metrics: Metrics, zone: str) -> None:
    """Dagster's columns without a time zone hold the local time of whoever wrote them."""
    metrics.execute(f"alter database ecommerce_dagster set timezone = '{zone}'")
    metrics.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = 'ecommerce_dagster'")
    now = dt.datetime.now(dt.UTC).timestamp()
    try:
        with DagsterInstance.from_config(str(PROJECT_DIR)) as instance:
            run = enqueue(instance)
            instance.add_daemon_heartbeat(DaemonHeartbeat(now - 500, "SENSOR", "one", []))
            origin = RemoteInstigatorOrigin(REPOSITORY, f"in {zone}")
            declared = InstigatorStatus.DECLARED_IN_CODE
            state = InstigatorState(origin, InstigatorType.SENSOR, declared, SensorInstigatorData())
            instance.add_instigator_state(state)
            tick = TickData(
                state.instigator_origin_id,
                f"in {zone}",
                InstigatorType.SENSOR,
                TickStatus.SKIPPED,
                now - 400,
                selector_id=state.selector_id,
            )
            instance.create_tick(tick)
            assert 0 < metrics.value("oldest_queued_run_age_seconds") < 3000
            assert 500 <= metrics.value("daemon_heartbeat_age_seconds", daemon="sensor") < 3500
            assert 400 <= metrics.value("tick_age_seconds", kind="sensor", name=f"in {zone}") < 3500
            instance.delete_run(run.run_id)
            instance.update_instigator_state(state.with_status(InstigatorStatus.STOPPED))
    finally:
        metrics.execute("alter database ecommerce_dagster reset timezone")
        metrics.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = 'ecommerce_dagster'")
        with psycopg.connect(make_conninfo(metrics.url, dbname="ecommerce_dagster")) as connection:
            connection.execute("delete from daemon_heartbeats")


def test_a_run_that_waits_is_in_the_queue_since_it_was_made(metrics: Metrics) -> None:
    assert metrics.value("runs", state="queued") == metrics.value("oldest_queued_run_age_seconds") == 0
    run = enqueue(metrics.instance)
    try:
        assert metrics.value("runs", state="queued") == 1
        assert metrics.value("oldest_queued_run_age_seconds") > 0
    finally:
        metrics.instance.delete_run(run.run_id)


def test_heartbeats_and_ticks_have_an_age(metrics: Metrics) -> None:
    now = dt.datetime.now(dt.UTC).timestamp()
    assert metrics.values("daemon_heartbeat_age_seconds") == metrics.values("tick_age_seconds") == []
    metrics.instance.add_daemon_heartbeat(DaemonHeartbeat(now - 500, "SENSOR", "one", []))
    origin = RemoteInstigatorOrigin(REPOSITORY, "alerts")
    declared = InstigatorStatus.DECLARED_IN_CODE
    state = InstigatorState(origin, InstigatorType.SENSOR, declared, SensorInstigatorData())
    metrics.instance.add_instigator_state(state)
    assert metrics.values("tick_age_seconds") == []

    def tick(age: float, status: TickStatus) -> None:
        data = TickData(
            state.instigator_origin_id,
            "alerts",
            InstigatorType.SENSOR,
            status,
            now - age,
            selector_id=state.selector_id,
            error=SerializableErrorInfo("no", [], None) if status == TickStatus.FAILURE else None,
        )
        metrics.instance.create_tick(data)

    tick(900, TickStatus.SKIPPED)
    assert metrics.value("tick_failed", kind="sensor", name="alerts") == 0
    tick(10, TickStatus.FAILURE)
    assert 500 <= metrics.value("daemon_heartbeat_age_seconds", daemon="sensor") < 900
    assert metrics.value("tick_age_seconds", kind="sensor", name="alerts") >= 900
    assert metrics.value("tick_failed", kind="sensor", name="alerts") == 1
    metrics.instance.update_instigator_state(state.with_status(InstigatorStatus.STOPPED))
    assert metrics.values("tick_failed") == []


def test_the_document_lists_every_metric_and_no_other(metrics: Metrics) -> None:
    with urllib.request.urlopen(f"http://127.0.0.1:{metrics.port}/metrics", timeout=30) as answer:
        served = set(re.findall(r"^# TYPE (\w+)", answer.read().decode(), flags=re.MULTILINE))
    text = (PROJECT_DIR / "docs" / "observability.md").read_text()
    assert set(re.findall(r"^\| `(ecommerce_\w+)`", text, flags=re.MULTILINE)) == served


def test_labels_are_few_and_hold_no_data(metrics: Metrics) -> None:
    samples = metrics.scrape()
    assert len(samples) < 400
    assert {name for sample in samples for name in sample.labels} <= LABELS
    text = " ".join(value for sample in samples for value in sample.labels.values())
    with psycopg.connect(metrics.url) as connection:
        for (email,) in connection.execute("select email from production.customers where email is not null"):
            assert email not in text


def test_a_scrape_changes_nothing_and_leaves_no_connection(metrics: Metrics) -> None:
    counted = "select count(*) from pg_stat_activity where application_name = 'ecommerce-metrics'"
    metrics.scrape()
    with psycopg.connect(metrics.url, autocommit=True) as connection:
        for _ in range(100):  # the server ends a session a moment after its client has closed it
            if connection.execute(counted).fetchone() == (0,):
                return
            time.sleep(0.1)
    raise AssertionError("a connection is left")


def test_a_name_that_is_not_the_servers_is_refused(metrics: Metrics) -> None:
    assert metrics.ask("/metrics", "evil.example.com")[0] == 403
    assert metrics.ask("/metrics", f"localhost:{metrics.port}")[0] == 200
    assert metrics.ask("/metrics", "localhost", "POST")[0] == 405
    assert metrics.ask("/other", "localhost") == (404, "The metrics are at /metrics.\n")


def test_a_table_that_is_locked_does_not_hold_a_scrape(metrics: Metrics) -> None:
    with psycopg.connect(metrics.url) as connection:
        connection.execute("lock table platform.slices in access exclusive mode")
        assert metrics.value("up") == 0
        assert metrics.value("dagster_up") == 1
    assert metrics.value("up") == 1


def test_a_database_that_is_down_is_a_metric(metrics: Metrics) -> None:
    server = embedded_server(load_settings())
    server.stop("immediate")
    try:
        samples = {sample.name: sample.value for sample in metrics.scrape()}
        assert samples == {"ecommerce_build_info": 1, "ecommerce_up": 0, "ecommerce_dagster_up": 0}
        assert not server.is_running(), "a scrape has started the server"
    finally:
        server.start()
    assert metrics.value("up") == 1
