"""`up` with a connector: a shop's dump is converted, loaded, and followed when it is exported again."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import pytest
from click.testing import CliRunner, Result
from dagster import AssetKey, DagsterInstance

from ecommerce_platform import cli
from ecommerce_platform.resources.database import database_url, embedded_server
from ecommerce_platform.settings import PROJECT_DIR, Settings, load_settings
from ecommerce_platform_tests import exports

CUSTOMERS = "customer_id,country,state,registered_on,updated_at\nADA,US,TX,2024-01-01,2024-01-01T10:00:00Z\n"
PRODUCTS = "product_id,product_name,category,price,cost,updated_at\n85123A,Cup,Home,2.50,1.00,2024-01-01T09:00:00Z\n"
ORDERS = "Transaction ID;Customer ID;Transaction Date;Payment Method;Total Amount"
LATEST_DAY = "select passed from platform.check_results where check_name = 'latest_day_is_loaded'"
LINES = "item_id,transaction_id,product_id,quantity,unit_price,line_total"


class Shop:
    """A folder with a shop's exports, and the commands of the platform."""

    def __init__(self, folder: Path):
        self.folder = folder

    def export(self, orders: dict[int, tuple[str, int]]) -> None:
        """Export everything: orders by number, each with its moment and its quantity of cups at 2.50."""
        exports.write_text(self.folder / "customers.csv", CUSTOMERS)
        exports.write_text(self.folder / "products.csv", PRODUCTS)
        sold = [f"#{number};ADA;{at};Cash;{quantity * 2.5:.2f}" for number, (at, quantity) in orders.items()]
        exports.write_text(self.folder / "orders.csv", "\n".join([ORDERS, *sold, ""]))
        lines = [
            f"#{number}/1,#{number},85123A,{quantity},2.50,{quantity * 2.5:.2f}"
            for number, (_, quantity) in orders.items()
        ]
        exports.write_text(self.folder / "lines.csv", "\n".join([LINES, *lines, ""]))

    def run(self, *arguments: str) -> Result:
        return CliRunner().invoke(cli.main, list(arguments))

    def rows(self, statement: LiteralString) -> list[tuple[Any, ...]]:
        with psycopg.connect(database_url(load_settings())) as connection:
            return connection.execute(statement).fetchall()

    def sales(self) -> dict[str, str]:
        return dict(self.rows("select sale_date::text, sum(revenue)::text from warehouse.fact_sales group by 1"))

    def observed(self, kind: str) -> list[dict[str, object]]:
        """What Dagster has noted of the exports of a kind, the latest first."""
        with DagsterInstance.from_config(str(PROJECT_DIR)) as instance:
            records = instance.fetch_observations(AssetKey(["landing", f"{kind}_export"]), limit=10).records
        found = [record.asset_observation for record in records]
        return [{name: value.value for name, value in each.metadata.items()} for each in found if each is not None]

    def runs(self) -> int:
        with DagsterInstance.from_config(str(PROJECT_DIR)) as instance:
            return instance.get_runs_count()


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    data = tmp_path_factory.mktemp("connected")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ECOMMERCE_DATA_DIR", str(data / "data"))
        patch.setenv("ECOMMERCE_SOURCE", "feeds")
        patch.setenv("ECOMMERCE_LANDING_DIR", str(data / "landing"))
        patch.setenv("ECOMMERCE_TIME_ZONE", "America/New_York")
        # The commands prepare .env for Dagster; tests must not change the developer's file.
        patch.setattr("ecommerce_platform.instance.home.set_key", lambda *_: None)
        patch.setattr("ecommerce_platform.cli.dotenv.load_dotenv", lambda *_, **__: None)
        load_settings.cache_clear()
        yield Shop(data / "landing")
        embedded_server(load_settings()).stop("immediate")
    load_settings.cache_clear()


def told(result: Result) -> str:
    return " ".join((result.stdout + result.stderr).split())


