"""``up`` with metrics, logs as JSON and files in a bucket, as somebody runs it who collects all three."""

from __future__ import annotations

import json
import shutil
import urllib.request
from collections.abc import Iterator

import pytest

from ecommerce_platform.feeds.columns import FEEDS
from ecommerce_platform.partitions import range_tags
from ecommerce_platform_tests.e2e.served import Served, wait_for, yesterday
from ecommerce_platform_tests.harness import csv_bytes, customer
from ecommerce_platform_tests.object_store import BUCKET, Gate, S3Server
from ecommerce_platform_tests.ports import free_port


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    server = S3Server()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory, server: S3Server) -> Iterator[tuple[Served, int]]:
    port = free_port()
    settings = {
        "FIRST_DAY": str(yesterday()),
        "METRICS_PORT": str(port),
        "LOG_FORMAT": "json",
        "STORAGE_URL": f"s3://{BUCKET}/shop",
    }
    served = Served(tmp_path_factory.mktemp("observed") / "platform", settings)
    gate = Gate(server)
    served.environment.update(gate.environment)
    try:
        served.up()
        yield served, port
    finally:
        served.close()
        gate.shut()


def test_up_serves_metrics_of_its_own_daemons(platform: tuple[Served, int]) -> None:
    _, port = platform

    def scrape() -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
            return answer.read().decode()

    beating = 'ecommerce_daemon_heartbeat_age_seconds{daemon="sensor"}'
    wait_for("a heartbeat", lambda: beating in scrape(), 90, 1)
    text = scrape()
    for line in ("ecommerce_up 1.0", "ecommerce_days_behind 0.0", 'ecommerce_checks{result="failed"} 0.0'):
        assert f"\n{line}\n" in text


def test_a_run_of_the_ui_keeps_its_output_in_the_bucket_and_the_ui_shows_it(
    platform: tuple[Served, int], server: S3Server
) -> None:
    served, _ = platform
    server.put(f"shop/raw/customers/{yesterday()}.csv", csv_bytes(FEEDS["customers"], [customer(7)]))
    run_id = served.launch(["raw.customers", "staging.customers"], range_tags(yesterday(), yesterday()))
    assert served.wait_for_run(run_id) == "SUCCESS"
    logs = f"shop/dagster/storage/{run_id}/compute_logs/"
    (printed,) = [key for key in server.keys(logs) if key.endswith(".err")]
    assert b"1 file was changed by hand and not overwritten" in server.content(printed)
    shutil.rmtree(served.data / "dagster" / "storage", ignore_errors=True)
    shown = served.graphql(
        "query Logs($key: [String!]!) { capturedLogs(logKey: $key) { stderr } }",
        key=[run_id, "compute_logs", printed.rpartition("/")[2].removesuffix(".err")],
    )["capturedLogs"]["stderr"]
    assert shown.encode() == server.content(printed)


def test_every_line_of_every_process_is_a_json_object(platform: tuple[Served, int]) -> None:
    """The inner process of the code server was not told the format."""
    served, _ = platform
    lines = [json.loads(line) for line in served.log.read_text(encoding="utf-8").splitlines()]
    assert all({"event", "level", "logger", "timestamp"} <= set(line) for line in lines)
    loggers = {line["logger"] for line in lines}
    assert {"ecommerce_platform", "dagster.code_server", "dagster-webserver"} <= loggers
    assert any(logger.startswith("dagster.daemon") for logger in loggers)
    assert [line for line in lines if line["event"].startswith("Metrics: http://127.0.0.1:")]
