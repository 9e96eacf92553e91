"""Failed runs, failed checks, and lost freshness are sent to a webhook once each, and once more when resolved."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from dagster import (
    AssetKey,
    DagsterInstance,
    Definitions,
    asset,
    build_sensor_context,
    define_asset_job,
)
from dagster._core.definitions.freshness import FreshnessState, FreshnessStateChange

from ecommerce_platform import definitions
from ecommerce_platform.automation import receivers
from ecommerce_platform.automation.alerts import DeliveryError
from ecommerce_platform.automation.sensors import alerts
from ecommerce_platform.checks.dagster_checks import asset_checks
from ecommerce_platform.checks.outcome import CheckOutcome, TableCheck
from ecommerce_platform.definitions import defs
from ecommerce_platform.partitions import range_tags
from ecommerce_platform.resources.database import Database
from ecommerce_platform.settings import load_settings
from ecommerce_platform_tests.harness import day

SECRET = "T0KEN-of-the-webhook"


class Webhook(ThreadingHTTPServer):
    """A real HTTP server on loopback that records the requests it receives."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Receiver)
        self.messages: list[dict] = []
        self.status = 200
        self.requests = 0
        self.url = f"http://127.0.0.1:{self.server_port}/services/{SECRET}"


class Receiver(BaseHTTPRequestHandler):
    server: Webhook

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests += 1
        if self.server.status == 200:
            assert self.headers["Content-Type"] == "application/json"
            self.server.messages.append(json.loads(body))
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def webhook(monkeypatch: pytest.MonkeyPatch, data_dir, database_url: str) -> Iterator[Webhook]:
    server = Webhook()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    monkeypatch.setenv("ECOMMERCE_DATABASE_URL", database_url)
    monkeypatch.setenv("ECOMMERCE_ALERT_WEBHOOK_URL", server.url)
    monkeypatch.setenv("ECOMMERCE_DAGSTER_URL", "https://dagster.example.com/")
    monkeypatch.setattr(receivers, "BACKOFF", 0.01)
    load_settings.cache_clear()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


class Watched:
    """A small platform of two assets whose run, check, and freshness can be made to fail, and its sensor."""

    def __init__(self, instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch):
        self.instance = instance
        self.fails = False
        self.bad_rows = 0
        self.cursor: str | None = None
        this = self

        @asset(key=["warehouse", "fact_sales"])
        def fact_sales() -> None:
            if this.fails:
                raise ValueError("ada@example.com is in a row")

        def judge(*_: object) -> CheckOutcome:
            return CheckOutcome(not this.bad_rows, 10, this.bad_rows, f"{this.bad_rows} bad <rows>")

        self.defs = Definitions(
            assets=[fact_sales],
            asset_checks=asset_checks([TableCheck("contract", "warehouse.fact_sales", "No bad rows.", judge)]),
            jobs=[define_asset_job("daily")],
            resources={"database": Database(role="loader")},
        )
        monkeypatch.setattr(definitions, "defs", self.defs)

    def run(self, number: int = 1, last: int | None = None) -> str:
        result = self.defs.resolve_job_def("daily").execute_in_process(
            instance=self.instance, tags=range_tags(day(number), day(last or number)), raise_on_error=False
        )
        return result.run_id

    def freshness(self, state: FreshnessState) -> None:
        self.instance._report_runless_asset_event(
            FreshnessStateChange(
                key=AssetKey(["warehouse", "fact_sales"]),
                new_state=state,
                previous_state=FreshnessState.UNKNOWN,
                state_change_timestamp=1_700_000_000.0,
            )
        )

    def tick(self) -> str:
        """Evaluate the sensor once, with the cursor of the previous evaluation, as a daemon does, restarted or not."""
        with build_sensor_context(instance=self.instance, cursor=self.cursor, definitions=defs) as context:
            said = alerts(context)
            self.cursor = context.cursor
        return said.skip_message  # type: ignore[union-attr]


