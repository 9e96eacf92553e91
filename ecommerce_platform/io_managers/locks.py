"""Locks and transactions of a write: no two writers of one table at once, and keys are checked at the end."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager

from psycopg import IsolationLevel
from psycopg.abc import QueryNoTemplate

from ecommerce_platform.io_managers.connection import ClientConnection
from ecommerce_platform.io_managers.modes import Table, trusted

ALONE = "hashtextextended('write alone', 0)"
"""The lock of a write that is done alone; the others share it."""


@contextmanager
def locked(connection: ClientConnection, tables: Sequence[str], *, alone: bool | None = None) -> Generator[None]:
    """Block other writers of these tables. All writers take the locks in the same order, so they cannot deadlock.

    A write that drops foreign keys is done ``alone``: it locks the tables that they refer to after it has read others,
    in an order that nobody can foresee. It waits for the writes that are not alone, and they wait for it; with None, a
    write reads no table, and neither waits.

    The locks are taken before the transaction begins, so that its snapshot includes the previous writer's commit, and
    released after its commit, so that the entries of a log are committed in the order of their positions.
    """
    with ExitStack() as stack:
        if alone is not None:
            shared = "" if alone else "_shared"
            connection.execute(trusted(f"select pg_advisory_lock{shared}({ALONE})"))
            stack.callback(_release, connection, trusted(f"select pg_advisory_unlock{shared}({ALONE})"))
        for table in sorted(set(tables)):
            connection.execute("select pg_advisory_lock(hashtextextended(%s, 0))", (f"write {table}",))
            stack.callback(
                _release, connection, "select pg_advisory_unlock(hashtextextended(%s, 0))", (f"write {table}",)
            )
        yield


@contextmanager
def transaction(
    connection: ClientConnection,
    level: IsolationLevel = IsolationLevel.REPEATABLE_READ,
    *,
    table: Table | None = None,
) -> Generator[None]:
    """A transaction that writes ``table``, repeatable read by default, with deferred constraints."""
    connection.isolation_level = level
    with connection.transaction():
        connection.execute("set constraints all deferred")
        if table is not None and table.placement == "everywhere":
            # Rows of other tables refer to this one: Citus takes no write after it has read them in parallel.
            connection.execute("set local citus.multi_shard_modify_mode = 'sequential'")
        yield


def _release(connection: ClientConnection, statement: QueryNoTemplate, parameters: Sequence[str] = ()) -> None:
    # A closed connection holds no lock.
    if not connection.closed and not connection.broken:
        connection.execute(statement, parameters or None)
