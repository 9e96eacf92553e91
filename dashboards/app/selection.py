"""The orders and order lines that pass the filters, and sums and distinct counts by member of a dimension.

Orders are sorted by day, so a date range is a slice and costs nothing. A filter on an attribute of the order keeps
whole orders. A filter on an attribute of the line keeps some lines of an order, and the order still counts once.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from copy import copy
from functools import cached_property

import numpy as np

from dashboards.app.filters import Filters, period_days
from dashboards.app.snapshot import BUYERS, WEIGHTS, Snapshot, number_of
from dashboards.spec.fields import DIMENSIONS

MOST_FLAGS = 64 << 20
"""Size in bytes up to which a table of flags counts distinct items; larger counts sort instead."""

JOINT = ("category", "price_range", "discount_band")
LINE_COUNT = "lines"


class Selection:
    """The orders and lines of a snapshot that pass the filters, within a date range."""

    def __init__(self, snapshot: Snapshot, filters: Filters, window: tuple[dt.date, dt.date]):
        self.snapshot = snapshot
        self.window = window
        days = snapshot.orders["day"]
        low, high = window
        if filters.period is not None:
            first, last = period_days(filters.period)
            low, high = max(low, first), min(high, last)
        self.span = (low, high)
        """The date range, further limited by ``period``; can be empty."""
        start = int(np.searchsorted(days, number_of(low), "left"))
        stop = max(start, int(np.searchsorted(days, number_of(high), "right")))
        lines = snapshot.lines["order"]
        line_start, line_stop = (int(np.searchsorted(lines, edge, "left")) for edge in (start, stop))
        self._orders = slice(start, stop)
        self._lines = slice(line_start, line_stop)
        self._order_filters = [pair for pair in filters.members if DIMENSIONS[pair[0]].grain != "line"]
        self._wanted: np.ndarray | None = None
        self._line_filters = [pair for pair in filters.members if DIMENSIONS[pair[0]].grain == "line"]

    @cached_property
    def _order_mask(self) -> np.ndarray | None:
        return self._mask(self.snapshot.orders, self._orders, self._order_filters)

    def _mask(self, columns, part: slice, filters: Iterable[tuple[str, str]]) -> np.ndarray | None:
        mask = None
        for name, member in filters:
            code = self.snapshot.codes[name].get(member, -1)
            passes = columns[name][part] == code
            mask = passes if mask is None else mask & passes
        return mask

    @cached_property
    def line_index(self) -> np.ndarray | slice:
        """The positions of the lines in the snapshot's columns."""
        mask = self._mask(self.snapshot.lines, self._lines, self._line_filters)
        if self._order_mask is not None:
            passes = self._order_mask[self.snapshot.lines["order"][self._lines] - self._orders.start]
            mask = passes if mask is None else mask & passes
        return self._lines if mask is None else np.flatnonzero(mask) + self._lines.start

    @cached_property
    def order_index(self) -> np.ndarray | slice:
        """The positions of the orders in the snapshot's columns."""
        if self._line_filters:
            seen = np.zeros(self._orders.stop - self._orders.start, bool)
            seen[self.lines("order") - self._orders.start] = True
            return np.flatnonzero(seen) + self._orders.start
        if self._order_mask is None:
            return self._orders
        return np.flatnonzero(self._order_mask) + self._orders.start

    def lines(self, column: str) -> np.ndarray:
        """A column of the selected lines."""
        if isinstance(self.line_index, slice):
            return self.snapshot.lines[column][self.line_index]
        if column not in self._taken:
            self._taken[column] = self.snapshot.lines[column][self.line_index]
        return self._taken[column]

    def orders(self, column: str) -> np.ndarray:
        """A column of the selected orders; weights include only the selected lines."""
        if column in WEIGHTS and self._line_filters:
            return self._order_weights(column)[self.order_index]
        return self.snapshot.orders[column][self.order_index]

    def _order_weights(self, column: str) -> np.ndarray:
        if column not in self._summed:
            self._summed[column] = np.bincount(
                self.lines("order"), self.lines(column), len(self.snapshot.orders["day"])
            )
        return self._summed[column]

    @cached_property
    def _sums(self) -> dict[tuple[str, ...], np.ndarray]:
        return {}

    @cached_property
    def _taken(self) -> dict[str, np.ndarray]:
        return {}

    @cached_property
    def _summed(self) -> dict[str, np.ndarray]:
        return {}

    @property
    def is_filtered(self) -> bool:
        """Whether anything but the date range limits the selection."""
        return bool(self._order_filters or self._line_filters)

    @cached_property
    def count(self) -> int:
        """Number of distinct orders."""
        index = self.order_index
        return index.stop - index.start if isinstance(index, slice) else len(index)

    def total(self, column: str) -> int:
        """Sum of a weight, in cents or units."""
        return int(self.orders(column).sum())

    @cached_property
    def customers(self) -> int:
        """Number of distinct customers, without guests."""
        return int(np.count_nonzero(self.orders_of_customers))

    @cached_property
    def orders_of_customers(self) -> np.ndarray:
        """Number of orders of each customer in the snapshot; guests have none."""
        orders = np.bincount(self.orders("customer"), minlength=len(self.snapshot.members["customer"]))
        if self.snapshot.guest is not None:
            orders[self.snapshot.guest] = 0
        return orders

    @property
    def guest_orders(self) -> int:
        """Number of orders without a customer."""
        return int(self.order_counts("buyer")[BUYERS.index("guest")])

    @property
    def customer_revenue(self) -> int:
        """Revenue of the orders that have a customer, in cents."""
        return self.total("revenue") - int(self.sums("buyer", "revenue")[BUYERS.index("guest")])

    def members(self, dimension: str) -> int:
        """Number of members of a dimension, with or without orders."""
        return len(self.snapshot.members[dimension])

    def sums(self, dimension: str, column: str) -> np.ndarray:
        """Sum of a weight by member, in cents or units; ``dimension`` can also be month."""
        if dimension in self.snapshot.orders:
            return self._kept((dimension, column), lambda: self._order_sums(dimension, column))
        if dimension in JOINT:
            return self._joint(column).sum(axis=tuple(place for place, name in enumerate(JOINT) if name != dimension))
        return self._kept((dimension, column), lambda: self._line_sums(dimension, column))

    def line_counts(self, dimension: str) -> np.ndarray:
        """Number of lines by member of a line dimension."""
        return self.sums(dimension, LINE_COUNT)

    def _kept(self, key: tuple[str, ...], compute: Callable[[], np.ndarray]) -> np.ndarray:
        if key not in self._sums:
            self._sums[key] = compute()
        return self._sums[key]

    def _order_sums(self, dimension: str, column: str) -> np.ndarray:
        return np.bincount(self.orders(dimension), self.orders(column), self.members(dimension))

    def _line_sums(self, dimension: str, column: str) -> np.ndarray:
        weights = None if column == LINE_COUNT else self.lines(column)
        return np.bincount(self.lines(dimension), weights, self.members(dimension))

    def _joint(self, column: str) -> np.ndarray:
        """Sums by all ``JOINT`` dimensions at once, so that one pass over the lines serves three charts."""
        shape = tuple(self.members(name) for name in JOINT)
        weights = None if column == LINE_COUNT else self.lines(column)
        size = int(np.prod(shape))
        return self._kept(("joint", column), lambda: np.bincount(self.lines("joint"), weights, size)).reshape(shape)

    def of_members(self, dimension: str, codes: np.ndarray) -> Selection:
        """Restrict the selection to some members of a line dimension. Saves time if the dimension has many members."""
        part = copy(self)
        for name in ("_sums", "_taken", "_summed", "count", "customers", "orders_of_customers", "order_index"):
            part.__dict__.pop(name, None)
        part._wanted = codes
        is_wanted = np.zeros(self.members(dimension), bool)
        is_wanted[codes] = True
        found = np.flatnonzero(is_wanted[self.lines(dimension)])
        part.__dict__["line_index"] = (
            found + self.line_index.start if isinstance(self.line_index, slice) else self.line_index[found]
        )
        return part

    def order_counts(self, dimension: str) -> np.ndarray:
        """Number of distinct orders by member."""
        if dimension in self.snapshot.orders:
            return self._kept(
                (dimension, "orders"),
                lambda: np.bincount(self.orders(dimension), minlength=self.members(dimension)),
            )
        things, count = self.lines("order") - self._orders.start, self._orders.stop - self._orders.start
        if self._wanted is None:
            return _distinct(things, self.lines(dimension), self.members(dimension), count)
        place = np.zeros(self.members(dimension), np.int32)
        place[self._wanted] = np.arange(len(self._wanted), dtype=np.int32)
        result = np.zeros(self.members(dimension), np.int64)
        result[self._wanted] = _distinct(things, place[self.lines(dimension)], len(self._wanted), count)
        return result

    def customer_counts(self, dimension: str) -> np.ndarray:
        """Number of distinct customers by member of an order dimension."""
        return self.distinct_customers(self.orders(dimension), self.members(dimension))

    def distinct_customers(self, codes: np.ndarray, size: int) -> np.ndarray:
        """Number of distinct customers by code, without guests.

        There is one code per order, each below ``size`` unless the order is a guest's.
        """
        customers = self.orders("customer")
        if self.snapshot.guest is not None:
            is_known = customers != self.snapshot.guest
            customers, codes = customers[is_known], codes[is_known]
        return _distinct(customers, codes, size, self.members("customer"))

    def customer_days(self) -> tuple[np.ndarray, np.ndarray]:
        """First and last order day of each customer in the snapshot; meaningless for customers without an order."""
        customer, day = self.orders("customer"), self.orders("day")
        first = np.zeros(len(self.snapshot.members["customer"]), np.int32)
        last = first.copy()
        # Orders are sorted by day, and the last write to a position wins.
        first[customer[::-1]] = day[::-1]
        last[customer] = day
        return first, last


def _distinct(things: np.ndarray, codes: np.ndarray, size: int, count: int) -> np.ndarray:
    """The number of distinct items, out of ``count``, that occur with each of ``size`` codes."""
    if size * count <= MOST_FLAGS:
        flags = np.zeros((size, count), bool)
        flags.reshape(-1)[codes.astype(np.int64) * count + things] = True
        return np.array([np.count_nonzero(row) for row in flags], np.int64)
    pairs = np.unique(things.astype(np.int64) * size + codes)
    return np.bincount(pairs % size, minlength=size)
