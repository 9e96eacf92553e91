"""How a Dagster process reaches PostgreSQL."""

from collections.abc import Generator
from contextlib import contextmanager

import psycopg
from dagster import ConfigurableResource
from psycopg import sql
from pydantic import Field

from ecommerce_platform.io_managers.failures import retry_if_curable

SESSION_OPTIONS = {
    "TimeZone": "UTC",
    "DateStyle": "ISO",
    # A client that was killed must not leave its statement running with all its locks.
    "client_connection_check_interval": "1000",
}

ClientConnection = psycopg.Connection[tuple]


class PostgresConnection(ConfigurableResource):
    """Opens connections that act under one role.

    The login of ``url`` may be the owner; the connection then acts as ``role`` and has that role's rights only.
    """

    url: str = Field(description="A libpq URL: postgresql://user:password@host:5432/database")
    role: str | None = Field(None, description="The role to act under, for example loader.")

    def resolve_url(self) -> str:
        """The libpq URL to connect to."""
        return self.url

    @contextmanager
    def connect(self) -> Generator[ClientConnection]:
        """One connection in autocommit, closed on the way out; a server that is down raises OperationalError.

        Values are bound on the client, because PostgreSQL takes no parameters in CREATE TABLE AS.

        Raises:
            RetryRequested: in a Dagster step, for a failure that passes by itself; see :mod:`.failures`.
        """
        try:
            with self._open() as connection:
                yield connection
        except psycopg.Error as error:
            retry_if_curable(error)
            raise

    @contextmanager
    def _open(self) -> Generator[ClientConnection]:
        options = " ".join(f"-c {name}={value}" for name, value in SESSION_OPTIONS.items())
        with psycopg.connect(
            self.resolve_url(),
            autocommit=True,
            options=options,
            application_name="ecommerce-platform",
            cursor_factory=psycopg.ClientCursor,
        ) as connection:
            if self.role is not None:
                connection.execute(sql.SQL("set role {}").format(sql.Identifier(self.role)))
            yield connection
