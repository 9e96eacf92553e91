"""`up` with a shop's own files: valid files are loaded and served, invalid ones reported, and new deliveries loaded."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner, Result
from dagster import DagsterInstance

from ecommerce_platform import cli
from ecommerce_platform.feeds.columns import FEEDS
from ecommerce_platform.feeds.files import feed_file_name, write_feed_file
from ecommerce_platform.resources.database import database_url, embedded_server
from ecommerce_platform.settings import PROJECT_DIR, load_settings
from ecommerce_platform_tests.harness import csv_bytes, customer, day, line, order, product

DAYS = 4


class Shop:
    """A landing folder with days of one order each, and the `up` command."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.served = 0

    def path(self, feed: str, number: int) -> Path:
        return feed_file_name(self.folder, feed, day(number))

    def content(self, feed: str, number: int, price: str = "10.00") -> bytes:
        rows = {
            "customers": [customer(number, on=number)],
            "products": [product(number, on=number)],
            "transactions": [order(number, number, on=number, total=price)],
            "transaction_items": [line(number, number, number, price=price)],
            "returns": [],
        }
        return csv_bytes(FEEDS[feed], rows[feed])

    def land(self, number: int, price: str = "10.00") -> None:
        for feed in FEEDS:
            write_feed_file(self.path(feed, number), self.content(feed, number, price))

    def up(self, *arguments: str) -> Result:
        return CliRunner().invoke(cli.main, ["up", *arguments])

    def sales(self) -> dict[dt.date, str]:
        with psycopg.connect(database_url(load_settings())) as connection:
            return dict(connection.execute("select sale_date, sum(revenue)::text from warehouse.fact_sales group by 1"))

    def runs(self) -> int:
        with DagsterInstance.from_config(str(PROJECT_DIR)) as instance:
            return instance.get_runs_count()


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    data = tmp_path_factory.mktemp("landed")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "ECOMMERCE_DATA_DIR": str(data / "data"),
            "ECOMMERCE_SOURCE": "landing",
            "ECOMMERCE_LANDING_DIR": str(data / "landing"),
            "ECOMMERCE_LANDING_REST_SECONDS": "0",
            "ECOMMERCE_FIRST_DAY": str(day(1)),
        }.items():
            patch.setenv(name, value)
        # The commands prepare .env for Dagster; tests must not change the developer's file.
        patch.setattr("ecommerce_platform.instance.home.set_key", lambda *_: None)
        patch.setattr("ecommerce_platform.cli.dotenv.load_dotenv", lambda *_, **__: None)
        load_settings.cache_clear()
        shop = Shop(data / "landing")
        patch.setattr(
            "ecommerce_platform.cli.serving.serve_until_stopped", lambda _: setattr(shop, "served", shop.served + 1)
        )
        for number in range(1, DAYS + 1):
            shop.land(number)
        yield shop
        embedded_server(load_settings()).stop("immediate")
    load_settings.cache_clear()


def test_one_bad_file_keeps_neither_the_other_days_nor_the_services_waiting(shop: Shop) -> None:
    shop.path("products", 2).write_bytes(shop.content("products", 2).decode().encode("utf-16"))
    result = shop.up()
    assert result.exit_code == 0  # it served until it was stopped
    assert shop.served == 1
    assert shop.sales() == {day(1): "10.00", day(3): "10.00", day(4): "10.00"}
    said = " ".join(result.stderr.split())
    assert f"feed products, day {day(2)}" in said
    assert "UTF-16" in said
    assert f"Missing days: {day(2)}." in said
    assert shop.runs() == 3  # the whole range, then the days before and after the invalid day


def test_a_day_that_breaks_the_contract_of_staging_is_found(shop: Shop) -> None:
    many = [product(number, price="many") for number in range(1, 200)]
    shop.path("products", 2).write_bytes(csv_bytes(FEEDS["products"], many))
    shop.land(5)
    shop.land(6)
    before = shop.runs()
    result = shop.up("--no-serve")
    assert result.exit_code == 1
    assert shop.sales() == {day(number): "10.00" for number in (1, 3, 4, 5, 6)}
    said = " ".join(result.stderr.split())
    assert "staging.products, check contract" in said
    assert f"Missing days: {day(2)}." in said
    assert shop.runs() - before == 2  # day 2, then days 5 and 6
    shop.land(2)
    assert shop.up("--no-serve").exit_code == 0
    assert shop.sales() == {day(number): "10.00" for number in range(1, 7)}


def test_what_lands_again_is_loaded_again(shop: Shop) -> None:
    shop.land(3, price="25.00")
    told = CliRunner().invoke(cli.main, ["status"])
    assert f"Missing days: {day(3)}" in " ".join(told.stderr.split())
    assert shop.up("--no-serve").exit_code == 0
    assert shop.sales()[day(3)] == "25.00"
    before = shop.runs()
    assert shop.up("--no-serve").exit_code == 0
    assert shop.runs() == before
    assert CliRunner().invoke(cli.main, ["verify"]).exit_code == 0
