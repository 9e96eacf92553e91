"""Orders: how many a day has, who buys what, and the resulting transactions and lines."""

from __future__ import annotations

import datetime as dt
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa

from ecommerce_platform.shop import catalog, customers, draws, text
from ecommerce_platform.shop.geography import REGION_OF_STATE, STATE_CODES

if TYPE_CHECKING:
    from ecommerce_platform.shop.settings import ShopSettings

Columns = dict[str, np.ndarray]

CALIBRATION_DAYS = 1057  # orders_per_day is the mean over this many days from the first
_YEARLY_GROWTH = 1.13
_WEEKDAYS = (930, 900, 915, 945, 1000, 1170, 1140)  # Monday first, thousandths
_MONTHS = (880, 870, 920, 935, 965, 955, 950, 965, 960, 1010, 1150, 1330)  # in the middle of each month
# Thousandths by days after Thanksgiving, the fourth Thursday of November: Black Friday is 1, Cyber Monday 4.
_HOLIDAY = {-1: 1150, 0: 1250, 1: 2300, 2: 1650, 3: 1600, 4: 2400, 5: 1500, 6: 1300, 7: 1200}
_DISCOUNT_SEASON = range(-4, 12)
_NOISE = 80  # thousandths up or down, at most

# Customers shop in the evening; hours are UTC, so the evening of both coasts is after midnight.
_HOURS = draws.cumulative([70, 75, 72, 60, 45, 30, 18, 12, 8, 6, 6, 8, 14, 22, 30, 36, 42, 46, 48, 48, 48, 50, 55, 62])
_LINES = draws.cumulative([20, 25, 22, 14, 9, 5, 3, 2])  # 1 to 8, three on average
_QUANTITIES = draws.cumulative([800, 130, 45, 15, 6, 4])
_DISCOUNTS = np.array([5, 10, 15, 20, 30])  # percent
_DISCOUNT_TABLE = draws.cumulative([25, 32, 20, 15, 8])
_DISCOUNTED, _DISCOUNTED_IN_SEASON = 25, 42  # percent of the lines
_GIFTS = 6  # percent of the orders go to another person

PAYMENT_METHODS = (
    "Credit Card", "Debit Card", "PayPal", "Apple Pay", "Google Pay", "Bank Transfer", "Gift Card",
)  # fmt: skip
_PAYMENT_NAMES = pa.array(PAYMENT_METHODS)
_PAYMENT_TABLES = np.stack(  # one row per region: Northeast, South, Midwest, West; each row sums to 100
    [
        draws.cumulative([41, 16, 17, 13, 6, 3, 4]),
        draws.cumulative([33, 29, 16, 8, 7, 3, 4]),
        draws.cumulative([38, 21, 18, 7, 7, 5, 4]),
        draws.cumulative([32, 13, 17, 22, 10, 2, 4]),
    ]
)


class Orders(NamedTuple):
    """Orders and their lines as numbers; `order` of a line is its order's row. Money is in cents."""

    headers: Columns
    lines: Columns


def _busyness(shop: ShopSettings, day: dt.date) -> int:
    """Return how busy a day is, by growth, season, holiday and weekday; a plain first day has 10**6."""
    # Rounded to millionths, so that the last bit of the power, which differs between machines, has no effect.
    growth = round(1_000_000 * _YEARLY_GROWTH ** ((day - shop.first_day).days / 365.25))
    month = day.month - 1 if day.day >= 15 else (day.month - 2) % 12
    passed = (day.day - 15) % 30  # days since the middle of that month; months of 30 days are near enough
    season = (_MONTHS[month] * (30 - passed) + _MONTHS[(month + 1) % 12] * passed) // 30
    season = season * _HOLIDAY.get(_days_after_thanksgiving(day), 1000) // 1000
    if day.month == 12 and day.day in (24, 25, 26, 31):
        season = season * 60 // 100
    return growth * season * _WEEKDAYS[day.weekday()] // 1_000_000


def _days_after_thanksgiving(day: dt.date) -> int:
    november = dt.date(day.year, 11, 1)
    thanksgiving = november + dt.timedelta(days=(3 - november.weekday()) % 7 + 21)
    return (day - thanksgiving).days


@lru_cache(maxsize=64)
def _calibration(shop: ShopSettings) -> int:
    days = (shop.first_day + dt.timedelta(days=n) for n in range(CALIBRATION_DAYS))
    return sum(_busyness(shop, day) for day in days)


@lru_cache(maxsize=64)
def count(shop: ShopSettings, day: dt.date) -> int:
    """Return the number of orders of a day."""
    noise, fraction = draws.drawn(shop.seed, "order count", day.toordinal(), 1, 3)[0, :2].tolist()
    swing = 1000 - _NOISE + noise % (_NOISE + 1) + (noise >> 32) % (_NOISE + 1)
    exact = shop.orders_per_day * _busyness(shop, day) * CALIBRATION_DAYS * swing
    whole, rest = divmod(exact, _calibration(shop) * 1000)
    # A fraction of an order becomes an order with that probability, so a shop can have one order per week.
    return whole + (fraction % (_calibration(shop) * 1000) < rest)


