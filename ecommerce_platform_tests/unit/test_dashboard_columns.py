"""The columns of the dashboards' snapshot: compact, exact, and the same however the order lines come in."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboards.app import selection
from dashboards.app.columns import Column, distinct, sums
from dashboards.app.filters import Filters
from dashboards.app.members import coded, numbers_first
from dashboards.app.selection import Selection
from dashboards.app.snapshot import NOBODY, Snapshot
from dashboards.app.snapshot_builder import Builder

integers = st.integers(-(2**62), 2**62) | st.integers(-300, 300) | st.integers(0, 255)


@given(st.lists(st.lists(integers, max_size=5), max_size=6))
def test_a_column_holds_what_was_appended(parts: list[list[int]]) -> None:
    column = Column(sum(map(len, parts)))
    for part in parts:
        column.append(np.array(part, np.int64))
    assert column.values.tolist() == [value for part in parts for value in part]


@pytest.mark.parametrize(("values", "size"), [([0, 255], 1), ([-1, 9], 2), ([60_000], 2), ([-70_000], 4), ([2**40], 8)])
def test_a_column_takes_no_more_bytes_than_its_values_need(values: list[int], size: int) -> None:
    column = Column(len(values))
    column.append(np.array(values))
    assert column.values.dtype.itemsize == size


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=4) | st.from_regex(r"\A[0-9]{1,22}\Z")


@given(st.lists(st.lists(texts, min_size=1, max_size=8), max_size=3), texts)
def test_members_are_in_order_and_found_by_their_text(chunks: list[list[str]], other: str) -> None:
    values = [value for chunk in chunks for value in chunk]
    members, places = coded(pa.chunked_array(chunks, pa.string()))
    assert list(members) == sorted(set(values), key=numbers_first)
    assert [members[place] for place in places] == values
    assert (other in members) == (other in values)
    assert [members.code(value) for value in members] == list(range(len(members)))


pairs = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 6), st.integers(-(2**33), 2**33)))


@given(pairs, st.sampled_from([7, 2**40]))
def test_sums_and_distinct_pairs_are_those_of_python(rows: list[tuple[int, int, int]], size: int) -> None:
    things, codes, weights = (np.array(column, np.int64) for column in (zip(*rows, strict=True) if rows else [[]] * 3))
    found = zip(*(part.tolist() for part in distinct(things, codes, 41, size)), strict=True)
    assert list(found) == sorted({(thing, code) for thing, code, _ in rows})
    expected = [sum(weight for _, code, weight in rows if code == wanted) for wanted in range(7)]
    assert sums(codes, weights, 7, slice(0, len(rows))).tolist() == expected
    assert sums(codes, weights, 7, np.arange(len(rows))).tolist() == expected


DAYS = 70
FIRST = 9_000


def lines(count: int, **changes: np.ndarray) -> dict[str, np.ndarray]:
    """Random order lines, sorted by day and order, as the reader gives them."""
    random = np.random.default_rng(3)
    order = np.sort(random.integers(0, count // 2, count))
    day = np.sort(random.integers(FIRST, FIRST + DAYS, count // 2))[order]
    of_orders = {name: random.integers(0, 5, count // 2)[order] for name in ("customer", "payment")}
    amounts = {name: np.rint(random.gamma(2, 2_000, count)) for name in ("revenue", "discount", "returns")}
    columns = {
        "order": order,
        "day": day.astype(np.int32),
        **of_orders,
        "product": random.integers(1, 30, count),
        "band": random.integers(0, 4, count).astype(np.uint8),
        "cost": np.where(random.random(count) < 0.2, np.nan, amounts["revenue"] // 2),
        "units": random.integers(1, 5, count).astype(np.float64),
        "returned_units": random.integers(0, 2, count).astype(np.float64),
        **amounts,
    }
    return {**columns, **changes}


def snapshot(columns: dict[str, np.ndarray], block: int) -> Snapshot:
    """The snapshot of these lines, read in blocks of so many rows."""
    count = len(columns["order"])
    products = [(key, str(key), f"Product {key}", f"Category {key % 3}", "Budget") for key in range(1, 30)]
    places = ["US-CA", "US-TX", "BR-SP", "US-CA", "ZZ-Unknown"]
    customers = pa.table(
        {
            "key": list(range(5)),
            "code": [NOBODY, "1", "2", "1", "x"],
            "state": places,
            "state_name": places,
            "region": ["West", "South", "BR", "West", "Unknown"],
            "segment": ["Guest", "New", "VIP", "New", "Regular"],
        }
    )
    builder = Builder(products, customers, [(key, f"Payment {key}") for key in range(5)], count)
    for start in range(0, count, block):
        builder.add({name: column[start : start + block] for name, column in columns.items()})
    return builder.snapshot("1")


def test_a_snapshot_does_not_depend_on_the_blocks_that_it_was_read_in() -> None:
    columns = lines(500)
    whole = snapshot(columns, 500)
    for block in (1, 7, 499):
        parts = snapshot(columns, block)
        for name in whole.lines:
            np.testing.assert_array_equal(parts.lines[name], whole.lines[name])
        for name in whole.orders:
            np.testing.assert_array_equal(parts.orders[name], whole.orders[name])


FILTERS = [(), (("state", "US-CA"),), (("category", "Category 1"),), (("category", "Category 2"), ("segment", "VIP"))]


@pytest.mark.parametrize("members", FILTERS)
def test_sums_do_not_depend_on_the_blocks_that_they_are_computed_in(
    members: tuple[tuple[str, str], ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    def numbers() -> list[list[float]]:
        read = snapshot(lines(500), 500)
        window = (read.first_day + dt.timedelta(days=5), read.last_day)
        chosen = Selection(read, Filters("12m", members=members), window)
        return [
            chosen.by_day("costed_revenue").tolist(),
            chosen.sums("state", "cost").tolist(),
            chosen.sums("product", "revenue").tolist(),
            chosen.order_counts("product").tolist(),
            chosen.order_counts("category").tolist(),
            chosen.customer_counts("state").tolist(),
        ]

    at_once = numbers()
    assert sum(at_once[3]) > sum(at_once[4]) > 0
    monkeypatch.setattr(selection, "BLOCK", 7)
    monkeypatch.setattr(selection, "BITS", 2)
    assert numbers() == at_once


def test_sums_are_kept_for_the_same_filters_and_dates_only() -> None:
    read = snapshot(lines(500), 500)

    def revenue(member: str | None, days: int) -> float:
        members = () if member is None else (("category", member),)
        window = (read.first_day, read.first_day + dt.timedelta(days=days))
        return Selection(read, Filters("all", members=members), window).total("revenue")

    asked = [(None, 69), ("Category 1", 69), ("Category 2", 69), ("Category 1", 9)]
    first = [revenue(*question) for question in asked]
    assert len(set(first)) == len(asked)
    assert [revenue(*question) for question in asked] == first


def test_amounts_beyond_32_bits_are_exact() -> None:
    columns = lines(500, revenue=np.arange(500) * 1e10 + 1)
    read = snapshot(columns, 100)
    chosen = Selection(read, Filters("all"), (read.first_day, read.last_day))
    assert read.lines["revenue"].dtype == np.int64
    assert chosen.total("revenue") == int(columns["revenue"].sum())
    assert chosen.sums("category", "revenue").sum() == chosen.sums("state", "revenue").sum() == columns["revenue"].sum()
