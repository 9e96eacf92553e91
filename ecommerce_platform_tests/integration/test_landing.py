"""A user's own exports replace the synthetic shop, whatever they contain."""

from __future__ import annotations

import datetime as dt
import logging
import os
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path

import pytest
from dagster import DagsterInstance, materialize

from dashboards.app.health import read_health
from ecommerce_platform.assets.raw import raw_asset
from ecommerce_platform.feeds.columns import FEEDS
from ecommerce_platform.feeds.files import FeedFileError, feed_file_name
from ecommerce_platform.feeds.landing import Taken
from ecommerce_platform.io_managers import PostgresConnection
from ecommerce_platform.resources.database import Database
from ecommerce_platform.resources.source import Source
from ecommerce_platform.settings import load_settings
from ecommerce_platform.tables.loaded_days import what_is_loaded
from ecommerce_platform.tables.raw_files import days_with_a_new_file, record_taken_files, taken_files
from ecommerce_platform_tests.harness import Platform, Row, csv_bytes, customer, day, line, order, product, returned

TABLES = ("staging.customers", "production.customers", "production.rejected_rows", "warehouse.fact_sales")


class Landing:
    """A landing folder, and a platform that loads from it. Returns land only if a test drops some."""

    def __init__(self, folder: Path, platform: Platform):
        self.folder = folder
        self.platform = platform

    def drop(self, number: int, *, raw: dict[str, bytes] | None = None, **feeds: Iterable[Row]) -> None:
        """Write the files of a day with one sale; given feeds are replaced, those in ``raw`` byte for byte."""
        rows = {
            "customers": [customer()],
            "products": [product()],
            "transactions": [order(1)],
            "transaction_items": [line(1, 1)],
            **feeds,
        }
        for feed, columns in FEEDS.items():
            if feed not in {**rows, **(raw or {})}:
                continue
            path = feed_file_name(self.folder, feed, day(number))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes((raw or {}).get(feed) or csv_bytes(columns, rows[feed]))

    def load(self, number: int = 1) -> None:
        with PostgresConnection(url=self.platform.url, role="loader").connect() as connection:
            for feed in FEEDS:
                last = taken_files(connection, feed, [day(number)]).get(day(number))
                known = () if last is None else (last[0].sha256, last[1])
                record_taken_files(connection, feed, {day(number): Source().export(feed, day(number), known).taken})
        self.platform.run(number)

    def due_again(self) -> set[dt.date]:
        with PostgresConnection(url=self.platform.url, role="loader").connect() as connection:
            return days_with_a_new_file(connection, load_settings())


