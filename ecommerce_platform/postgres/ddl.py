"""Applies sql/ddl to a database, in file order, each file in one transaction, and records the applied files.

A file that was applied is never run again. To change a table, add a file. A file whose first line begins with
``-- repeatable:`` only replaces objects (functions, views, comments, grants): it runs again when its text changes, and
whenever an earlier file runs, because views and grants depend on the tables.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import psycopg

from ecommerce_platform.settings import SQL_DIR

DDL_DIR = SQL_DIR / "ddl"


class DdlError(RuntimeError):
    """The database cannot be brought up to date with sql/ddl. The message names the file and what to do."""


def apply_ddl(url: str, folder: Path = DDL_DIR) -> Sequence[str]:
    """Bring a database up to date; safe to run concurrently from several processes.

    Args:
        url: a libpq URL of the owner.
        folder: the numbered files.

    Returns:
        The names of the files that were run.

    Raises:
        DdlError: an applied file has changed, or a file fails.
    """
    applied: list[str] = []
    with psycopg.connect(url, autocommit=True, options="-c client_min_messages=error -c TimeZone=UTC") as connection:
        connection.execute("select pg_advisory_lock(hashtextextended('ecommerce-platform ddl', 0))")
        connection.execute("create schema if not exists platform")
        connection.execute(
            "create table if not exists platform.applied_ddl (file text primary key, sha256 text not null,"
            " applied_at timestamptz not null default now())"
        )
        known = dict(connection.execute("select file, sha256 from platform.applied_ddl").fetchall())
        for path in sorted(folder.glob("*.sql")):
            text = path.read_text(encoding="utf-8")
            digest = hashlib.sha256(text.encode()).hexdigest()
            is_repeatable = text.startswith("-- repeatable:")
            if known.get(path.name) == digest and not (is_repeatable and applied):
                continue
            if path.name in known and not is_repeatable:
                raise DdlError(
                    f"sql/ddl/{path.name} has changed since it was applied to this database: put the change in a"
                    " new file, or start over with `ecommerce-platform db reset`"
                )
            _run(connection, path.name, text, digest)
            applied.append(path.name)
    return applied


def not_applied(connection: psycopg.Connection, folder: Path = DDL_DIR) -> Sequence[str]:
    """The files not yet applied to a database that has some of the DDL; changed repeatable files are not included."""
    known = {name for (name,) in connection.execute("select file from platform.applied_ddl")}
    return [path.name for path in sorted(folder.glob("*.sql")) if path.name not in known]


def _run(connection: psycopg.Connection, name: str, text: str, digest: str) -> None:
    try:
        with connection.transaction():
            connection.execute(text.encode())
            connection.execute(
                "insert into platform.applied_ddl (file, sha256) values (%s, %s)"
                " on conflict (file) do update set sha256 = excluded.sha256, applied_at = now()",
                (name, digest),
            )
    except psycopg.Error as error:
        raise DdlError(f"sql/ddl/{name}: {error}") from error