def test_a_dump_is_loaded_from_its_first_order_on(shop: Shop) -> None:
    # The second order is of January 5 in London, and of January 4 in New York.
    shop.export({1: ("2024-01-03", 2), 2: ("2024-01-05T03:00:00Z", 1), 3: ("2024-01-06", 4)})
    checked = shop.run("source", "check")
    assert checked.exit_code == 0, told(checked)
    assert "revenue $17.50" in told(checked)
    result = shop.run("up", "--no-serve")
    assert result.exit_code == 0, told(result)
    assert shop.sales() == {"2024-01-03": "5.00", "2024-01-04": "2.50", "2024-01-06": "10.00"}
    assert load_settings().first_day == dt.date(2024, 1, 3)
    # The dump ends here: that no later day is loaded is no fault.
    assert {passed for (passed,) in shop.rows(LATEST_DAY)} == {True}
    assert "Every day from 2024-01-03 to 2024-01-06 is loaded." in told(shop.run("status"))
    content = (shop.folder / "orders.csv").read_bytes()
    (observed,) = shop.observed("transactions")
    assert observed["dagster/row_count"] == 3
    assert (observed["bytes"], observed["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())


def test_the_same_dump_is_not_loaded_again(shop: Shop) -> None:
    before = shop.runs()
    shop.export({3: ("2024-01-06", 4), 2: ("2024-01-05T03:00:00Z", 1), 1: ("2024-01-03", 2)})
    result = shop.run("up", "--no-serve")
    assert result.exit_code == 0, told(result)
    assert "0 days have changed" in told(result)
    assert shop.runs() == before


def test_a_later_dump_adds_changes_and_removes_orders(shop: Shop) -> None:
    before = shop.runs()
    shop.export({1: ("2024-01-03", 3), 2: ("2024-01-05T03:00:00Z", 1), 4: ("2024-01-07", 1)})
    result = shop.run("up", "--no-serve")
    assert result.exit_code == 0, told(result)
    assert "3 days have changed" in told(result)
    assert shop.sales() == {"2024-01-03": "7.50", "2024-01-04": "2.50", "2024-01-07": "2.50"}
    assert shop.runs() - before == 2  # January 3, then January 6 and 7
    verified = shop.run("verify")
    assert verified.exit_code == 0, told(verified)


def test_orders_before_the_first_day_are_a_matter_of_the_setting(shop: Shop) -> None:
    before = shop.sales(), shop.runs()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ECOMMERCE_FIRST_DAY", "2024-02-01")
        load_settings.cache_clear()
        result = shop.run("up", "--no-serve")
    load_settings.cache_clear()
    assert result.exit_code == 2
    assert "ECOMMERCE_FIRST_DAY: 2024-02-01 is after 2024-01-07, the last day of the exports" in told(result)
    assert (shop.sales(), shop.runs()) == before


def test_a_faulty_dump_loads_nothing_and_loses_nothing(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    before = shop.sales(), shop.runs()
    (shop.folder / "orders.csv").write_text(
        ORDERS.replace("Total Amount", "Grand Sum") + "\n1;1;2024-01-03;Cash;1.00\n"
    )
    result = shop.run("up", "--no-serve")
    assert result.exit_code == 1
    assert "this looks like the transactions of the connector feeds, but it lacks the column" in told(result)
    assert (shop.sales(), shop.runs()) == before
    # What was loaded is served nevertheless.
    served: list[Settings] = []
    monkeypatch.setattr("ecommerce_platform.cli.serving.serve_until_stopped", served.append)
    result = shop.run("up")
    assert result.exit_code == 0, told(result)
    assert "this looks like the transactions of the connector feeds, but it lacks the column" in told(result)
    assert "What was converted before, up to 2024-01-07, stays." in told(result)
    assert len(served) == 1
    assert (shop.sales(), shop.runs()) == before


def test_orders_in_another_currency_wait_for_their_rates(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file of rates is completed after the load: only the days that it concerns are loaded again."""
    shop.export({})
    sold = {1: ("2024-01-03", "USD"), 2: ("2024-01-03", "USD"), 3: ("2024-01-04", "GBP")}
    orders = [f"#{number};ADA;{at};Cash;5.00;{code}" for number, (at, code) in sold.items()]
    exports.write_text(shop.folder / "orders.csv", "\n".join([f"{ORDERS};Currency", *orders, ""]))
    lines = [f"#{number}/1,#{number},85123A,2,2.50,5.00" for number in sold]
    exports.write_text(shop.folder / "lines.csv", "\n".join([LINES, *lines, ""]))
    first = shop.run("up", "--no-serve")
    assert first.exit_code == 0, told(first)
    assert shop.sales() == {"2024-01-03": "10.00"}
    reasons = "select feed, reasons[1] from production.rejected_rows order by 1"
    assert shop.rows(reasons) == [
        ("transaction_items", "transaction_id: unknown order"),
        ("transactions", "currency: no rate from GBP to USD for 2024-01-04"),
    ]
    checked = shop.run("source", "check")
    assert checked.exit_code == 0, told(checked)
    assert "1 rows have no rate from GBP to USD, the first for 2024-01-04" in told(checked)

    before = shop.runs()
    rates = exports.write_text(tmp_path / "rates.csv", "day,currency,rate\n2024-01-02,GBP,1.27\n")
    monkeypatch.setenv("ECOMMERCE_RATES", str(rates))
    load_settings.cache_clear()
    second = shop.run("up", "--no-serve")
    assert second.exit_code == 0, told(second)
    assert "1 days have changed" in told(second)
    # 2 * 2.50 GBP, at 3.18 USD each
    assert shop.sales() == {"2024-01-03": "10.00", "2024-01-04": "6.36"}
    assert shop.rows(reasons) == []
    assert shop.runs() - before == 1
    verified = shop.run("verify")
    assert verified.exit_code == 0, told(verified)
