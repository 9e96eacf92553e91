"""Reads the order lines of a snapshot from the warehouse, as the role reader and in one transaction."""

from __future__ import annotations

import io
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import psycopg
import pyarrow as pa
import pyarrow.csv

from dashboards.app.snapshot import DISCOUNT_BANDS, NOBODY, DatabaseError, Snapshot, build, sorted_keys
from ecommerce_platform.io_managers.connection import ClientConnection, PostgresConnection

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
            select
                customer_key,
                case when customer_key = 0 then %s else customer_code end,
                state_code,
                state_name,
                region,
                current_segment
            from warehouse.customer_profile
            where customer_key <> 0 or exists (select 1 from warehouse.fact_sales where customer_key = 0)
            order by customer_key
            """,
            (NOBODY,),
        ).fetchall()
        payments = source.execute(
            """
            select payment_key, payment_method
            from warehouse.dim_payment
            where payment_key <> 0 or exists (select 1 from warehouse.fact_sales where payment_key = 0)
            order by payment_key
            """
        ).fetchall()
        keys = {
            "product": sorted_keys(products),
            "customer": sorted_keys(customers),
            "payment": sorted_keys(payments),
        }
        waiting = source.execute(
            "select returned_on, row_count, refunds from monitoring.waiting_refunds where returned_on is not null"
        ).fetchall()
        lines = _read_lines(source, keys)
    return replace(build(version, lines, products, customers, payments), waiting_refunds=waiting)


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
