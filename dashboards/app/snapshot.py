"""The sales as columns in memory: what a page of charts is computed from in milliseconds.

Per-day aggregates cannot cross-filter and distinct counts do not add up, so every number is counted on the order lines
themselves. PostgreSQL takes up to a second for one grouping of three million lines, and a page needs ten; whole columns
of small integers take ten milliseconds each. Read as ``reader``, in one transaction, about 70 bytes a line.
"""

from __future__ import annotations

import datetime as dt
import io
import logging
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import psycopg
import pyarrow as pa
import pyarrow.csv

from ecommerce_platform.io_managers.connection import ClientConnection, PostgresConnection

EPOCH = dt.date(2000, 1, 1)
"""Day 0 of the columns."""

DISCOUNT_BANDS = ("None", "Up to 10%", "10% to 20%", "Over 20%")
PRICE_RANGES = ("Budget", "Mid-range", "Premium")
SEGMENTS = ("VIP", "Regular", "New")
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
BUYERS = ("new", "returning")

WEIGHTS = ("revenue", "cost", "discount", "units")

VERSION = """
select coalesce(string_agg(concat_ws(':', relid, n_tup_ins, n_tup_upd, n_tup_del), ' ' order by relname), '')
from pg_stat_user_tables
where schemaname = 'warehouse' and relname = any(%s)
"""
TABLES_READ = ["fact_sales", "dim_customer", "dim_product", "dim_payment"]

LINES = """
copy (
    select
        transaction_id,
        sale_date - date '2000-01-01',
        customer_key,
        product_key,
        payment_key,
        quantity,
        revenue,
        cost,
        discount_amount,
        warehouse.discount_band(discount_amount, quantity * unit_price)
    from warehouse.fact_sales
) to stdout (format csv)
"""
LINE_TYPES = {
    "order": pa.int64(),
    "day": pa.int32(),
    "customer": pa.int64(),
    "product": pa.int64(),
    "payment": pa.int64(),
    "units": pa.float64(),
    "revenue": pa.float64(),
    "cost": pa.float64(),
    "discount": pa.float64(),
    "band": pa.dictionary(pa.int32(), pa.string()),
}


class DatabaseError(RuntimeError):
    """The database cannot be read; one line says why, without a password."""


@dataclass(frozen=True)
class Snapshot:
    """All order lines, sorted by day and order. Money is in cents, exact up to 2**53.

    Attributes:
        version: what the database said of its tables just before.
        read_at: when (UTC).
        lines: columns of the lines: ``order`` (position of the order), codes of category, product, price_range and
            discount_band, all but product as one code ``joint``, and the ``WEIGHTS``.
        orders: columns of the orders: ``day``, ``customer`` (position), codes of region, state, segment, payment,
            weekday, cohort, buyer, month, and the sums of the ``WEIGHTS``.
        members: the values of each dimension, by code; the ids of products and customers as text.
        names: what a person reads instead of an id, for dimensions that have one.
        first_order_day: of each customer.
    """

    version: str
    read_at: dt.datetime
    lines: Mapping[str, np.ndarray]
    orders: Mapping[str, np.ndarray]
    members: Mapping[str, Sequence[str]]
    names: Mapping[str, Mapping[str, str]]
    first_order_day: np.ndarray = field(repr=False)

    @property
    def is_empty(self) -> bool:
        """Whether there is no sale at all."""
        return len(self.orders["day"]) == 0

    @property
    def first_day(self) -> dt.date:
        """Day of the first sale."""
        return day_of(int(self.orders["day"][0]))

    @property
    def last_day(self) -> dt.date:
        """Day of the last sale: the data go through it."""
        return day_of(int(self.orders["day"][-1]))

    @cached_property
    def vocabulary(self) -> Mapping[str, frozenset[str]]:
        """The members of each dimension that may be filtered."""
        return {name: frozenset(members) for name, members in self.members.items()}

    @cached_property
    def codes(self) -> Mapping[str, Mapping[str, int]]:
        """The code of each member of each dimension."""
        return {name: {member: code for code, member in enumerate(members)} for name, members in self.members.items()}

    def name(self, dimension: str, member: str) -> str:
        """What a person reads for a member."""
        return self.names.get(dimension, {}).get(member, member)


def day_of(number: int) -> dt.date:
    """The day of a column's number."""
    return EPOCH + dt.timedelta(days=number)


def number_of(day: dt.date) -> int:
    """A column's number of a day."""
    return (day - EPOCH).days


@contextmanager
def reading(connection: PostgresConnection):
    """A connection whose failures are :class:`DatabaseError`."""
    try:
        with connection.connect() as open_connection:
            yield open_connection
    except psycopg.OperationalError as error:
        raise DatabaseError(f"PostgreSQL does not answer: {' '.join(str(error).split())[:200]}") from None
    except psycopg.Error as error:
        raise DatabaseError(f"The tables cannot be read: {' '.join(str(error).split())[:200]}") from None


