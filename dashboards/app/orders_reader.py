"""Reads about some orders what the snapshot does not keep: their IDs where these are texts, and their lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from dashboards.app.chart_data import Answer, Cell, csv_text
from dashboards.app.orders import COLUMNS, LINE_COLUMNS, OrdersAnswer, order_chunks
from dashboards.app.selection import Selection
from dashboards.app.snapshot_reader import reading
from ecommerce_platform.io_managers.connection import ClientConnection, PostgresConnection

CODES = "select key, code from warehouse.order_codes where key = any(%s)"
KEY = "select key from warehouse.order_codes where code = %s"
LINES = """
select latest.product_name, facts.quantity, facts.unit_price, facts.discount_amount, facts.revenue
from warehouse.fact_sales as facts
inner join warehouse.dim_product as versions on facts.product_key = versions.product_key
inner join warehouse.dim_product as latest on versions.product_id = latest.product_id and latest.is_current
where facts.transaction_id = %s
order by facts.item_id
"""


def with_details(answer: OrdersAnswer, connection: PostgresConnection) -> OrdersAnswer:
    """A page of orders with their IDs as the shop writes them, and with the lines of the one that is opened.

    Raises:
        DatabaseError: the database cannot be read.
    """
    if answer.opened is None and not has_texts(answer.keys):
        return answer
    with reading(connection) as source:
        rows = rows_with_codes(answer.keys, answer.rows, source)
        if answer.opened is None:
            return replace(answer, rows=rows)
        lines = source.execute(LINES, (answer.opened,)).fetchall()
    return replace(answer, rows=rows, lines=Answer(LINE_COLUMNS, tuple(lines)))


def has_texts(keys: Sequence[int]) -> bool:
    """Whether an order has a text as its ID; a number is its own key."""
    return any(key < 0 for key in keys)


def rows_with_codes(
    keys: Sequence[int], rows: tuple[tuple[Cell, ...], ...], source: ClientConnection
) -> tuple[tuple[Cell, ...], ...]:
    """Rows of orders with their IDs as the shop writes them; only texts are read."""
    texts = [key for key in keys if key < 0]
    if not texts:
        return rows
    codes: Mapping[int, str] = dict(source.execute(CODES, (texts,)).fetchall())
    return tuple((codes.get(key, row[0]), *row[1:]) for key, row in zip(keys, rows, strict=True))


def key_of(code: str, connection: PostgresConnection) -> int | None:
    """The key of the order with a text as its ID; None if there is none.

    Raises:
        DatabaseError: the database cannot be read.
    """
    with reading(connection) as source:
        row = source.execute(KEY, (code,)).fetchone()
    return row[0] if row else None


def orders_csv(selection: Selection, sort: str, connection: PostgresConnection) -> Iterator[str]:
    """All orders in view as CSV with a header line, some thousands at a time, safe to open in a spreadsheet.

    Raises:
        DatabaseError: the database cannot be read.
    """
    yield csv_text([[column.id for column in COLUMNS]])
    for keys, rows in order_chunks(selection, sort):
        # A slow download keeps no connection open between two parts.
        if has_texts(keys):
            with reading(connection) as source:
                rows = rows_with_codes(keys, rows, source)
        yield csv_text(rows)
