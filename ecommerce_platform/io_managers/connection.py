"""PostgreSQL connections of a Dagster process."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress

import psycopg
from dagster import ConfigurableResource
from psycopg import sql
from psycopg.pq import TransactionStatus
from pydantic import Field

from ecommerce_platform.io_managers.failures import retry_if_transient

SESSION_OPTIONS = {
    "TimeZone": "UTC",
    "DateStyle": "ISO",
    # A client that was killed must not leave its statement running with all its locks.
    "client_connection_check_interval": "1000",
    # A client whose host is gone must not keep its locks until TCP gives up, two hours later.
    "tcp_keepalives_idle": "60",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "6",
    # JIT compilation cost more than it saved, even for a million orders.
    "jit": "off",
}

ClientConnection = psycopg.Connection[tuple]


class PostgresConnection(ConfigurableResource):
    """Opens connections that act under one role.

    The login of ``url`` may be the owner; the connection still acts as ``role``, with only that role's rights.
    """

    url: str = Field(description="A libpq URL: postgresql://user:password@host:5432/database")
    role: str | None = Field(None, description="The role to act as, for example loader.")

    def resolve_url(self) -> str:
        """The libpq URL to connect to."""
        return self.url

    @contextmanager
    def connect(self) -> Generator[ClientConnection]:
        """A connection in autocommit mode, returned to the pool on exit, or closed after an error.

        It is reused: leave no session setting, temporary table or lock behind. Values are bound on the client, because
        PostgreSQL takes no parameters in CREATE TABLE AS.

        Raises:
            OperationalError: outside a Dagster step, if the server is down.
            RetryRequested: in a Dagster step, for a transient error; see :mod:`.failures`.
        """
        try:
            with self._open() as connection:
                yield connection
        except psycopg.Error as error:
            retry_if_transient(error)
            raise

    @contextmanager
    def _open(self) -> Generator[ClientConnection]:
        opening = (self.resolve_url(), self.role)
        connection = _idle.take(opening) or _new(*opening)
        _in_use.add(connection)
        try:
            yield connection
        except BaseException:
            connection.close()
            raise
        finally:
            _in_use.discard(connection)
        _idle.give_back(opening, connection)


def _new(url: str, role: str | None) -> ClientConnection:
    options = " ".join(f"-c {name}={value}" for name, value in SESSION_OPTIONS.items())
    connection = psycopg.connect(
        url,
        autocommit=True,
        options=options,
        application_name="ecommerce-platform",
        cursor_factory=psycopg.ClientCursor,
    )
    if role is not None:
        try:
            connection.execute(sql.SQL("set role {}").format(sql.Identifier(role)))
        except BaseException:
            connection.close()
            raise
    return connection


@contextmanager
def as_owner(connection: ClientConnection) -> Generator[None]:
    """Act as the login, which owns the tables, then restore the role."""
    row = connection.execute("select current_setting('role')").fetchone()
    connection.execute("reset role")
    try:
        yield
    finally:
        # A transaction that failed undoes the change itself, and a closed connection has no role.
        can_run = connection.info.transaction_status in (TransactionStatus.IDLE, TransactionStatus.INTRANS)
        if row and row[0] != "none" and can_run:
            connection.execute(sql.SQL("set role {}").format(sql.Identifier(row[0])))


RESTED = 0.1
"""A connection that was idle for more seconds than this is tested before reuse: a server restart may have cut it."""


class _Idle:
    """Idle connections. A new one costs a server process, whose catalog caches start empty.

    The pool holds only connections of the latest address and role, at most ``AT_MOST``, and none that had an error.
    """

    AT_MOST = 4

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._opening: Opening | None = None
        self._connections: list[tuple[float, ClientConnection]] = []

    def take(self, opening: Opening) -> ClientConnection | None:
        """An idle connection that works, if there is one."""
        while True:
            with self._lock:
                if self._opening != opening or not self._connections:
                    return None
                since, connection = self._connections.pop()
            if time.monotonic() - since < RESTED or _works(connection):
                return connection
            connection.close()

    def close(self) -> None:
        """Close them all."""
        with self._lock:
            closing, self._connections = self._connections, []
        for _, each in closing:
            each.close()

    def give_back(self, opening: Opening, connection: ClientConnection) -> None:
        """Return a connection to the pool, or close it."""
        closing: list[ClientConnection] = []
        with self._lock:
            if self._opening != opening:
                closing = [each for _, each in self._connections]
                self._opening, self._connections = opening, []
            if len(self._connections) < self.AT_MOST and connection.info.transaction_status == TransactionStatus.IDLE:
                connection.isolation_level = None
                self._connections.append((time.monotonic(), connection))
            else:
                closing.append(connection)
        for each in closing:
            each.close()


def _works(connection: ClientConnection) -> bool:
    try:
        connection.execute("select 1")
    except psycopg.Error:
        return False
    return True


Opening = tuple[str, str | None]
"""Address and role."""

_idle = _Idle()
_in_use: set[ClientConnection] = set()
# A forked child forgets its parent's connections and lock; psycopg closes a connection only in the process that opened
# it.
os.register_at_fork(after_in_child=_idle.__init__)
os.register_at_fork(after_in_child=_in_use.clear)


def close_idle_connections() -> None:
    """Close this process's idle connections: a database with open connections cannot be copied or dropped."""
    _idle.close()


def cancel_statements() -> None:
    """Cancel what the server is doing for the connections that this process uses; each gets a QueryCanceled."""
    for each in list(_in_use):
        with suppress(psycopg.Error):
            each.cancel_safe(timeout=5)
