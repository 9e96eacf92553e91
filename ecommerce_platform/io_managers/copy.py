"""Streams Arrow rows into a table with COPY."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pyarrow as pa
import pyarrow.csv
from psycopg import sql

from ecommerce_platform.io_managers.connection import ClientConnection
from ecommerce_platform.io_managers.modes import Table, WriteError


def columns_in_order(table: Table, names: Sequence[str]) -> list[str]:
    """The names, which must be exactly the table's columns, in any order.

    Raises:
        WriteError: a name is missing, unknown or duplicated.
    """
    missing = [name for name in table.columns if name not in names]
    unknown = [name for name in names if name not in table.columns]
    if missing or unknown or len(set(names)) != len(names):
        raise WriteError(
            f"{table.full_name}: the rows' columns do not match the table's"
            f" (missing: {', '.join(missing) or 'none'}; unknown: {', '.join(unknown) or 'none'}); nothing was written"
        )
    return list(names)


def copy_rows(
    connection: ClientConnection,
    target: sql.Composable,
    columns: Sequence[str],
    rows: Iterable[pa.RecordBatch],
    *,
    freeze: bool = False,
) -> int:
    """Append rows to ``target`` and return their number.

    If the table was truncated in this transaction, the rows can be written as visible to all (``freeze``): until a
    vacuum, the planner otherwise prefers reading the whole table to reading an index.
    """
    # Every value is quoted and a null is not, so that COPY can distinguish an empty string from a null.
    options = pyarrow.csv.WriteOptions(include_header=False, quoting_style="all_valid")
    statement = sql.SQL("copy {} ({}) from stdin (format csv, freeze {})").format(
        target, sql.SQL(", ").join(map(sql.Identifier, columns)), sql.Literal(freeze)
    )
    count = 0
    with connection.cursor() as cursor:
        with cursor.copy(statement) as copy:
            for batch in rows:
                if batch.num_rows:
                    sink = pa.BufferOutputStream()
                    pyarrow.csv.write_csv(_as_text(batch), sink, options)
                    copy.write(memoryview(sink.getvalue()))
                    count += batch.num_rows
        return cursor.rowcount if cursor.rowcount >= 0 else count


def _as_text(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Cast the types that Arrow's CSV writer does not support to text."""
    columns = [
        column if pa.types.is_string(column.type) or pa.types.is_integer(column.type) else column.cast(pa.string())
        for column in batch.columns
    ]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)
