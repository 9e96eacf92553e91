"""The sensor of the user's own files: it converts exports and requests the days that changed, once, in one run."""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from dagster import (
    AssetKey,
    DagsterInstance,
    DagsterRun,
    DagsterRunStatus,
    RunRequest,
    build_sensor_context,
)

from ecommerce_platform.automation.daily import DAILY_JOB
from ecommerce_platform.automation.landed import Seen, landed_files
from ecommerce_platform.connectors.conversion import STATE
from ecommerce_platform.definitions import build_definitions
from ecommerce_platform.feeds.columns import FEEDS
from ecommerce_platform.partitions import days_of_run
from ecommerce_platform.settings import load_settings
from ecommerce_platform_tests import exports
from ecommerce_platform_tests.harness import Platform, csv_bytes, customer, day

CUSTOMERS = "customer_id,country,state,registered_on,updated_at\nADA,US,TX,2024-01-01,2024-01-01T10:00:00Z\n"
PRODUCTS = "product_id,product_name,category,price,cost,updated_at\n85123A,Cup,Home,2.50,1.00,2024-01-01T09:00:00Z\n"
ORDERS = "transaction_id,customer_id,transaction_date,payment_method,total_amount"
LINES = "item_id,transaction_id,product_id,quantity,unit_price,line_total"


class Shop:
    """A folder with a shop's exports, a Dagster instance, and the sensor with its cursor."""

    def __init__(self, url: str, instance: DagsterInstance):
        self.url = url
        self.instance = instance
        self.folder = load_settings().landing
        self.converted = load_settings().feed_files
        self.definitions = build_definitions()
        self.cursor: str | None = None

    def export(self, cups: dict[int, int], header: str = ORDERS) -> None:
        """Export everything: one order on each day, of so many cups at 2.50."""
        exports.write_text(self.folder / "customers.csv", CUSTOMERS)
        exports.write_text(self.folder / "products.csv", PRODUCTS)
        orders = [f"#{on},ADA,{day(on)},Cash,{quantity * 2.5:.2f}" for on, quantity in cups.items()]
        exports.write_text(self.folder / "orders.csv", "\n".join([header, *orders, ""]))
        lines = [f"{on},#{on},85123A,{quantity},2.50,{quantity * 2.5:.2f}" for on, quantity in cups.items()]
        exports.write_text(self.folder / "lines.csv", "\n".join([LINES, *lines, ""]))

    def tick(self, keeps_cursor: bool = True) -> tuple[Sequence[RunRequest], str]:
        """Evaluate the sensor; its requests, and why there is none. A daemon that is killed keeps no cursor."""
        with build_sensor_context(instance=self.instance, cursor=self.cursor, definitions=self.definitions) as context:
            evaluated = landed_files.evaluate_tick(context)
        if keeps_cursor:
            self.cursor = evaluated.cursor
        return evaluated.run_requests or [], evaluated.skip_message or ""

    def run(self, request: RunRequest) -> None:
        job = self.definitions.resolve_job_def(DAILY_JOB)
        result = job.execute_in_process(instance=self.instance, tags=dict(request.tags), raise_on_error=False)
        assert result.success, [event.message for event in result.all_events if event.is_failure]

    def sales(self) -> dict[str, str]:
        with psycopg.connect(self.url) as connection:
            rows = connection.execute("select sale_date::text, sum(revenue)::text from warehouse.fact_sales group by 1")
            return dict(rows.fetchall())

    def observed(self, kind: str) -> list[dict[str, object]]:
        """What the observations of an export say, the latest first."""
        records = self.instance.fetch_observations(AssetKey(["landing", f"{kind}_export"]), limit=10).records
        found = [record.asset_observation for record in records]
        return [{name: value.value for name, value in each.metadata.items()} for each in found if each is not None]


