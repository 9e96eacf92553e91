"""The order lines as columns in memory, from which a page of charts is computed in milliseconds.

Daily aggregates can't be cross-filtered and distinct counts don't add up, so every number is computed from the order
lines themselves. PostgreSQL takes up to a second to group three million lines, and a page needs ten groupings. Grouping
a column of small integers takes ten milliseconds. The columns are read as ``reader``, in one transaction, and take
about 90 bytes per line.
"""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import psycopg
import pyarrow as pa
import pyarrow.csv

from ecommerce_platform.io_managers.connection import ClientConnection, PostgresConnection
from ecommerce_platform.schemas import domains

EPOCH = dt.date(2000, 1, 1)
"""The date that day 0 stands for."""

DISCOUNT_BANDS = tuple(domains.DISCOUNT_BANDS)
PRICE_RANGES = tuple(domains.PRICE_RANGES)
SEGMENTS = tuple(reversed(domains.SEGMENTS))
WEEKDAYS = tuple(domains.DAY_NAMES)
BUYERS = ("new", "returning")

WEIGHTS = ("revenue", "cost", "discount", "units", "returns", "returned_units")

VERSION = """
select coalesce(string_agg(concat_ws(':', relid, n_tup_ins, n_tup_upd, n_tup_del), ' ' order by relname), '')
from pg_stat_user_tables
where schemaname = 'warehouse' and relname = any(%s)
"""
TABLES_READ = ["fact_sales", "fact_returns", "dim_customer", "dim_product", "dim_payment"]

LINES = """
copy (
    with returned as (
        select
            transaction_id,
            item_id,
            sum(refund_amount) as returns,
            sum(quantity) as returned_units
        from warehouse.fact_returns
        group by transaction_id, item_id
    )

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
        warehouse.discount_band(discount_amount, quantity * unit_price),
        coalesce(returned.returns, 0),
        coalesce(returned.returned_units, 0)
    from warehouse.fact_sales
    left join returned using (transaction_id, item_id)
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
    "returns": pa.float64(),
    "returned_units": pa.float64(),
}


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
            weekday, cohort, buyer, and month, and the sums of the ``WEIGHTS``.
        members: the members of each dimension, by code; products and customers by the shop's ID.
        names: display names of the members, for dimensions whose members are IDs or codes.
        first_order_day: the day of each customer's first order.
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


@contextmanager
def reading(connection: PostgresConnection):
    """Open a connection whose failures are raised as :class:`DatabaseError`."""
    try:
        with connection.connect() as open_connection:
            yield open_connection
    except psycopg.OperationalError as error:
        raise DatabaseError(f"PostgreSQL is not responding: {' '.join(str(error).split())[:200]}") from None
    except psycopg.Error as error:
        raise DatabaseError(f"Cannot read the database: {' '.join(str(error).split())[:200]}") from None


def data_version(connection: ClientConnection) -> str:
    """A text that changes whenever the warehouse tables do: PostgreSQL's write counters. Takes a millisecond."""
    row = connection.execute(VERSION, (TABLES_READ,)).fetchone()
    return row[0] if row else ""


def read_snapshot(connection: PostgresConnection) -> Snapshot:
    """Read all order lines.

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
                versions.product_code,
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
            select customer_key, customer_code, state_code, state_name, region, current_segment
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
"""The sorted keys of each dimension; a line contains positions in these."""

BLOCK = 16 << 20
"""Bytes of text to parse at once: large enough to be fast, small compared with the columns."""


def _read_lines(connection: ClientConnection, keys: Keys) -> dict[str, np.ndarray]:
    parts: list[dict[str, np.ndarray]] = []
    text = bytearray()
    with connection.cursor() as cursor, cursor.copy(LINES) as copy:
        for block in copy:
            text += block
            if len(text) >= BLOCK:
                # A block of COPY ends at the end of a row.
                parts.append(_parse(bytes(text), keys))
                text.clear()
    if text or not parts:
        parts.append(_parse(bytes(text), keys))
    columns: dict[str, np.ndarray] = {}
    for name in LINE_TYPES:
        columns[name] = np.concatenate([part.pop(name) for part in parts])
    return columns


def _parse(text: bytes, keys: Keys) -> dict[str, np.ndarray]:
    """Parse rows of the COPY into columns: keys as positions, money in cents, and the discount band as a code."""
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
    for name in ("revenue", "cost", "discount", "returns"):
        # Amounts have two decimals. Cents are integers, so sums of them are exact even in floating point.
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
    for name in ("returns", "returned_units"):
        if not raw[name].any():
            raw[name] = np.broadcast_to(0.0, len(by_day))  # takes no memory in a shop without returns
    is_first = np.ones(len(by_day), bool)
    is_first[1:] = raw["order"][1:] != raw["order"][:-1]
    raw["order"] = (np.cumsum(is_first) - 1).astype(np.int32)
    lines, of_lines = _line_columns(raw, products)
    orders, of_orders, first_order_day = _order_columns(raw, np.flatnonzero(is_first), customers)
    return Snapshot(
        version,
        dt.datetime.now(dt.UTC),
        lines,
        orders,
        {**of_lines, **of_orders, "payment": [row[1] for row in payments]},
        {
            "product": {row[1]: row[2] for row in products},
            "state": {row[2]: row[3] for row in customers},
            "customer": {row[1]: f"Customer {row[1]}" for row in customers},
            "buyer": {"new": "New", "returning": "Returning"},
        },
        first_order_day,
    )


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
) -> tuple[dict[str, np.ndarray], Members, np.ndarray]:
    """The columns of the orders, the members of their dimensions, and the day of each customer's first order.

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
    return orders, members, first_order_day


def joint(lines: Mapping[str, np.ndarray]) -> np.ndarray:
    """One code per line for its category, price range, and discount band."""
    code = lines["category"].astype(np.int32) * len(PRICE_RANGES) + lines["price_range"]
    return code * len(DISCOUNT_BANDS) + lines["discount_band"]


def _keys(rows: Sequence[tuple]) -> np.ndarray:
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