def data_version(connection: ClientConnection) -> str:
    """What changes whenever the tables of the sales do: the server's counts of rows written, a millisecond's work."""
    row = connection.execute(VERSION, (TABLES_READ,)).fetchone()
    return row[0] if row else ""


def read_snapshot(connection: PostgresConnection) -> Snapshot:
    """Read all sales.

    Raises:
        DatabaseError: the database cannot be read.
    """
    with reading(connection) as source, source.transaction():
        source.execute("set transaction isolation level repeatable read read only")
        version = data_version(source)
        products = source.execute(
            """
            select
                versions.product_key,
                versions.product_id::text,
                latest.product_name,
                versions.category,
                versions.price_range
            from warehouse.dim_product as versions
            inner join warehouse.dim_product as latest on versions.product_id = latest.product_id and latest.is_current
            where versions.product_key <> 0 or exists (select 1 from warehouse.fact_sales where product_key = 0)
            order by versions.product_key
            """
        ).fetchall()
        customers = source.execute(
            """
            select customer_key, customer_id::text, state_code, state_name, region, current_segment
            from warehouse.customer_profile
            where customer_key <> 0 or exists (select 1 from warehouse.fact_sales where customer_key = 0)
            order by customer_key
            """
        ).fetchall()
        payments = source.execute(
            """
            select payment_key, payment_method
            from warehouse.dim_payment
            where payment_key <> 0 or exists (select 1 from warehouse.fact_sales where payment_key = 0)
            order by payment_key
            """
        ).fetchall()
        keys = {"product": _keys(products), "customer": _keys(customers), "payment": _keys(payments)}
        lines = _read_lines(source, keys)
    return _build(version, lines, products, customers, payments)


Keys = Mapping[str, np.ndarray]
"""The sorted keys of each dimension; a line holds positions in them."""

BLOCK = 16 << 20
"""Bytes of text that are parsed at once: enough to be quick, little beside the columns."""


def _read_lines(connection: ClientConnection, keys: Keys) -> dict[str, np.ndarray]:
    parts: list[dict[str, np.ndarray]] = []
    text = bytearray()
    with connection.cursor() as cursor, cursor.copy(LINES) as copy:
        for block in copy:
            text += block
            if len(text) >= BLOCK:
                # A block of COPY ends where a row ends.
                parts.append(_parse(bytes(text), keys))
                text.clear()
    if text or not parts:
        parts.append(_parse(bytes(text), keys))
    columns: dict[str, np.ndarray] = {}
    for name in LINE_TYPES:
        columns[name] = np.concatenate([part.pop(name) for part in parts])
    return columns


def _parse(text: bytes, keys: Keys) -> dict[str, np.ndarray]:
    """Rows of the COPY as columns: keys as positions, money in cents, the band as a code."""
    if not text:
        empty = {name: np.empty(0, type_.to_pandas_dtype()) for name, type_ in LINE_TYPES.items() if name != "band"}
        return {**empty, "band": np.empty(0, np.uint8)}
    table = pyarrow.csv.read_csv(
        io.BytesIO(text),
        pyarrow.csv.ReadOptions(column_names=list(LINE_TYPES)),
        convert_options=pyarrow.csv.ConvertOptions(column_types=LINE_TYPES),
    )
    columns = {name: table[name].to_numpy() for name in LINE_TYPES if name != "band"}
    bands = table["band"].unify_dictionaries().combine_chunks()
    found = np.array([DISCOUNT_BANDS.index(name) for name in bands.dictionary.to_pylist()], np.uint8)
    columns["band"] = found[bands.indices.to_numpy()]
    for name, known in keys.items():
        columns[name] = np.searchsorted(known, columns[name]).astype(np.int32)
    for name in ("revenue", "cost", "discount"):
        # Amounts have two places; a float of cents is a whole number, and sums of it are exact.
        columns[name] = np.rint(columns[name] * 100)
    return columns