@pytest.fixture
def watched(webhook: Webhook, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    with DagsterInstance.ephemeral() as instance:
        yield Watched(instance, monkeypatch)


def titles(message: dict) -> list[str]:
    return [block["text"]["text"].split("\n")[0] for block in message["blocks"][1:]]


def test_nothing_is_said_while_nothing_is_wrong(watched: Watched, webhook: Webhook) -> None:
    watched.run()
    assert watched.tick() == "0 open, 0 new, 0 resolved"
    assert webhook.requests == 0


def test_a_failed_run_is_reported_once_with_a_link_and_closed_by_a_success(watched: Watched, webhook: Webhook) -> None:
    watched.fails = True
    run_id = watched.run()
    watched.tick()
    watched.tick()
    watched.run()  # the same days fail again: this is the same incident
    watched.tick()
    (told,) = webhook.messages
    assert titles(told) == [f":red_circle: *<https://dagster.example.com/runs/{run_id}|Run failed: daily, 2024-01-01>*"]
    assert "Failed: warehouse.fact_sales." in json.dumps(told)
    assert "ada@example.com" not in json.dumps(told)
    watched.fails = False
    watched.run(2)
    watched.tick()
    assert len(webhook.messages) == 1  # another day's success resolves nothing
    watched.run(1, 3)
    assert watched.tick() == "0 open, 0 new, 1 resolved"
    watched.tick()
    assert len(webhook.messages) == 2
    assert titles(webhook.messages[1])[0].startswith(":white_check_mark: Resolved: *<")


def test_a_failed_check_is_reported_and_closed_when_it_passes(watched: Watched, webhook: Webhook) -> None:
    watched.bad_rows = 3
    watched.run()
    watched.tick()
    (told,) = webhook.messages
    assert told["text"].startswith("E-commerce platform: 2 new.")
    assert any(
        "assets/warehouse/fact_sales?view=checks&checkDetail=contract|Check failed: warehouse.fact_sales contract"
        in title
        for title in titles(told)
    )
    assert "3 bad &lt;rows&gt;" in json.dumps(told)
    watched.bad_rows = 0
    watched.run()
    watched.tick()
    assert webhook.messages[1]["blocks"][0]["text"]["text"] == "E-commerce platform: 2 resolved"


def test_a_check_that_passes_over_another_day_closes_nothing(watched: Watched, webhook: Webhook) -> None:
    watched.bad_rows = 3
    watched.run(1)
    watched.tick()
    watched.bad_rows = 0
    watched.run(2)
    assert watched.tick() == "2 open, 0 new, 0 resolved"
    watched.run(1)
    assert watched.tick() == "0 open, 0 new, 2 resolved"


def test_a_database_that_does_not_answer_is_reported_and_cures_no_check(
    watched: Watched, webhook: Webhook, monkeypatch: pytest.MonkeyPatch, database_url: str
) -> None:
    watched.bad_rows = 3
    watched.run()
    watched.tick()
    monkeypatch.setenv("ECOMMERCE_DATABASE_URL", "postgresql://nobody:secret-word@127.0.0.1:1/nothing")
    load_settings.cache_clear()
    assert watched.tick() == "3 open, 1 new, 0 resolved"
    assert "The database does not answer" in titles(webhook.messages[-1])[0]
    assert "secret-word" not in json.dumps(webhook.messages)
    monkeypatch.setenv("ECOMMERCE_DATABASE_URL", database_url)
    load_settings.cache_clear()
    assert watched.tick() == "2 open, 0 new, 1 resolved"


def test_lost_freshness_is_reported_and_closed_when_it_is_back(watched: Watched, webhook: Webhook) -> None:
    watched.freshness(FreshnessState.WARN)
    watched.tick()
    assert webhook.messages == []
    watched.freshness(FreshnessState.FAIL)
    watched.tick()
    watched.tick()
    (told,) = webhook.messages
    assert titles(told) == [
        ":red_circle: *<https://dagster.example.com/assets/warehouse/fact_sales|No longer fresh: warehouse.fact_sales>*"
    ]
    watched.freshness(FreshnessState.PASS)
    watched.tick()
    assert len(webhook.messages) == 2


def test_a_webhook_that_is_down_stops_nothing_and_hears_it_later(
    watched: Watched, webhook: Webhook, capfd: pytest.CaptureFixture[str]
) -> None:
    webhook.status = 503
    watched.fails = True
    watched.run()
    assert watched.tick() == "1 open, 1 new, 0 resolved"
    assert webhook.requests == 3  # the first attempt and two retries
    assert watched.tick() == "1 open, 0 new, 0 resolved"
    said = capfd.readouterr().err
    assert "Run failed: daily, 2024-01-01" in said
    assert "Alerts could not be delivered and will be sent again: the webhook at 127.0.0.1" in said
    assert SECRET not in said
    webhook.status = 200
    watched.tick()
    watched.tick()
    assert len(webhook.messages) == 1


def test_every_service_hears_each_alert_whatever_becomes_of_the_others(
    watched: Watched, webhook: Webhook, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """One URL is down, one is unknown, and one works; the webhook works, too."""
    place = f"127.0.0.1:{webhook.server_port}"
    urls = f"json://127.0.0.1:1/{SECRET} nonsense://{SECRET}, json://user:{SECRET}@{place}/{SECRET}"
    monkeypatch.setenv("ECOMMERCE_ALERT_URLS", urls)
    load_settings.cache_clear()
    watched.fails = True
    run_id = watched.run()
    for _ in range(2):
        assert watched.tick().startswith("1 open, ")
    slack, service = webhook.messages
    assert slack["text"] == "E-commerce platform: 1 new. Run failed: daily, 2024-01-01"
    assert (service["title"], service["type"]) == ("E-commerce platform: 1 new", "failure")
    lines = service["message"].split("\n")
    assert lines[:2] == ["Run failed: daily, 2024-01-01", "Failed: warehouse.fact_sales."]
    assert lines[-1] == f"https://dagster.example.com/runs/{run_id}"
    said = capfd.readouterr()
    assert said.err.count("sent again: URL 1 of ECOMMERCE_ALERT_URLS (JSON) did not take the message") == 2
    assert said.err.count("sent again: URL 2 of ECOMMERCE_ALERT_URLS is not a URL that apprise knows") == 2
    assert SECRET not in said.err + said.out
    assert SECRET not in str(watched.cursor)
    watched.fails = False
    watched.run()
    assert watched.tick() == "0 open, 0 new, 1 resolved"
    watched.tick()
    assert len(webhook.messages) == 4
    assert webhook.messages[3]["type"] == "success"
    assert webhook.messages[3]["message"].startswith("Resolved: Run failed: daily, 2024-01-01\n")


def test_a_service_that_is_down_hears_of_it_later(
    watched: Watched, webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ECOMMERCE_ALERT_WEBHOOK_URL")
    monkeypatch.setenv("ECOMMERCE_ALERT_URLS", f"json://127.0.0.1:{webhook.server_port}/{SECRET}")
    load_settings.cache_clear()
    webhook.status = 500
    watched.fails = True
    watched.run()
    watched.tick()
    assert webhook.messages == []
    webhook.status = 200
    watched.tick()
    watched.tick()
    assert [told["title"] for told in webhook.messages] == ["E-commerce platform: 1 new"]


def test_a_webhook_that_nobody_listens_at_is_named_by_its_host_only(webhook: Webhook) -> None:
    nobody = "http://127.0.0.1:1/services/" + SECRET
    with pytest.raises(DeliveryError) as caught:
        receivers.post(nobody, {"text": "hello"})
    assert "127.0.0.1" in str(caught.value)
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None


def test_without_a_webhook_an_incident_is_logged_once(
    watched: Watched, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("ECOMMERCE_ALERT_WEBHOOK_URL")
    load_settings.cache_clear()
    watched.fails = True
    watched.run()
    watched.tick()
    watched.tick()
    assert capfd.readouterr().err.count("ERROR - Run failed: daily, 2024-01-01") == 1


def test_the_platforms_own_sensor_looks_at_every_table_and_check(webhook: Webhook) -> None:
    with DagsterInstance.ephemeral() as instance, build_sensor_context(instance=instance, definitions=defs) as context:
        said = alerts(context)
    assert said.skip_message == "0 open, 0 new, 0 resolved"  # type: ignore[union-attr]
    assert "alerts" in [sensor.name for sensor in definitions.build_definitions().sensors or ()]
