"""The order lines as columns in memory, from which a page of charts is computed in milliseconds.

Daily aggregates can't be cross-filtered and distinct counts don't add up, so every number is computed from the order
lines themselves. PostgreSQL takes up to a second to group three million lines, and a page needs ten groupings. Grouping
a column of small integers takes ten milliseconds. The columns take 19 to 30 bytes per line, with those of its order.
"""

from __future__ import annotations

import datetime as dt
import threading
from collections import OrderedDict
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property

import numpy as np

from dashboards.app.analyses_reader import Analyses
from dashboards.app.members import Members
from dashboards.spec.colors import KNOWN
from ecommerce_platform.schemas import domains

EPOCH = dt.date(2000, 1, 1)
"""The date that day 0 stands for."""

DISCOUNT_BANDS = tuple(domains.DISCOUNT_BANDS)
PRICE_RANGES = tuple(domains.PRICE_RANGES)
SEGMENTS = tuple(KNOWN["segment"])
WEEKDAYS = tuple(domains.DAY_NAMES)
BUYERS = ("new", "returning", "guest")

NOBODY = " guest"
"""The customer of orders without one. No identifier begins with a blank."""

MOST_KEPT = 128
"""Selections whose sums are kept, of some hundred kilobytes each."""
_KEEPING = threading.Lock()

WEIGHTS = ("revenue", "costed_revenue", "cost", "discount", "units", "returns", "returned_units")


class DatabaseError(RuntimeError):
    """The database cannot be read. The message is one line that says why and contains no password."""


@dataclass(frozen=True)
class Snapshot:
    """All order lines, sorted by day and order. Money is in cents, exact up to 2**53.

    What a chart can group lines by is one code per line, its kind, and one code per order, its group. So one pass over
    the lines or orders serves all charts of a page, whose members are sums over kinds or groups.

    Attributes:
        version: the data version just before reading.
        read_at: when the snapshot was read (UTC).
        lines: columns of the lines: ``kind`` and the ``WEIGHTS`` without ``costed_revenue``. Unknown costs are 0.
        orders: columns of the orders: ``first_line`` (with the number of lines at its end), ``day``, ``customer``
            (code), ``group``, ``revenue``, and ``key``, counted from the day's first.
        kinds: for each kind of line, the codes of its category, product, price_range and discount_band, and whether
            the cost ``is_costed``, that is known.
        groups: for each group of orders, the codes of its region, state, segment, payment and buyer.
        customers: for each customer, the codes of ``segment`` and ``cohort``.
        members: the members of each dimension, by code; products and customers by the shop's ID.
        names: display names of the members, for dimensions whose members are IDs or codes.
        first_month: the month of the first order, as months since year 0.
        guest: the code of the customer of orders without one; None if every order has a customer.
        day_keys: for each day from the first to the last, the key of its first order in the warehouse.
        waiting_refunds: day of return, number, and sum of the refunds whose order line is unknown; no line has them.
        analyses: the extracts that say what to do next.
    """

    version: str
    read_at: dt.datetime
    lines: Mapping[str, np.ndarray]
    orders: Mapping[str, np.ndarray]
    kinds: Mapping[str, np.ndarray]
    groups: Mapping[str, np.ndarray]
    customers: Mapping[str, np.ndarray]
    members: Mapping[str, Sequence[str]]
    names: Mapping[str, Mapping[str, str]]
    first_month: int = 0
    guest: int | None = None
    day_keys: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    waiting_refunds: Sequence[tuple[dt.date, int, Decimal]] = ()
    analyses: Analyses = field(default_factory=Analyses)

    @property
    def is_empty(self) -> bool:
        """Whether there are no orders at all."""
        return len(self.orders["day"]) == 0

    @property
    def first_day(self) -> dt.date:
        """Day of the first order."""
        return day_of(int(self.orders["day"][0]))

    @property
    def last_day(self) -> dt.date:
        """Day of the last order."""
        return day_of(int(self.orders["day"][-1]))

    @cached_property
    def has_returns(self) -> bool:
        """Whether the shop has ever taken something back or refunded something."""
        return bool(self.lines["returns"].any() or self.lines["returned_units"].any())

    @cached_property
    def all_costed(self) -> bool:
        """Whether the cost of every line is known."""
        return bool(self.kinds["is_costed"][self.lines["kind"]].all())

    @cached_property
    def vocabulary(self) -> Mapping[str, Container[str]]:
        """The members of each dimension, for validating filters."""
        return {
            name: members if isinstance(members, Members) else frozenset(members)
            for name, members in self.members.items()
        }

    @cached_property
    def has_text_orders(self) -> bool:
        """Whether an order has an ID that is not a positive integer; the keys of such IDs are negative."""
        return bool((self.day_keys < 0).any())

    def keys(self, index: np.ndarray | slice) -> np.ndarray:
        """The keys of some orders in the warehouse."""
        day = self.orders["day"]
        return self.day_keys[day[index] - day[0]] + self.orders["key"][index]

    def code(self, dimension: str, member: str) -> int:
        """The code of a member of a dimension; -1, which no row has, if there is no such member."""
        members = self.members[dimension]
        if isinstance(members, Members):
            code = members.code(member)
            return -1 if code is None else code
        return self._codes[dimension].get(member, -1)

    @cached_property
    def _codes(self) -> Mapping[str, Mapping[str, int]]:
        return {
            name: {member: code for code, member in enumerate(members)}
            for name, members in self.members.items()
            if not isinstance(members, Members)
        }

    @cached_property
    def _sums(self) -> OrderedDict[tuple, dict[tuple[str, str], np.ndarray]]:
        return OrderedDict()

    def kept_sums(self, selection: tuple) -> dict[tuple[str, str], np.ndarray]:
        """A place to keep the sums of a selection of lines; those of the selections used last are kept."""
        with _KEEPING:
            kept = self._sums.setdefault(selection, {})
            self._sums.move_to_end(selection)
            while len(self._sums) > MOST_KEPT:
                self._sums.popitem(last=False)
        return kept

    def name(self, dimension: str, member: str) -> str:
        """The display name of a member."""
        if dimension == "customer":
            return domains.GUEST if member == NOBODY else f"Customer {member}"
        return self.names.get(dimension, {}).get(member, member)


def day_of(number: int) -> dt.date:
    """The date of a day number."""
    return EPOCH + dt.timedelta(days=number)


def number_of(day: dt.date) -> int:
    """The day number of a date."""
    return (day - EPOCH).days


def months_of(day: np.ndarray) -> np.ndarray:
    """Convert day numbers to months since year 0: year * 12 + month - 1."""
    dates = np.datetime64(EPOCH, "D") + day.astype("timedelta64[D]")
    return dates.astype("datetime64[M]").astype(np.int64) + 1970 * 12
