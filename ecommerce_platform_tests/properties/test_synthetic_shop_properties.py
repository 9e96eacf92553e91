"""The synthetic shop, for arbitrary settings: a day is a function of (settings, day); a clean shop has no defects."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecommerce_platform.feeds.columns import FEEDS
from ecommerce_platform.shop import catalog, customers, defects, draws, orders, returns
from ecommerce_platform.shop.exports import day_tables, feed_csv
from ecommerce_platform.shop.settings import ShopSettings

pytestmark = pytest.mark.properties

shops = st.builds(
    ShopSettings,
    first_day=st.dates(dt.date(2015, 1, 1), dt.date(2030, 12, 31)),
    orders_per_day=st.integers(0, 80),
    customers=st.integers(1, 400),
    products=st.integers(1, 120),
    seed=st.sampled_from([0, 42, -1, 2**63]),  # few, because each fills pools of names
    defect_rate=st.sampled_from([0.0, 0.01, 0.5]),
)


def forget_everything() -> None:
    """Reset the process to its initial state, except for the pools of names."""
    for module in (catalog, customers, defects, draws, orders, returns):
        for thing in vars(module).values():
            if hasattr(thing, "cache_clear") and thing.__module__ == module.__name__:
                thing.cache_clear()


@settings(max_examples=40, deadline=None)
@given(
    shops,
    st.lists(st.tuples(st.sampled_from(sorted(FEEDS)), st.integers(0, 900)), min_size=1, max_size=8),
    st.randoms(),
)
def test_a_file_is_the_same_alone_and_after_others_in_any_order(shop, wanted, shuffler):
    def make(feed: str, number: int) -> bytes:
        return feed_csv(shop, feed, shop.first_day + dt.timedelta(days=number))

    alone = {}
    for file in wanted:
        forget_everything()
        alone[file] = make(*file)
    shuffler.shuffle(wanted)
    assert {file: make(*file) for file in wanted} == alone


@settings(max_examples=25, deadline=None)
@given(shops, st.lists(st.integers(0, 900), min_size=1, max_size=4), st.randoms())
def test_the_returns_of_a_day_are_the_same_alone_and_after_others_in_any_order(shop, numbers, shuffler):
    def make(number: int) -> tuple[list[list[str]], list[int]]:
        columns, _, faults = returns.exported(shop, shop.first_day + dt.timedelta(days=number))
        return [column.to_pylist() for column in columns], faults.rows.tolist()

    alone = {}
    for number in numbers:
        forget_everything()
        alone[number] = make(number)
    wanted = numbers + [number + 1 for number in numbers]
    shuffler.shuffle(wanted)
    made = {number: make(number) for number in wanted}
    assert {number: made[number] for number in numbers} == alone


@settings(max_examples=25, deadline=None)
@given(shops, st.integers(2, 12))
def test_a_clean_shop_agrees_with_itself(shop, length):
    shop = replace(shop, defect_rate=0.0)
    known_customers: set[str] = set()
    known_products: set[str] = set()
    for number in range(length):
        tables = day_tables(shop, shop.first_day + dt.timedelta(days=number))
        assert all(column.null_count == 0 for table in tables.values() for column in table.columns)
        known_customers |= set(tables["customers"]["customer_id"].to_pylist())
        known_products |= set(tables["products"]["product_id"].to_pylist())
        totals: dict[str, Decimal] = {}
        for line in tables["transaction_items"].to_pylist():
            net = int(line["quantity"]) * Decimal(line["unit_price"]) - Decimal(line["discount_amount"])
            assert Decimal(line["line_total"]) == net > 0
            assert int(line["quantity"]) > 0
            assert line["product_id"] in known_products
            totals[line["transaction_id"]] = totals.get(line["transaction_id"], Decimal(0)) + net
        orders_made = tables["transactions"].to_pylist()
        assert {order["transaction_id"]: Decimal(order["total_amount"]) for order in orders_made} == totals
        assert {order["customer_id"] for order in orders_made} <= known_customers


@settings(max_examples=15, deadline=None)
@given(shops, st.integers(1, 900))
def test_an_order_stands_in_no_file_before_its_day_nor_later_than_five_days_after(shop, number):
    day = shop.first_day + dt.timedelta(days=number)
    for feed in ("transactions", "transaction_items"):
        for name in day_tables(shop, day)[feed]["transaction_id"].to_pylist():
            ordered = dt.datetime.strptime(name[:8], "%Y%m%d").date()
            assert 0 <= (day - ordered).days <= 5