@pytest.fixture
def landing(platform: Platform, data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Landing:
    monkeypatch.setenv("ECOMMERCE_SOURCE", "landing")
    monkeypatch.setenv("ECOMMERCE_LANDING_DIR", str(tmp_path / "landing"))
    monkeypatch.setenv("ECOMMERCE_LANDING_REST_SECONDS", "0")
    load_settings.cache_clear()
    platform.raw = load_settings().raw
    return Landing(tmp_path / "landing", platform)


def test_states_and_countries_outside_the_usa_reach_the_geography(landing: Landing) -> None:
    landing.drop(1, customers=[customer(country="br", state="sp", city="São Paulo", last_name="Łukasz 李\u202e")])
    landing.load()
    assert landing.platform.rows("select country, state, city from warehouse.dim_customer where customer_key <> 0") == [
        ("BR", "SP", "São Paulo")
    ]
    assert landing.platform.rows("select last_name from production.customers") == [("Łukasz 李\u202e",)]


def test_quoted_newlines_and_thousands_of_categories_are_kept(landing: Landing) -> None:
    products = [product(number, category=f"Kategorie № {number}") for number in range(1, 3001)]
    landing.drop(1, customers=[customer(street_address='1 "Main"\r\nSt, 2')], products=products)
    landing.load()
    assert landing.platform.rows("select count(*) from production.product_categories") == [(3000,)]
    assert landing.platform.rows("select street_address from production.customers") == [('1 "Main"\r\nSt, 2',)]
    assert landing.platform.rows("select count(*) from warehouse.fact_sales") == [(1,)]


def test_another_order_extra_columns_a_bom_and_crlf_are_read(landing: Landing) -> None:
    row = {**customer(), "loyalty": "gold, ü"}
    content = csv_bytes([*reversed(FEEDS["customers"]), "loyalty"], [row])
    landing.drop(1, raw={"customers": b"\xef\xbb\xbf" + content.replace(b"\n", b"\r\n")})
    landing.load()
    assert landing.platform.rows("select customer_id, extra_columns from staging.customers") == [
        ("1", {"loyalty": "gold, ü"})
    ]
    assert landing.platform.rows("select count(*) from production.rejected_rows") == [(0,)]


def test_columns_that_no_feed_knows_are_reported_by_the_load(landing: Landing) -> None:
    columns = [*FEEDS["customers"], "loyalty", "näme"]
    landing.drop(1, raw={"customers": csv_bytes(columns, [{**customer(), "loyalty": "gold", "näme": "x"}])})
    landing.drop(2)
    asset = raw_asset("customers")
    resources = {"source": Source(), "database": Database(url=landing.platform.url, role="loader")}

    def reported(number: int) -> dict[str, object]:
        result = materialize([asset], partition_key=day(number).isoformat(), resources=resources)
        (event,) = result.asset_materializations_for_node("raw__customers")
        return {name: value.value for name, value in event.metadata.items()}

    assert reported(1)["unknown_columns"] == "loyalty, näme"
    assert "unknown_columns" not in reported(2)


def test_a_nul_byte_and_a_huge_field_reject_their_rows_only(landing: Landing) -> None:
    rows = [customer(), customer(2, city="a\0b"), customer(3, city="x" * 10_000_000)]
    landing.drop(1, customers=rows)
    landing.load()
    assert landing.platform.rows("select customer_id from production.customers") == [(1,)]
    assert landing.platform.rows("select source_row, reasons from production.rejected_rows order by 1") == [
        (2, ["row: cannot be split into its columns"]),
        (3, ["row: cannot be split into its columns"]),
    ]


@pytest.mark.parametrize("content", [None, b"customer_id;city\n1;Rome\n", csv_bytes(FEEDS["customers"], [])[:-2]])
def test_a_missing_or_wrong_file_is_one_clear_error_and_changes_nothing(
    landing: Landing, content: bytes | None
) -> None:
    landing.drop(1)
    landing.load()
    before = {table: landing.platform.content(table) for table in TABLES}
    raw = feed_file_name(landing.platform.raw, "customers", day(1)).read_bytes()
    path = feed_file_name(landing.folder, "customers", day(1))
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(FeedFileError) as caught:
        landing.load()
    assert str(caught.value).startswith(f"feed customers, day {day(1)}, file {path}")
    assert len(str(caught.value).splitlines()) == 1
    assert feed_file_name(landing.platform.raw, "customers", day(1)).read_bytes() == raw
    assert {table: landing.platform.content(table) for table in TABLES} == before


def test_a_file_that_lands_again_makes_its_day_due_until_it_is_taken(landing: Landing) -> None:
    """Five of ten orders were present when the day was loaded; the others arrived a minute later and were lost."""
    landing.drop(1, transactions=[], transaction_items=[])
    landing.drop(2, transactions=[order(2, on=2)], transaction_items=[line(2, 2)])
    landing.load(1)
    landing.load(2)
    assert landing.due_again() == set()
    landing.drop(1)
    assert landing.due_again() == {day(1)}
    landing.load(1)
    assert landing.due_again() == set()
    assert landing.platform.rows("select count(*) from production.transactions where partition_date = %s", day(1)) == [
        (1,)
    ]


def test_a_file_that_lands_again_with_the_same_content_is_not_due(landing: Landing) -> None:
    landing.drop(1)
    landing.load(1)
    landing.drop(1)
    os.utime(feed_file_name(landing.folder, "customers", day(1)), (1, 1))
    assert landing.due_again() == set()


def test_what_landed_before_the_platform_kept_books_is_compared_with_the_raw_file(landing: Landing) -> None:
    landing.drop(1)
    landing.load(1)
    landing.platform.execute("delete from platform.raw_files")
    assert landing.due_again() == set()
    landing.drop(1, customers=[customer(2)])
    assert landing.due_again() == {day(1)}


def test_a_landed_file_that_is_gone_again_is_not_due(landing: Landing) -> None:
    landing.drop(1)
    landing.load(1)
    feed_file_name(landing.folder, "products", day(1)).unlink()
    assert landing.due_again() == set()


def test_a_shop_without_returns_loads_and_returns_that_land_later_are_taken(landing: Landing) -> None:
    landing.drop(1)
    landing.load(1)
    raw = feed_file_name(landing.platform.raw, "returns", day(1))
    assert raw.read_bytes() == csv_bytes(FEEDS["returns"], [])
    assert landing.due_again() == set()
    with PostgresConnection(url=landing.platform.url, role="loader").connect() as connection:
        assert what_is_loaded(connection).passed == {day(1)}
    landing.drop(1, returns=[returned(1, 1)])
    assert landing.due_again() == {day(1)}
    landing.load(1)
    assert landing.due_again() == set()
    assert landing.platform.rows("select refund_amount from warehouse.fact_returns") == [(Decimal("10.00"),)]


def test_returns_that_were_loaded_stay_until_an_empty_file_lands(landing: Landing) -> None:
    """A landing folder may be cleaned: a file that is gone withdraws nothing, and a file without rows does."""
    landing.drop(1, returns=[returned(1, 1)])
    landing.load(1)
    feed_file_name(landing.folder, "returns", day(1)).unlink()
    landing.load(1)
    assert landing.platform.rows("select count(*) from warehouse.fact_returns") == [(1,)]
    landing.drop(1, returns=[])
    assert landing.due_again() == {day(1)}
    landing.load(1)
    assert landing.platform.rows("select count(*) from warehouse.fact_returns") == [(0,)]


def test_a_raw_file_that_was_edited_is_not_overwritten_but_reported_until_it_is_deleted(landing: Landing) -> None:
    landing.drop(1, customers=[customer(email="ada at example")])
    landing.load(1)
    raw = feed_file_name(landing.platform.raw, "customers", day(1))
    mended = raw.read_bytes().replace(b"ada at example", b"ada@example.com")
    raw.write_bytes(mended)
    asset = raw_asset("customers")
    resources = {"source": Source(), "database": Database(url=landing.platform.url, role="loader")}

    def is_left() -> tuple[bool, list[str]]:
        with DagsterInstance.ephemeral() as instance:
            result = materialize([asset], partition_key=day(1).isoformat(), resources=resources, instance=instance)
            (event,) = result.asset_materializations_for_node("raw__customers")
            warnings = [log.user_message for log in instance.all_logs(result.run_id) if log.level == logging.WARNING]
        return "not_overwritten" in event.metadata, warnings

    was_left, warnings = is_left()
    assert was_left
    assert raw.read_bytes() == mended
    assert [
        warning for warning in warnings if "changed by hand and not overwritten" in warning and str(day(1)) in warning
    ] == warnings
    # A new delivery does not overwrite it either, and does not stay due forever.
    landing.drop(1, customers=[customer(email="ada at example", city="Houston")])
    assert landing.due_again() == {day(1)}
    assert is_left()[0]
    assert raw.read_bytes() == mended
    assert landing.due_again() == set()
    raw.unlink()
    assert not is_left()[0]
    assert b"Houston" in raw.read_bytes()


def test_a_run_that_died_before_it_noted_a_delivery_does_not_take_it_for_a_change_by_hand(landing: Landing) -> None:
    """The raw file was written but not recorded: the next delivery was rejected as if the file had been edited."""
    landing.drop(1)
    landing.load(1)
    landing.drop(1, customers=[customer(city="Dallas")])
    noted: list[Taken] = []
    with PostgresConnection(url=landing.platform.url, role="loader").connect() as connection:
        given, before = taken_files(connection, "customers", [day(1)])[day(1)]
        Source().export("customers", day(1), (given.sha256, before), noted.append)
        record_taken_files(connection, "customers", {day(1): noted[0]})  # then the run is killed
    landing.drop(1, customers=[customer(city="Houston")])
    landing.load(1)
    assert landing.platform.rows("select city from production.customers") == [("Houston",)]


def test_a_file_that_is_refused_is_a_day_that_is_missing_until_it_is_taken(landing: Landing) -> None:
    landing.drop(1)
    landing.load(1)
    reader = PostgresConnection(url=landing.platform.url, role="reader")
    resources = {"source": Source(), "database": Database(url=landing.platform.url, role="loader")}
    landing.drop(1, raw={"products": b"garbage"})
    assert not materialize(
        [raw_asset("products")], partition_key=day(1).isoformat(), resources=resources, raise_on_error=False
    ).success
    assert read_health(reader).incomplete_days == [day(1)]
    landing.drop(1)
    landing.load(1)
    assert read_health(reader).incomplete_days == []
