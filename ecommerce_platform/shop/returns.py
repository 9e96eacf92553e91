"""Returns: which order lines come back, when, how much of them, and why.

The day of the sale decides what becomes of its lines, so a day's returns are gathered from the days of sale that can
have returns on it, and a line is returned at most once. A return names the line as it was first sold. Its order may be
one that never arrived, or whose line was refused: real exports have such returns, too.
"""

from __future__ import annotations

import datetime as dt
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from ecommerce_platform.shop import catalog, customers, defects, draws, orders, text
from ecommerce_platform.shop.assortment import CATEGORIES
from ecommerce_platform.shop.orders import Columns

if TYPE_CHECKING:
    from ecommerce_platform.shop.defects import Fates
    from ecommerce_platform.shop.settings import ShopSettings

DELAYS = range(2, 31)
"""Days from a sale to the return of one of its lines."""

# Most parcels come back in the second week: the weights rise to it, then fall until the time for returns is over.
_DELAY_TABLE = draws.cumulative([min(delay - 1, 7) * (34 - delay) for delay in DELAYS])
_RATES = np.array([category.returned for category in CATEGORIES])
_PARTIAL = 30  # percent of the returns of lines with several pieces

REASONS = ("Changed mind", "Defective", "Damaged in transit", "Not as described", "Wrong item", "Wrong size")
_REASON_NAMES = pa.array(REASONS)
_REASON_TABLES = np.stack(  # whether the product is clothing; each row sums to 100
    [draws.cumulative([33, 25, 16, 16, 10, 0]), draws.cumulative([25, 6, 3, 14, 5, 47])]
)
_IS_CLOTHING = np.array([category.name == "Clothing" for category in CATEGORIES], dtype=int)


@lru_cache(maxsize=len(DELAYS) + 1)
def _of_sales(shop: ShopSettings, sold: dt.date) -> Columns:
    """Return the returns of all lines sold on a day, in order of the lines; `day` is that of the return."""
    lines = orders.lines_of_day(shop, sold)
    bits = draws.drawn(shop.seed, "returns", sold.toordinal(), 2, len(lines["line"]))
    category = catalog.categories(shop, lines["product_id"])
    back = np.flatnonzero(draws.below(bits[0], 1000) < _RATES[category])
    sale = {name: lines[name][back] for name in ("transaction_id", "line", "quantity", "total")}
    when, why = bits[0, back] >> np.uint64(32), bits[1, back]
    part = 1 + draws.below(why, 1 << 16, 16) % np.maximum(sale["quantity"] - 1, 1)
    quantity = np.where(draws.below(why, 100, 32) < _PARTIAL, part, sale["quantity"])
    reason = (why[:, None] & np.uint64(0xFFFF)) % np.uint64(100) >= _REASON_TABLES[_IS_CLOTHING[category[back]]]
    return {
        "transaction_id": sale["transaction_id"],
        "line": sale["line"],
        "quantity": quantity,
        "refund": sale["total"] * quantity // sale["quantity"],
        "reason": reason.sum(axis=1),
        "day": (sold - customers.UNIX_EPOCH).days + DELAYS.start + draws.choose(_DELAY_TABLE, when),
    }


def of_day(shop: ShopSettings, day: dt.date) -> Columns:
    """Return the returns of a day, without defects, the oldest sale first. Refunds are in cents.

    return_id is the day as YYYYMMDD and a number within the day. A refund is the returned pieces' part of the total of
    the line, rounded down to a cent.
    """
    today = (day - customers.UNIX_EPOCH).days
    days = [day - dt.timedelta(days=delay) for delay in reversed(DELAYS)]
    # A shop that has just opened has no sales to return; of the day's own sales, none is due today.
    sales = [_of_sales(shop, sold) for sold in days if sold >= shop.first_day] or [_of_sales(shop, day)]
    due = [np.flatnonzero(part["day"] == today) for part in sales]
    columns = {
        name: np.concatenate([part[name][rows] for part, rows in zip(sales, due, strict=True)]) for name in sales[0]
    }
    number = 1 + np.arange(len(columns["line"]))
    return {"return_id": int(day.strftime("%Y%m%d")) * 1_000_000 + number, **columns}


def exported(shop: ShopSettings, day: dt.date) -> tuple[list[pa.Array], np.ndarray, Fates]:
    """Return the columns of the returns feed as text, the rows of the day with which they begin, and their defects.

    The columns: return_id, transaction_id, item_id, returned_on, quantity, refund_amount, reason.
    """
    own = of_day(shop, day)
    rows = len(own["return_id"])
    faults = defects.fates(shop.seed, "returns", day.toordinal(), rows, shop.defect_rate)
    exported = np.concatenate([np.arange(rows), faults.twice()])
    columns = {name: values[exported] for name, values in own.items()}
    return _columns(columns), np.arange(rows), faults


def _columns(returned: Columns) -> list[pa.Array]:
    return [
        text.number(returned["return_id"]),
        text.number(returned["transaction_id"]),
        text.number(returned["transaction_id"] * 100 + returned["line"]),
        text.date(returned["day"]),
        text.number(returned["quantity"]),
        text.money(returned["refund"]),
        text.pick(_REASON_NAMES, returned["reason"]),
    ]