@lru_cache(maxsize=8)
def of_day(shop: ShopSettings, day: dt.date) -> Orders:
    """Return the orders placed on a day, without defects, ordered by time.

    transaction_id is the day as YYYYMMDD and a number within the day; item_id is the transaction_id and two digits for
    the line. Both are unique, independent of other days, and below 2**53, so that no reader loses a digit.
    Raises ValueError for a million orders, which a shop of 100,000 per day reaches on its tenth Cyber Monday.
    """
    lines = lines_of_day(shop, day)
    orders, ordinal = count(shop, day), day.toordinal()
    bits = draws.drawn(shop.seed, "transactions", ordinal, 4, orders)
    buyer = customers.draw_buyers(shop, day, orders)
    gift = draws.below(bits[0], 100) < _GIFTS
    anybody = draws.below(bits[1], customers.registered_by(shop, day)) + 1
    where = customers.places(shop, np.where(gift, anybody, buyer), day)
    # The buyer's region, not the recipient's, determines the payment method; they differ only for a few gifts.
    payment = (bits[2] % np.uint64(100))[:, None] >= _PAYMENT_TABLES[REGION_OF_STATE[where["state"]]]
    second = draws.choose(_HOURS, bits[3]) * 3600 + draws.below(bits[0], 3600, 32)
    headers: Columns = {
        "transaction_id": _numbers(day, orders),
        "customer_id": buyer,
        "day": np.full(orders, (day - customers.UNIX_EPOCH).days),
        "second": np.sort(second),
        "payment": payment.sum(axis=1),
        **where,
    }
    starts = np.searchsorted(lines["order"], np.arange(orders))
    headers["total"] = np.add.reduceat(lines["total"], starts) if orders else np.zeros(0, dtype=np.int64)
    return Orders(headers, lines)


def _numbers(day: dt.date, orders: int) -> np.ndarray:
    """Return the transaction_ids of a day's orders."""
    if orders > 999_999:
        raise ValueError(f"{day} would have {orders} orders, but an order's number within its day has six digits")
    return int(day.strftime("%Y%m%d")) * 1_000_000 + np.arange(1, orders + 1)


@lru_cache(maxsize=8)
def lines_of_day(shop: ShopSettings, day: dt.date) -> Columns:
    """Return the lines of `of_day`, without the cost of the headers. Raises ValueError as it does."""
    ordinal, orders = day.toordinal(), count(shop, day)
    numbers = _numbers(day, orders)
    wanted = draws.choose(_LINES, draws.drawn(shop.seed, "line count", ordinal, 1, orders)[0]) + 1
    order = np.repeat(np.arange(orders), wanted)
    # The buyer considers two products; a taste for expensive or cheap ones decides, otherwise the first is chosen.
    bits = draws.drawn(shop.seed, "line products", ordinal, 2, len(order))
    product = catalog.draw_products(shop, day, bits[0])
    taste = customers.tastes(shop, day, customers.draw_buyers(shop, day, orders))[order]
    choosy = np.flatnonzero(taste)
    other = catalog.draw_products(shop, day, bits[1, choosy])
    prices = catalog.prices(shop, day)
    difference = prices[other - 1] - prices[product[choosy] - 1]
    product[choosy] = np.where(difference * taste[choosy] > 0, other, product[choosy])
    # A product appears on one line of an order: a second occurrence is dropped.
    pairs = np.sort(order << 32 | product)
    pairs = pairs[np.append(True, pairs[1:] != pairs[:-1])] if orders else pairs
    order, product = pairs >> 32, pairs & 0xFFFFFFFF
    line = np.arange(len(order)) - np.searchsorted(order, np.arange(orders))[order] + 1

    bits = draws.drawn(shop.seed, "transaction_items", ordinal, 2, len(order))
    quantity = draws.choose(_QUANTITIES, bits[0]) + 1
    price = prices[product - 1]
    share = _DISCOUNTED_IN_SEASON if _days_after_thanksgiving(day) in _DISCOUNT_SEASON else _DISCOUNTED
    percent = np.where(
        draws.below(bits[1], 100) < share,
        _DISCOUNTS[draws.choose(_DISCOUNT_TABLE, bits[1] >> np.uint64(32))],
        0,
    )
    discount = quantity * price * percent // 100
    return {
        "order": order,
        "transaction_id": numbers[order],
        "line": line,
        "product_id": product,
        "quantity": quantity,
        "price": price,
        "discount": discount,
        "total": quantity * price - discount,
    }


def header_columns(shop: ShopSettings, headers: Columns) -> list[pa.Array]:
    """Return the columns of the transactions feed as text."""
    return [
        text.number(headers["transaction_id"]),
        text.number(headers["customer_id"]),
        text.date(headers["day"]),
        text.time(headers["second"]),
        text.pick(_PAYMENT_NAMES, headers["payment"]),
        customers.street_address(shop, headers["place"]),
        customers.city(shop, headers["city"]),
        text.pick(STATE_CODES, headers["state"]),
        text.money(headers["total"]),
    ]


def line_columns(lines: Columns) -> list[pa.Array]:
    """Return the columns of the transaction_items feed as text."""
    return [
        text.number(lines["transaction_id"] * 100 + lines["line"]),
        text.number(lines["transaction_id"]),
        text.number(lines["product_id"]),
        text.number(lines["quantity"]),
        text.money(lines["price"]),
        text.money(lines["discount"]),
        text.money(lines["total"]),
    ]
