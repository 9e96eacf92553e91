"""OpenLineage: a real shop's runs, sent by the sensor to a receiver on this machine."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from dagster import DagsterInstance, SkipReason, build_sensor_context

from ecommerce_platform.automation.lineage import LineageError, lineage, lineage_sensors
from ecommerce_platform.automation.runner import run_days
from ecommerce_platform.definitions import defs
from ecommerce_platform.feeds.columns import FEEDS
from ecommerce_platform.postgres.ddl import apply_ddl
from ecommerce_platform.resources.database import database_url, embedded_server
from ecommerce_platform.settings import PROJECT_DIR, load_settings
from ecommerce_platform.tables.manifest import entry, tables
from ecommerce_platform_tests.harness import day
from ecommerce_platform_tests.ports import free_port

Event = dict[str, Any]
POSTGRES = "postgres://localhost:5432"
SALES = 'key:"warehouse/fact_sales"'
"""A run of one asset, where any run will do."""


class Receiver(ThreadingHTTPServer):
    """Keeps the events that it is sent; answers with ``status``, and with 503 once it has ``limit`` events."""

    def __init__(self, port: int):
        super().__init__(("127.0.0.1", port), Handler)
        self.events: list[Event] = []
        self.status = 201
        self.limit: int | None = None
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        receiver = self.server
        assert isinstance(receiver, Receiver)
        event = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        is_full = receiver.limit is not None and len(receiver.events) >= receiver.limit
        if receiver.status == 201 and not is_full:
            receiver.events.append(event)
        self.send_response(503 if is_full else receiver.status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


class Lineage:
    """A loaded shop, and what the sensor sends."""

    def __init__(self, instance: DagsterInstance, port: int):
        self.instance = instance
        self.port = port
        self.cursor: str | None = None

    def tick(self) -> str:
        """Evaluate the sensor as the daemon does; return what it says."""
        context = build_sensor_context(instance=self.instance, cursor=self.cursor, definitions=defs)
        said = lineage(context)
        self.cursor = context.cursor
        assert isinstance(said, SkipReason)
        return said.skip_message or ""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lineage]:
    data = tmp_path_factory.mktemp("platform")
    port = free_port()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "ECOMMERCE_DATA_DIR": str(data),
            "ECOMMERCE_ORDERS_PER_DAY": "20",
            "ECOMMERCE_CUSTOMERS": "50",
            "ECOMMERCE_PRODUCTS": "20",
            "OPENLINEAGE_URL": f"http://127.0.0.1:{port}",
        }.items():
            patch.setenv(name, value)
        load_settings.cache_clear()
        apply_ddl(database_url(load_settings()))
        with DagsterInstance.from_config(str(PROJECT_DIR)) as instance:
            yield Lineage(instance, port)
        embedded_server(load_settings()).stop("immediate")
    load_settings.cache_clear()


@pytest.fixture(scope="module")
def events(shop: Lineage) -> list[Event]:
    """The events of a run over two days, which the receiver takes at the second attempt."""
    assert shop.tick() == "Sends the runs that end from now on"
    outcome = run_days(defs, shop.instance, day(1), day(2))
    assert outcome.success
    told = shop.tick()
    assert told == "0 runs sent; the receiver does not answer and is tried again: ConnectionError"
    receiver = Receiver(shop.port)
    try:
        receiver.status = 503
        assert shop.tick().startswith("0 runs sent; the receiver does not answer")
        receiver.status = 201
        assert shop.tick() == "1 runs sent"
        assert shop.tick() == "0 runs sent"
    finally:
        receiver.shutdown()
        receiver.server_close()
    return receiver.events


def of_step(events: list[Event], step: str) -> list[Event]:
    return [event for event in events if event["job"]["name"] == f"daily.{step}"]


def test_nothing_is_sent_unless_it_is_configured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("OPENLINEAGE_URL", "OPENLINEAGE_CONFIG", "OPENLINEAGE__TRANSPORT__TYPE", "OPENLINEAGE_DISABLED"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert lineage_sensors() == []
    (tmp_path / "openlineage.yml").write_text("transport: {type: console}\n")
    assert lineage_sensors() == [lineage]
    monkeypatch.setenv("OPENLINEAGE_DISABLED", "true")
    assert lineage_sensors() == []


def test_every_step_has_a_start_and_an_end_inside_the_run(events: list[Event]) -> None:
    by_run: dict[str, list[Event]] = {}
    for event in events:
        by_run.setdefault(event["run"]["runId"], []).append(event)
    assert all([event["eventType"] for event in pair] == ["START", "COMPLETE"] for pair in by_run.values())
    assert all(UUID(run) for run in by_run)
    first, last = events[0], events[-1]
    assert first["run"]["runId"] == last["run"]["runId"]
    assert first["job"] == {**first["job"], "namespace": "ecommerce", "name": "daily"}
    assert {event["job"]["name"] for event in events} >= {f"daily.{table.replace('.', '__')}" for table in tables()}
    for event in events:
        assert first["eventTime"] <= event["eventTime"] <= last["eventTime"]
        assert event["producer"].startswith("urn:ecommerce-platform:")
        assert event["schemaURL"].endswith("OpenLineage.json#/$defs/RunEvent")
        nominal = event["run"]["facets"]["nominalTime"]
        assert nominal["nominalStartTime"].startswith(str(day(1)))
        assert nominal["nominalEndTime"].startswith(str(day(3)))
        if event not in (first, last):
            assert event["run"]["facets"]["parent"]["run"]["runId"] == first["run"]["runId"]


def test_datasets_have_their_schema_and_the_sources_of_their_columns(events: list[Event]) -> None:
    _, event = of_step(events, "warehouse__agg_daily_sales")
    (output,) = event["outputs"]
    assert (output["namespace"], output["name"]) == (POSTGRES, "ecommerce.warehouse.agg_daily_sales")
    known = entry("warehouse.agg_daily_sales")
    fields = output["facets"]["schema"]["fields"]
    assert [(field["name"], field["type"]) for field in fields] == [(c.name, c.type) for c in known.columns]
    assert output["facets"]["documentation"]["description"] == known.comment
    (source,) = output["facets"]["columnLineage"]["fields"]["revenue"]["inputFields"]
    assert (source["namespace"], source["name"]) == (POSTGRES, "ecommerce.warehouse.fact_sales")
    assert source["field"] == "revenue"
    assert [item["name"] for item in event["inputs"]] == ["ecommerce.warehouse.fact_sales"]


def test_the_files_lead_to_staging_and_every_input_is_somebodys_output(events: list[Event]) -> None:
    written = {(item["namespace"], item["name"]) for event in events for item in event["outputs"]}
    read = {(item["namespace"], item["name"]) for event in events for item in event["inputs"]}
    assert read <= written
    for feed in FEEDS:
        (_, made), (_, staged) = of_step(events, f"raw__{feed}"), of_step(events, f"staging__{feed}")
        assert made["outputs"][0]["namespace"] == "file"
        assert made["outputs"][0]["name"] == staged["inputs"][0]["name"] == str(load_settings().raw / feed)


def test_checks_are_assertions_about_the_table_that_they_read(events: list[Event]) -> None:
    _, event = of_step(events, "check__warehouse__fact_sales")
    assert event["outputs"] == []
    (item,) = event["inputs"]
    assert item["name"] == "ecommerce.warehouse.fact_sales"
    assertions = {each["assertion"]: each for each in item["inputFacets"]["dataQualityAssertions"]["assertions"]}
    assert assertions["contract"]["success"] is True
    assert assertions["contract"]["severity"] == "error"
    assert assertions["latest_day_is_loaded"] == {
        **assertions["latest_day_is_loaded"],
        "success": False,
        "severity": "warn",
    }


def test_no_event_holds_data(events: list[Event]) -> None:
    text = json.dumps(events)
    with psycopg.connect(database_url(load_settings())) as connection:
        known = connection.execute("select email from production.customers where email is not null").fetchall()
    assert known
    assert [email for (email,) in known if email in text] == []


def test_a_step_that_failed_says_so_without_the_text_of_the_error(shop: Lineage, events: list[Event]) -> None:
    assert events
    with psycopg.connect(database_url(load_settings())) as connection:
        connection.execute(
            """
            create function warehouse.refuse() returns trigger language plpgsql as
            $$ begin raise 'ada@example.com is refused' using errcode = 'check_violation'; end $$;
            create trigger refuse before insert on warehouse.fact_sales execute function warehouse.refuse();
            """
        )
    receiver = Receiver(shop.port)
    try:
        assert not run_days(defs, shop.instance, day(3), day(3)).success
        assert shop.tick() == "1 runs sent"
    finally:
        receiver.shutdown()
        receiver.server_close()
        with psycopg.connect(database_url(load_settings())) as connection:
            connection.execute("drop trigger refuse on warehouse.fact_sales; drop function warehouse.refuse()")
    _, failed = of_step(receiver.events, "warehouse__fact_sales")
    assert failed["eventType"] == receiver.events[-1]["eventType"] == "FAIL"
    assert failed["run"]["facets"]["errorMessage"]["message"] == "warehouse__fact_sales failed; see its run in Dagster"
    assert "ada@example.com" not in json.dumps(receiver.events)
    assert of_step(receiver.events, "warehouse__agg_daily_sales") == []


def test_an_event_that_is_refused_does_not_hold_up_the_others(shop: Lineage, events: list[Event]) -> None:
    assert events
    assert run_days(defs, shop.instance, day(3), day(3), select=SALES).success
    receiver = Receiver(shop.port)
    receiver.status = 422
    try:
        assert shop.tick() == "1 runs sent"
    finally:
        receiver.shutdown()
        receiver.server_close()


def test_a_tick_goes_on_where_the_last_one_stopped(
    shop: Lineage, events: list[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A receiver that is slow must not hold the worker of the sensors, and a long run is sent in parts."""
    assert events
    assert run_days(defs, shop.instance, day(3), day(3)).success
    receiver = Receiver(shop.port)
    receiver.limit = 5
    try:
        assert shop.tick() == "0 runs sent; the receiver does not answer and is tried again: status 503"
        receiver.limit = None
        with monkeypatch.context() as patch:
            patch.setattr("ecommerce_platform.automation.lineage.TICK_SECONDS", 0)
            assert re.fullmatch(r"0 runs sent; 6 of \d+ events of the next one; the rest follows .*", shop.tick())
        assert shop.tick() == "1 runs sent"
    finally:
        receiver.shutdown()
        receiver.server_close()
    states = [(event["run"]["runId"], event["eventType"]) for event in receiver.events]
    assert len(set(states)) == len(states), "an event was sent twice"
    assert states[0][0] == states[-1][0]
    assert {event["job"]["name"] for event in receiver.events} == {event["job"]["name"] for event in events}


