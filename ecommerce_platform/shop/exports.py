"""The exports of the synthetic shop: the feeds of any day, byte for byte the same in any order and process."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa

from ecommerce_platform.feeds.columns import FEEDS
from ecommerce_platform.shop import catalog, customers, defects, orders, returns, text
from ecommerce_platform.shop.defects import LONGEST_DELAY, Fates
from ecommerce_platform.shop.orders import Columns
from ecommerce_platform.shop.settings import ShopSettings


def day_tables(shop: ShopSettings, day: dt.date) -> dict[str, pa.Table]:
    """Return the feeds of a day: string columns in file order, with blanks as null, including defects.

    Raises ValueError for a day before the shop's first.
    """
    return {feed: feed_table(shop, feed, day) for feed in FEEDS}


def feed_table(shop: ShopSettings, feed: str, day: dt.date) -> pa.Table:
    """Return one feed of a day, as in `day_tables`. Raises ValueError for an unknown feed or an early day."""
    if day < shop.first_day:
        raise ValueError(f"the shop opens on {shop.first_day}; it exported nothing for {day}")
    if feed not in _MAKERS:
        raise ValueError(f"unknown feed {feed!r}; the feeds are {', '.join(FEEDS)}")
    columns, kept, faults = _MAKERS[feed](shop, day)
    named = dict(zip(FEEDS[feed], columns, strict=True))
    return pa.table(defects.spoil(named, kept, faults))


def feed_csv(shop: ShopSettings, feed: str, day: dt.date) -> bytes:
    """Return one feed of a day as a file; see :func:`table_csv`."""
    return table_csv(feed, feed_table(shop, feed, day))


def table_csv(feed: str, table: pa.Table) -> bytes:
    """Return the rows of a feed as a file: RFC 4180, `\\n` line ends, UTF-8, a header, quotes where needed."""
    # pyarrow's own writer quotes either all text or none. Joined lines are contiguous in the buffer of their array,
    # which is therefore the body of the file.
    *columns, last = [text.quoted(column.chunk(0)) for column in table.columns]
    lines = text.join_with(",", *columns, text.join(last, "\n"))
    return (",".join(FEEDS[feed]) + "\n").encode() + text.bytes_of(lines)


Made = tuple[list[pa.Array], np.ndarray, Fates]  # columns, the day's rows with which they begin, their defects


def _customers(shop: ShopSettings, day: dt.date) -> Made:
    images, kept, faults = _images(shop, day, "customers", customers.images_of)
    return customers.image_columns(shop, images), kept, faults


def _products(shop: ShopSettings, day: dt.date) -> Made:
    images, kept, faults = _images(shop, day, "products", catalog.images_of)
    return catalog.image_columns(shop, images), kept, faults


def _images(
    shop: ShopSettings,
    day: dt.date,
    feed: str,
    images_of: Callable[[ShopSettings, dt.date], Columns],
) -> tuple[Columns, np.ndarray, Fates]:
    own = images_of(shop, day)
    rows = len(own["day"])
    faults = _fates(shop, feed, day, rows)
    kept = _without(rows, faults.withheld())
    parts = [_take(own, kept)]
    for delay, earlier in _earlier(shop, day):
        images = images_of(shop, earlier)
        due = _fates(shop, feed, earlier, len(images["day"])).after(delay)
        if len(due.rows):
            parts.append(_take(images, due.rows))
    parts.append(_take(own, faults.twice()))
    return _stack(parts), kept, faults


def _transactions(shop: ShopSettings, day: dt.date) -> Made:
    own = orders.of_day(shop, day).headers
    rows = len(own["day"])
    faults = _fates(shop, "transactions", day, rows, half=True)
    kept = _without(rows, _order_fates(shop, day).withheld())
    parts = [_take(own, kept)]
    for delay, earlier in _earlier(shop, day):
        due = _order_fates(shop, earlier).after(delay)
        if len(due.rows):
            headers = _take(orders.of_day(shop, earlier).headers, due.rows)
            corrected = defects.among(due.rows, due.of("re-sent with a correction"))
            headers["total"] = headers["total"] + corrected * _one_more(shop, earlier, due.rows)
            parts.append(headers)
    parts.append(_take(own, kept[defects.among(kept, faults.twice())]))
    return orders.header_columns(shop, _stack(parts)), kept, faults


def _transaction_items(shop: ShopSettings, day: dt.date) -> Made:
    own = orders.lines_of_day(shop, day)
    rows = len(own["line"])
    faults = _fates(shop, "transaction_items", day, rows, half=True)
    kept = _without(rows, _lines_of(shop, day, _order_fates(shop, day).of("late")))
    parts = [_take(own, kept)]
    for delay, earlier in _earlier(shop, day):
        due = _order_fates(shop, earlier).after(delay)
        again = due.of("re-sent", "re-sent with a correction", "late")
        if len(again):
            lines = _take(orders.lines_of_day(shop, earlier), _lines_of(shop, earlier, again))
            corrected = (lines["line"] == 1) & defects.among(lines["order"], due.of("re-sent with a correction"))
            lines["quantity"] = lines["quantity"] + corrected
            lines["total"] = lines["total"] + corrected * lines["price"]
            parts.append(lines)
    parts.append(_take(own, kept[defects.among(kept, faults.twice())]))
    return orders.line_columns(_stack(parts)), kept, faults


_MAKERS: dict[str, Callable[[ShopSettings, dt.date], Made]] = {
    "customers": _customers,
    "products": _products,
    "transactions": _transactions,
    "transaction_items": _transaction_items,
    "returns": returns.exported,
}


def _fates(shop: ShopSettings, stream: str, day: dt.date, rows: int, half: bool = False) -> Fates:
    """Draw defects; half of the rate applies to whole orders (see `_order_fates`), half to single rows."""
    rate = shop.defect_rate / 2 if half else shop.defect_rate
    return defects.fates(shop.seed, stream, day.toordinal(), rows, rate)


def _order_fates(shop: ShopSettings, day: dt.date) -> Fates:
    return _fates(shop, "orders", day, orders.count(shop, day), half=True)


def _earlier(shop: ShopSettings, day: dt.date) -> Iterator[tuple[int, dt.date]]:
    """Yield the earlier days that may have delayed rows to this day, with their distance."""
    if shop.defect_rate > 0:
        for delay in range(1, LONGEST_DELAY + 1):
            earlier = day - dt.timedelta(days=delay)
            if earlier >= shop.first_day:
                yield delay, earlier


def _lines_of(shop: ShopSettings, day: dt.date, order_rows: np.ndarray) -> np.ndarray:
    chosen = np.zeros(orders.count(shop, day), dtype=bool)
    chosen[order_rows] = True
    return np.flatnonzero(chosen[orders.lines_of_day(shop, day)["order"]])


def _one_more(shop: ShopSettings, day: dt.date, order_rows: np.ndarray) -> np.ndarray:
    """Return the unit price of each order's first line, whose quantity a correction increases by one."""
    lines = orders.lines_of_day(shop, day)
    return lines["price"][np.searchsorted(lines["order"], order_rows)]


def _without(rows: int, gone: np.ndarray) -> np.ndarray:
    kept = np.ones(rows, dtype=bool)
    kept[gone] = False
    return np.flatnonzero(kept)


def _take(columns: Columns, rows: np.ndarray) -> Columns:
    return {name: values[rows] for name, values in columns.items()}


def _stack(parts: list[Columns]) -> Columns:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
