"""Merges into a table that a Citus cluster distributes: each node computes, compares and writes its own rows.

Of the rows, only the keys of the scope and the columns of the change log pass through the coordinator. A write uses
two tables of the schema ``platform_work``: the scope, and what happens to each row. They are distributed like the
target, so that every statement joins rows of one node, and are empty outside of a transaction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import psycopg
from psycopg import sql

from ecommerce_platform.io_managers.bulk import is_empty
from ecommerce_platform.io_managers.change_log import Source, logs_of
from ecommerce_platform.io_managers.connection import ClientConnection
from ecommerce_platform.io_managers.consequences import record_consequences
from ecommerce_platform.io_managers.copy import columns_in_order
from ecommerce_platform.io_managers.merge import Counts, Merging
from ecommerce_platform.io_managers.modes import Query, Table, column_list, trusted

SCHEMA = "platform_work"
SCOPE = sql.Identifier(SCHEMA, "scope")


def work_table(table: Table) -> sql.Identifier:
    """The work table of a distributed table: its columns, ``operation``, and the log's columns as ``old_NAME``.

    The operation is I, U, D, or E for a row that equals the stored one.
    """
    return sql.Identifier(SCHEMA, f"{table.schema}_{table.name}")


def create_work_tables(connection: ClientConnection, tables: Sequence[Table]) -> None:
    """Create what merges into some distributed tables need, as the owner; all are distributed by the same column."""
    first = tables[0]
    connection.execute(sql.SQL("create schema if not exists {}").format(sql.Identifier(SCHEMA)))
    connection.execute(sql.SQL("grant usage on schema {} to loader").format(sql.Identifier(SCHEMA)))
    key = sql.SQL("{} bigint not null").format(sql.Identifier(str(first.spread_by)))
    wanted: list[tuple[sql.Identifier, sql.Composable]] = [(SCOPE, key)]
    for table in tables:
        log = next(iter(logs_of(connection, [table.full_name])), None)
        columns = [(name, trusted(type_)) for name, type_ in table.columns.items()]
        columns += [(f"old_{name}", trusted(table.columns[name])) for name in (log.columns if log else ())]
        columns.append(("operation", trusted("text not null")))
        listed = [sql.SQL("{} {}").format(sql.Identifier(name), type_) for name, type_ in columns]
        wanted.append((work_table(table), sql.SQL(", ").join(listed)))
    for name, columns in wanted:
        found = connection.execute("select to_regclass(%s)", (name.as_string(connection),)).fetchone()
        if found and found[0] is None:
            connection.execute(sql.SQL("create unlogged table {} ({})").format(name, columns))
            connection.execute(
                "select create_distributed_table(%s, %s, colocate_with => %s)",
                (name.as_string(connection), first.spread_by, first.full_name),
            )
            connection.execute(sql.SQL("grant select, insert, delete on {} to loader").format(name))
            # The planner takes a table that was never vacuumed for at least ten pages long, and would read the target.
            connection.execute(sql.SQL("vacuum {}").format(name))


class SpreadMerging(Merging):
    """One merge of a query's rows into a distributed table, whose scope is the column that it is distributed by."""

    def _compute(self, rows: Query, sources: Sequence[Source], is_whole: bool) -> tuple[Counts, bool]:
        if is_whole and is_empty(self.connection, self.table):
            inserted = self._insert_given(
                "insert into {table} ({columns}) {scope} select {columns} from ({rows}) as given", rows, is_whole=True
            )
            self._count(inserted, self.table.identifier, is_whole=True)
            return {"I": inserted, "A": inserted}, True
        if not self._make_scope(rows, sources, is_whole):
            return {}, False
        work = work_table(self.table)
        self._do("insert into {scope} select * from scope", scope=SCOPE)
        arrived = self._insert_given(
            """
            insert into {work} ({columns}{old_columns}, operation) {scope}
            select {given}{stored_log},
                case when stored.{first} is null then 'I'
                    when row({stored}) is distinct from row({given}) then 'U' else 'E' end
            from ({rows}) as given left join {table} as stored on {stored_key}
            """,
            rows,
            is_whole=is_whole,
            stored_key=self._same_key("stored", "given"),
        )
        self._refuse_duplicates(work)
        self._count(arrived, work, is_whole=is_whole)
        self._find_deletions(is_whole=is_whole)
        found = self._do("select operation, count(*) from {work} where operation <> 'E' group by operation").fetchall()
        counts = {operation: int(count) for operation, count in found}
        self._write_changes(counts)
        if self.own is not None and counts:
            new = [sql.SQL(", {0} as {1}").format(*map(sql.Identifier, (x, f"new_{x}"))) for x in self.own.columns]
            self._do(
                "create temp table changes on commit drop as"
                " select operation, true as is_told{old_columns}{new} from {work} where operation <> 'E'",
                new=sql.SQL("").join(new),
            )
        self._do("delete from {work}")
        self._do("delete from {scope}", scope=SCOPE)
        return {**counts, "A": arrived}, False

    def _insert_given(self, statement: str, rows: Query, *, is_whole: bool, **parts: sql.Composable) -> int:
        """Run an INSERT that computes rows on the nodes; return their number."""
        key = sql.Identifier(str(self.table.spread_by))
        scope = sql.SQL("with scope as (select {} from {})").format(key, SCOPE)
        if is_whole:
            # A constant, so that PostgreSQL removes the join from the plan.
            type_ = trusted(self.table.columns[str(self.table.spread_by)])
            scope = sql.SQL("with scope as (select null::{} as {} where false)").format(type_, key)
        parameters = {**rows.parameters, "is_full_refresh": is_whole}
        parts |= {"scope": scope, "rows": trusted(rows.select)}
        columns = list(self.table.columns)
        if is_whole:
            # Planning such a SELECT takes as long as computing a small day: only a first load looks at its columns.
            described = self._do("{scope} select * from ({rows}) as given limit 0", parameters, **parts).description
            columns = columns_in_order(self.table, [column.name for column in described or ()])
        for relation in ("given", "stored"):
            parts[relation] = column_list(columns, relation)
        return self._do(statement, parameters, columns=column_list(columns), **parts).rowcount

    def _find_deletions(self, *, is_whole: bool) -> None:
        """Add the stored rows in scope that are no longer given to the work table."""
        key = sql.Identifier(str(self.table.spread_by))
        self._do(
            """
            insert into {work} ({key}{old_columns}, operation)
            select {stored_keys}{stored_log}, 'D'
            from {table} as stored {in_scope} left join {work} as work on {stored_key}
            where work.operation is null
            """,
            key=column_list(self.mode.key),
            stored_keys=column_list(self.mode.key, "stored"),
            stored_key=self._same_key("stored", "work"),
            in_scope=sql.SQL("")
            if is_whole
            else sql.SQL("inner join {} as scope on stored.{} = scope.{}").format(SCOPE, key, key),
        )

    def _write_changes(self, counts: Counts) -> None:
        """Write the difference."""
        columns = column_list(list(self.table.columns))
        same_key = self._same_key("target", "work")
        if counts.get("D"):
            gone = sql.SQL(
                "select target.* from {} as target inner join {} as work on {} where operation = 'D'"
            ).format(self.table.identifier, work_table(self.table), same_key)
            record_consequences(self.connection, self.table, gone, self.acting)
            self._do(
                "delete from {table} as target using {work} as work where operation = 'D' and {same_key}",
                same_key=same_key,
            )
        if counts.get("U"):
            others = [sql.Identifier(name) for name in self.table.columns if name not in self.mode.key]
            self._do(
                "update {table} as target set {values} from {work} as work where operation = 'U' and {same_key}",
                values=sql.SQL(", ").join(sql.SQL("{0} = work.{0}").format(name) for name in others),
                same_key=same_key,
            )
        if counts.get("I"):
            self._do(
                "insert into {table} ({columns}) select {columns} from {work} where operation = 'I'", columns=columns
            )

    def _do(
        self, statement: str, parameters: Mapping[str, object] | None = None, **parts: sql.Composable
    ) -> psycopg.Cursor[tuple]:
        """Run a statement, filling in its tables and the columns of the log."""
        log = self.own.columns if self.own is not None else ()
        stored = [sql.SQL(", {}").format(sql.Identifier("stored", name)) for name in log]
        return self.connection.execute(
            trusted(statement).format(
                **{
                    "table": self.table.identifier,
                    "work": work_table(self.table),
                    "first": sql.Identifier(self.mode.key[0]),
                    "old_columns": self.own.further_columns("old_") if self.own is not None else sql.SQL(""),
                    "stored_log": sql.SQL("").join(stored),
                    **parts,
                }
            ),
            parameters,
        )
