"""One more day as plain SQL: what ``bench`` compares the platform's day with.

Two days are loaded by the platform, which records each statement of its assets, and the rows that it copies. psql then
replays both on a copy of the database from before them, and the second is timed: its files, and the same incremental
statements, one after the other, in one session. The replayed tables must equal the platform's.
"""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from ecommerce_platform.io_managers.connection import SESSION_OPTIONS
from ecommerce_platform.layers import LAYERS

if TYPE_CHECKING:
    from ecommerce_platform.cli.bench import Workplace

RECORDED = tuple(f"{layer}__" for layer in LAYERS if layer != "raw")
"""How the names of the steps begin whose statements are recorded."""

FIRST_AFTER_STAGING = "production__loaded_days"


def measure(workplace: Workplace, url: str, first: dt.date) -> float:
    """The seconds that psql takes for the second of two days; the first fills the server's cache.

    Args:
        workplace: a platform whose history ends with the day before ``first``. The two days are loaded.
        url: its database.
        first: the first of the two days.

    Raises:
        BenchError: a statement failed, or the replayed tables differ from the platform's.
    """
    from ecommerce_platform.cli.bench import require_equal, run_psql
    from ecommerce_platform.postgres.embedded import EmbeddedPostgres

    server = EmbeddedPostgres(workplace.data / "postgres")
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        template = sql.Identifier(str(conninfo_to_dict(url)["dbname"]))
        connection.execute(sql.SQL("create database replayed template {}").format(template))
    seconds = 0.0
    for day in (first, first + dt.timedelta(days=1)):
        script = workplace.folder / f"{day}.sql"
        workplace.child("record", day, script)
        _moments_file(script).write_text(_moments(url, day), encoding="utf-8")
        seconds = run_psql(server, server.url("replayed"), script, in_one_transaction=False)
    require_equal(url, server.url("replayed"), "the replayed days")
    workplace.drop(url, "replayed")
    return seconds


def _moments_file(script: Path) -> Path:
    return script.with_suffix(".moments.sql")


def _moments(url: str, day: dt.date) -> str:
    """The statement that gives a day's slices the moments at which the platform wrote them: production names these."""
    with psycopg.connect(url) as connection:
        written = connection.execute(
            "select table_name, written_at::text from platform.slices where slice = %s", (day,)
        ).fetchall()
    values = ", ".join(f"('{table}', timestamptz '{moment}')" for table, moment in written)
    return (
        f"update platform.slices set written_at = moment from (values {values}) as written (name, moment)"
        f" where table_name = name and slice = '{day}';\n"
    )


@contextmanager
def recording(path: Path) -> Generator[None]:
    """Record what the steps of this process's runs ask PostgreSQL for, as a script for psql.

    Steps run one at a time meanwhile, so that a session may replay them in the same order.
    """
    from ecommerce_platform.instance import side_by_side

    with path.open("wb") as script:
        for name, value in SESSION_OPTIONS.items():
            script.write(f"set {name} = '{value}';\n".encode())
        script.write(b"set role loader;\n")
        original = psycopg.connect, psycopg.ClientCursor, side_by_side.AT_ONCE
        psycopg.connect, psycopg.ClientCursor = _recording_classes(script)
        side_by_side.AT_ONCE = 1
        try:
            yield
        finally:
            psycopg.connect, psycopg.ClientCursor, side_by_side.AT_ONCE = original


def _recording_classes(script: IO[bytes]) -> tuple[Any, Any]:
    """How to connect, and the class of cursors, so that each statement is written to the script."""

    def is_recorded() -> bool:
        return threading.current_thread().name.startswith(RECORDED)

    includes = iter([f"\\i '{_moments_file(Path(script.name))}'\n".encode()])

    def record(statement: bytes | str) -> None:
        if is_recorded():
            if threading.current_thread().name == FIRST_AFTER_STAGING:
                script.writelines(includes)
            script.write((statement.encode() if isinstance(statement, str) else statement) + b"\n;\n")

    class RecordedConnection(psycopg.Connection[Any]):
        def _exec_command(self, command: Any, *arguments: Any, **named: Any) -> Any:
            record(command.as_bytes(self) if hasattr(command, "as_bytes") else command)
            return (yield from super()._exec_command(command, *arguments, **named))

    class RecordedCursor(psycopg.ClientCursor[Any]):
        def execute(self, query: Any, params: Any = None, **named: Any) -> Any:
            record(self.mogrify(query, params))
            return super().execute(query, params, **named)

        @contextmanager
        def copy(self, statement: Any, params: Any = None, **named: Any) -> Generator[Any]:
            text = self.mogrify(statement, params)
            record(text)
            with super().copy(statement, params, **named) as copy:
                if " from stdin" in text and is_recorded():
                    yield _RecordedCopy(copy, script)
                    script.write(b"\\.\n")
                else:
                    yield copy

    return RecordedConnection.connect, RecordedCursor


class _RecordedCopy:
    """The rows of a COPY, which psql finds below its statement."""

    def __init__(self, copy: Any, script: IO[bytes]):
        self._copy = copy
        self._script = script

    def write(self, text: Any) -> None:
        self._script.write(text)
        self._copy.write(text)
