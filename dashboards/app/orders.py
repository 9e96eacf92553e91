"""The orders behind a view: sorted, a page at a time, from the same selection as every other number."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from dashboards.app.chart_data import Answer, Cell, Column, dimension_column, measure_column, money
from dashboards.app.filters import NEWEST_FIRST, Dropped, View
from dashboards.app.formats import count_text
from dashboards.app.selection import Selection
from dashboards.app.snapshot import NOBODY, Snapshot, day_of
from ecommerce_platform.schemas.domains import GUEST

PAGE_ROWS = 50
CHUNK = 5_000
"""Orders of a CSV file that are in memory as text at once."""

COLUMNS = (
    Column("order", "Order", "text"),
    Column("day", "Day", "day"),
    dimension_column("state"),
    dimension_column("customer"),
    dimension_column("payment"),
    Column("lines", "Lines", "count"),
    measure_column("units"),
    measure_column("revenue"),
)
LINE_COLUMNS = (
    Column("product", "Product", "text"),
    Column("quantity", "Quantity", "count"),
    Column("unit_price", "Unit price", "money"),
    Column("discount", "Discount", "money"),
    Column("revenue", "Revenue", "money"),
)
IN_PART = (
    "Lines, units, and revenue include only the lines that match the filters. An opened order shows all its lines."
)


@dataclass(frozen=True)
class OrdersAnswer(Answer):
    """A page of the orders in view.

    Attributes:
        keys: the key of each row's order.
        page: the page, from 1 to ``pages``.
        pages: the number of pages; 1 without orders.
        count: the number of orders on all pages.
        opened: the key of the order whose lines are shown, if any.
        lines: its lines; None until they are read from the database.
        dropped: parameters of the URL that name no page or order in view.
    """

    keys: tuple[int, ...] = ()
    page: int = 1
    pages: int = 1
    count: int = 0
    opened: int | None = None
    lines: Answer | None = None
    dropped: Sequence[Dropped] = field(default=())


def orders_answer(selection: Selection, view: View) -> OrdersAnswer:
    """The page of orders that a view asks for. Orders with a text as their ID have their key in its place."""
    places = sorted_places(selection, view.sort)
    pages = max(1, -(-len(places) // PAGE_ROWS))
    page, opened, dropped = view.page, None, []
    if view.order is not None:
        found = np.flatnonzero(places == _place_of(selection, view.order))
        if len(found):
            page, opened = int(found[0]) // PAGE_ROWS + 1, view.order
        else:
            dropped.append(Dropped("order", str(view.order), "not among the orders in view"))
    if page > pages:
        there = (
            "there is only one page"
            if pages == 1
            else f"there are only {count_text(pages)} pages; this is the last one"
        )
        dropped.append(Dropped("page", str(page), there))
        page = pages
    keys, rows = order_rows(selection, places[(page - 1) * PAGE_ROWS : page * PAGE_ROWS])
    is_in_part = any(selection.is_of_lines(name) for name, _ in view.filters.members)
    return OrdersAnswer(
        COLUMNS,
        rows,
        note=IN_PART if is_in_part and rows else "",
        keys=keys,
        page=page,
        pages=pages,
        count=len(places),
        opened=opened,
        dropped=tuple(dropped),
    )


def order_chunks(selection: Selection, sort: str) -> Iterator[tuple[tuple[int, ...], tuple[tuple[Cell, ...], ...]]]:
    """The keys and rows of all orders in view, some thousands at a time."""
    places = sorted_places(selection, sort)
    for start in range(0, len(places), CHUNK):
        yield order_rows(selection, places[start : start + CHUNK])


def sorted_places(selection: Selection, sort: str) -> np.ndarray:
    """The places of the selected orders among themselves, in the order of a column; the newest first among equals."""
    newest_first = np.arange(selection.count - 1, -1, -1, dtype=np.int32)
    name, is_descending = sort.removeprefix("-"), sort.startswith("-")
    if sort in ("", NEWEST_FIRST):
        return newest_first
    values = _sort_values(selection, name)[newest_first]
    return newest_first[np.argsort(-values if is_descending else values, kind="stable")]


def _sort_values(selection: Selection, name: str) -> np.ndarray:
    """Numbers that sort the selected orders as a column does."""
    if name == "lines":
        return selection.lines_per_order()
    values = selection.orders(name)
    if name in ("state", "payment"):
        names = _names(selection.snapshot, name)
        rank = np.empty(len(names), np.int32)
        rank[sorted(range(len(names)), key=names.__getitem__)] = np.arange(len(names), dtype=np.int32)
        return rank[values]
    return values.astype(np.float64)  # exact, and can be negated


def _place_of(selection: Selection, key: int) -> int:
    """The place of an order among the selected ones; -1 if it is not selected."""
    found = np.flatnonzero(selection.snapshot.keys(selection.index) == key)
    return int(found[0]) if len(found) else -1


def _names(snapshot: Snapshot, dimension: str) -> list[str]:
    return [snapshot.name(dimension, member) for member in snapshot.members[dimension]]


def order_rows(selection: Selection, places: np.ndarray) -> tuple[tuple[int, ...], tuple[tuple[Cell, ...], ...]]:
    """The keys and the rows of some of the selected orders, given by their places."""
    if not len(places):
        return (), ()
    snapshot = selection.snapshot
    index = selection.index
    at = places + index.start if isinstance(index, slice) else index[places]
    orders = snapshot.orders
    lines, begins = selection.lines_of(places)
    units, revenue = (
        np.add.reduceat(selection.lines(name, lines), begins, dtype=np.float64) for name in ("units", "revenue")
    )
    counts = np.diff(begins, append=len(lines))
    group = orders["group"][at]
    state, payment = (snapshot.groups[name][group].tolist() for name in ("state", "payment"))
    customer, day = orders["customer"][at].tolist(), orders["day"][at].tolist()
    keys = tuple(snapshot.keys(at).tolist())
    states, payments = _names(snapshot, "state"), snapshot.members["payment"]
    days: dict[int, dt.date] = {number: day_of(number) for number in set(day)}
    rows = tuple(
        (
            str(key),
            days[day[row]],
            states[state[row]],
            _customer(snapshot, customer[row]),
            payments[payment[row]],
            int(counts[row]),
            int(units[row]),
            money(revenue[row]),
        )
        for row, key in enumerate(keys)
    )
    return keys, rows


def _customer(snapshot: Snapshot, code: int) -> str:
    member = snapshot.members["customer"][code]
    return GUEST if member == NOBODY else member
