"""``up`` with metrics and logs as JSON, as somebody runs it who collects both."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator

import pytest

from ecommerce_platform_tests.e2e.served import Served, wait_for
from ecommerce_platform_tests.ports import free_port


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, int]]:
    port = free_port()
    settings = {"METRICS_PORT": str(port), "LOG_FORMAT": "json"}
    served = Served(tmp_path_factory.mktemp("observed") / "platform", settings)
    try:
        served.up("--days", "1")
        yield served, port
    finally:
        served.close()


def test_up_serves_metrics_of_its_own_daemons(platform: tuple[Served, int]) -> None:
    _, port = platform

    def scrape() -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
            return answer.read().decode()

    beating = 'ecommerce_daemon_heartbeat_age_seconds{daemon="sensor"}'
    wait_for("a heartbeat", lambda: beating in scrape(), 90)
    text = scrape()
    for line in ("ecommerce_up 1.0", "ecommerce_days_behind 0.0", 'ecommerce_checks{result="failed"} 0.0'):
        assert f"\n{line}\n" in text


def test_every_line_of_every_process_is_a_json_object(platform: tuple[Served, int]) -> None:
    """The inner process of the code server was not told the format."""
    served, _ = platform
    lines = [json.loads(line) for line in served.log.read_text(encoding="utf-8").splitlines()]
    assert all({"event", "level", "logger", "timestamp"} <= set(line) for line in lines)
    loggers = {line["logger"] for line in lines}
    assert {"ecommerce_platform", "dagster.code_server", "dagster-webserver"} <= loggers
    assert any(logger.startswith("dagster.daemon") for logger in loggers)
    assert [line for line in lines if line["event"].startswith("Metrics: http://127.0.0.1:")]
