"""What Dagster's three stores share: pooled connections, and how their database's server is found and started."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

import click
from dagster_postgres.utils import set_pg_statement_timeout
from sqlalchemy import create_engine
from sqlalchemy import event as sqlalchemy_event
from sqlalchemy.exc import DisconnectionError

from ecommerce_platform.instance.outage import start_before_connecting
from ecommerce_platform.io_managers.connection import RESTED
from ecommerce_platform.postgres.embedded import EmbeddedPostgres
from ecommerce_platform.settings import Settings, SettingsError, load_settings

if TYPE_CHECKING:
    from sqlalchemy import Engine

IDLE = 3
"""Idle connections per store: for the two steps that run at a time, and the thread that plans them."""


class StorageUnavailableError(click.ClickException):
    """Dagster's database cannot be reached or created. Dagster's commands print this error as one line."""


def _keep_sound(engine: Engine) -> None:
    """Never hand out a connection of another process, or one that a server restart cut while it was idle.

    A run uses its connections two thousand times, mostly within a millisecond, so only one that was idle for longer is
    tested. If a connection breaks within that time, repeatable operations are repeated (see :mod:`.outage`), and
    others fail.
    """

    def remember(_: Any, record: Any) -> None:
        record.info["pid"] = os.getpid()

    def came_back(_: Any, record: Any) -> None:
        record.info["used_at"] = time.monotonic()

    def try_out(connection: Any, record: Any, proxy: Any) -> None:
        if record.info["pid"] != os.getpid():
            record.dbapi_connection = proxy.dbapi_connection = None  # the parent's: dropped, not closed
            raise DisconnectionError("made before a fork")
        if time.monotonic() - record.info.get("used_at", 0.0) < RESTED:
            return
        try:
            with connection.cursor() as cursor:
                cursor.execute("select 1")
        except Exception as error:
            raise DisconnectionError(str(error)) from error

    sqlalchemy_event.listen(engine, "connect", remember)
    sqlalchemy_event.listen(engine, "checkin", came_back)
    sqlalchemy_event.listen(engine, "checkout", try_out)


class Pooled:
    """A mixin for a stock store: its connections come from a pool."""

    _engine: Engine
    postgres_url: str

    def optimize_for_webserver(self, statement_timeout: int, pool_recycle: int, max_overflow: int) -> None:
        """Called by each store once its engine exists: whatever the process, its connections are pooled.

        Unlike the base, which keeps one idle connection, for the threads that use a store.
        """
        given = self._engine.url.query.get("options")
        self._engine = create_engine(
            self.postgres_url,
            isolation_level="AUTOCOMMIT",
            pool_size=IDLE,
            pool_recycle=pool_recycle,
            max_overflow=max_overflow,
            connect_args={"options": given} if given else {},
        )
        sqlalchemy_event.listen(
            self._engine, "connect", lambda connection, _: set_pg_statement_timeout(connection, statement_timeout)
        )
        _keep_sound(self._engine)
        start_before_connecting(self._engine, start_embedded_server)

    def dispose(self) -> None:
        """Close the store and its connections."""
        super().dispose()  # ty: ignore[missing-attribute]
        self._engine.dispose()


def start_embedded_server() -> None:
    """Start the embedded server, if that is where the database is."""
    settings = current_settings()
    if settings.database_url is None:
        EmbeddedPostgres(settings.data / "postgres").start()


def current_settings() -> Settings:
    """The settings.

    Raises:
        StorageUnavailableError: they are wrong.
    """
    try:
        return load_settings()
    except SettingsError as error:
        raise StorageUnavailableError(str(error)) from None