def _build(
    version: str,
    raw: dict[str, np.ndarray],
    products: Sequence[tuple],
    customers: Sequence[tuple],
    payments: Sequence[tuple],
) -> Snapshot:
    by_day = np.lexsort((raw["order"], raw["day"]))
    for name in raw:
        raw[name] = raw[name][by_day]
    is_first = np.ones(len(by_day), bool)
    is_first[1:] = raw["order"][1:] != raw["order"][:-1]
    order = (np.cumsum(is_first) - 1).astype(np.int32)
    heads = np.flatnonzero(is_first)

    product = raw.pop("product")
    product_ids, product_code = _coded([row[1] for row in products], key=int)
    categories, category_code = _coded([row[3] for row in products])
    lines = {
        "order": order,
        "product": product_code[product],
        "category": category_code[product],
        "price_range": np.array([PRICE_RANGES.index(row[4]) for row in products], np.uint8)[product],
        "discount_band": raw["band"],
        **{name: raw[name] for name in WEIGHTS},
    }
    lines["joint"] = joint(lines)

    version_of = raw["customer"][heads]
    customer_ids, customer_code = _coded([row[1] for row in customers], key=int)
    states, state_code = _coded([row[2] for row in customers])
    regions, region_code = _coded([row[4] for row in customers])
    day = raw["day"][heads]
    customer = customer_code[version_of]
    # Written from the last order to the first, so that a customer's first order stays.
    first_order_day = np.full(len(customer_ids), np.iinfo(np.int32).max, np.int32)
    first_order_day[customer[::-1]] = day[::-1]
    month = _months(day)
    months = (
        [f"{number // 12}-{number % 12 + 1:02d}" for number in range(month.min(), month.max() + 1)]
        if len(month)
        else []
    )
    first_month = month.min() if len(month) else 0
    cohort = _months(first_order_day[customer])
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
        "buyer": (cohort < month).astype(np.uint8),
        **{name: np.bincount(order, raw[name], len(heads)) for name in WEIGHTS},
    }
    return Snapshot(
        version,
        dt.datetime.now(dt.UTC),
        lines,
        orders,
        {
            "category": categories,
            "product": product_ids,
            "price_range": PRICE_RANGES,
            "discount_band": DISCOUNT_BANDS,
            "region": regions,
            "state": states,
            "segment": SEGMENTS,
            "payment": [row[1] for row in payments],
            "customer": customer_ids,
            "cohort": months,
            "buyer": BUYERS,
            "weekday": WEEKDAYS,
            "month": months,
        },
        {
            "product": {row[1]: row[2] for row in products},
            "state": {row[2]: row[3] for row in customers},
            "customer": {row[1]: f"Customer {row[1]}" for row in customers},
            "buyer": {"new": "New", "returning": "Returning"},
        },
        first_order_day,
    )


def joint(lines: Mapping[str, np.ndarray]) -> np.ndarray:
    """Category, price range and discount band of each line as one code."""
    code = lines["category"].astype(np.int32) * len(PRICE_RANGES) + lines["price_range"]
    return code * len(DISCOUNT_BANDS) + lines["discount_band"]


def _keys(rows: Sequence[tuple]) -> np.ndarray:
    return np.array([row[0] for row in rows], np.int64)


def _coded(values: Sequence[str], key=None) -> tuple[list[str], np.ndarray]:
    members = sorted(set(values), key=key)
    code = {member: number for number, member in enumerate(members)}
    return members, np.array([code[value] for value in values], np.int32)


def _months(day: np.ndarray) -> np.ndarray:
    """Months since year 0 of days: year * 12 + month - 1."""
    dates = np.datetime64(EPOCH, "D") + day.astype("timedelta64[D]")
    return dates.astype("datetime64[M]").astype(np.int64) + 1970 * 12


class Store:
    """Keeps the snapshot, and reads it again when the database's version has changed.

    The first read is waited for. Later ones happen in the background while the old snapshot answers; ``in_background``
    False makes every caller wait, as a test wants it.
    """

    def __init__(self, connection: PostgresConnection, *, look_every: float = 2.0, in_background: bool = True):
        self.connection = connection
        self._look_every = look_every
        self._in_background = in_background
        self._snapshot: Snapshot | None = None
        self._looked_at = float("-inf")
        self._fault: DatabaseError | None = None
        self._reader: threading.Thread | None = None
        self._lock = threading.Lock()

    @property
    def is_reading(self) -> bool:
        """Whether a newer snapshot is being read."""
        return self._reader is not None and self._reader.is_alive()

    def current(self) -> Snapshot:
        """The snapshot to answer from.

        Raises:
            DatabaseError: the database cannot be read.
        """
        with self._lock:
            if self._snapshot is None:
                self._snapshot = read_snapshot(self.connection)
                self._looked_at = time.monotonic()
                return self._snapshot
            if time.monotonic() - self._looked_at >= self._look_every:
                with reading(self.connection) as connection:
                    version = data_version(connection)
                self._looked_at = time.monotonic()
                if version != self._snapshot.version and not self.is_reading:
                    if self._in_background:
                        self._reader = threading.Thread(target=self._read_again, daemon=True)
                        self._reader.start()
                    else:
                        self._snapshot = read_snapshot(self.connection)
            if self._fault is not None and not self.is_reading:
                fault, self._fault = self._fault, None
                raise fault
            return self._snapshot

    def _read_again(self) -> None:
        try:
            self._snapshot = read_snapshot(self.connection)
        except DatabaseError as error:
            self._fault = error
        except Exception as error:
            # Rows that this version of the dashboards does not know, or no memory: told on the page and in the log.
            logging.getLogger(__name__).exception("the sales cannot be read")
            self._fault = DatabaseError(f"The sales cannot be read: {type(error).__name__}; the log says more")
