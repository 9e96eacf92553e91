"""Merges rows by key: compares the new rows with the table's, and writes only the difference.

The scope, the rows that are compared, follows from the changes of the sources. The difference also goes into the
table's change log.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from psycopg import sql

from ecommerce_platform.io_managers import change_log
from ecommerce_platform.io_managers.bulk import filled_in_bulk, is_empty
from ecommerce_platform.io_managers.change_log import Log, Source, inside
from ecommerce_platform.io_managers.cluster import estimated_rows
from ecommerce_platform.io_managers.connection import ClientConnection
from ecommerce_platform.io_managers.consequences import Consequence, record_consequences
from ecommerce_platform.io_managers.copy import columns_in_order, copy_rows
from ecommerce_platform.io_managers.modes import (
    Merge,
    Query,
    RowStream,
    Table,
    Window,
    WriteError,
    column_list,
    trusted,
)

FEW_ROWS = 100
"""A temporary table with fewer rows is not analyzed."""

INCOMING = sql.Identifier("incoming")
"""The temporary table of the rows that a write has computed or received."""

DAY_COLUMN = "partition_date"
"""The column that identifies a run's own days in the tables that it reads."""

Counts = Mapping[str, int]
"""Rows inserted (I), updated (U) and deleted (D), and rows that arrived (A)."""


