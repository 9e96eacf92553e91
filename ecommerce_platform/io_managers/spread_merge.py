"""Merges into a table that a Citus cluster distributes: each node computes, compares and writes its own rows.

Of the rows, only the keys of the scope and the columns of the change log pass through the coordinator. Each target has
two tables in the schema ``platform_work``: the scope, and what happens to each row. They are distributed like the
target, so that every statement joins rows of one node, and are empty outside of a transaction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import psycopg
from psycopg import sql
from psycopg.errors import UniqueViolation

from ecommerce_platform.io_managers.bulk import filled_in_bulk, is_empty
from ecommerce_platform.io_managers.change_log import Source, logs_of
from ecommerce_platform.io_managers.connection import ClientConnection
from ecommerce_platform.io_managers.consequences import record_consequences
from ecommerce_platform.io_managers.copy import columns_in_order
from ecommerce_platform.io_managers.merge import Counts, Merging
from ecommerce_platform.io_managers.modes import Query, Table, WriteError, column_list, trusted

SCHEMA = "platform_work"


def work_table(table: Table) -> sql.Identifier:
    """The work table of a distributed table: its columns, ``operation``, and the log's columns as ``old_NAME``.

    The operation is I, U, D, or E for a row that equals the stored one.
    """
    return sql.Identifier(SCHEMA, f"{table.schema}_{table.name}")


def scope_table(table: Table) -> sql.Identifier:
    """The keys that a write of a distributed table recomputes."""
    return sql.Identifier(SCHEMA, f"{table.schema}_{table.name}_scope")


def create_work_tables(connection: ClientConnection, table: Table) -> None:
    """Create what merges into a distributed table need, as the owner, or create it again if its columns have changed.

    The keys are indexed, because the planner knows little about tables that are mostly empty: without an index, it may
    compare each row with each.
    """
    connection.execute(sql.SQL("create schema if not exists {}").format(sql.Identifier(SCHEMA)))
    connection.execute(sql.SQL("grant usage on schema {} to loader").format(sql.Identifier(SCHEMA)))
    by = str(table.spread_by)
    log = next(iter(logs_of(connection, [table.full_name])), None)
    columns = [
        *table.columns.items(),
        *((f"old_{name}", table.columns[name]) for name in (log.columns if log else ())),
        ("operation", "text"),
    ]
    row = connection.execute(
        "select pg_get_constraintdef(oid) from pg_catalog.pg_constraint"
        " where conrelid = %s::regclass and contype = 'p'",
        (table.full_name,),
    ).fetchone()
    for name, given, primary in (
        (scope_table(table), [(by, table.columns[by])], f"primary key ({by})"),
        (work_table(table), columns, row[0] if row else ""),
    ):
        known = connection.execute(
            "select attname, format_type(atttypid, atttypmod) from pg_catalog.pg_attribute"
            " where attrelid = to_regclass(%s) and attnum > 0 and not attisdropped",
            (name.as_string(connection),),
        ).fetchall()
        if dict(known) == dict(given):
            continue
        connection.execute(sql.SQL("drop table if exists {}").format(name))
        listed = [sql.SQL("{} {}").format(sql.Identifier(column), trusted(type_)) for column, type_ in given]
        connection.execute(
            sql.SQL("create unlogged table {} ({}, {})").format(name, sql.SQL(", ").join(listed), trusted(primary))
        )
        connection.execute(
            "select create_distributed_table(%s, %s, colocate_with => %s)",
            (name.as_string(connection), by, table.full_name),
        )
        connection.execute(sql.SQL("grant select, insert, delete on {} to loader").format(name))
        # The planner takes a table that was never vacuumed for at least ten pages long, and would read the target.
        connection.execute(sql.SQL("vacuum {}").format(name))


class SpreadMerging(Merging):
    """One merge of a query's rows into a distributed table, whose scope is the column that it is distributed by."""

    def _compute(self, rows: Query, sources: Sequence[Source], is_whole: bool) -> tuple[Counts, bool]:
        if is_whole and is_empty(self.connection, self.table):
            with filled_in_bulk(self.connection, self.table):
                inserted = self._insert_given(
                    "insert into {table} ({columns}) {with_scope} select {columns} from ({rows}) as given",
                    rows,
                    is_whole=True,
                )
            self._count(inserted, self.table.identifier, is_whole=True)
            return {"I": inserted, "A": inserted}, True
        if not self._make_scope(rows, sources, is_whole):
            return {}, False
        work = work_table(self.table)
        self._do("insert into {scope} select * from scope")
        arrived = self._insert_given(
            """
            insert into {work} ({columns}{old_columns}, operation) {with_scope}
            select {given}{stored_log},
                case when stored.{first} is null then 'I'
                    when row({stored}) is distinct from row({given}) then 'U' else 'E' end
            from ({rows}) as given left join {table} as stored on {stored_key}
            """,
            rows,
            is_whole=is_whole,
            stored_key=self._same_key("stored", "given"),
        )
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
        self._do("delete from {scope}")
        return {**counts, "A": arrived}, False

    def _insert_given(self, statement: str, rows: Query, *, is_whole: bool, **parts: sql.Composable) -> int:
        """Run an INSERT that computes rows on the nodes; return their number."""
        key = sql.Identifier(str(self.table.spread_by))
        scope = sql.SQL("with scope as (select {} from {})").format(key, scope_table(self.table))
        if is_whole:
            # A constant, so that PostgreSQL removes the join from the plan.
            type_ = trusted(self.table.columns[str(self.table.spread_by)])
            scope = sql.SQL("with scope as (select null::{} as {} where false)").format(type_, key)
        parameters = {**rows.parameters, "is_full_refresh": is_whole}
        parts |= {"with_scope": scope, "rows": trusted(rows.select)}
        columns = list(self.table.columns)
        if is_whole:
            # Planning such a SELECT takes as long as computing a small day: only a first load looks at its columns.
            described = self._do(
                "{with_scope} select * from ({rows}) as given limit 0", parameters, **parts
            ).description
            columns = columns_in_order(self.table, [column.name for column in described or ()])
        for relation in ("given", "stored"):
            parts[relation] = column_list(columns, relation)
        try:
            return self._do(statement, parameters, columns=column_list(columns), **parts).rowcount
        except UniqueViolation as error:
            detail = error.diag.message_detail or str(error)
            raise WriteError(f"{self.table.full_name}: a key occurs twice; nothing was written. {detail}") from error

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
            else sql.SQL("inner join {} as scope on stored.{} = scope.{}").format(scope_table(self.table), key, key),
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
                    "scope": scope_table(self.table),
                    "first": sql.Identifier(self.mode.key[0]),
                    "old_columns": self.own.further_columns("old_") if self.own is not None else sql.SQL(""),
                    "stored_log": sql.SQL("").join(stored),
                    **parts,
                }
            ),
            parameters,
        )
