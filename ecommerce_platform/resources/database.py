"""The platform's database: on the server in ECOMMERCE_DATABASE_URL, or on the embedded one."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
from dagster import RetryRequested
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from ecommerce_platform.io_managers import PostgresConnection, spread_merge
from ecommerce_platform.io_managers.cluster import is_cluster
from ecommerce_platform.io_managers.connection import ClientConnection
from ecommerce_platform.layers import LAYERS
from ecommerce_platform.postgres.ddl import not_applied
from ecommerce_platform.postgres.embedded import EmbeddedPostgres
from ecommerce_platform.settings import Settings, load_settings

EMBEDDED_DATABASE = "ecommerce"


class DatabaseDownError(RuntimeError):
    """The database cannot be used. The message is one line, without the password."""


def embedded_server(settings: Settings) -> EmbeddedPostgres:
    """The embedded server of a data folder, running or not."""
    return EmbeddedPostgres(settings.data / "postgres")


def database_url(settings: Settings) -> str:
    """The libpq URL of the platform's database.

    Without ECOMMERCE_DATABASE_URL, starts the embedded server if it is not running, and creates the database.
    """
    if settings.database_url is not None:
        return settings.database_url
    server = embedded_server(settings)
    server.start()
    server.create_database(EMBEDDED_DATABASE)
    return server.url(EMBEDDED_DATABASE)


def require_database(url: str) -> None:
    """Connect once.

    Raises:
        DatabaseDownError: the server does not answer.
    """
    try:
        psycopg.connect(url, connect_timeout=5).close()
    except psycopg.OperationalError as error:
        parts = conninfo_to_dict(url)
        where = f"{parts.get('host', 'the local socket')}:{parts.get('port', 5432)}/{parts.get('dbname', '')}"
        reason = " ".join(str(error).split())
        raise DatabaseDownError(f"PostgreSQL does not answer at {where}: {reason}") from None


def require_tables(url: str) -> None:
    """Check that all of the DDL is applied.

    Raises:
        DatabaseDownError: there are no tables, or those of an earlier version.
    """
    with psycopg.connect(url) as connection:
        try:
            row = connection.execute("select to_regclass('platform.applied_ddl')").fetchone()
            if row is None or row[0] is None:
                raise DatabaseDownError("Nothing is loaded yet. Begin with: ecommerce-platform up")
            missing = not_applied(connection)
        except psycopg.errors.InsufficientPrivilege:
            return  # a reader may not read the schema platform; a missing table fails when it is read
    if missing:
        raise DatabaseDownError(
            f"The tables are from an earlier version (not applied from sql/ddl: {', '.join(missing)})."
            " Update them with: ecommerce-platform up --no-serve"
        )


def owns_tables(url: str) -> bool:
    """Whether this login may change tables. The logins of services may not; their tables already exist."""
    with psycopg.connect(url) as connection:
        row = connection.execute(
            "select coalesce((select pg_has_role(current_user, nspowner, 'member') from pg_namespace"
            " where nspname = 'platform'), has_database_privilege(current_database(), 'create'))"
        ).fetchone()
    return bool(row and row[0])


@dataclass(frozen=True)
class Login:
    """A login of a service: its name, the role that it may act as (loader or reader), and its password."""

    name: str
    role: str
    password: str


def make_logins(url: str, logins: Sequence[Login]) -> None:
    """Create the services' logins, or update their passwords, and close both databases to other logins.

    A login that acts as ``loader`` becomes the owner of Dagster's database, which runs write to.

    Args:
        url: a libpq URL of the owner, who may create roles and databases.
        logins: the logins.

    Raises:
        DatabaseDownError: a name is reserved.
    """
    name = str(conninfo_to_dict(url)["dbname"])
    dagster = f"{name}_dagster"
    with psycopg.connect(url, autocommit=True) as connection:
        known = {role for (role,) in connection.execute("select rolname from pg_roles")}
        (owner_name,) = connection.execute("select current_user").fetchone() or ("",)
        for login in logins:
            if login.name in (owner_name, "loader", "reader"):
                raise DatabaseDownError(f"{login.name} cannot be the login of a service: the name is reserved")
        for login in logins:
            who = sql.Identifier(login.name)
            # The server and its log never see the password.
            secret = connection.pgconn.encrypt_password(
                login.password.encode(), login.name.encode(), b"scram-sha-256"
            ).decode()
            verb = sql.SQL("alter" if login.name in known else "create")
            rights = sql.SQL("login nosuperuser nocreatedb nocreaterole noreplication nobypassrls inherit")
            connection.execute(sql.SQL("{} role {} {} password {}").format(verb, who, rights, sql.Literal(secret)))
            for other in ("loader", "reader"):
                connection.execute(sql.SQL("revoke {} from {}").format(sql.Identifier(other), who))
            connection.execute(sql.SQL("grant {} to {}").format(sql.Identifier(login.role), who))
        connection.execute(sql.SQL("revoke all on database {} from public").format(sql.Identifier(name)))
        connection.execute(sql.SQL("grant connect, temporary on database {} to loader").format(sql.Identifier(name)))
        connection.execute(sql.SQL("grant connect on database {} to reader").format(sql.Identifier(name)))
        owner = next((login.name for login in logins if login.role == "loader"), None)
        if owner is None:
            return
        databases = {database for (database,) in connection.execute("select datname from pg_database")}
        if dagster not in databases:
            connection.execute(
                sql.SQL("create database {} owner {}").format(sql.Identifier(dagster), sql.Identifier(owner))
            )
        connection.execute(
            sql.SQL("alter database {} owner to {}").format(sql.Identifier(dagster), sql.Identifier(owner))
        )
        connection.execute(sql.SQL("revoke all on database {} from public").format(sql.Identifier(dagster)))
    with psycopg.connect(url, dbname=dagster, autocommit=True) as connection:
        # These tables were created by the owner, before there were logins.
        tables = connection.execute(
            "select oid::regclass::text from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r'"
        ).fetchall()
        for (table,) in tables:
            connection.execute(sql.SQL("alter table {} owner to {}").format(sql.SQL(table), sql.Identifier(owner)))


def drop_databases(settings: Settings) -> None:
    """Drop the platform's database and Dagster's, ending all connections, and recreate the former empty.

    On a cluster, the former keeps its extension and its nodes, and loses its schemas.
    """
    url = database_url(settings)
    name = str(conninfo_to_dict(url)["dbname"])
    with psycopg.connect(url, autocommit=True) as connection:
        keeps = is_cluster(connection)
        if keeps:
            connection.execute(
                "select pg_terminate_backend(pid) from pg_catalog.pg_stat_activity"
                " where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'"
            )
            connection.execute("set client_min_messages = error")
            for schema in (spread_merge.SCHEMA, "change_log", "platform", *LAYERS):
                connection.execute(sql.SQL("drop schema if exists {} cascade").format(sql.Identifier(schema)))
    with psycopg.connect(url, dbname="postgres", autocommit=True) as connection:
        for database in (*([] if keeps else [name]), f"{name}_dagster"):
            connection.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(database)))
        if not keeps:
            connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))


_answered: dict[Settings, str] = {}
"""The URLs that this process has resolved. Checking the server costs as much as a small statement."""


class Database(PostgresConnection):
    """The platform's database as a Dagster resource. An empty ``url`` means the database of the settings."""

    url: str = ""

    def resolve_url(self) -> str:
        """The libpq URL; on first use in a process, starts the embedded server if no other is configured."""
        if self.url:
            return self.url
        settings = load_settings()
        if settings not in _answered:
            _answered[settings] = database_url(settings)
        return _answered[settings]

    @contextmanager
    def connect(self) -> Generator[ClientConnection]:
        """Same as the base, but restart the embedded server before a step is retried."""
        try:
            with super().connect() as connection:
                yield connection
        except RetryRequested:
            # Dagster's records are on the same server: it records the retry there before the step connects again.
            _answered.clear()
            self.resolve_url()
            raise
