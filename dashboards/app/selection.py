"""The orders and order lines that pass the filters, and sums and distinct counts by member of a dimension.

Orders are sorted by day, so a date range is a slice and costs nothing. A filter on an attribute of the order keeps
whole orders. A filter on an attribute of the line keeps some lines of an order, and the order still counts once.

Sums are computed by day, by group of orders, and by kind of line, once each; those of a dimension are sums over them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from functools import cached_property
from typing import TypeVar

import numpy as np

from dashboards.app.columns import BLOCK, distinct, smallest, sums
from dashboards.app.filters import Filters, period_days
from dashboards.app.snapshot import BUYERS, EPOCH, Snapshot, months_of, number_of

ORDERS, LINES = "orders", "lines"
"""What is counted instead of summed."""

BITS = 12
"""Members whose orders are counted in one pass; more would need a large table of the sets of them."""

DAYS = 31
"""Days whose lines are added up at once."""

Rows = np.ndarray | slice
"""Positions in the columns of a snapshot, sorted."""

Kept = TypeVar("Kept")


class Selection:
    """The orders and lines of a snapshot that pass the filters, within a date range."""

    def __init__(self, snapshot: Snapshot, filters: Filters, window: tuple[dt.date, dt.date]):
        self.snapshot = snapshot
        self.window = window
        low, high = window
        if filters.period is not None:
            first, last = period_days(filters.period)
            low, high = max(low, first), min(high, last)
        self.span = (low, high)
        """The date range, further limited by ``period``; can be empty."""
        self._filters = filters.members
        self._first_day = number_of(low)
        self._days = max(0, number_of(high) + 1 - self._first_day)
        self._sums = snapshot.kept_sums((filters.members, self.span))
        self._large: dict[tuple[str, str], np.ndarray] = {}
        """Results with a number per order or customer, which are kept no longer than the selection."""

    @property
    def is_filtered(self) -> bool:
        """Whether anything but the date range limits the selection."""
        return bool(self._filters)

    def _kept(self, key: tuple[str, str], compute: Callable[[], np.ndarray]) -> np.ndarray:
        """Sums that another page with the same filters and dates may need, too."""
        if key not in self._sums:
            self._sums[key] = compute()
        return self._sums[key]

    # Which rows

    @cached_property
    def _range(self) -> slice:
        """The orders of the date range."""
        edges = np.array([self._first_day, self._first_day + self._days], np.int32)
        start, stop = np.searchsorted(self.snapshot.orders["day"], edges).tolist()
        return slice(start, stop)

    @cached_property
    def _matching(self) -> Rows:
        """The orders of the date range that pass the filters on attributes of the order."""
        snapshot, mask = self.snapshot, None
        passing_group = _passing(snapshot, snapshot.groups, self._filters)
        if passing_group is not None:
            mask = passing_group[snapshot.orders["group"][self._range]]
        for name, member in self._filters:
            if name in snapshot.groups or name in snapshot.kinds:
                continue
            code = snapshot.code(name, member)
            if name == "cohort":
                passes = (snapshot.customers[name] == code)[snapshot.orders["customer"][self._range]]
            elif name == "customer":
                passes = snapshot.orders[name][self._range] == code
            else:
                passes = (self._codes_of_days(name) == code)[self._day_of(self._range)]
            mask = passes if mask is None else mask & passes
        if mask is None:
            return self._range
        return (np.flatnonzero(mask) + self._range.start).astype(np.int32)

    @cached_property
    def _is_by_line(self) -> bool:
        """Whether an order counts with some of its lines only."""
        return any(name in self.snapshot.kinds for name, _ in self._filters)

    @cached_property
    def _index(self) -> Rows:
        """The selected orders."""
        return self._some_lines[0] if self._is_by_line else self._matching

    @cached_property
    def _lines(self) -> tuple[Rows, np.ndarray]:
        """The selected lines, and the places at which those of each order begin; with the end of the last."""
        return self._some_lines[1:] if self._is_by_line else self._all_lines

    @property
    def _all_lines(self) -> tuple[Rows, np.ndarray]:
        orders, first_line = self._matching, self.snapshot.orders["first_line"]
        if isinstance(orders, slice):
            begins = first_line[orders.start : orders.stop + 1]
            return slice(int(begins[0]), int(begins[-1])), begins
        begins = first_line[orders]
        lengths = first_line[orders + 1] - begins
        ends = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
        lines = np.repeat(begins - ends[:-1], lengths)
        lines += np.arange(len(lines), dtype=np.int32)
        return lines, ends

    @cached_property
    def _some_lines(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The lines that pass the filters on attributes of the line, after their orders and before their begins."""
        kind, passing = self.snapshot.lines["kind"], _passing(self.snapshot, self.snapshot.kinds, self._filters)
        assert passing is not None
        lines, _ = self._all_lines
        lines = _flatnonzero(passing, kind, lines) if isinstance(lines, slice) else lines[passing[kind[lines]]]
        order_of_line = np.searchsorted(self.snapshot.orders["first_line"], lines, "right") - 1
        is_first = np.ones(len(lines), bool)
        np.not_equal(order_of_line[1:], order_of_line[:-1], out=is_first[1:])
        begins = np.flatnonzero(is_first)
        return order_of_line[begins].astype(np.int32), lines, np.append(begins, len(lines))

    @property
    def index(self) -> Rows:
        """The positions of the selected orders in the snapshot."""
        return self._index

    def lines_per_order(self) -> np.ndarray:
        """The number of selected lines of each selected order."""
        return np.diff(self._lines[1].astype(np.int64))

    def lines_of(self, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The selected lines of some selected orders, and where those of each order begin among them."""
        lines, begins = self._lines
        first = begins[places].astype(np.int64)
        count = begins[places + 1] - first
        starts = np.cumsum(count) - count
        at = np.repeat(first - starts, count) + np.arange(count.sum())
        return (at if isinstance(lines, slice) else lines[at]), starts

    # The columns of these rows

    def orders(self, column: str) -> np.ndarray:
        """A column of the selected orders, or the codes of a dimension; weights include only the selected lines."""
        snapshot, index = self.snapshot, self._index
        if column in snapshot.groups:
            return snapshot.groups[column][snapshot.orders["group"][index]]
        if column in snapshot.customers:
            return snapshot.customers[column][snapshot.orders["customer"][index]]
        if column in ("month", "weekday"):
            return self._codes_of_days(column)[self._day_of(index)]
        if column in snapshot.orders and not (self._is_by_line and column == "revenue"):
            return snapshot.orders[column][index]
        key = ("order", column)
        if key not in self._large:
            self._large[key] = self._weights_of_orders(column)
        return self._large[key]

    def lines(self, column: str, rows: Rows) -> np.ndarray:
        """A column of some lines; ``costed_revenue`` is the revenue of those whose cost is known."""
        snapshot = self.snapshot
        if column != "costed_revenue" or snapshot.all_costed:
            return snapshot.lines["revenue" if column == "costed_revenue" else column][rows]
        return snapshot.lines["revenue"][rows] * snapshot.kinds["is_costed"][snapshot.lines["kind"][rows]]

    def _weights_of_orders(self, column: str) -> np.ndarray:
        lines, begins = self._lines
        result = np.zeros(len(begins) - 1)
        for start in range(0, len(result), BLOCK):
            edges = begins[start : start + BLOCK + 1]
            part = self.lines(column, _part(lines, edges[0], edges[-1]))
            result[start : start + BLOCK] = np.add.reduceat(part, edges[:-1] - edges[0], dtype=np.float64)
        return result

    def _day_of(self, index: Rows) -> np.ndarray:
        """The days of some orders, counted from the first of the date range."""
        return self.snapshot.orders["day"][index] - self._first_day

    @cached_property
    def _edges_of_days(self) -> np.ndarray:
        """The number of selected orders before each day of the date range, and that of all at the end."""
        return np.searchsorted(self._day_of(self._index), np.arange(self._days + 1, dtype=np.int32))

    def _codes_of_days(self, dimension: str) -> np.ndarray:
        """The code of the month or weekday of each day of the date range."""
        days = np.arange(self._first_day, self._first_day + self._days)
        if dimension == "month":
            months = months_of(days) - self.snapshot.first_month
            return months.astype(smallest(0, months.max(initial=0)))
        return ((days + EPOCH.weekday()) % 7).astype(np.uint8)

    # Totals

    @cached_property
    def count(self) -> int:
        """Number of distinct orders."""
        return int(self.by_day(ORDERS).sum())

    def total(self, column: str) -> int:
        """Sum of a weight, in cents or units."""
        return int(self.by_day(column).sum())

    @cached_property
    def customers(self) -> int:
        """Number of distinct customers, without guests."""
        return len(self.buyers)

    @cached_property
    def buyers(self) -> np.ndarray:
        """The codes of the customers with at least one order, without guests."""
        has_bought = np.zeros(self.members("customer"), bool)
        has_bought[self.orders("customer")] = True
        if self.snapshot.guest is not None:
            has_bought[self.snapshot.guest] = False
        return np.flatnonzero(has_bought)

    @property
    def guest_orders(self) -> int:
        """Number of orders without a customer."""
        return int(self.order_counts("buyer")[BUYERS.index("guest")])

    @property
    def customer_revenue(self) -> int:
        """Revenue of the orders that have a customer, in cents."""
        return self.total("revenue") - int(self.sums("buyer", "revenue")[BUYERS.index("guest")])

    # Sums and counts by member

    def members(self, dimension: str) -> int:
        """Number of members of a dimension, with or without orders."""
        return len(self.snapshot.members[dimension])

    def is_of_lines(self, dimension: str) -> bool:
        """Whether lines of one order can have several members of a dimension."""
        return dimension in self.snapshot.kinds

    def sums(self, dimension: str, column: str) -> np.ndarray:
        """Sum of a weight by member, in cents or units; ``dimension`` can also be month."""
        snapshot, size = self.snapshot, self.members(dimension)
        if dimension in snapshot.kinds:
            return np.bincount(snapshot.kinds[dimension], self._by_kind(column), size)
        if dimension in snapshot.groups:
            return np.bincount(snapshot.groups[dimension], self.by_group(column), size)
        if dimension in ("month", "weekday"):
            # No order is of a month without a code.
            return np.bincount(self._codes_of_days(dimension), self.by_day(column), size)[:size]
        key = (dimension, column)
        if key not in self._large:
            self._large[key] = self.sums_of_orders(self.orders(dimension), column, size)
        return self._large[key]

    def sums_of_orders(self, codes: np.ndarray, column: str, size: int) -> np.ndarray:
        """Sum of a weight, or the number of orders, by a code of each selected order."""
        return sums(codes, None if column == ORDERS else self.orders(column), size, slice(0, self.count))

    def by_day(self, column: str) -> np.ndarray:
        """Sum of a weight, or the number of orders, for each day of ``span``."""
        return self._kept(("day", column), lambda: self._sums_of_days(column))

    def _sums_of_days(self, column: str) -> np.ndarray:
        edges = self._edges_of_days
        if column == ORDERS:
            return np.diff(edges)
        result = np.zeros(self._days)
        is_filled = np.diff(edges) > 0
        if column == "revenue" and not self._is_by_line:
            result[is_filled] = np.add.reduceat(self.orders(column), edges[:-1][is_filled], dtype=np.float64)
            return result
        lines, begins = self._lines
        for day in range(0, self._days, DAYS):
            at, filled = begins[edges[day : day + DAYS + 1]], is_filled[day : day + DAYS]
            part = self.lines(column, _part(lines, at[0], at[-1]))
            begin = (at[:-1] - at[0])[filled]
            result[day : day + DAYS][filled] = np.add.reduceat(part, begin, dtype=np.float64)
        return result

    def by_group(self, column: str) -> np.ndarray:
        """Sum of a weight, or the number of orders, for each group of orders."""
        snapshot = self.snapshot
        size = len(snapshot.groups["state"])

        def compute() -> np.ndarray:
            index = self._index
            if column == ORDERS or (column == "revenue" and not self._is_by_line):
                weights = None if column == ORDERS else snapshot.orders["revenue"]
                return sums(snapshot.orders["group"], weights, size, index)
            return self.sums_of_orders(snapshot.orders["group"][index], column, size)

        return self._kept(("group", column), compute)

    def _by_kind(self, column: str) -> np.ndarray:
        """Sum of a weight, or the number of lines, for each kind of line."""
        snapshot = self.snapshot
        if column == "costed_revenue":
            return self._by_kind("revenue") * snapshot.kinds["is_costed"]
        weights = None if column == LINES else snapshot.lines[column]
        size = len(snapshot.kinds["product"])
        return self._kept(("kind", column), lambda: sums(snapshot.lines["kind"], weights, size, self._lines[0]))

    def line_counts(self, dimension: str) -> np.ndarray:
        """Number of lines by member of a line dimension."""
        return self.sums(dimension, LINES)

    def order_counts(self, dimension: str, only: np.ndarray | None = None) -> np.ndarray:
        """Number of distinct orders by member; ``only`` of some members of a line dimension, which saves time."""
        if not self.is_of_lines(dimension):
            return self.sums(dimension, ORDERS).astype(np.int64)
        wanted = np.arange(self.members(dimension)) if only is None else only
        result = np.zeros(self.members(dimension), np.int64)
        result[wanted] = self._orders_with(dimension, wanted)
        return result

    def _orders_with(self, dimension: str, wanted: np.ndarray) -> np.ndarray:
        """Number of orders that have at least one line with each of some members."""
        if len(wanted) > BITS:
            parts = range(0, len(wanted), BITS)
            return np.concatenate([self._orders_with(dimension, wanted[start : start + BITS]) for start in parts])
        # Each member is a bit, and an order has the bits of its lines.
        bit = np.zeros(self.members(dimension), np.uint16)
        bit[wanted] = 1 << np.arange(len(wanted))
        bit_of_kind = bit[self.snapshot.kinds[dimension]]
        lines, begins = self._lines
        orders = np.zeros(1 << len(wanted), np.int64)
        for start in range(0, self.count, BLOCK):
            edges = begins[start : start + BLOCK + 1]
            bits = bit_of_kind[self.snapshot.lines["kind"][_part(lines, edges[0], edges[-1])]]
            orders += np.bincount(np.bitwise_or.reduceat(bits, edges[:-1] - edges[0]), minlength=len(orders))
        sets = np.arange(len(orders))
        return np.array([orders[sets >> place & 1 == 1].sum() for place in range(len(wanted))], np.int64)

    def customer_counts(self, dimension: str) -> np.ndarray:
        """Number of distinct customers by member of an order dimension."""
        return self._kept(
            (dimension, "customers"), lambda: self.distinct_customers(self.orders(dimension), self.members(dimension))
        )

    def distinct_customers(self, codes: np.ndarray, size: int) -> np.ndarray:
        """Number of distinct customers by code, without guests. There is one code per order, each below ``size``."""
        return np.bincount(self._of_customers(codes, size)[1], minlength=size)

    def customer_months(self) -> tuple[np.ndarray, np.ndarray]:
        """The distinct pairs of a customer, without guests, and the code of a month in which the customer ordered."""
        return self._of_customers(self.orders("month"), self.members("month"))

    def _of_customers(self, codes: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
        # Guests have one more code, as they are in no cohort.
        customers, codes = distinct(self.orders("customer"), codes, self.members("customer"), size + 1)
        if self.snapshot.guest is None:
            return customers, codes
        is_known = customers != self.snapshot.guest
        return customers[is_known], codes[is_known]

    def customer_days(self) -> tuple[np.ndarray, np.ndarray]:
        """First and last order day of each customer in the snapshot; meaningless for customers without an order."""
        customer, day = self.orders("customer"), self.orders("day")
        first = np.zeros(self.members("customer"), np.int32)
        last = first.copy()
        # Orders are sorted by day, and the last write to a position wins.
        first[customer[::-1]] = day[::-1]
        last[customer] = day
        return first, last


def _passing(snapshot: Snapshot, attributes, filters: tuple[tuple[str, str], ...]) -> np.ndarray | None:
    """Which kinds or groups have all members that the filters ask for; None if the filters ask for none of theirs."""
    masks = [attributes[name] == snapshot.code(name, member) for name, member in filters if name in attributes]
    return np.logical_and.reduce(masks) if masks else None


def _flatnonzero(passing: np.ndarray, codes: np.ndarray, rows: slice) -> np.ndarray:
    """The positions of a range whose code passes."""
    step = 1 << 20
    starts = range(rows.start, rows.stop, step)
    found = [np.flatnonzero(passing[codes[start : min(start + step, rows.stop)]]) + start for start in starts]
    return np.concatenate([np.empty(0, np.int32), *(part.astype(np.int32) for part in found)])


def _part(rows: Rows, start: int, stop: int) -> Rows:
    """The rows from one place to another: places in the snapshot for a range, and in the index otherwise."""
    return slice(start, stop) if isinstance(rows, slice) else rows[start:stop]
