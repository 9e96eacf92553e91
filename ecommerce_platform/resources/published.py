"""Publishes tables as files: the extracts as CSV, the reports as JSON.

A file is written from the committed rows, after its table is committed. A run that dies in between leaves the old file;
``verify`` reports that, and the next run writes the file.
"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pandas as pd
from dagster import InputContext, IOManager, OutputContext
from psycopg import sql

from ecommerce_platform.files import json_rows, spreadsheet_csv, write_atomically
from ecommerce_platform.io_managers import Merge
from ecommerce_platform.io_managers.connection import ClientConnection, PostgresConnection
from ecommerce_platform.io_managers.locks import locked
from ecommerce_platform.io_managers.postgres import read_frame, written_by
from ecommerce_platform.resources.stored import retry_if_out_of_reach
from ecommerce_platform.settings import load_settings
from ecommerce_platform.storage import Location


def file_of(table: str) -> Location | None:
    """The file that a table (schema.table) is published as; None for a table that is not published."""
    schema, name = table.split(".")
    settings = load_settings()
    if schema == "analytics":
        return settings.extracts / f"{name}.csv"
    return settings.reports / f"{name}.json" if schema == "monitoring" else None


def publish(connection: ClientConnection, table: str, order: Sequence[tuple], key: Sequence[str]) -> Location:
    """Write the file of a table from its rows, and return its path.

    Args:
        connection: in autocommit mode; uncommitted rows are not visible.
        table: a published table, as schema.table.
        order: the keys of its rows in the order of the file. Rows with other keys come last.
        key: the columns of the key.
    """
    path = file_of(table)
    assert path is not None, f"{table} is not published"
    place = {values: number for number, values in enumerate(order)}
    # Two runs at once must not leave the file of the one that committed first.
    with locked(connection, [f"the file of {table}"]):
        rows = _rows(connection, table)
        places = [place.get(values, len(place)) for values in keys_of(rows, key)]
        write_atomically(path, _content(path, rows.iloc[sorted(range(len(rows)), key=places.__getitem__)]))
    return path


def keys_of(rows: pd.DataFrame, key: Sequence[str]) -> list[tuple]:
    """The key of each row."""
    return list(rows[list(key)].itertuples(index=False, name=None))


def difference(connection: ClientConnection, table: str) -> str | None:
    """A description of the problem with a table's file; None if it holds the table's rows, in any order."""
    path = file_of(table)
    assert path is not None, f"{table} is not published"
    try:
        held = path.read_bytes()
    except FileNotFoundError:
        return "the file is missing"
    except OSError as error:
        return f"the file cannot be read: {error.strerror}"
    try:
        found = _records(path, held)
    except (ValueError, TypeError, RecursionError, csv.Error):
        return "the file cannot be parsed"
    expected = _records(path, _content(path, _rows(connection, table)))
    if found == expected:
        return None
    more, less = (found - expected).total(), (expected - found).total()
    return f"{more:,} rows of the file are not in the table, and {less:,} rows of the table are not in the file"


def _rows(connection: ClientConnection, table: str) -> pd.DataFrame:
    select = sql.SQL("select * from {}").format(sql.Identifier(*table.split(".")))
    return read_frame(connection, select.as_string(connection))


def _content(path: Location, rows: pd.DataFrame) -> bytes:
    return spreadsheet_csv(rows) if path.suffix == ".csv" else json_rows(rows)


def _records(path: Location, content: bytes) -> Counter[str]:
    text = content.decode()
    if path.suffix == ".csv":
        return Counter(json.dumps(row) for row in csv.reader(io.StringIO(text, newline="")))
    return Counter(json.dumps(row, sort_keys=True) for row in json.loads(text))


class PublishingIOManager(IOManager):
    """Stores a DataFrame with another IO manager, then publishes the committed rows as the table's file."""

    def __init__(self, tables: IOManager, database: PostgresConnection):
        self._tables = tables
        self._database = database

    def handle_output(self, context: OutputContext, obj: pd.DataFrame) -> None:
        """Store, then publish."""
        self._tables.handle_output(context, obj)
        mode = written_by(context)
        assert isinstance(mode, Merge)
        with retry_if_out_of_reach(), self._database.connect() as connection:
            path = publish(connection, ".".join(context.asset_key.path), keys_of(obj, mode.key), mode.key)
        context.add_output_metadata({"dagster/uri": path.as_uri()})

    def load_input(self, context: InputContext) -> Any:
        """Load with the other IO manager."""
        return self._tables.load_input(context)
