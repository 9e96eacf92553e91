"""The order lines as columns in memory, from which a page of charts is computed in milliseconds.

Daily aggregates can't be cross-filtered and distinct counts don't add up, so every number is computed from the order
lines themselves. PostgreSQL takes up to a second to group three million lines, and a page needs ten groupings. Grouping
a column of small integers takes ten milliseconds. The columns are read as ``reader``, in one transaction, and take
about 100 bytes per line.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

import numpy as np
from babel import Locale

from ecommerce_platform.money import LOCALE
from ecommerce_platform.schemas import domains

EPOCH = dt.date(2000, 1, 1)
"""The date that day 0 stands for."""

DISCOUNT_BANDS = tuple(domains.DISCOUNT_BANDS)
PRICE_RANGES = tuple(domains.PRICE_RANGES)
SEGMENTS = (*reversed(domains.SEGMENTS), domains.GUEST)
WEEKDAYS = tuple(domains.DAY_NAMES)
BUYERS = ("new", "returning", "guest")

NOBODY = " guest"
"""The customer of orders without one. No identifier begins with a blank."""

WEIGHTS = ("revenue", "costed_revenue", "cost", "discount", "units", "returns", "returned_units")


class DatabaseError(RuntimeError):
    """The database cannot be read. The message is one line that says why and contains no password."""


@dataclass(frozen=True)
class Snapshot:
    """All order lines, sorted by day and order. Money is in cents, exact up to 2**53.

    Attributes:
        version: the data version just before reading.
        read_at: when the snapshot was read (UTC).
        lines: columns of the lines: ``order`` (position of the order), the codes of category, product, price_range, and
            discount_band, ``joint`` (one code for all of these except product), and the ``WEIGHTS``.
        orders: columns of the orders: ``day``, ``customer`` (position), the codes of region, state, segment, payment,
            weekday, cohort, buyer, and month, and the sums of the ``WEIGHTS``. Costs are those that are known;
            ``costed_revenue`` is the revenue of the lines that have one.
        members: the members of each dimension, by code; products and customers by the shop's ID.
        names: display names of the members, for dimensions whose members are IDs or codes.
        guest: the position of the customer of orders without one; None if every order has a customer.
        waiting_refunds: day of return, number, and sum of the refunds whose order line is unknown; no line has them.
    """

    version: str
    read_at: dt.datetime
    lines: Mapping[str, np.ndarray]
    orders: Mapping[str, np.ndarray]
    members: Mapping[str, Sequence[str]]
    names: Mapping[str, Mapping[str, str]]
    guest: int | None = None
    waiting_refunds: Sequence[tuple[dt.date, int, Decimal]] = ()

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
        return bool(self.orders["returns"].any() or self.orders["returned_units"].any())

    @cached_property
    def vocabulary(self) -> Mapping[str, frozenset[str]]:
        """The members of each dimension, for validating filters."""
        return {name: frozenset(members) for name, members in self.members.items()}

    @cached_property
    def codes(self) -> Mapping[str, Mapping[str, int]]:
        """The code of each member of each dimension."""
        return {name: {member: code for code, member in enumerate(members)} for name, members in self.members.items()}

    def name(self, dimension: str, member: str) -> str:
        """The display name of a member."""
        return self.names.get(dimension, {}).get(member, member)


def day_of(number: int) -> dt.date:
    """The date of a day number."""
    return EPOCH + dt.timedelta(days=number)


def number_of(day: dt.date) -> int:
    """The day number of a date."""
    return (day - EPOCH).days


def build(
    version: str,
    raw: dict[str, np.ndarray],
    products: Sequence[tuple],
    customers: Sequence[tuple],
    payments: Sequence[tuple],
) -> Snapshot:
    """A snapshot of the order lines as they were read, and of the rows of the dimensions."""
    by_day = np.lexsort((raw["order"], raw["day"]))
    for name in raw:
        raw[name] = raw[name][by_day]
    for name in ("returns", "returned_units"):
        if not raw[name].any():
            raw[name] = np.broadcast_to(0.0, len(by_day))  # takes no memory in a shop without returns
    is_known = ~np.isnan(raw["cost"])
    raw["costed_revenue"] = raw["revenue"]
    if not is_known.all():
        raw["costed_revenue"] = np.where(is_known, raw["revenue"], 0.0)
        raw["cost"] = np.where(is_known, raw["cost"], 0.0)
    is_first = np.ones(len(by_day), bool)
    is_first[1:] = raw["order"][1:] != raw["order"][:-1]
    raw["order"] = (np.cumsum(is_first) - 1).astype(np.int32)
    lines, of_lines = _line_columns(raw, products)
    orders, of_orders, guest = _order_columns(raw, np.flatnonzero(is_first), customers)
    return Snapshot(
        version,
        dt.datetime.now(dt.UTC),
        lines,
        orders,
        {**of_lines, **of_orders, "payment": [row[1] for row in payments]},
        {
            "product": {row[1]: row[2] for row in products},
            "region": {row[4]: _country(row[4]) for row in customers},
            "state": {row[2]: row[3] for row in customers},
            "customer": {row[1]: f"Customer {row[1]}" if row[0] else domains.GUEST for row in customers},
            "buyer": {name: name.capitalize() for name in BUYERS},
        },
        guest,
    )


def _country(region: str) -> str:
    """The name of a country that stands for a region; the region itself if it is not the code of a country."""
    return Locale.parse(LOCALE).territories.get(region, region)


Members = dict[str, Sequence[str]]
"""The members of some dimensions, by code."""


def _line_columns(raw: dict[str, np.ndarray], products: Sequence[tuple]) -> tuple[dict[str, np.ndarray], Members]:
    """The columns of the lines, and the members of their dimensions. Removes ``product`` from ``raw``, for memory."""
    product = raw.pop("product")
    product_ids, product_code = _coded([row[1] for row in products], key=_numbers_first)
    categories, category_code = _coded([row[3] for row in products])
    lines = {
        "order": raw["order"],
        "product": product_code[product],
        "category": category_code[product],
        "price_range": np.array([PRICE_RANGES.index(row[4]) for row in products], np.uint8)[product],
        "discount_band": raw["band"],
        **{name: raw[name] for name in WEIGHTS},
    }
    lines["joint"] = joint(lines)
    members = {
        "category": categories,
        "product": product_ids,
        "price_range": PRICE_RANGES,
        "discount_band": DISCOUNT_BANDS,
    }
    return lines, members


def _order_columns(
    raw: Mapping[str, np.ndarray], heads: np.ndarray, customers: Sequence[tuple]
) -> tuple[dict[str, np.ndarray], Members, int | None]:
    """The columns of the orders, the members of their dimensions, and the guest.

    Args:
        raw: the columns of the lines, sorted by day and order.
        heads: the position of each order's first line.
        customers: the customer versions, in the order of their positions in ``raw``.
    """
    version_of = raw["customer"][heads]
    customer_ids, customer_code = _coded([row[1] for row in customers], key=_numbers_first)
    states, state_code = _coded([row[2] for row in customers])
    regions, region_code = _coded([row[4] for row in customers])
    day = raw["day"][heads]
    customer = customer_code[version_of]
    # Write from the last order to the first, so that each customer's first order wins.
    first_order_day = np.full(len(customer_ids), np.iinfo(np.int32).max, np.int32)
    first_order_day[customer[::-1]] = day[::-1]
    month, cohort = _months(day), _months(first_order_day[customer])
    first_month, end_month = (month.min(), month.max() + 1) if len(month) else (0, 0)
    months = [f"{number // 12}-{number % 12 + 1:02d}" for number in range(first_month, end_month)]
    buyer = np.where(cohort < month, BUYERS.index("returning"), BUYERS.index("new")).astype(np.uint8)
    # Orders without a customer are those of key 0, which is nobody. They belong to no cohort.
    nobody = np.flatnonzero(sorted_keys(customers) == 0)
    guest = int(customer_code[nobody[0]]) if len(nobody) else None
    if guest is not None:
        cohort[customer == guest] = end_month
        buyer[customer == guest] = BUYERS.index("guest")
    orders = {
        "day": day,
        "month": (month - first_month).astype(np.int32),
        "weekday": ((day + EPOCH.weekday()) % 7).astype(np.uint8),
        "customer": customer,
        "state": state_code[version_of],
        "region": region_code[version_of],
        "segment": np.array([SEGMENTS.index(row[5]) for row in customers], np.uint8)[version_of],
        "payment": raw["payment"][heads],
        "cohort": (cohort - first_month).astype(np.int32),
        "buyer": buyer,
        **{name: np.bincount(raw["order"], raw[name], len(heads)) for name in WEIGHTS},
    }
    members = {
        "region": regions,
        "state": states,
        "segment": SEGMENTS,
        "customer": customer_ids,
        "cohort": months,
        "buyer": BUYERS,
        "weekday": WEEKDAYS,
        "month": months,
    }
    return orders, members, guest


def joint(lines: Mapping[str, np.ndarray]) -> np.ndarray:
    """One code per line for its category, price range, and discount band."""
    code = lines["category"].astype(np.int32) * len(PRICE_RANGES) + lines["price_range"]
    return code * len(DISCOUNT_BANDS) + lines["discount_band"]


def sorted_keys(rows: Sequence[tuple]) -> np.ndarray:
    """The keys of a dimension's rows, which are sorted by it."""
    return np.array([row[0] for row in rows], np.int64)


def _coded(values: Sequence[str], key=None) -> tuple[list[str], np.ndarray]:
    members = sorted(set(values), key=key)
    code = {member: number for number, member in enumerate(members)}
    return members, np.array([code[value] for value in values], np.int32)


def _numbers_first(code: str) -> tuple[bool, int, str]:
    is_number = code.isascii() and code.isdigit()
    return not is_number, int(code) if is_number and len(code) <= 18 else 0, code


def _months(day: np.ndarray) -> np.ndarray:
    """Convert day numbers to months since year 0: year * 12 + month - 1."""
    dates = np.datetime64(EPOCH, "D") + day.astype("timedelta64[D]")
    return dates.astype("datetime64[M]").astype(np.int64) + 1970 * 12
