"""Loads a database as the assets do, but without Dagster, from files that a test writes.

Rows are plain dictionaries of text, as in a file: :func:`customer`, :func:`product`, :func:`order`, :func:`line`, and
:func:`returned` fill in the fields that are irrelevant to a test.
"""

from __future__ import annotations

import csv
import datetime as dt
import graphlib
import io
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import psycopg
from dagster import AssetsDefinition
from psycopg import sql

from ecommerce_platform.assets import production, warehouse
from ecommerce_platform.assets.staging import STAGED, feed_rows, new_loads
from ecommerce_platform.checks.gate import latest_slices
from ecommerce_platform.checks.outcome import IS_LATEST_LOAD
from ecommerce_platform.feeds.columns import FEEDS, OPTIONAL_COLUMNS
from ecommerce_platform.feeds.files import feed_file_name, write_feed_file
from ecommerce_platform.io_managers import PostgresConnection, ReplaceSlice
from ecommerce_platform.io_managers.bulk import is_empty
from ecommerce_platform.io_managers.connection import ClientConnection, close_idle_connections
from ecommerce_platform.io_managers.lookup import describe
from ecommerce_platform.io_managers.modes import Merge, Query, Window, WriteResult, write_mode
from ecommerce_platform.io_managers.writes import write
from ecommerce_platform.tables.asset import table_query
from ecommerce_platform.tables.lineage import tables_read
from ecommerce_platform.tables.loaded_days import covers_all_days

Row = Mapping[str, str]

FIRST = dt.date(2024, 1, 1)


def day(number: int) -> dt.date:
    """Return the n-th business day of a test, starting at 1."""
    return FIRST + dt.timedelta(days=number - 1)


def customer(customer_id: int | str = 1, *, on: int = 1, at: str = "10:00:00", **fields: str) -> Row:
    """Return an image of a customer that changed on the n-th day, at the given time."""
    return {
        "customer_id": str(customer_id),
        "first_name": "Ada",
        "last_name": "Byron",
        "email": "ada@example.com",
        "phone": "",
        "date_of_birth": "1990-05-05",
        "street_address": "1 Main St",
        "city": "Austin",
        "state": "TX",
        "postal_code": "73301",
        "country": "US",
        "registered_on": day(1).isoformat(),
        "updated_at": f"{day(on)}T{at}Z",
        **fields,
    }


def product(product_id: int | str = 1, *, on: int = 1, at: str = "09:00:00", **fields: str) -> Row:
    """Return an image of a product that changed on the n-th day, at the given time."""
    return {
        "product_id": str(product_id),
        "product_name": f"Thing {product_id}",
        "category": "Electronics",
        "sub_category": "Audio",
        "brand": "Acme",
        "price": "10.00",
        "cost": "6.00",
        "stock_quantity": "5",
        "supplier_id": "1",
        "updated_at": f"{day(on)}T{at}Z",
        **fields,
    }


def order(
    transaction_id: int | str, customer_id: int | str = 1, *, on: int = 1, total: str = "10.00", **fields: str
) -> Row:
    """Return an order of the n-th day; a guest's if ``customer_id`` is blank."""
    return {
        "transaction_id": str(transaction_id),
        "customer_id": str(customer_id),
        "transaction_date": day(on).isoformat(),
        "transaction_time": "12:00:00",
        "payment_method": "Credit Card",
        "shipping_address": "1 Main St",
        "shipping_city": "Austin",
        "shipping_state": "TX",
        "total_amount": total,
        **fields,
    }


def line(
    transaction_id: int | str,
    item_id: int | str,
    product_id: int | str = 1,
    *,
    quantity: int = 1,
    price: str = "10.00",
    **fields: str,
) -> Row:
    """Return an order line without a discount."""
    return {
        "item_id": str(item_id),
        "transaction_id": str(transaction_id),
        "product_id": str(product_id),
        "quantity": str(quantity),
        "unit_price": price,
        "discount_amount": "0.00",
        "line_total": f"{quantity * float(price):.2f}",
        **fields,
    }


def returned(
    transaction_id: int, item_id: int, return_id: int = 1, *, on: int = 1, quantity: int = 1, **fields: str
) -> Row:
    """Return a return of an order line on the n-th day."""
    return {
        "return_id": str(return_id),
        "transaction_id": str(transaction_id),
        "item_id": str(item_id),
        "returned_on": day(on).isoformat(),
        "quantity": str(quantity),
        "refund_amount": f"{quantity * 10}.00",
        "reason": "Wrong size",
        **fields,
    }