@dataclass
class Merging:
    """One merge into a table, in a transaction that holds the locks of the table and of those that ``acting`` names.

    Attributes:
        connection: the connection, in the transaction.
        table: the table to write.
        mode: how to write; see :class:`Merge`.
        window: the days of the run.
        acting: the foreign keys that act when rows are deleted.
        own: the table's change log, if it has one.
        total: rows of the table after the write; None where only a part of it was computed.
        by_day: rows of each day of the window after the write, where the table has a slice; days without rows are
            omitted.
    """

    connection: ClientConnection
    table: Table
    mode: Merge
    window: Window
    acting: Sequence[Consequence]
    own: Log | None
    total: int | None = field(init=False, default=None)
    by_day: Mapping[dt.date, int] = field(init=False, default_factory=dict)

    def of_query(self, rows: Query, logs: Sequence[Log]) -> Counts:
        """Compute the rows affected by changes of the sources, write the difference, and move the watermarks.

        Args:
            rows: the SELECT.
            logs: those of :func:`sources_read`, registered before the transaction.

        Raises:
            WriteError: the columns do not match the table's, or a key is duplicated.
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

    def of_stream(self, rows: RowStream) -> Counts:
        """Write the difference between the rows and the table, or its slice in the window.

        Raises:
            WriteError: the columns do not match the table's, or a key is duplicated.
        """
        self._run("create temp table incoming (like {table}) on commit drop")
        columns = columns_in_order(self.table, rows.columns)
        arrived = copy_rows(self.connection, sql.Identifier("incoming"), rows.chunks)
        self._count(arrived, is_whole=self.mode.slice is None or self.window.is_unbounded)
        counts = self._write_difference(columns, self._rows_of_slice(sql.SQL("*")), arrived)
        self._log(counts, is_bulk=False, is_root=False)
        return counts

    def _compute(self, rows: Query, sources: Sequence[Source], is_whole: bool) -> tuple[Counts, bool]:
        """Write the difference; return the counts, and whether an empty table was filled in bulk."""
        if self.mode.scope and not self._make_scope(rows, sources, is_whole):
            return {}, False
        # Unlike INSERT, CREATE TABLE AS can use parallel workers: that outweighs writing the rows twice.
        arrived = self.connection.execute(
            sql.SQL("create temp table incoming on commit drop as {}").format(trusted(rows.select)),
            {**rows.parameters, "is_full_refresh": is_whole},
        ).rowcount
        described = self.connection.execute("select * from incoming limit 0").description or ()
        columns = columns_in_order(self.table, [column.name for column in described])
        if is_whole and arrived and is_empty(self.connection, self.table):
            children = {each.child for each in self.acting}
            with filled_in_bulk(self.connection, self.table, is_small=self.mode.is_small, held=children):
                self._run("insert into {table} ({names}) select {names} from incoming", names=column_list(columns))
            # Unlike the temporary table, parallel workers can read this one.
            self._count(arrived, self.table.identifier, is_whole=True)
            return {"I": arrived, "A": arrived}, True
        self._count(arrived, is_whole=is_whole)
        concerned = sql.SQL("select target.* from {} as target").format(self.table.identifier)
        if not is_whole and self.mode.scope:
            concerned += sql.SQL(" where ({}) in (select {} from scope)").format(
                column_list(self.mode.scope, "target"), column_list(self.mode.scope)
            )
        elif not is_whole:
            concerned = self._rows_of_slice(sql.SQL("*"))
        return self._write_difference(columns, concerned, arrived), False

    def _count(self, arrived: int, computed: sql.Composable = INCOMING, *, is_whole: bool) -> None:
        """Note what was ``computed`` of the table's rows: all of the table, or all of the window's days."""
        if is_whole:
            self.total = arrived
        if self.mode.slice is not None and not self.window.is_unbounded:
            day = sql.Identifier(self.mode.slice)
            statement = sql.SQL("select {}, count(*) from {} where {} group by 1")
            rows = self.connection.execute(statement.format(day, computed, inside(day, self.window))).fetchall()
            self.by_day = {each: int(count) for each, count in rows}

    def _make_scope(self, rows: Query, sources: Sequence[Source], is_whole: bool) -> bool:
        """Create the temporary table ``scope`` with the keys to recompute; empty and unused if all are recomputed.

        Returns:
            Whether there is anything to compute.
        """
        columns = column_list(self.mode.scope)
        if is_whole:
            self._run(
                "create temp table scope on commit drop as select {columns} from {table} with no data", columns=columns
            )
            # With a unique index, PostgreSQL removes the join to the empty table from the plan.
            self._run("create unique index on scope ({columns})", columns=columns)
            # Where the join stays, because it is not by equality, PostgreSQL would otherwise assume 2,000 rows.
            self.connection.execute("analyze scope")
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
        """A SELECT of the table's rows in the window, or of all its rows if it has no slice column."""
        rows = sql.SQL("select {} from {}").format(columns, self.table.identifier)
        if self.mode.slice is None:
            return rows
        return rows + sql.SQL(" where ") + inside(sql.Identifier(self.mode.slice), self.window)

    def _write_difference(self, columns: Sequence[str], concerned: sql.Composable, arrived: int) -> Counts:
        """Compare ``incoming`` with the rows in scope, and write the difference."""
        if arrived >= FEW_ROWS:
            # Only what is joined by: of all columns, it took ten times as long.
            self._run("analyze incoming ({key})", key=column_list(self.mode.key))
        self._refuse_duplicates()
        self._find_changes(columns, concerned)
        rows = self.connection.execute("select operation, count(*) from changes group by operation").fetchall()
        counts = {operation: int(count) for operation, count in rows}
        if sum(counts.values()) >= FEW_ROWS:
            self._run("analyze changes ({key}, operation)", key=column_list(self.mode.key))
        if counts.get("D"):
            gone = sql.SQL("select target.* from {} as target join changes on {} where changes.operation = 'D'").format(
                self.table.identifier, self._same_key("target", "changes")
            )
            record_consequences(self.connection, self.table, gone, self.acting)
            # Citus takes a temporary table here only as a subquery, and sends all of its rows to the nodes.
            self._run(
                "delete from {table} as target using (select * from changes where operation = 'D') as changes"
                " where {same_key}"
            )
        if counts.get("U"):
            others = [sql.Identifier(name) for name in columns if name not in self.mode.key]
            self._run(
                "update {table} as target set {values}"
                " from (select incoming.* from incoming join changes on {incoming_key} where operation = 'U')"
                " as incoming where {same_incoming}",
                values=sql.SQL(", ").join(sql.SQL("{0} = incoming.{0}").format(name) for name in others),
            )
        if counts.get("I"):
            self._run(
                "insert into {table} ({names}) select {values} from incoming join changes on {incoming_key}"
                " where operation = 'I'",
                names=column_list(columns),
                values=column_list(columns, "incoming"),
            )
        return {**counts, "A": arrived}

    def _refuse_duplicates(self) -> None:
        names = column_list(self.mode.key)
        found = sql.SQL("select {}, count(*) from incoming group by {} having count(*) > 1 limit 1")
        row = self.connection.execute(found.format(names, names)).fetchone()
        if row is not None:
            raise WriteError(f"{self.table.full_name}: key {row[:-1]} occurs {row[-1]} times; nothing was written")

    def _find_changes(self, columns: Sequence[str], concerned: sql.Composable) -> None:
        """Create the temporary table ``changes``: key, operation, and the log's columns before and after."""

        def differ(names: Sequence[str]) -> sql.Composed:
            sides = [sql.SQL("row({})").format(column_list(names, side)) for side in ("before", "incoming")]
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
        """Prune the table's log, and add the changes of this write."""
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
        """Run a statement, filling in the table's name, its key comparisons, and further parts."""
        self.connection.execute(
            trusted(statement).format(
                table=self.table.identifier,
                same_key=self._same_key("target", "changes"),
                same_incoming=self._same_key("target", "incoming"),
                incoming_key=self._same_key("incoming", "changes"),
                **parts,
            )
        )


def sources_read(table: Table, mode: Merge, rows: Query) -> list[str]:
    """The tables whose changes affect this one: its sources, and itself if it has a scope.

    Deletions elsewhere may remove or change its rows through a foreign key, which its own log then says.
    """
    names = [name for name in rows.reads if name != table.full_name]
    return [*names, table.full_name] if mode.scope else names
