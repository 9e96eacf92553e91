"""Streams rows into a table with COPY: Arrow batches, or text that is CSV already."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

import pyarrow as pa
import pyarrow.csv
from psycopg import sql

from ecommerce_platform.io_managers.connection import ClientConnection
from ecommerce_platform.io_managers.modes import CsvRows, Table, WriteError


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
    rows: Iterable[pa.RecordBatch | CsvRows],
    *,
    freeze: bool = False,
) -> int:
    """Append rows to ``target`` and return their number.

    If the table was truncated in this transaction, the rows can be written as visible to all (``freeze``): until a
    vacuum, the planner otherwise prefers reading the whole table to reading an index.
    """
    count = 0
    with connection.cursor() as cursor:
        for (is_text, columns), chunks in groupby(rows, _kind):
            # Of an Arrow batch, every value is quoted and a null is not; in text, an empty value is an empty text.
            statement = sql.SQL("copy {} ({}) from stdin (format csv, null {}, freeze {})").format(
                target,
                sql.SQL(", ").join(map(sql.Identifier, columns)),
                sql.Literal(CsvRows.NULL if is_text else ""),
                sql.Literal(freeze),
            )
            with cursor.copy(statement) as copy:
                for chunk in chunks:
                    copy.write(chunk.text if isinstance(chunk, CsvRows) else _as_csv(chunk))
            count += cursor.rowcount
    return count


def _kind(chunk: pa.RecordBatch | CsvRows) -> tuple[bool, tuple[str, ...]]:
    if isinstance(chunk, CsvRows):
        return True, chunk.columns
    return False, tuple(chunk.schema.names)


def _as_csv(batch: pa.RecordBatch) -> memoryview:
    options = pyarrow.csv.WriteOptions(include_header=False, quoting_style="all_valid")
    sink = pa.BufferOutputStream()
    pyarrow.csv.write_csv(_as_text(batch), sink, options)
    return memoryview(sink.getvalue())


def _as_text(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Cast the types that Arrow's CSV writer does not support to text."""
    columns = [
        column if pa.types.is_string(column.type) or pa.types.is_integer(column.type) else column.cast(pa.string())
        for column in batch.columns
    ]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)