@pytest.fixture
def shop(database_url: str, data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    monkeypatch.setenv("ECOMMERCE_DATABASE_URL", database_url)
    monkeypatch.setenv("ECOMMERCE_SOURCE", "feeds")
    monkeypatch.setenv("ECOMMERCE_LANDING_DIR", str(tmp_path / "landing"))
    monkeypatch.setenv("ECOMMERCE_LANDING_REST_SECONDS", "0")
    load_settings.cache_clear()
    with DagsterInstance.ephemeral(str(data_dir.parent)) as instance:
        yield Shop(database_url, instance)


def spans(requests: Sequence[RunRequest]) -> list[tuple[dt.date, dt.date] | None]:
    return [days_of_run(request.tags) for request in requests]


def test_what_an_export_changes_is_loaded_by_the_one_run_that_the_sensor_requests(shop: Shop) -> None:
    shop.export({2: 2, 3: 1, 5: 4})
    requests, _ = shop.tick()
    assert spans(requests) == [(day(2), day(5))]
    assert load_settings().first_day == day(2)
    shop.run(requests[0])
    assert shop.sales() == {"2024-01-02": "5.00", "2024-01-03": "2.50", "2024-01-05": "10.00"}
    content = (shop.folder / "orders.csv").read_bytes()
    as_observed = {"files": 1, "dagster/row_count": 3, "bytes": len(content)}
    assert shop.observed("transactions") == [{**as_observed, "sha256": hashlib.sha256(content).hexdigest()}]
    assert shop.tick() == ([], "No file has changed.")

    # An order is corrected, one is gone, one is new; January 2 is as it was.
    shop.export({2: 2, 3: 3, 6: 1})
    requests, _ = shop.tick()
    assert spans(requests) == [(day(3), day(6))]
    shop.run(requests[0])
    assert shop.sales() == {"2024-01-02": "5.00", "2024-01-03": "7.50", "2024-01-06": "2.50"}
    assert len(shop.observed("transactions")) == 2

    # The same export again: other files for the sensor, the same rows for everybody.
    shop.export({2: 2, 3: 3, 6: 1})
    os.utime(shop.folder / "orders.csv", ns=(1, 1))
    assert shop.tick() == ([], "The files change no day.")
    assert len(shop.observed("transactions")) == 2


def test_a_file_that_is_still_being_written_is_not_taken(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECOMMERCE_LANDING_REST_SECONDS", "3600")
    load_settings.cache_clear()

    def an_hour_passes() -> None:
        seen = Seen.from_text(shop.cursor)
        assert seen is not None
        since = dt.datetime.fromisoformat(seen.since) - dt.timedelta(hours=1)
        shop.cursor = replace(seen, since=since.isoformat()).to_text()

    shop.export({2: 2})
    for number in range(3, 6):
        requests, why = shop.tick()
        assert not requests
        assert "once they have not changed for 3600 seconds" in why
        an_hour_passes()
        with (shop.folder / "orders.csv").open("a", encoding="utf-8") as file:
            file.write(f"#{number},ADA,{day(number)},Cash,0.00\n")
    assert not shop.converted.exists()
    assert not shop.tick()[0]
    an_hour_passes()
    assert spans(shop.tick()[0]) == [(day(2), day(5))]


def test_an_export_that_cannot_be_converted_is_named_and_not_tried_again_until_it_changes(shop: Shop) -> None:
    shop.export({2: 2}, header=ORDERS.replace("total_amount", "grand_sum"))
    requests, why = shop.tick()
    assert not requests
    assert f"{shop.folder / 'orders.csv'}: this looks like the transactions of the connector feeds" in why
    assert "\n" not in why
    tried = (shop.converted / ".lock").stat().st_mtime_ns
    assert shop.tick() == ([], why)
    assert (shop.converted / ".lock").stat().st_mtime_ns == tried
    shop.export({2: 2})
    assert spans(shop.tick()[0]) == [(day(2), day(2))]


def test_a_missing_folder_is_named(shop: Shop) -> None:
    assert shop.tick()[1].startswith(f"{shop.folder}: there is no such folder")


def test_a_daemon_that_is_killed_between_conversion_and_request_makes_the_same_request_again(shop: Shop) -> None:
    shop.export({2: 2, 3: 1})
    lost, _ = shop.tick(keeps_cursor=False)
    converted = (shop.converted / STATE).stat().st_mtime_ns
    again, _ = shop.tick(keeps_cursor=False)
    assert (shop.converted / STATE).stat().st_mtime_ns == converted
    assert [request.run_key for request in again] == [request.run_key for request in lost] != [None]
    assert spans(again) == spans(lost) == [(day(2), day(3))]
    assert len(shop.observed("transactions")) == 1


def test_a_day_that_a_run_is_at_work_on_is_requested_after_it(shop: Shop) -> None:
    """The run may have read an older file: then the day is due, otherwise it is loaded."""
    shop.export({2: 2, 3: 1})
    (request,), _ = shop.tick(keeps_cursor=False)
    run = DagsterRun(
        job_name=DAILY_JOB, run_id=str(uuid.uuid4()), status=DagsterRunStatus.STARTED, tags=dict(request.tags)
    )
    shop.instance.add_run(run)
    assert shop.tick() == ([], "A run is loading 2024-01-02. What has changed is requested after it.")
    shop.instance.report_run_canceled(run)
    assert spans(shop.tick()[0]) == [(day(2), day(3))]


def test_feed_files_that_land_are_requested_without_a_connector(
    shop: Shop, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ECOMMERCE_SOURCE", "landing")
    load_settings.cache_clear()
    assert shop.tick() == ([], "The files change no day.")
    for number, feeds in ((1, FEEDS), (2, ["customers"]), (4, FEEDS)):
        for feed in feeds:
            rows = [customer(1)] if feed == "customers" else []
            exports.write_text(shop.folder / feed / f"{day(number)}.csv", csv_bytes(FEEDS[feed], rows).decode())
    requests, _ = shop.tick()
    assert spans(requests) == [(day(1), day(1)), (day(4), day(4))]
    assert len({request.run_key for request in requests}) == 2
