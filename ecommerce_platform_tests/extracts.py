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


def publish(platform: Platform, names: Iterable[str]) -> None:
    """Fill tables of the schema analytics with what the SELECTs of their extracts return."""
    for name in names:
        rows = extract(platform, name)
        if rows:
            fill(platform, f"analytics.{name}", rows[0], [tuple(row.values()) for row in rows])


def publish_forecast(platform: Platform) -> None:
    """Fill the forecast with the last week repeated, as the package that computes it is optional."""
    platform.execute(
        """
        insert into analytics.sales_forecast
        select
            last.day + ahead,
            past.revenue,
            past.revenue * 0.8,
            past.revenue * 1.2,
            past.revenue * 0.6,
            past.revenue * 1.5,
            'Seasonal naive (week)',
            last.day - 400,
            last.day
        from (select max(sale_date) as day from warehouse.agg_daily_sales) as last
        cross join generate_series(1, 30) as ahead
        inner join warehouse.agg_daily_sales as past on past.sale_date = last.day - 6 + (ahead - 1) %% 7
        """
    )