def csv_bytes(columns: Sequence[str], rows: Iterable[Row]) -> bytes:
    """Return rows as the text of a file, with a header and ``\\n`` line ends."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


@cache
def table_assets() -> dict[str, AssetsDefinition]:
    """Return the assets that are filled by a SELECT, in topological order."""
    assets = {
        ".".join(asset.key.path): asset
        for module in (production, warehouse)
        for asset in vars(module).values()
        if isinstance(asset, AssetsDefinition)
    }
    graph = {table: [name for name in tables_read(table) if name in assets] for table in sorted(assets)}
    return {table: assets[table] for table in graphlib.TopologicalSorter(graph).static_order()}


def mode_of(table: str) -> Merge | ReplaceSlice:
    """Return the write strategy of a table."""
    asset = table_assets()[table]
    metadata: Any = asset.metadata_by_key[asset.key]["write"]
    return write_mode(getattr(metadata, "data", metadata))


class Platform:
    """A raw folder and a database; loads days from the folder into the database."""

    def __init__(self, url: str, raw: Path):
        self.url = url
        self.raw = raw
        self._connection = PostgresConnection(url=url, role="loader")
        self._loads = 0

    def export(self, number: int, **feeds: Sequence[Row]) -> None:
        """Write the files of the n-th day; feeds that are not given are empty."""
        for feed, columns in FEEDS.items():
            rows = feeds.get(feed, ())
            more = [name for name in OPTIONAL_COLUMNS.get(feed, ()) if any(name in row for row in rows)]
            content = csv_bytes([*columns, *more], rows)
            write_feed_file(feed_file_name(self.raw, feed, day(number)), content)

    def run(self, first: int, last: int | None = None, only: Sequence[str] | None = None) -> dict[str, WriteResult]:
        """Load a range of days from their files in one run: all tables, or only the given ones, in their order.

        A century of days takes a third of a first load, so dim_date is left out of "all tables" once it is filled.
        """
        last = first if last is None else last
        window = Window(day(first), day(last + 1))
        days = [day(number) for number in range(first, last + 1)]
        self._loads += 1
        moment = dt.datetime(2030, 1, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=self._loads)
        results: dict[str, WriteResult] = {}
        with self._connection.connect() as connection:
            for feed in FEEDS:
                table = describe(connection, "staging", feed)
                if only is None or table.full_name in only:
                    loads = dict(zip(days, new_loads(connection, len(days)), strict=True))
                    rows = feed_rows(self.raw, feed, loads, moment, table.columns)
                    results[table.full_name] = write(connection, table, STAGED, rows, window)
            for name in self._tables(connection) if only is None else [name for name in only if name in table_assets()]:
                table = describe(connection, *name.split("."))
                results[name] = write(connection, table, mode_of(name), self._query(connection, name, window), window)
        close_idle_connections()  # in production, the run process exits here
        return results

    @staticmethod
    def _tables(connection: ClientConnection) -> Iterable[str]:
        is_filled = not is_empty(connection, describe(connection, "warehouse", "dim_date"))
        return [name for name in table_assets() if name != "warehouse.dim_date" or not is_filled]

    @staticmethod
    def _query(connection: ClientConnection, name: str, window: Window) -> Query:
        extra = {"judged": latest_slices(connection, window)} if name == "production.loaded_days" else {}
        return table_query(name, window, extra, is_full_refresh=covers_all_days(connection, window))

    def load(self, number: int, **feeds: Sequence[Row]) -> dict[str, WriteResult]:
        """Export one day and load it."""
        self.export(number, **feeds)
        return self.run(number)

    def rows(self, statement: str, *parameters: object) -> list[tuple]:
        """Run a SELECT as the owner."""
        with psycopg.connect(self.url) as connection:
            return connection.execute(statement, parameters).fetchall()  # type: ignore[arg-type]

    def execute(self, statement: str, *parameters: object) -> None:
        """Run a statement as the owner, as in psql."""
        with psycopg.connect(self.url) as connection:
            connection.execute(statement, parameters)  # type: ignore[arg-type]

    def content(self, table: str, without: Sequence[str] = ("loaded_at", "load_id")) -> list[tuple]:
        """Return all rows of a table as text, in a fixed order, without the columns that record when it was loaded.

        For staging, only the latest load of each day: a load that it replaced may still be in the table.
        """
        with self._connection.connect() as connection:
            columns = [name for name in describe(connection, *table.split(".")).columns if name not in without]
        names = sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(name)) for name in columns)
        with psycopg.connect(self.url) as connection:
            return connection.execute(
                sql.SQL("select {names} from {table} where {latest} order by {names}").format(
                    names=names,
                    table=sql.Identifier(*table.split(".")),
                    latest=sql.SQL(IS_LATEST_LOAD if table.startswith("staging.") else "true"),
                )
            ).fetchall()
