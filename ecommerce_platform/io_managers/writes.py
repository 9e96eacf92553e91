"""Writes a table: one transaction that replaces a slice or merges by key, without concurrent writers.

A write creates and alters nothing: the table exists, with its columns and constraints, and the rows must fit. (The
exception is filling an empty table, which drops and restores its indexes: see :mod:`.bulk`.) Readers see the old
content until the commit.
"""

from __future__ import annotations

import datetime as dt
import time
from collections import Counter
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager

import pyarrow as pa
from psycopg import IsolationLevel, sql
from psycopg.errors import SerializationFailure

from ecommerce_platform.io_managers.bulk import as_owner
from ecommerce_platform.io_managers.change_log import (
    NEVER,
    consequences,
    logs_of,
    move_watermarks,
    register,
    watermarks_of,
)
from ecommerce_platform.io_managers.connection import ClientConnection
from ecommerce_platform.io_managers.merge import Merging, estimated_rows, sources_read
from ecommerce_platform.io_managers.modes import Merge, Query, ReplaceSlice, Table, Window, WriteError, WriteResult
from ecommerce_platform.io_managers.slices import replace_slice

ANALYZE_FROM_ROWS = 100
"""A write that changes at least this many rows, or all, and a tenth of the table, refreshes the planner's statistics.

Without statistics on the 244 rows of loaded days of two months, each day read all of staging: 4.2 s instead of 2.0.
"""


def describe(connection: ClientConnection, schema: str, name: str) -> Table:
    """Look a table up.

    Raises:
        WriteError: the table does not exist; only the DDL creates tables.
    """
    rows = connection.execute(
        """
        select attribute.attname, format_type(attribute.atttypid, attribute.atttypmod)
        from pg_catalog.pg_attribute as attribute
        join pg_catalog.pg_class as class on class.oid = attribute.attrelid
        join pg_catalog.pg_namespace as namespace on namespace.oid = class.relnamespace
        where namespace.nspname = %s and class.relname = %s
            and attribute.attnum > 0 and not attribute.attisdropped and attribute.attgenerated = ''
        order by attribute.attnum
        """,
        (schema, name),
    ).fetchall()
    if not rows:
        raise WriteError(f"{schema}.{name}: no such table; apply the DDL first")
    return Table(schema, name, dict(rows))


@contextmanager
def locked(connection: ClientConnection, tables: Sequence[str]) -> Generator[None]:
    """Block other writers of these tables. All writers take the locks in the same order, so they cannot deadlock.

    The locks are taken before the transaction begins, so that its snapshot includes the previous writer's commit, and
    released after its commit, so that the entries of a log are committed in the order of their positions.
    """
    with ExitStack() as stack:
        for table in sorted(set(tables)):
            connection.execute("select pg_advisory_lock(hashtextextended(%s, 0))", (f"write {table}",))
            stack.callback(_unlock, connection, table)
        yield


@contextmanager
def transaction(
    connection: ClientConnection, level: IsolationLevel = IsolationLevel.REPEATABLE_READ
) -> Generator[None]:
    """A transaction, repeatable read by default, with deferred constraints."""
    connection.isolation_level = level
    with connection.transaction():
        connection.execute("set constraints all deferred")
        yield


def _unlock(connection: ClientConnection, table: str) -> None:
    # A closed connection holds no lock.
    if not connection.closed and not connection.broken:
        connection.execute("select pg_advisory_unlock(hashtextextended(%s, 0))", (f"write {table}",))


def write(
    connection: ClientConnection,
    table: Table,
    mode: ReplaceSlice | Merge,
    rows: Query | pa.RecordBatchReader,
    window: Window,
    read_up_to: Mapping[str, int] | None = None,
) -> WriteResult:
    """Write rows into a table, in one transaction.

    Args:
        connection: in autocommit mode, as :class:`PostgresConnection` opens it.
        table: from :func:`describe`.
        mode: how to write.
        rows: the rows; their column names must be the table's, in any order.
        window: the days that the rows cover, unless a query has its own window.
        read_up_to: for rows computed from other tables (schema.table): the position of each table's log up to which
            they were read; see :func:`.change_log.read_up_to`.

    Raises:
        WriteError: the columns differ from the table's, a key is duplicated, or a row lies outside the window.
        psycopg.Error: the database rejects the write, for example because a constraint is violated.
    """
    begin = time.monotonic()
    if isinstance(rows, Query) and rows.window is not None:
        window = rows.window
    name = table.full_name
    if isinstance(mode, ReplaceSlice):
        if isinstance(rows, Query):
            raise WriteError(f"{name}: a slice can be replaced only by streamed rows, not by a query")
        # The lock on pinned_by keeps its pins from moving while unpinned loads are deleted. Read committed is enough
        # for one COPY, and COPY … FREEZE does not allow an earlier snapshot.
        with locked(connection, [name, *filter(None, [mode.pinned_by])]):
            with transaction(connection, IsolationLevel.READ_COMMITTED):
                inserted, deleted, loads = replace_slice(connection, table, mode, rows, window)
            counts = {"I": inserted, "D": deleted, "A": inserted}
            total = inserted if window.is_unbounded else None
            by_day = Counter[dt.date]()
            for (day, _), count in loads.items():
                by_day[day] += count
            _refresh_statistics(connection, table, counts)
    else:
        # Deleting rows may also delete or change rows of other tables, so those are locked, too.
        acting = consequences(connection, table)
        with locked(connection, [name, *(each.child for each in acting)]):
            logs = logs_of(connection, sources_read(table, mode, rows)) if isinstance(rows, Query) else []
            if logs:
                register(connection, name, logs)
            with transaction(connection):
                merging = Merging(connection, table, mode, window, acting)
                counts = merging.of_query(rows, logs) if isinstance(rows, Query) else merging.of_stream(rows)
                total, by_day = merging.total, merging.by_day
                if read_up_to:
                    _require_newer(connection, name, read_up_to)
                    move_watermarks(connection, name, read_up_to)
            _refresh_statistics(connection, table, counts)
    inserted, updated, deleted, arrived = (counts.get(operation, 0) for operation in "IUDA")
    unchanged, seconds = arrived - inserted - updated, time.monotonic() - begin
    days = {day: by_day.get(day, 0) for day in window.days} if isinstance(mode, ReplaceSlice) or mode.slice else {}
    return WriteResult(inserted, updated, deleted, unchanged, seconds, total, days)


def _require_newer(connection: ClientConnection, name: str, read_up_to: Mapping[str, int]) -> None:
    """Refuse rows that are older than the table's content; the step then reads them again.

    Raises:
        psycopg.errors.SerializationFailure: as the server would if the read were part of the transaction.
    """
    known = watermarks_of(connection, name)
    if any(position < known.get(source, NEVER) for source, position in read_up_to.items()):
        raise SerializationFailure(f"{name}: another writer has stored newer rows; read again")


def _refresh_statistics(connection: ClientConnection, table: Table, counts: Mapping[str, int]) -> None:
    changed = sum(counts.get(operation, 0) for operation in "IUD")
    if not changed:
        return
    rows = estimated_rows(connection, table)
    if changed * 10 < rows or changed < min(rows, ANALYZE_FROM_ROWS):
        return
    # Before PostgreSQL 17, only the owner may ANALYZE. The end of the transaction always restores the role.
    with connection.transaction(), as_owner(connection):
        connection.execute(sql.SQL("analyze {}").format(table.identifier))
