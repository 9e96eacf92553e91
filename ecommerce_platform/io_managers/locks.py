"""Locks of a write: no two writers of one table at once, and no deadlock over definitions."""

from __future__ import annotations

import logging
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from dagster import DagsterInvariantViolationError, OpExecutionContext
from psycopg import sql
from psycopg.errors import LockNotAvailable

from ecommerce_platform.io_managers.connection import ClientConnection, as_owner
from ecommerce_platform.io_managers.modes import identifier, trusted

ALONE = "write alone"
"""The lock of a write that is done alone."""

SILENT_SECONDS = 5
"""A wait for another session is logged once it has taken so long."""

SHORT_WAIT = 0.1
"""Seconds that a write with one definition locked waits for each other one: together, less than deadlock_timeout."""


@dataclass(frozen=True)
class _Lock:
    """An advisory lock of a session.

    Attributes:
        name: what is locked.
        awaited: what the log says that a waiting step waits for.
        is_shared: whether others may share it.
    """

    name: str
    awaited: str
    is_shared: bool = False

    def call(self, function: str) -> sql.Composed:
        """A call of one of the server's functions for advisory locks."""
        name = trusted(function + ("_shared" if self.is_shared else ""))
        return sql.SQL("{}(hashtextextended({}, 0))").format(name, sql.Literal(self.name))


@contextmanager
def locked(
    connection: ClientConnection, tables: Sequence[str], *, read: Sequence[str] = (), alone: bool | None = None
) -> Generator[None]:
    """Block other writers of some tables. All writers take the locks in the same order, so they cannot deadlock.

    The locks are taken before the transaction begins, so that its snapshot includes the previous writer's commit, and
    released after its commit, so that the entries of a log are committed in the order of their positions.

    Args:
        connection: in autocommit mode.
        tables: those that are written, as schema.table.
        read: further tables that nobody may write in the meantime.
        alone: whether the write excludes all others that are done alone. With False, it shares the lock with those
            that are not alone, and waits for those that are; with None, it does neither.
    """
    locks = [] if alone is None else [_Lock(ALONE, "another step that writes alone", is_shared=not alone)]
    locks += [
        _Lock(f"write {table}", f"another step that has locked {table}", is_shared=table not in tables)
        for table in sorted({*tables, *read})
    ]
    try:
        _take(connection, locks)
        yield
    finally:
        # A closed connection holds no lock.
        if not connection.closed and not connection.broken:
            connection.execute(_all(locks, "pg_advisory_unlock"))


def lock_definitions(connection: ClientConnection, tables: Sequence[str]) -> None:
    """Lock tables against readers and writers, in a transaction that has read other tables.

    Others may read these tables, and wait for some of them, in any order. So this waits only for the first, while it
    holds no other of them; a table that is not free then becomes the first. A long wait is logged.

    Args:
        connection: in a transaction.
        tables: as schema.table.

    Raises:
        psycopg.errors.DeadlockDetected: two transactions wait for tables that the other has read; a retry helps.
    """
    waiting = list(tables)
    patience: float = SILENT_SECONDS
    while True:
        blocked = waiting[0]
        try:
            with connection.transaction():  # a savepoint: to roll back gives the locks back
                for blocked in waiting:
                    _limit_wait(connection, patience if blocked == waiting[0] else SHORT_WAIT)
                    connection.execute(sql.SQL("lock table {} in access exclusive mode").format(identifier(blocked)))
        except LockNotAvailable:
            if blocked == waiting[0]:
                who = _sessions(connection, "locktype = 'relation' and relation = %s::regclass", blocked)
                _log(f"Waiting for sessions that read or write {blocked}: {who}")
                patience = 0  # without a limit
            waiting.sort(key=lambda table: table != blocked)
            continue
        connection.execute("set local lock_timeout to default")
        return


def _limit_wait(connection: ClientConnection, seconds: float) -> None:
    """Wait at most so long for each lock of the transaction; without a limit if 0."""
    connection.execute(trusted(f"set local lock_timeout = '{seconds * 1000:.0f}ms'"))


def _all(locks: Sequence[_Lock], function: str) -> sql.Composed:
    return sql.SQL("select {}").format(sql.SQL(", ").join(lock.call(function) for lock in locks))


def _take(connection: ClientConnection, locks: Sequence[_Lock]) -> None:
    """Take all locks, in order. Whom a long wait is for is logged, in a step to the log of its run."""
    taken = connection.execute(_all(locks, "pg_try_advisory_lock")).fetchone() or ()
    if all(taken):
        return
    # Nobody waits for an earlier lock while holding a later one.
    held = [lock for lock, is_taken in zip(locks, taken, strict=True) if is_taken]
    if held:
        connection.execute(_all(held, "pg_advisory_unlock"))
    for lock in locks:
        try:
            with connection.transaction():
                _limit_wait(connection, SILENT_SECONDS)
                connection.execute(_all([lock], "pg_advisory_lock"))
        except LockNotAvailable:
            who = _sessions(connection, HAS_LOCK, lock.name)
            _log(f"Waiting for {lock.awaited}: {who}")
            connection.execute(_all([lock], "pg_advisory_lock"))


HAS_LOCK = """
    locktype = 'advisory' and objsubid = 1 and (classid::bigint << 32 | objid::bigint) = hashtextextended(%s, 0)
"""
"""The condition that an entry of pg_locks is the lock of a name."""


def _sessions(connection: ClientConnection, condition: str, value: str) -> str:
    """The other sessions that hold a lock, for the log."""
    # The login sees what its own other sessions do; the role of this session does not.
    with as_owner(connection):
        rows = connection.execute(
            trusted(
                f"""
                select distinct pid, format(
                    'process %%s of the server (%%s, %%s)',
                    pid,
                    coalesce(nullif(application_name, ''), 'unnamed'),
                    coalesce(format('%%s since %%s', state, date_trunc('second', state_change)), 'of another login')
                )
                from pg_catalog.pg_locks inner join pg_catalog.pg_stat_activity using (pid)
                where
                    {condition} and granted and pid <> pg_backend_pid()
                    and database = (select oid from pg_catalog.pg_database where datname = current_database())
                order by pid
                """
            ),
            (value,),
        ).fetchall()
    return ", ".join(text for _, text in rows) or "it has just finished"


def _log(text: str) -> None:
    try:
        log = OpExecutionContext.get().log
    except DagsterInvariantViolationError:
        log = logging.getLogger(__name__)  # not in a step, but in a terminal or a sensor
    log.warning(text)
