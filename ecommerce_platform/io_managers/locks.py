"""Locks and transactions of a write: no two writers of one table at once, and keys are checked at the end."""

from __future__ import annotations

import logging
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext

from dagster import DagsterInvariantViolationError, OpExecutionContext
from psycopg import IsolationLevel
from psycopg.errors import LockNotAvailable

from ecommerce_platform.io_managers.bulk import as_owner, can_be_filled, is_empty
from ecommerce_platform.io_managers.connection import ClientConnection
from ecommerce_platform.io_managers.modes import Table, trusted

ALONE = "write alone"
"""The lock of a write that is done alone; the others share it."""

SILENT_SECONDS = 5
"""A wait for another writer is logged once it has taken so long."""


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
            stack.enter_context(_lock(connection, ALONE, "another writer", is_shared=not alone))
        for table in sorted(set(tables)):
            stack.enter_context(_lock(connection, f"write {table}", f"another writer of {table}"))
        yield


@contextmanager
def transaction(
    connection: ClientConnection,
    level: IsolationLevel = IsolationLevel.REPEATABLE_READ,
    *,
    table: Table | None = None,
    is_whole: bool = False,
) -> Generator[None]:
    """A transaction that writes ``table``, repeatable read by default, with deferred constraints.

    If it writes a whole table of a cluster, and the table is empty, the owner does so from the beginning: Citus has
    a connection to each node for each role, so the owner's DDL would wait for the locks of the other role's reads.
    """
    connection.isolation_level = level
    placement = "here" if table is None else table.placement
    is_filled = (
        table is not None
        and is_whole
        and placement in ("spread", "everywhere")
        and is_empty(connection, table)
        and can_be_filled(connection, table)
    )
    with as_owner(connection) if is_filled else nullcontext(), connection.transaction():
        connection.execute("set constraints all deferred")
        if is_filled or placement == "everywhere":
            # Citus changes no definition, and writes no table that others refer to, after it has read in parallel.
            connection.execute("set local citus.multi_shard_modify_mode = 'sequential'")
        yield


@contextmanager
def _lock(connection: ClientConnection, name: str, awaited: str, *, is_shared: bool = False) -> Generator[None]:
    """Hold a session's advisory lock. Whom a long wait is for is logged, in a step to the log of its run."""
    shared = "_shared" if is_shared else ""
    take = trusted(f"select pg_advisory_lock{shared}(hashtextextended(%s, 0))")
    row = connection.execute(
        trusted(f"select pg_try_advisory_lock{shared}(hashtextextended(%s, 0))"), (name,)
    ).fetchone()
    if not (row and row[0]):
        try:
            with connection.transaction():
                connection.execute(trusted(f"set local lock_timeout = '{SILENT_SECONDS * 1000:.0f}ms'"))
                connection.execute(take, (name,))
        except LockNotAvailable:
            _log(f"Waiting for {awaited}: {_holders(connection, name)}")
            connection.execute(take, (name,))
    try:
        yield
    finally:
        # A closed connection holds no lock.
        if not connection.closed and not connection.broken:
            connection.execute(trusted(f"select pg_advisory_unlock{shared}(hashtextextended(%s, 0))"), (name,))


def _holders(connection: ClientConnection, name: str) -> str:
    # The login sees what its own other sessions do; the role of this session does not.
    with as_owner(connection):
        rows = connection.execute(
            """
            select format(
                'process %%s of the server (%%s, %%s)',
                pid,
                coalesce(nullif(application_name, ''), 'unnamed'),
                coalesce(format('%%s since %%s', state, date_trunc('second', state_change)), 'of another login')
            )
            from pg_catalog.pg_locks inner join pg_catalog.pg_stat_activity using (pid)
            where
                locktype = 'advisory' and granted and objsubid = 1
                and database = (select oid from pg_catalog.pg_database where datname = current_database())
                and (classid::bigint << 32 | objid::bigint) = hashtextextended(%s, 0)
            order by pid
            """,
            (name,),
        ).fetchall()
    return ", ".join(text for (text,) in rows) or "it has just finished"


def _log(text: str) -> None:
    try:
        log = OpExecutionContext.get().log
    except DagsterInvariantViolationError:
        log = logging.getLogger(__name__)  # not in a step, but in a terminal or a sensor
    log.warning(text)
