"""Foreign keys that delete or change rows of other tables: whom a deletion concerns, and what it logs for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg import sql

from ecommerce_platform.io_managers.change_log import insert_images, logs_of
from ecommerce_platform.io_managers.connection import ClientConnection
from ecommerce_platform.io_managers.modes import Table, column_list, identifier


@dataclass(frozen=True)
class Consequence:
    """A foreign key that changes rows of ``child`` when a row of ``parent`` is deleted; both are schema.table.

    Attributes:
        columns: the child's columns.
        referenced: the parent's columns, in the same order.
        takes: whether the child's row is deleted; otherwise its columns are set.
    """

    parent: str
    child: str
    columns: tuple[str, ...]
    referenced: tuple[str, ...]
    takes: bool


def consequences(connection: ClientConnection, table: Table) -> list[Consequence]:
    """All foreign keys that act on a deletion from ``table``, directly or through rows deleted with it."""
    # Most tables have none, and the recursive query below takes five times as long to plan.
    is_referenced = connection.execute(
        """
        select exists (
            select 1 from pg_catalog.pg_constraint
            where contype = 'f' and confdeltype in ('c', 'n', 'd') and confrelid = %s::regclass
        )
        """,
        (table.full_name,),
    ).fetchone()
    if not (is_referenced and is_referenced[0]):
        return []
    rows = connection.execute(
        """
        with recursive acting as (
            select key.oid, key.conrelid, key.confdeltype
            from pg_catalog.pg_constraint as key
            where key.contype = 'f' and key.confdeltype in ('c', 'n', 'd') and key.confrelid = %s::regclass
            union
            select key.oid, key.conrelid, key.confdeltype
            from acting
            join pg_catalog.pg_constraint as key on key.confrelid = acting.conrelid
            where acting.confdeltype = 'c' and key.contype = 'f' and key.confdeltype in ('c', 'n', 'd')
        )

        select distinct
            key.confrelid::regclass::text,
            key.conrelid::regclass::text,
            (select array_agg(attname::text order by number)
                from unnest(key.conkey) with ordinality as of (num, number)
                join pg_attribute on attrelid = key.conrelid and attnum = num),
            (select array_agg(attname::text order by number)
                from unnest(key.confkey) with ordinality as of (num, number)
                join pg_attribute on attrelid = key.confrelid and attnum = num),
            key.confdeltype = 'c'
        from acting
        join pg_catalog.pg_constraint as key on key.oid = acting.oid
        order by 1, 2
        """,
        (table.full_name,),
    ).fetchall()
    return [Consequence(parent, child, tuple(own), tuple(other), takes) for parent, child, own, other, takes in rows]


def record_consequences(
    connection: ClientConnection, table: Table, gone: sql.Composable, consequences: Sequence[Consequence]
) -> None:
    """Log the rows of other tables that change when the rows of ``table`` that ``gone`` selects are deleted.

    Call it before the deletion: the before images are logged. Each of these tables reads its own log and recomputes
    such rows.
    """
    logs = {log.table: log for log in logs_of(connection, {each.child for each in consequences})}
    waiting = [(table.full_name, gone)]
    while waiting:
        parent, rows = waiting.pop()
        for each in consequences:
            if each.parent != parent:
                continue
            touched = sql.SQL("select target.* from {} as target where ({}) in (select {} from ({}) as gone)").format(
                identifier(each.child), column_list(each.columns, "target"), column_list(each.referenced), rows
            )
            if each.child in logs:
                log = logs[each.child]
                images = sql.SQL("select distinct {}{} from ({}) as touched").format(
                    sql.Literal("D" if each.takes else "U"),
                    log.further_columns(),
                    touched,
                )
                insert_images(connection, log, images)
            if each.takes:
                waiting.append((each.child, touched))
