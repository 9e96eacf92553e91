"""Stock cover: how long the stock of each product lasts, from its latest image and the last 28 days of sales."""

from __future__ import annotations

import datetime as dt
import math
import random
from collections import Counter
from decimal import ROUND_HALF_UP, Decimal

import pytest

from ecommerce_platform_tests.extracts import extract
from ecommerce_platform_tests.harness import Platform, customer, day, line, order, product


@pytest.mark.parametrize(
    ("stock", "days_of_cover", "runs_out_on", "status"),
    [
        ("-3", "0.0", None, "Out of stock"),
        ("0", "0.0", None, "Out of stock"),
        ("1", "0.5", day(8), "Runs out within 7 days"),
        ("14", "7.0", day(14), "Runs out within 7 days"),
        ("15", "7.5", day(15), "Runs out within 30 days"),
        ("60", "30.0", day(37), "Runs out within 30 days"),
        ("61", "30.5", day(38), "Enough"),
        # No date has so many days.
        ("999999999", "499999999.5", None, "Enough"),
        ("", None, None, "Unknown"),
    ],
)
def test_stock_lasts_as_long_as_it_sells_like_before(
    platform: Platform, stock: str, days_of_cover: str | None, runs_out_on: dt.date | None, status: str
) -> None:
    """Seven days of sales, two units a day; the last day has only sales of another product."""
    platform.load(
        1,
        customers=[customer()],
        products=[product(1, stock_quantity=stock), product(2, stock_quantity="9"), product(3)],
        transactions=[order(1)],
        transaction_items=[line(1, 1, quantity=14)],
    )
    platform.load(7, transactions=[order(2, on=7)], transaction_items=[line(2, 2, 2)])
    rows = {row["product_code"]: row for row in extract(platform, "stock_cover")}
    row = rows["1"]
    assert (row["units"], row["revenue"], row["units_per_day"]) == (14, Decimal("140.00"), Decimal("2.00"))
    assert row["days_of_cover"] == (days_of_cover and Decimal(days_of_cover))
    assert (row["runs_out_on"], row["stock_status"], row["as_of_date"]) == (runs_out_on, status, day(7))
    assert (rows["3"]["stock_status"], rows["3"]["units"], rows["3"]["days_of_cover"]) == ("No sales", 0, None)


def test_the_latest_image_says_the_stock_and_sales_of_any_version_count(platform: Platform) -> None:
    """A new price makes a version, a new stock alone does not. An older image that arrives later says nothing."""
    platform.load(
        1,
        customers=[customer()],
        products=[product(1, stock_quantity="50")],
        transactions=[order(1)],
        transaction_items=[line(1, 1)],
    )
    platform.load(3, products=[product(1, on=3, price="12.00", stock_quantity="40")])
    platform.load(4, products=[product(1, on=4, price="12.00", stock_quantity="30")])
    platform.load(
        5,
        products=[product(1, on=2, stock_quantity="99")],
        transactions=[order(5, on=5)],
        transaction_items=[line(5, 5, price="12.00")],
    )
    (row,) = extract(platform, "stock_cover")
    assert (row["stock_quantity"], row["stock_date"], row["units"]) == (30, day(4), 2)
    assert platform.rows(
        "select valid_from, stock_quantity, stock_date from warehouse.dim_product where product_id = 1 order by 1"
    ) == [(dt.date(2000, 1, 1), None, None), (day(3), 30, day(4))]


def test_a_new_stock_alone_makes_no_sale_be_computed_again(platform: Platform) -> None:
    platform.load(
        1,
        customers=[customer()],
        products=[product(1, stock_quantity="50")],
        transactions=[order(1)],
        transaction_items=[line(1, 1)],
    )
    platform.run(1)
    results = platform.load(2, products=[product(1, on=2, stock_quantity="49")])
    assert results["warehouse.dim_product"].updated == 1
    assert platform.rows("select count(*) from change_log.warehouse_dim_product where operation <> 'R'") == [(0,)]
    assert results["warehouse.mart_daily_breakdown"].unchanged == 0
    (row,) = extract(platform, "stock_cover")
    assert (row["stock_quantity"], row["stock_date"]) == (49, day(2))


def test_without_sales_every_product_is_there(platform: Platform) -> None:
    platform.load(1, products=[product(1), product(2, stock_quantity="")])
    assert [
        (row["product_code"], row["stock_status"], row["units_per_day"], row["as_of_date"])
        for row in extract(platform, "stock_cover")
    ] == [("1", "No sales", 0, None), ("2", "Unknown", 0, None)]


def test_only_the_last_28_days_count(platform: Platform) -> None:
    """Against sums over the lines that were exported, in plain Python."""
    rng = random.Random(28)
    sold: Counter[tuple[int, int]] = Counter()
    stocks = {number: rng.randrange(200) for number in range(1, 8)}
    for number in range(1, 41):
        lines = [(item, rng.randrange(1, 7), rng.randrange(1, 5)) for item in range(1, 4)]
        for _, product_id, quantity in lines:
            sold[number, product_id] += quantity
        platform.export(
            number,
            customers=[customer()] if number == 1 else [],
            products=[product(key, stock_quantity=str(stock)) for key, stock in stocks.items()] if number == 1 else [],
            transactions=[order(number, on=number)],
            transaction_items=[line(number, item, key, quantity=quantity) for item, key, quantity in lines],
        )
    platform.run(1, 40)
    found = {row["product_code"]: row for row in extract(platform, "stock_cover")}
    for key, stock in stocks.items():
        units = sum(quantity for (number, product_id), quantity in sold.items() if product_id == key and number > 12)
        row = found[str(key)]
        assert row["units"] == units
        if units:
            cover = Decimal(stock * 28) / units
            assert row["days_of_cover"] == cover.quantize(Decimal("0.1"), ROUND_HALF_UP)
            assert row["runs_out_on"] == (day(40) + dt.timedelta(days=math.ceil(stock * 28 / units)) if stock else None)
    assert found["7"]["stock_status"] == "No sales"
