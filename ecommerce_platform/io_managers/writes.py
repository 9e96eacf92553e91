"""Writes a table: one transaction that replaces a slice or merges by key, without concurrent writers.

A write creates and alters nothing: the table exists, with its columns and constraints, and the rows must fit. (The
exception is filling an empty table, which drops and restores its indexes: see :mod:`.bulk`.) Readers see the old
content until the commit.
"""

from __future__ import annotations

import datetime as dt
import time
from collections import Counter
from collections.abc import Mapping

from psycopg import IsolationLevel
from psycopg.errors import SerializationFailure

from ecommerce_platform.io_managers.bulk import is_done_alone
from ecommerce_platform.io_managers.change_log import (
    NEVER,
    logs_of,
    move_watermarks,
    register,
    watermarks_of,
)
from ecommerce_platform.io_managers.connection import ClientConnection
from ecommerce_platform.io_managers.consequences import consequences
from ecommerce_platform.io_managers.locks import locked
from ecommerce_platform.io_managers.merge import Merging, sources_read
from ecommerce_platform.io_managers.modes import (
    Merge,
    Query,
    ReplaceSlice,
    RowStream,
    Table,
    Window,
    WriteError,
    WriteResult,
)
from ecommerce_platform.io_managers.slices import replace_slice
from ecommerce_platform.io_managers.spread_merge import SpreadMerging
from ecommerce_platform.io_managers.statistics import refresh_statistics
from ecommerce_platform.io_managers.transactions import transaction


def write(
    connection: ClientConnection,
    table: Table,
    mode: ReplaceSlice | Merge,
    rows: Query | RowStream,
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
        # The pins must not move while unpinned loads are deleted. Read committed is enough for one COPY, and
        # COPY … FREEZE does not allow an earlier snapshot.
        with locked(connection, [name], read=[*filter(None, [mode.pinned_by])]):
            with transaction(connection, IsolationLevel.READ_COMMITTED, table=table, is_whole=True):
                inserted, deleted, loads = replace_slice(connection, table, mode, rows, window)
            counts = {"I": inserted, "D": deleted, "A": inserted}
            # Earlier loads of a slice may stay beside the new one.
            total = inserted if window.is_unbounded and mode.load is None else None
            by_day = Counter[dt.date]()
            for (day, _), count in loads.items():
                by_day[day] += count
            refresh_statistics(connection, table, counts)
    else:
        # Deleting rows may also delete or change rows of other tables, so those are locked, too.
        acting = consequences(connection, table)
        is_whole = isinstance(rows, Query) and (rows.is_full_refresh or window.is_unbounded)
        alone = is_done_alone(connection, table, is_whole=is_whole, is_small=mode.is_small)
        with locked(connection, [name, *(each.child for each in acting)], alone=alone):
            reads = sources_read(table, mode, rows) if isinstance(rows, Query) else []
            known = {log.table: log for log in logs_of(connection, [*reads, name])}
            logs = [known[each] for each in reads if each in known]
            if logs:
                register(connection, name, logs)
            with transaction(connection, table=table, is_whole=is_whole):
                kind = SpreadMerging if mode.scope == (table.spread_by,) else Merging
                merging = kind(connection, table, mode, window, acting, known.get(name))
                counts = merging.of_query(rows, logs) if isinstance(rows, Query) else merging.of_stream(rows)
                total, by_day = merging.total, merging.by_day
                if read_up_to:
                    _require_newer(connection, name, read_up_to)
                    move_watermarks(connection, name, read_up_to)
            refresh_statistics(connection, table, counts)
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
