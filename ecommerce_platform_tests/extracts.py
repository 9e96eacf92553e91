"""What an extract's SELECT returns for the tables of a platform, and sales of a few lines to compute it from."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any

from psycopg.rows import dict_row

from ecommerce_platform.settings import SQL_DIR
from ecommerce_platform_tests.harness import Platform


def extract(platform: Platform, name: str) -> list[dict[str, Any]]:
    """Return the rows of sql/transform/analytics/NAME.sql as dictionaries, in their order."""
    import psycopg

    select = (SQL_DIR / "transform" / "analytics" / f"{name}.sql").read_bytes()
    with psycopg.connect(platform.url, row_factory=dict_row) as connection:
        return connection.execute(select).fetchall()


def fill(platform: Platform, table: str, columns: Iterable[str], rows: Iterable[tuple]) -> None:
    """Insert rows into a table of the warehouse, as if the platform had computed them; other columns get a default.

    Tests of extracts with long histories use it: what fills these tables is tested elsewhere.
    """
    import psycopg
    from psycopg import sql

    names = list(columns)
    statement = sql.SQL("copy {} ({}) from stdin").format(
        sql.Identifier(*table.split(".")), sql.SQL(", ").join(map(sql.Identifier, names))
    )
    with psycopg.connect(platform.url) as connection, connection.cursor().copy(statement) as copy:
        for row in rows:
            copy.write_row(row)


def days_from(first: dt.date, count: int) -> list[dt.date]:
    """Return so many days in a row."""
    return [first + dt.timedelta(days=number) for number in range(count)]