def test_a_run_whose_events_cannot_be_built_does_not_hold_up_the_others(
    shop: Lineage, events: list[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A version of the platform without a table that the run had written or checked."""
    assert events
    assert run_days(defs, shop.instance, day(3), day(3), select=SALES).success
    receiver = Receiver(shop.port)
    try:
        with monkeypatch.context() as patch:
            patch.setattr("ecommerce_platform.reports.lineage_events.entry", lambda table: 1 / 0)
            assert shop.tick() == "1 runs sent"
        assert receiver.events == []
        assert run_days(defs, shop.instance, day(3), day(3), select=SALES).success
        assert shop.tick() == "1 runs sent"
    finally:
        receiver.shutdown()
        receiver.server_close()
    assert receiver.events[-1]["eventType"] == "COMPLETE"


@pytest.mark.parametrize("kind", ["async_http", "kafka", "console"])
def test_a_transport_that_could_lose_events_is_refused(
    shop: Lineage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str
) -> None:
    file = tmp_path / "openlineage.yml"
    config = {"type": kind, "url": "http://127.0.0.1:1?key=secret", "topic": "x", "config": {}}
    file.write_text(json.dumps({"transport": config}))
    monkeypatch.delenv("OPENLINEAGE_URL")
    monkeypatch.setenv("OPENLINEAGE_CONFIG", str(file))
    before = shop.cursor
    with pytest.raises(LineageError, match=r"must name a receiver by HTTP: OPENLINEAGE_URL, .* Found: ") as error:
        shop.tick()
    assert "secret" not in str(error.value)
    assert shop.cursor == before


def test_a_run_takes_no_notice_of_a_receiver_that_is_down(shop: Lineage) -> None:
    """The sensor sends; no step of a run does."""
    run = run_days(defs, shop.instance, day(4), day(4))
    assert run.success
    assert "tried again" in shop.tick()
