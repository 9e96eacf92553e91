"""What the catalog of a database says of its tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ecommerce_platform.feeds.columns import ORDER_KEY
from ecommerce_platform.io_managers.connection import ClientConnection


@dataclass(frozen=True)
class Column:
    """A column: its type as PostgreSQL prints it, whether it may be null, and its comment."""

    name: str
    type: str
    nullable: bool
    comment: str | None = None

    @property
    def base_type(self) -> str:
        """The type without its size: ``numeric`` for ``numeric(12,2)``."""
        return self.type.partition("(")[0]


@dataclass(frozen=True)
class ForeignKey:
    """A foreign key: ``columns`` of a table refer to the columns ``referenced`` of another ``table`` (schema.table)."""

    columns: tuple[str, ...]
    table: str
    referenced: tuple[str, ...]


@dataclass(frozen=True)
class TableFacts:
    """What a database says of a table, and what it enforces itself.

    Attributes:
        columns: name and type of each.
        unique: the sets of columns that are unique.
        required: the columns that cannot be null.
        checks: the condition of each CHECK.
        is_spread: whether the rows of an order are found by its key, on the nodes of a cluster.
    """

    columns: tuple[tuple[str, str], ...]
    unique: tuple[tuple[str, ...], ...]
    required: tuple[str, ...]
    checks: tuple[str, ...]
    is_spread: bool = False


def catalogue(connection: ClientConnection, tables: Sequence[str]) -> dict[str, TableFacts]:
    """The facts of some tables, as schema.table; a table that is not there is left out.

    So is the column by which a cluster distributes staging's orders: it follows from the others.
    """
    rows = connection.execute(
        """
        select
            wanted.table_name,
            (
                select jsonb_agg(
                    jsonb_build_array(attname, format_type(atttypid, atttypmod)) order by attnum
                )
                from pg_catalog.pg_attribute
                where attrelid = to_regclass(wanted.table_name) and attnum > 0 and not attisdropped
                    and attname <> %(hidden)s
            ),
            (
                select coalesce(jsonb_agg(keys.names order by keys.names), '[]')
                from (
                    select (
                        select jsonb_agg(attname::text order by attname::text)
                        from pg_catalog.pg_attribute
                        where attrelid = index.indrelid and attnum = any (index.indkey::smallint[])
                            and attname <> %(hidden)s
                    ) as names
                    from pg_catalog.pg_index as index
                    where index.indrelid = to_regclass(wanted.table_name)
                        and index.indisunique and index.indisvalid and index.indpred is null
                ) as keys
            ),
            (
                select coalesce(jsonb_agg(attname::text order by attnum), '[]')
                from pg_catalog.pg_attribute
                where attrelid = to_regclass(wanted.table_name) and attnum > 0 and attnotnull and not attisdropped
                    and attname <> %(hidden)s
                    and not exists (
                        -- PostgreSQL 18 knows constraints that old rows may break.
                        select from pg_catalog.pg_constraint
                        where conrelid = attrelid and contype = 'n' and not convalidated and attnum = any (conkey)
                    )
            ),
            (
                select coalesce(jsonb_agg(pg_get_expr(conbin, conrelid) order by conname), '[]')
                from pg_catalog.pg_constraint
                where conrelid = to_regclass(wanted.table_name) and contype = 'c' and convalidated and not connoinherit
                    and position(%(hidden)s in conname) = 0
            ),
            exists (
                select 1
                from pg_catalog.pg_attribute
                where attrelid = to_regclass(wanted.table_name) and attname = %(hidden)s
            )
        from unnest(%(tables)s::text[]) as wanted (table_name)
        """,
        {"tables": list(tables), "hidden": ORDER_KEY},
    ).fetchall()
    return {
        table: TableFacts(
            tuple((name, type_) for name, type_ in columns),
            tuple(tuple(names) for names in unique),
            tuple(required),
            tuple(checks),
            is_spread,
        )
        for table, columns, unique, required, checks, is_spread in rows
        if columns is not None
    }


def column_types(connection: ClientConnection, table: str) -> dict[str, str]:
    """All columns of a table and their types as PostgreSQL prints them; empty if the table does not exist."""
    facts = catalogue(connection, [table]).get(table)
    return dict(facts.columns) if facts else {}


def tables_of_schemas(connection: ClientConnection, schemas: Sequence[str]) -> list[str]:
    """The tables of some schemas, as schema.table, in the order in which they were made."""
    rows = connection.execute(
        "select relnamespace::regnamespace || '.' || relname from pg_catalog.pg_class"
        " where relkind = 'r' and relnamespace::regnamespace::text = any (%s) order by oid",
        (list(schemas),),
    )
    return [table for (table,) in rows]


def table_comment(connection: ClientConnection, table: str) -> str | None:
    """The comment of a table, if it has one."""
    row = connection.execute("select obj_description(%s::regclass, 'pg_class')", (table,)).fetchone()
    return row[0] if row else None


def foreign_keys(connection: ClientConnection, table: str) -> tuple[ForeignKey, ...]:
    """The foreign keys of a table, sorted by their columns."""
    rows = connection.execute(
        """
        select
            (
                select jsonb_agg(attname::text order by number)
                from unnest(conkey) with ordinality as of (attribute, number)
                join pg_catalog.pg_attribute on attrelid = conrelid and attnum = attribute
            ),
            (select relnamespace::regnamespace || '.' || relname from pg_catalog.pg_class where oid = confrelid),
            (
                select jsonb_agg(attname::text order by number)
                from unnest(confkey) with ordinality as of (attribute, number)
                join pg_catalog.pg_attribute on attrelid = confrelid and attnum = attribute
            )
        from pg_catalog.pg_constraint
        where conrelid = %s::regclass and contype = 'f'
        order by 1
        """,
        (table,),
    )
    return tuple(ForeignKey(tuple(columns), other, tuple(referenced)) for columns, other, referenced in rows)


def column_comments(connection: ClientConnection, table: str) -> dict[str, str]:
    """The comment of each column of a table that has one."""
    rows = connection.execute(
        "select attname, col_description(attrelid, attnum) from pg_catalog.pg_attribute"
        " where attrelid = %s::regclass and attnum > 0 and not attisdropped",
        (table,),
    )
    return {name: comment for name, comment in rows if comment is not None}
