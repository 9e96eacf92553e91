"""Merging by key: what the rows should be is compared with what they are, and only the difference is written.

Which rows are looked at follows from the changes of the sources: the scope. The difference goes into the table's log.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import pyarrow as pa
from psycopg import sql

from ecommerce_platform.io_managers import change_log
from ecommerce_platform.io_managers.bulk import filled_in_bulk, is_empty
from ecommerce_platform.io_managers.change_log import Consequence, Log, Source, inside
from ecommerce_platform.io_managers.connection import ClientConnection
from ecommerce_platform.io_managers.copy import columns_in_order, copy_rows
from ecommerce_platform.io_managers.modes import Merge, Query, Table, Window, WriteError, columns_of, trusted

FEW_ROWS = 100
"""Fewer rows of a temporary table are not worth statistics."""

DAY_COLUMN = "partition_date"
"""The column by which a run's own days are found in the tables that it reads."""

Counts = Mapping[str, int]
"""Rows inserted (I), updated (U) and deleted (D), and rows that arrived (A)."""


@dataclass
class Merging:
    """One merge into a table, in a transaction that holds the locks of the table and of those that ``acting`` names.

    Attributes:
        connection: in the transaction.
        table: what is written.
        mode: its keys.
        window: the days of the run.
        acting: what a deletion sets off in other tables.
        own: the table's log, if it has one.
        total: rows of the table after the write; None where only a part of it was computed.
        by_day: rows of each day of the window after the write, where the table has a slice. Days without rows are
            left out.
    """

    connection: ClientConnection
    table: Table
    mode: Merge
    window: Window
    acting: Sequence[Consequence]
    own: Log | None = field(init=False)
    total: int | None = field(init=False, default=None)
    by_day: Mapping[dt.date, int] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.own = next(iter(change_log.logs_of(self.connection, [self.table.full_name])), None)

    def of_query(self, rows: Query, logs: Sequence[Log]) -> Counts:
        """Compute the rows that the changes of the sources concern, write what differs, and move the watermarks.

        Args:
            rows: the SELECT.
            logs: those of :func:`sources_read`, registered before the transaction.

        Raises:
            WriteError: the columns are not the table's, or a key comes twice.
        """
        reader = self.table.full_name
        sources = change_log.sources_of(self.connection, reader, logs)
        is_whole = rows.is_full_refresh or self.window.is_unbounded or not (self.mode.scope or self.mode.slice)
        is_whole = is_whole or (bool(self.mode.scope) and any(source.is_everything for source in sources))
        counts, is_bulk = self._compute(rows, sources, is_whole)
        self._log(counts, is_bulk=is_bulk, is_root=all(source.log.table == reader for source in sources))
        positions = {source.log.table: source.end for source in sources if source.end != source.since}
        if self.own is not None and any(source.log.table == reader for source in sources):
            positions[reader] = change_log.last_position(self.connection, self.own)
        change_log.move_watermarks(self.connection, reader, positions)
        return counts

    def of_stream(self, rows: pa.RecordBatchReader) -> Counts:
        """Write what differs between the table, or its slice of the window, and the rows.

        Raises:
            WriteError: the columns are not the table's, or a key comes twice.
        """
        self._run("create temp table incoming (like {table}) on commit drop")
        columns = columns_in_order(self.table, rows.schema.names)
        arrived = copy_rows(self.connection, sql.Identifier("incoming"), columns, rows)
        self._count(arrived, is_whole=self.mode.slice is None or self.window.is_unbounded)
        counts = self._write_difference(columns, self._rows_of_slice(sql.SQL("*")), arrived)
        self._log(counts, is_bulk=False, is_root=False)
        return counts

    def _compute(self, rows: Query, sources: Sequence[Source], is_whole: bool) -> tuple[Counts, bool]:
        """Write what differs; whether an empty table was filled is told beside the counts."""
        if self.mode.scope and not self._make_scope(rows, sources, is_whole):
            return {}, False
        # CREATE TABLE AS may use parallel workers, INSERT may not: that pays for writing the rows twice.
        arrived = self.connection.execute(
            sql.SQL("create temp table incoming on commit drop as {}").format(trusted(rows.select)),
            {**rows.parameters, "is_full_refresh": is_whole},
        ).rowcount
        described = self.connection.execute("select * from incoming limit 0").description or ()
        columns = columns_in_order(self.table, [column.name for column in described])
        self._count(arrived, is_whole=is_whole)
        if is_whole and arrived and is_empty(self.connection, self.table):
            with filled_in_bulk(self.connection, self.table):
                self._run("insert into {table} ({names}) select {names} from incoming", names=columns_of(columns))
            return {"I": arrived, "A": arrived}, True
        concerned = sql.SQL("select target.* from {} as target").format(self.table.identifier)
        if not is_whole and self.mode.scope:
            concerned += sql.SQL(" where ({}) in (select {} from scope)").format(
                columns_of(self.mode.scope, "target"), columns_of(self.mode.scope)
            )
        elif not is_whole:
            concerned = self._rows_of_slice(sql.SQL("*"))
        return self._write_difference(columns, concerned, arrived), False

    def _count(self, arrived: int, *, is_whole: bool) -> None:
        """Note what ``incoming`` tells of the table's rows: it holds all of the table, or all of the window's days."""
        if is_whole:
            self.total = arrived
        if self.mode.slice is not None and not self.window.is_unbounded:
            day = sql.Identifier(self.mode.slice)
            statement = sql.SQL("select {}, count(*) from incoming where {} group by 1")
            rows = self.connection.execute(statement.format(day, inside(day, self.window))).fetchall()
            self.by_day = {each: int(count) for each, count in rows}

    def _make_scope(self, rows: Query, sources: Sequence[Source], is_whole: bool) -> bool:
        """Make the temporary table ``scope``: the keys that are computed again; empty, and not read, where all are.

        Returns:
            Whether there is anything to compute.
        """
        columns = columns_of(self.mode.scope)
        if is_whole:
            self._run(
                "create temp table scope on commit drop as select {columns} from {table} with no data", columns=columns
            )
            # With a key, PostgreSQL drops the join to the empty table from the plan.
            self._run("create unique index on scope ({columns})", columns=columns)
            return True
        asked = [sql.SQL("select distinct {} from ({}) as asked").format(columns, trusted(rows.scope or ""))]
        for source in sources:
            if source.log.table == self.table.full_name and set(self.mode.scope) <= set(source.log.columns):
                asked.append(sql.SQL("select {} from {}").format(columns, sql.Identifier(source.log.relation)))
        if self.mode.slice is not None:
            asked.append(self._rows_of_slice(columns))
        found = self.connection.execute(
            sql.SQL("create temp table scope on commit drop as with {} {}").format(
                change_log.changes(sources, self.window, DAY_COLUMN), sql.SQL(" union ").join(asked)
            ),
            dict(rows.parameters),
        ).rowcount
        if found:
            self.connection.execute("analyze scope")
        return found > 0

    def _rows_of_slice(self, columns: sql.Composable) -> sql.Composable:
        """A SELECT of the table's rows in the window; of all its rows where it has no slice."""
        rows = sql.SQL("select {} from {}").format(columns, self.table.identifier)
        if self.mode.slice is None:
            return rows
        return rows + sql.SQL(" where ") + inside(sql.Identifier(self.mode.slice), self.window)

    def _write_difference(self, columns: Sequence[str], concerned: sql.Composable, arrived: int) -> Counts:
        """Compare ``incoming`` with the rows that are concerned, and write what differs."""
        if arrived >= FEW_ROWS:
            self.connection.execute("analyze incoming")
        self._refuse_duplicates()
        self._find_changes(columns, concerned)
        rows = self.connection.execute("select operation, count(*) from changes group by operation").fetchall()
        counts = {operation: int(count) for operation, count in rows}
        if sum(counts.values()) >= FEW_ROWS:
            self.connection.execute("analyze changes")
        if counts.get("D"):
            gone = sql.SQL("select target.* from {} as target join changes on {} where changes.operation = 'D'").format(
                self.table.identifier, self._same_key("target", "changes")
            )
            change_log.record_consequences(self.connection, self.table, gone, self.acting)
            self._run("delete from {table} as target using changes where operation = 'D' and {same_key}")
        if counts.get("U"):
            others = [sql.Identifier(name) for name in columns if name not in self.mode.key]
            self._run(
                "update {table} as target set {values} from incoming, changes"
                " where operation = 'U' and {same_key} and {incoming_key}",
                values=sql.SQL(", ").join(sql.SQL("{0} = incoming.{0}").format(name) for name in others),
            )
        if counts.get("I"):
            self._run(
                "insert into {table} ({names}) select {values} from incoming join changes on {incoming_key}"
                " where operation = 'I'",
                names=columns_of(columns),
                values=columns_of(columns, "incoming"),
            )
        return {**counts, "A": arrived}

    def _refuse_duplicates(self) -> None:
        names = columns_of(self.mode.key)
        found = sql.SQL("select {}, count(*) from incoming group by {} having count(*) > 1 limit 1")
        row = self.connection.execute(found.format(names, names)).fetchone()
        if row is not None:
            raise WriteError(f"{self.table.full_name}: key {row[:-1]} comes {row[-1]} times; nothing was written")

    def _find_changes(self, columns: Sequence[str], concerned: sql.Composable) -> None:
        """Fill the temporary table ``changes``: key, operation, and the columns of the table's log before and after."""

        def differ(names: Sequence[str]) -> sql.Composed:
            sides = [sql.SQL("row({})").format(columns_of(names, side)) for side in ("before", "incoming")]
            return sql.SQL(" is distinct from ").join(sides)

        given = [sql.SQL("coalesce(before.{0}, incoming.{0}) as {0}").format(sql.Identifier(k)) for k in self.mode.key]
        for name in self.own.columns if self.own is not None else ():
            for side, word in (("before", "old"), ("incoming", "new")):
                given.append(sql.SQL("{} as {}").format(sql.Identifier(side, name), sql.Identifier(f"{word}_{name}")))
        if self.mode.derived:
            told = differ([name for name in columns if name not in self.mode.derived])
            given.append(sql.SQL("{} as is_told").format(told))
        self._run(
            """
            create temp table changes on commit drop as
            select {given},
                case when before.{first} is null then 'I' when incoming.{first} is null then 'D' else 'U' end
                    as operation
            from ({concerned}) as before full join incoming on {before_key}
            where before.{first} is null or incoming.{first} is null or {differ}
            """,
            given=sql.SQL(", ").join(given),
            first=sql.Identifier(self.mode.key[0]),
            concerned=concerned,
            before_key=self._same_key("before", "incoming"),
            differ=differ(columns),
        )

    def _log(self, counts: Counts, *, is_bulk: bool, is_root: bool) -> None:
        """Delete what every reader has read from the table's log, and add what this write has changed."""
        if self.own is None:
            return
        change_log.prune(self.connection, self.own, is_root=is_root)
        changed = sum(counts.get(operation, 0) for operation in "IUD")
        if not changed:
            return
        before = change_log.last_position(self.connection, self.own)
        if is_bulk:
            change_log.record_everything(self.connection, self.own)
        else:
            change_log.record(self.connection, self.own, self.mode)
        if before:
            change_log.collapse(self.connection, self.own, before, partial(estimated_rows, self.connection, self.table))

    def _same_key(self, left: str, right: str) -> sql.Composed:
        pairs = [(sql.Identifier(left, name), sql.Identifier(right, name)) for name in self.mode.key]
        return sql.SQL(" and ").join(sql.SQL("{} = {}").format(*pair) for pair in pairs)

    def _run(self, statement: str, **parts: sql.Composable) -> None:
        """Run a statement with the table's name, its keys compared, and further parts in it."""
        self.connection.execute(
            trusted(statement).format(
                table=self.table.identifier,
                same_key=self._same_key("target", "changes"),
                incoming_key=self._same_key("incoming", "changes"),
                **parts,
            )
        )


def sources_read(table: Table, mode: Merge, rows: Query) -> list[str]:
    """The tables whose changes concern this one: its sources, and itself, where a foreign key may take rows from it."""
    names = [name for name in rows.reads if name != table.full_name]
    return [*names, table.full_name] if mode.scope else names


def estimated_rows(connection: ClientConnection, table: Table) -> float:
    """How many rows the planner assumes that the table has; counted where it has no statistics."""
    row = connection.execute(
        "select reltuples from pg_catalog.pg_class where oid = %s::regclass", (table.full_name,)
    ).fetchone()
    if row is not None and row[0] > 0:
        return row[0]
    counted = connection.execute(sql.SQL("select count(*) from {}").format(table.identifier)).fetchone()
    return counted[0] if counted else 0
