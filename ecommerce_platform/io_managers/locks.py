"""Locks and transactions of a write: no two writers of one table at once, and keys are checked at the end."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager

from psycopg import IsolationLevel

from ecommerce_platform.io_managers.connection import ClientConnection


@contextmanager
def locked(connection: ClientConnection, tables: Sequence[str]) -> Generator[None]:
    """Block other writers of these tables. All writers take the locks in the same order, so they cannot deadlock.

    The locks are taken before the transaction begins, so that its snapshot includes the previous writer's commit, and
    released after its commit, so that the entries of a log are committed in the order of their positions.
    """
    with ExitStack() as stack:
        for table in sorted(set(tables)):
            connection.execute("select pg_advisory_lock(hashtextextended(%s, 0))", (f"write {table}",))
            stack.callback(_unlock, connection, table)
        yield


@contextmanager
def transaction(
    connection: ClientConnection, level: IsolationLevel = IsolationLevel.REPEATABLE_READ
) -> Generator[None]:
    """A transaction, repeatable read by default, with deferred constraints."""
    connection.isolation_level = level
    with connection.transaction():
        connection.execute("set constraints all deferred")
        yield


def _unlock(connection: ClientConnection, table: str) -> None:
    # A closed connection holds no lock.
    if not connection.closed and not connection.broken:
        connection.execute("select pg_advisory_unlock(hashtextextended(%s, 0))", (f"write {table}",))
