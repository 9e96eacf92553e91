"""Replaces a slice: deletes the rows of some days and inserts those of a load."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Generator, Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc
from psycopg import sql

from ecommerce_platform.io_managers.bulk import filled_in_bulk, is_empty
from ecommerce_platform.io_managers.change_log import inside, logs_of
from ecommerce_platform.io_managers.connection import ClientConnection
from ecommerce_platform.io_managers.copy import columns_in_order, copy_rows
from ecommerce_platform.io_managers.modes import CsvRows, ReplaceSlice, RowStream, Table, Window, WriteError, identifier

Loads = Counter[tuple[dt.date, int | None]]
"""The number of rows of each slice and load."""


def replace_slice(
    connection: ClientConnection,
    table: Table,
    mode: ReplaceSlice,
    rows: RowStream,
    window: Window,
) -> tuple[int, int, Loads]:
    """Replace the rows of the window; return the rows inserted, the rows deleted, and the rows of each slice and load.

    Raises:
        WriteError: the columns do not match the table's, or a row lies outside the window.
    """
    columns_in_order(table, rows.columns)
    deleted, needed = _delete(connection, table, mode, window)
    loads: Loads = Counter()
    within = _only_inside(rows, table, mode, window, loads)
    if not deleted and is_empty(connection, table):
        with filled_in_bulk(connection, table) as is_truncated:
            inserted = copy_rows(connection, table.identifier, within, freeze=is_truncated)
    else:
        inserted = copy_rows(connection, table.identifier, within)
    if mode.load is not None:
        _note_loads(connection, table, window, loads, needed)
    return inserted, deleted, loads


def _delete(
    connection: ClientConnection, table: Table, mode: ReplaceSlice, window: Window
) -> tuple[int, Sequence[int]]:
    """Delete the window's rows, except loads that readers still need, and superseded loads no longer needed.

    Returns:
        The number of the window's rows that were deleted, and the loads that readers still need.
    """
    gone = inside(sql.Identifier(mode.column), window)
    if mode.load is None or mode.pinned_by is None:
        return connection.execute(sql.SQL("delete from {} where {}").format(table.identifier, gone)).rowcount, []
    needed, superseded = _loads_held(connection, table, mode, mode.pinned_by, window)
    load = sql.Identifier(mode.load)
    deleted = connection.execute(
        sql.SQL("delete from {} where {} and {} <> all (%s)").format(table.identifier, gone, load), (needed,)
    ).rowcount
    slices = sorted({slice_ for slice_, load_id in superseded if load_id not in needed})
    if slices:
        connection.execute(
            sql.SQL("delete from {} where {} = any (%s) and {} = any (%s)").format(
                table.identifier, sql.Identifier(mode.column), load
            ),
            (slices, [load_id for _, load_id in superseded if load_id not in needed]),
        )
    return deleted, needed


def _loads_held(
    connection: ClientConnection, table: Table, mode: ReplaceSlice, pinned_by: str, window: Window
) -> tuple[list[int], list[tuple[dt.date, int]]]:
    """The loads with rows in the window that readers still need, and all superseded loads with their slices."""
    superseded = connection.execute(
        "select slice, load_id from platform.superseded_loads where table_name = %s", (table.full_name,)
    ).fetchall()
    latest = connection.execute(
        sql.SQL("select load_id from platform.slices where table_name = %s and load_id is not null and {}").format(
            inside(sql.Identifier("slice"), window)
        ),
        (table.full_name,),
    ).fetchall()
    held = [load_id for _, load_id in superseded] + [load_id for (load_id,) in latest]
    load = sql.Identifier(str(mode.load))
    needed = connection.execute(
        sql.SQL("select {} from {} where {} = any (%s)").format(load, identifier(pinned_by), load), (held,)
    ).fetchall()
    # A log entry for a superseded load leads readers to its rows: the rows must exist until all readers have read it.
    for log in logs_of(connection, [pinned_by]):
        needed += connection.execute(
            sql.SQL(
                "select {} from {} where {} is not null and position >"
                " (select coalesce(min(position), 0) from platform.watermarks where source = {})"
            ).format(load, log.identifier, load, sql.Literal(log.table))
        ).fetchall()
    return [load_id for (load_id,) in needed], [(slice_, load_id) for slice_, load_id in superseded]


def _note_loads(
    connection: ClientConnection, table: Table, window: Window, loads: Loads, needed: Sequence[int]
) -> None:
    """Record the latest load of each slice, and the superseded loads that still have rows, because they are needed."""
    latest: Mapping[dt.date, tuple[int | None, int]] = {
        **dict.fromkeys(window.days, (None, 0)),
        **{day: (load, count) for (day, load), count in loads.items()},
    }
    connection.execute(
        """
        insert into platform.superseded_loads (table_name, slice, load_id)
        select table_name, slice, load_id from platform.slices
        where table_name = %s and slice = any(%s) and load_id is not null
        on conflict do nothing
        """,
        (table.full_name, list(latest)),
    )
    connection.execute(
        "delete from platform.superseded_loads where table_name = %s and load_id <> all (%s)",
        (table.full_name, list(needed)),
    )
    connection.execute(
        """
        insert into platform.slices (table_name, slice, load_id, row_count)
        select %s, * from unnest(%s::date[], %s::bigint[], %s::bigint[])
        on conflict (table_name, slice) do update
        set load_id = excluded.load_id, row_count = excluded.row_count, written_at = now()
        """,
        (
            table.full_name,
            list(latest),
            [load for load, _ in latest.values()],
            [count for _, count in latest.values()],
        ),
    )


def _outside(table: Table, mode: ReplaceSlice, window: Window, count: int | str) -> WriteError:
    return WriteError(
        f"{table.full_name}: {count} rows lie outside the slice {window.start} <= {mode.column} < {window.end};"
        " nothing was written"
    )


def _only_inside(
    rows: RowStream, table: Table, mode: ReplaceSlice, window: Window, loads: Loads
) -> Generator[pa.RecordBatch | CsvRows]:
    for batch in rows.chunks:
        if isinstance(batch, CsvRows):
            if not window.start <= batch.slice < window.end:
                raise _outside(table, mode, window, "some")
            loads[batch.slice, batch.load] += batch.rows
            yield batch
            continue
        names = batch.schema.names
        days = batch.column(names.index(mode.column))
        span = pc.call_function("min_max", [days]).as_py()
        if batch.num_rows and (days.null_count or span["min"] < window.start or span["max"] >= window.end):
            raise _outside(table, mode, window, "some")
        load = pa.nulls(batch.num_rows, pa.int64()) if mode.load is None else batch.column(names.index(mode.load))
        counted = pa.table({"day": days, "load": load})
        for group in counted.group_by(["day", "load"]).aggregate([([], "count_all")]).to_pylist():
            loads[group["day"], group["load"]] += group["count_all"]
        yield batch
