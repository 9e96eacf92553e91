"""Reads the order lines of a snapshot from the warehouse, as the role reader and in one transaction."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import psycopg
import pyarrow as pa
import pyarrow.csv

from dashboards.app.analyses_reader import EXTRACTS, read_analyses
from dashboards.app.periods import periods_of
from dashboards.app.snapshot import DISCOUNT_BANDS, NOBODY, DatabaseError, Snapshot
from dashboards.app.snapshot_builder import Builder
from ecommerce_platform.io_managers.connection import ClientConnection, PostgresConnection

VERSION = """
select coalesce(string_agg(concat_ws(':', relid, n_tup_ins, n_tup_upd, n_tup_del), ' ' order by relname), '')
from pg_stat_user_tables
where schemaname = %s and relname = any(%s)
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
        where sale_date >= %(first)s and sale_date < %(end)s
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
    where sale_date >= %(first)s and sale_date < %(end)s
    order by sale_date, transaction_id
) to stdout (format csv)
"""
"""The lines of a date range. One month after the other takes little memory here, and small sorts in the server."""


CUSTOMERS = """
copy (
    select
        customer_key,
        case when customer_key = 0 then %(nobody)s else customer_code end,
        state_code,
        state_name,
        region,
        current_segment
    from warehouse.customer_profile
    where customer_key <> 0 or exists (select 1 from warehouse.fact_sales where customer_key = 0)
    order by customer_key
) to stdout (format csv)
"""


NAME = pa.dictionary(pa.int32(), pa.string())
CUSTOMER_TYPES = {
    "key": pa.int64(),
    "code": pa.string(),
    "state": NAME,
    "state_name": NAME,
    "region": NAME,
    "segment": NAME,
}


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
    "band": NAME,
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
    """A text that changes whenever the tables do: PostgreSQL's write counters. Takes a millisecond.

    Those of the lines come first, then, after a bar, those of the extracts.
    """
    parts = []
    for schema, tables in (("warehouse", TABLES_READ), ("analytics", list(EXTRACTS))):
        row = connection.execute(VERSION, (schema, tables)).fetchone()
        parts.append(row[0] if row else "")
    return "|".join(parts)


def read_snapshot(connection: PostgresConnection, before: Snapshot | None = None) -> Snapshot:
    """Read all order lines, and the extracts. Of lines that have not changed since ``before``, its columns are taken.

    Raises:
        DatabaseError: the database cannot be read.
    """
    with reading(connection) as source, source.transaction():
        source.execute("set transaction isolation level repeatable read read only")
        version = data_version(source)
        analyses = read_analyses(source)
        waiting = source.execute(
            "select returned_on, row_count, refunds from monitoring.waiting_refunds where returned_on is not null"
        ).fetchall()
        if before is not None and before.version.partition("|")[0] == version.partition("|")[0]:
            now = dt.datetime.now(dt.UTC)
            return replace(before, version=version, read_at=now, waiting_refunds=waiting, analyses=analyses)
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
        customers = pa.concat_tables(_tables(source, CUSTOMERS, {"nobody": NOBODY}, CUSTOMER_TYPES))
        payments = source.execute(
            """
            select payment_key, payment_method
            from warehouse.dim_payment
            where payment_key <> 0 or exists (select 1 from warehouse.fact_sales where payment_key = 0)
            order by payment_key
            """
        ).fetchall()
        builder = Builder(products, customers, payments, _number_of_lines(source))
        for first, end in _months(source):
            for table in _tables(source, LINES, {"first": first, "end": end}, LINE_TYPES):
                builder.add(_line_columns(table))
    del customers
    pa.default_memory_pool().release_unused()
    return replace(builder.snapshot(version), waiting_refunds=waiting, analyses=analyses)


def _number_of_lines(connection: ClientConnection) -> int:
    row = connection.execute("select count(*) from warehouse.fact_sales").fetchone()
    return row[0] if row else 0


def _months(connection: ClientConnection) -> Iterator[tuple[dt.date, dt.date]]:
    """The first day of each month of the sales, and of the month after it."""
    row = connection.execute("select min(sale_date), max(sale_date) from warehouse.fact_sales").fetchone()
    if row and row[0] is not None:
        for first, last in periods_of("month", *row):
            yield first, last + dt.timedelta(days=1)


BLOCK = 4 << 20
"""Bytes of text to parse at once: large enough to be fast, small compared with the columns."""


def _tables(
    connection: ClientConnection, statement: str, parameters: Mapping[str, object], types: Mapping[str, pa.DataType]
) -> Iterator[pa.Table]:
    """The rows of a COPY, a block of text at a time; at least one table."""
    text, is_first = bytearray(), True
    with connection.cursor() as cursor, cursor.copy(statement.encode(), parameters) as copy:
        for row in copy:
            text += row
            if len(text) >= BLOCK:
                yield _parse(text, types)
                text.clear()
                is_first = False
    if text:
        yield _parse(text, types)
    elif is_first:
        yield pa.schema(types.items()).empty_table()


def _parse(text: bytearray, types: Mapping[str, pa.DataType]) -> pa.Table:
    return pyarrow.csv.read_csv(
        io.BytesIO(text),
        pyarrow.csv.ReadOptions(column_names=list(types)),
        # An identifier may contain a line end.
        pyarrow.csv.ParseOptions(newlines_in_values=pa.string() in types.values()),
        pyarrow.csv.ConvertOptions(column_types=types),
    )


def _line_columns(table: pa.Table) -> dict[str, np.ndarray]:
    """The columns of some lines, with money in cents, and the discount band as a code."""
    columns = {name: table[name].to_numpy() for name in LINE_TYPES if name != "band"}
    bands = table["band"].unify_dictionaries().combine_chunks()
    found = np.array([DISCOUNT_BANDS.index(name) for name in bands.dictionary.to_pylist()], np.uint8)
    columns["band"] = found[bands.indices.to_numpy()]
    for name in ("revenue", "cost", "discount", "returns"):
        # Amounts have two decimals. Cents are integers, so sums of them are exact even in floating point.
        columns[name] = np.rint(columns[name] * 100)
    return columns
