"""``db``: manages the database on the embedded server, or on the one in ECOMMERCE_DATABASE_URL."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import Any

import click

from ecommerce_platform.cli.preparation import prepare
from ecommerce_platform.cli.terminal import console, one_clear_error
from ecommerce_platform.settings import load_settings


@click.group()
def db() -> None:
    """Manage the database on the embedded server, or on the one in ECOMMERCE_DATABASE_URL."""


@db.command("start")
@one_clear_error
def db_start() -> None:
    """Start the embedded server and bring its tables up to date."""
    settings = load_settings()
    prepare(settings)
    console.print("PostgreSQL is running.")


class LoginOption(click.ParamType):
    """A login of a service, written NAME:ROLE:FILE; the file holds its password."""

    name = "login"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Parse the option, and read the password."""
        from ecommerce_platform.resources.database import Login

        parts = str(value).split(":", 2)
        if (
            len(parts) != 3
            or parts[1] not in ("loader", "reader")
            or not re.fullmatch(r"[a-z_][a-z0-9_]{0,62}", parts[0])
        ):
            self.fail(f"{value!r} is not NAME:loader:FILE or NAME:reader:FILE", param, ctx)
        try:
            password = Path(parts[2]).read_text(encoding="utf-8").strip()
        except OSError as error:
            self.fail(f"{parts[2]}: {error.strerror}", param, ctx)
        if len(password) < 12:
            self.fail(f"{parts[2]}: the password must have at least 12 characters", param, ctx)
        return Login(parts[0], parts[1], password)


@db.command("prepare")
@click.option(
    "--login",
    "logins",
    type=LoginOption(),
    multiple=True,
    help="NAME:ROLE:FILE, for a service; see docs/deployment.md.",
)
@one_clear_error
def db_prepare(logins: tuple[Any, ...]) -> None:
    """Create or upgrade the tables, and create logins for services. Loads no data."""
    from ecommerce_platform.resources.database import database_url, make_logins

    settings = load_settings()
    prepare(settings)
    if logins:
        make_logins(database_url(settings), logins)
    console.print(f"The tables are ready. Logins created or updated: {len(logins)}.")


@db.command("stop")
@one_clear_error
def db_stop() -> None:
    """Stop the embedded server. The data is not deleted."""
    settings = load_settings()
    if settings.database_url is not None:
        raise click.UsageError("ECOMMERCE_DATABASE_URL is not the embedded server: stop that server where it runs.")
    from ecommerce_platform.resources.database import embedded_server

    console.print("PostgreSQL has stopped." if embedded_server(settings).stop() else "PostgreSQL was not running.")


@db.command("url")
@one_clear_error
def db_url() -> None:
    """Print the database URL for libpq programs. It may contain the password; db psql keeps it out of process lists."""
    from ecommerce_platform.resources.database import database_url

    click.echo(database_url(load_settings()))


@db.command("psql", context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@one_clear_error
def db_psql(arguments: tuple[str, ...]) -> None:
    """Open psql on the database; further arguments are passed to psql: db psql -- -c 'select 1'."""
    _run_client("psql", arguments)


@db.command("dump", context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@one_clear_error
def db_dump(arguments: tuple[str, ...]) -> None:
    """Back up the database with pg_dump; arguments are passed to it: db dump -- --format=custom --file=backup.dump."""
    _run_client("pg_dump", (*_without_the_cluster(), *arguments))


def _without_the_cluster() -> tuple[str, ...]:
    """What leaves the cluster itself out of a dump: to restore its extension would forget the nodes."""
    import psycopg

    from ecommerce_platform.io_managers.cluster import is_cluster
    from ecommerce_platform.io_managers.spread_merge import SCHEMA
    from ecommerce_platform.resources.database import database_url

    settings = load_settings()
    if settings.database_url is None:
        return ()
    with psycopg.connect(database_url(settings)) as connection:
        if not is_cluster(connection):
            return ()
        # pg_dump has an option that excludes extensions since PostgreSQL 17 only.
        others = connection.execute(
            "select extname from pg_catalog.pg_extension where extname !~ '^citus' and extname <> 'plpgsql' order by 1"
        ).fetchall()
    return (*(f"--extension={name}" for (name,) in others), f"--exclude-schema={SCHEMA}")


@db.command("restore", context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@one_clear_error
def db_restore(arguments: tuple[str, ...]) -> None:
    """Restore a backup with pg_restore; arguments are passed to it: db restore -- --clean --if-exists backup.dump."""
    _run_client("pg_restore", arguments)


def _run_client(name: str, arguments: tuple[str, ...]) -> None:
    """Replace this process with a client program of PostgreSQL, connected to the database.

    For another server than the embedded one, the programs installed on the machine more likely match its version.
    """
    from psycopg.conninfo import conninfo_to_dict, make_conninfo

    from ecommerce_platform.resources.database import database_url, embedded_server

    settings = load_settings()
    theirs = shutil.which(name) if settings.database_url is not None else None
    program = theirs or str(embedded_server(settings).binary(name))
    # A password on the command line would appear in process lists.
    parts: dict[str, Any] = dict(conninfo_to_dict(database_url(settings)))
    password = parts.pop("password", None)
    environment = {**os.environ, **({"PGPASSWORD": str(password)} if password else {})}
    os.execve(program, [program, f"--dbname={make_conninfo(**parts)}", *arguments], environment)  # noqa: S606


@db.command("reset")
@click.confirmation_option(prompt="This deletes every table and Dagster's history. Continue?")
@one_clear_error
def db_reset() -> None:
    """Delete the platform's and Dagster's databases, and recreate them empty."""
    settings = load_settings()
    from ecommerce_platform.resources.database import drop_databases

    drop_databases(settings)
    prepare(settings)
    console.print("The database is empty. Load it with: ecommerce-platform up")
