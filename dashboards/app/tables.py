"""The tables behind the charts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from dash import html

from dashboards.app.cards import Children, link
from dashboards.app.chart_data import Answer, Column
from dashboards.app.formats import count_text, exact, period_label
from dashboards.spec.page_types import Visual

MOST_TABLE_ROWS = 250
"""Maximum number of rows in a table; the CSV file has all of them."""
RIGHT = ("money", "count", "percent", "number")
STATES = {
    "Fresh": "is-good",
    "Late": "is-warning",
    "Stale": "is-bad",
    "Failing": "is-bad",
    "Unknown": "",
    "Passed": "is-good",
    "Warning": "is-warning",
    "Failed": "is-bad",
    "Out of stock": "is-bad",
    "Runs out within 7 days": "is-bad",
    "Runs out within 30 days": "is-warning",
    "Enough": "is-good",
}


def table(
    visual: Visual,
    answer: Answer,
    addresses: Sequence[str],
    chosen: Sequence[bool],
    dagster: str,
    orders: Sequence[str] = (),
) -> html.Div:
    """The rows of an answer as a table.

    The link in the first cell does what a click on the chart does, and the number of orders leads to these.
    """
    rows = answer.rows[:MOST_TABLE_ROWS]
    head = html.Tr(
        [
            html.Th(column.label, scope="col", className="number" if column.format in RIGHT else "")
            for column in answer.columns
        ]
    )
    body = [
        html.Tr(
            [
                _cell(
                    visual,
                    column,
                    cell,
                    place,
                    addresses[row] if addresses else "",
                    chosen[row] if chosen else False,
                    dagster,
                    orders[row] if orders else "",
                )
                for place, (cell, column) in enumerate(zip(cells, answer.columns, strict=True))
            ],
            className="is-chosen" if chosen and chosen[row] else "",
        )
        for row, cells in enumerate(rows)
    ]
    parts: Children = [
        html.Table(
            [html.Caption(visual.title, className="sr"), html.Thead(head), html.Tbody(body)],
            className="table",
        )
    ]
    if len(answer.rows) > len(rows):
        parts.append(
            html.P(
                f"Showing the first {len(rows)} of {count_text(len(answer.rows))} rows."
                " Download the CSV file for all rows.",
                className="hint",
            )
        )
    return html.Div(
        parts,
        className="table-scroll",
        tabIndex=0,
        role="region",
        **{"aria-label": f"{visual.title}, table"},
    )


def _cell(
    visual: Visual, column: Column, cell: Any, place: int, address: str, is_chosen: bool, dagster: str, orders: str
) -> Any:
    text = exact(cell, column.format)
    if column.id in ("period", "month", "cohort"):
        text = period_label(str(cell))
    content: Any = text
    if column.id in ("state", "result", "stock_status") and text in STATES:
        content = html.Span(text, className=f"badge {STATES[text]}")
    elif place == 0 and address:
        content = link(text, address, "row-link", **({"aria-current": "true"} if is_chosen else {}))
    elif column.id == "orders" and orders and cell:
        content = link(text, orders, "row-link", title="Show these orders")
    elif visual.id == "failing_checks" and place == 0:
        target = f"{dagster}/assets/{quote(text.replace('.', '/'))}?view=checks"
        content = html.A(text, href=target, target="_blank", rel="noopener")
    if place == 0:
        return html.Th(content, scope="row", className=_class(column))
    return html.Td(content, className=_class(column))


def _class(column: Column) -> str:
    """The class of a cell: numbers are on the right, and days stay in one line."""
    if column.format in ("day", "moment"):
        return "moment"
    return "number" if column.format in RIGHT else ""
