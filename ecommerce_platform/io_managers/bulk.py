"""Fills an empty table, and builds its indexes and keys at the end of the same transaction.

Maintained row by row, four foreign keys and five indexes took 54 of 58 seconds of a load of 0.9 million rows; built at
the end they take 4. This is the only write that touches a table's definition: it drops constraints and indexes, then
restores them.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence, Set
from contextlib import contextmanager

from psycopg import sql

from ecommerce_platform.io_managers.connection import ClientConnection, as_owner
from ecommerce_platform.io_managers.locks import lock_definitions
from ecommerce_platform.io_managers.modes import Table, identifier, trusted


@contextmanager
def filled_in_bulk(
    connection: ClientConnection, table: Table, *, is_small: bool = False, held: Set[str] = frozenset()
) -> Generator[bool]:
    """Fill an empty table first, then build its indexes and check its keys in the same transaction.

    The table ends up with the same definitions, and a violation rolls everything back. The table was empty, so no
    reader misses an index. Keys that other tables' foreign keys reference stay in place. Indexes and keys are
    maintained row by row if :func:`can_be_filled` says no, or, on a cluster, if the transaction was not begun for it.

    Args:
        connection: in the transaction of the write.
        table: the empty table.
        is_small: leave its foreign keys in place, except on a cluster; see :class:`.modes.Merge`.
        held: further tables, as schema.table, that nobody else has written since before the transaction.

    Yields:
        Whether the table was truncated in this transaction.
    """
    if not can_be_filled(connection, table) or not _is_begun_for_it(connection, table):
        yield False
        return
    is_here = table.placement == "here"
    constraints, indexes = _definitions(connection, table, is_small=is_small and is_here)
    with as_owner(connection):
        truncated = _locked(connection, table, [other for _, _, other in constraints], held) if is_here else []
        for name, _, _ in reversed(constraints):
            connection.execute(
                sql.SQL("alter table {} drop constraint {}").format(table.identifier, sql.Identifier(name))
            )
        for name, _ in indexes:
            connection.execute(sql.SQL("drop index {}").format(trusted(name)))
        if truncated:
            # With wal_level = minimal, a table truncated in the same transaction needs no write-ahead log.
            connection.execute(sql.SQL("truncate {}").format(sql.SQL(", ").join(map(identifier, truncated))))
    yield bool(truncated)
    with as_owner(connection):
        for name, definition, _ in constraints:
            connection.execute(
                sql.SQL("alter table {} add constraint {} {}").format(
                    table.identifier, sql.Identifier(name), trusted(definition)
                )
            )
        for _, definition in indexes:
            connection.execute(trusted(definition))


def _locked(connection: ClientConnection, table: Table, referenced: Sequence[str | None], held: Set[str]) -> list[str]:
    """Lock the empty table and those whose definitions change with its own; return the tables to truncate together.

    Those are the table and all that refer to it; none if one of these is not ``held``, or has rows.
    """
    referring = _referring(connection, table)
    is_possible = set(referring) <= held
    # To drop a foreign key locks the table that it refers to.
    others = {name for name in referenced if name is not None} | {*(referring if is_possible else ())}
    lock_definitions(connection, [table.full_name, *sorted(others - {table.full_name})])
    if not referring:
        return [table.full_name]
    truncated = [table.full_name, *referring]
    # Somebody who does not take our locks, as in psql, may have added rows since.
    return truncated if is_possible and all(_has_no_page(connection, name) for name in truncated) else []


def _definitions(
    connection: ClientConnection, table: Table, *, is_small: bool
) -> tuple[list[tuple[str, str, str | None]], list[tuple[str, str]]]:
    """What is dropped and restored: constraints, each with the table that it refers to if that can be locked; indexes.

    Each is a name and a definition.
    """
    constraints = connection.execute(
        """
        select
            ours.conname,
            pg_get_constraintdef(ours.oid),
            (
                select relnamespace::regnamespace::text || '.' || relname
                from pg_catalog.pg_class
                -- The lock needs a right that to drop the key does not; without it, the key is dropped all the same.
                where oid = ours.confrelid and has_table_privilege(session_user, oid, 'update')
            )
        from pg_catalog.pg_constraint as ours
        where ours.conrelid = %s::regclass and ours.contype = any(%s)
            and (
                ours.contype = 'f'
                or not exists (
                    select 1 from pg_catalog.pg_constraint as theirs
                    where theirs.contype = 'f' and theirs.conindid = ours.conindid
                )
            )
        -- Keys before the foreign keys that may reference them.
        order by ours.contype = 'f', ours.conname
        """,
        (table.full_name, ["p", "u", "x"] if is_small else ["p", "u", "x", "f"]),
    ).fetchall()
    indexes = connection.execute(
        """
        select index.indexrelid::regclass::text, pg_get_indexdef(index.indexrelid)
        from pg_catalog.pg_index as index
        where index.indrelid = %s::regclass
            and not exists (select 1 from pg_catalog.pg_constraint where conindid = index.indexrelid)
        order by 1
        """,
        (table.full_name,),
    ).fetchall()
    return constraints, indexes


def can_be_filled(connection: ClientConnection, table: Table) -> bool:
    """Whether the login may change the definition of a table, and Citus does not react to it.

    Citus manages a table of the coordinator only because of its foreign keys: without them, it makes its views anew.
    """
    row = connection.execute(
        "select pg_has_role(session_user, relowner, 'usage') from pg_catalog.pg_class where oid = %s::regclass",
        (table.full_name,),
    ).fetchone()
    return row is not None and row[0] and table.placement != "coordinator"


def _is_begun_for_it(connection: ClientConnection, table: Table) -> bool:
    """Whether this transaction was begun to fill a table of a cluster: by the owner, on one connection per node.

    A write that first deletes the last rows of a table finds it empty, but was begun to change it.
    """
    if table.placement == "here":
        return True
    row = connection.execute(
        "select current_user = session_user and current_setting('citus.multi_shard_modify_mode') = 'sequential'"
    ).fetchone()
    return row is not None and row[0]


def _referring(connection: ClientConnection, table: Table) -> list[str]:
    """The tables that refer to a table, directly or through others: PostgreSQL truncates it only together with them."""
    rows = connection.execute(
        """
        with recursive referring as (
            select conrelid as oid from pg_catalog.pg_constraint where contype = 'f' and confrelid = %(table)s::regclass
            union
            select key.conrelid
            from referring inner join pg_catalog.pg_constraint as key on key.confrelid = referring.oid
            where key.contype = 'f'
        )
        select relnamespace::regnamespace::text || '.' || relname
        from referring inner join pg_catalog.pg_class using (oid)
        where oid <> %(table)s::regclass
        order by 1
        """,
        {"table": table.full_name},
    ).fetchall()
    return [name for (name,) in rows]


def _has_no_page(connection: ClientConnection, table: str) -> bool:
    """Whether a table, which is locked, has no rows, not even some that this transaction does not see."""
    row = connection.execute("select pg_relation_size(%s::regclass) = 0", (table,)).fetchone()
    return bool(row and row[0])


def is_done_alone(connection: ClientConnection, table: Table, *, is_whole: bool, is_small: bool) -> bool | None:
    """Whether a write of rows is done alone, because it fills the table in bulk and so drops its foreign keys.

    Args:
        connection: in autocommit mode.
        table: the table.
        is_whole: whether all of its rows are computed. On a cluster, it is filled in bulk only then.
        is_small: whether its foreign keys stay in place, except on a cluster.

    Returns:
        The argument ``alone`` of :func:`.locks.locked`. On a cluster, where definitions are locked on all nodes, the
        other writes wait for one that is done alone.
    """
    row = connection.execute(
        """
        select
            exists (select 1 from pg_catalog.pg_constraint where contype = 'f' and conrelid = %s::regclass),
            to_regclass('pg_catalog.pg_dist_partition') is not null
        """,
        (table.full_name,),
    ).fetchone()
    has_keys, is_on_cluster = row or (False, False)
    is_filled = table.placement == "here" or (is_whole and table.placement != "coordinator")
    if has_keys and is_filled and (is_on_cluster or not is_small) and is_empty(connection, table):
        return True
    return False if is_on_cluster else None


def is_empty(connection: ClientConnection, table: Table) -> bool:
    """Whether a table has no rows."""
    # A limit, not exists(): Citus would fetch a row for each row.
    found = connection.execute(sql.SQL("select 1 from {} limit 1").format(table.identifier)).fetchone()
    return found is None
