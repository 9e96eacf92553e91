"""Returns of the synthetic shop: which sold lines come back, when, and for how much."""

from __future__ import annotations

import datetime as dt
import hashlib
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from ecommerce_platform.shop import defects, returns
from ecommerce_platform.shop.assortment import CATEGORIES
from ecommerce_platform.shop.exports import day_tables
from ecommerce_platform.shop.returns import DELAYS, REASONS
from ecommerce_platform.shop.settings import ShopSettings

pytestmark = pytest.mark.unit

COLUMNS = ("return_id", "transaction_id", "item_id", "returned_on", "quantity", "refund_amount", "reason")
CLEAN = ShopSettings(orders_per_day=150, customers=4_000, products=500, defect_rate=0)
FAULTY = replace(CLEAN, defect_rate=0.1)
DAYS = range(100)

Row = dict[str, str]


def day(number: int) -> dt.date:
    return CLEAN.first_day + dt.timedelta(days=number)


def table(shop: ShopSettings, number: int) -> pa.Table:
    columns, kept, faults = returns.exported(shop, day(number))
    return pa.table(defects.spoil(dict(zip(COLUMNS, columns, strict=True)), kept, faults))


def returned(shop: ShopSettings, days: range) -> Iterator[tuple[dt.date, Row]]:
    for number in days:
        for row in table(shop, number).to_pylist():
            yield day(number), row


@pytest.fixture(scope="module")
def sold() -> dict[str, dict[str, Any]]:
    """The lines sold on the days, by item_id, with the category of their product."""
    category: dict[str, str] = {}
    lines: dict[str, dict[str, Any]] = {}
    for number in DAYS:
        tables = day_tables(CLEAN, day(number))
        category |= {row["product_id"]: row["category"] for row in tables["products"].to_pylist()}
        for row in tables["transaction_items"].to_pylist():
            lines[row["item_id"]] = {**row, "day": day(number), "category": category[row["product_id"]]}
    return lines


@pytest.fixture(scope="module")
def all_returns() -> list[Row]:
    """All returns of lines sold on the days: those of the days and of the thirty after them."""
    last = str(day(DAYS.stop)).replace("-", "")
    later = range(DAYS.stop + DELAYS.stop)
    return [row for _, row in returned(CLEAN, later) if row["transaction_id"][:8] < last]


def test_a_return_names_a_sold_line_and_its_order(sold, all_returns):
    assert len(all_returns) > 1000
    for row in all_returns:
        assert sold[row["item_id"]]["transaction_id"] == row["transaction_id"]


def test_a_sold_line_is_returned_at_most_once_and_every_return_has_its_own_number(all_returns):
    assert max(Counter(row["item_id"] for row in all_returns).values()) == 1
    numbers = [row["return_id"] for row in all_returns]
    assert len(set(numbers)) == len(numbers)
    assert max(map(int, numbers)) < 2**53


def test_a_return_is_exported_on_its_day_two_to_thirty_days_after_the_sale(sold):
    delays = Counter()
    for today, row in returned(CLEAN, range(40, DAYS.stop)):
        assert row["returned_on"] == str(today)
        delays[(today - sold[row["item_id"]]["day"]).days] += 1
    assert sorted(delays) == list(DELAYS) == list(range(2, 31))
    early, middle, late = (sum(delays[delay] for delay in part) for part in (range(2, 5), range(7, 10), range(28, 31)))
    assert middle > early > late > 0


def test_a_refund_is_the_part_of_the_line_that_comes_back(sold, all_returns):
    whole = 0
    for row in all_returns:
        line = sold[row["item_id"]]
        pieces, of = int(row["quantity"]), int(line["quantity"])
        assert 1 <= pieces <= of
        exact = Decimal(line["line_total"]) * pieces / of
        assert 0 <= exact - Decimal(row["refund_amount"]) < Decimal("0.01")
        whole += pieces == of
    several = [row for row in all_returns if int(sold[row["item_id"]]["quantity"]) > 1]
    assert 0 < len(all_returns) - whole < len(several) / 2


def test_each_category_has_its_rate(sold, all_returns):
    lines = Counter(line["category"] for line in sold.values())
    back = Counter(sold[row["item_id"]]["category"] for row in all_returns)
    rates = {category.name: category.returned / 1000 for category in CATEGORIES}
    assert max(rates, key=rates.__getitem__) == "Clothing"
    assert min(rates, key=rates.__getitem__) == "Grocery"
    for name, rate in rates.items():
        expected = lines[name] * rate
        assert abs(back[name] - expected) < 4 * math.sqrt(expected), name


def test_only_clothing_has_the_wrong_size_and_every_reason_occurs(sold, all_returns):
    reasons = Counter((sold[row["item_id"]]["category"] == "Clothing", row["reason"]) for row in all_returns)
    assert {reason for _, reason in reasons} == set(REASONS)
    assert (False, "Wrong size") not in reasons
    clothes = {reason: count for (is_clothing, reason), count in reasons.items() if is_clothing}
    assert max(clothes, key=clothes.__getitem__) == "Wrong size"


def test_a_shop_that_has_just_opened_has_nothing_to_take_back():
    assert [table(CLEAN, number).num_rows for number in (0, 1)] == [0, 0]
    assert table(CLEAN, 10).num_rows > 0
    assert table(ShopSettings(orders_per_day=0, customers=1, products=1), 40).num_rows == 0


def test_defects_come_at_their_rate_and_only_in_a_faulty_shop(sold):
    clean = Counter(tuple(row.values()) for _, row in returned(CLEAN, DAYS))
    faulty = list(returned(FAULTY, DAYS))
    rows = Counter(tuple(row.values()) for _, row in faulty)
    orphans = [row for _, row in faulty if row["transaction_id"].startswith("99999999")]
    negative = [row for _, row in faulty if row["quantity"].startswith("-")]
    twice = sum(count - 1 for count in rows.values())
    assert min(len(orphans), len(negative), twice) > 10
    assert max(clean.values()) == 1
    assert (rows - clean).total() == len(orphans) + len(negative) + twice
    rate = (rows - clean).total() / clean.total()
    assert abs(rate - FAULTY.defect_rate) < 4 * math.sqrt(FAULTY.defect_rate / clean.total())
    assert all(row["item_id"] in sold for row in orphans)


def test_the_bytes_of_the_default_shop_are_the_same_on_every_machine():
    """A change here changes every user's history: add it to the changelog, then pin the new digest."""
    made = returns.exported(ShopSettings(), day(333))
    content = "\n".join(",".join(row) for row in zip(*(column.to_pylist() for column in made[0]), strict=True))
    assert (
        hashlib.sha256(content.encode()).hexdigest()
        == "37882e472323c7e83fd8b16f8bfe6897421aec4249669f88a6a742eee40d4ec3"
    )
