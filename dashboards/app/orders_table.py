"""A page of orders as a table: headings that sort, orders that open, and links to the other pages."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from dash import html

from dashboards.app.cards import Children, link
from dashboards.app.chart_data import Answer, Column
from dashboards.app.filters import NEWEST_FIRST, SORTS, View
from dashboards.app.formats import count_text, exact
from dashboards.app.orders import PAGE_ROWS, OrdersAnswer
from dashboards.app.tables import MOST_TABLE_ROWS, RIGHT
from ecommerce_platform.schemas.domains import GUEST


def orders_table(answer: OrdersAnswer, path: str, view: View) -> html.Div:
    """The orders of a page, with the lines of the one that is opened."""
    columns = answer.columns
    body: Children = []
    for key, cells in zip(answer.keys, answer.rows, strict=True):
        is_open = key == answer.opened
        target = replace(view, order=None, page=answer.page) if is_open else replace(view, order=key, page=1)
        body.append(
            html.Tr(
                [
                    _cell(column, cell, path + target.query(), is_open, path, view)
                    for column, cell in zip(columns, cells, strict=True)
                ],
                className="is-chosen" if is_open else "",
            )
        )
        if is_open and answer.lines is not None:
            body.append(html.Tr(html.Td(_lines(answer.lines, str(cells[0])), colSpan=len(columns)), className="opened"))
    head = html.Thead(html.Tr([_heading(column, path, view) for column in columns]))
    table = html.Table([html.Caption("Orders", className="sr"), head, html.Tbody(body)], className="table")
    scroll = html.Div(
        table,
        # Another page is another table, which starts at its top.
        key=f"{answer.page} {view.sort}",
        className="table-scroll",
        tabIndex=0,
        role="region",
        **{"aria-label": "Orders, table"},
    )
    return html.Div([scroll, _pager(answer, path, view)], className="orders")


def _cell(column: Column, cell: Any, address: str, is_open: bool, path: str, view: View) -> Any:
    text = exact(cell, column.format)
    if column.id == "order":
        name = f"{'Hide' if is_open else 'Show'} the lines of order {text}"
        return html.Th(
            link(text, address, "row-link", **{"aria-expanded": str(is_open).lower(), "title": name}), scope="row"
        )
    if column.id == "customer" and text != GUEST:
        filters = view.filters.with_member("customer", text)
        return html.Td(link(text, path + view.with_filters(filters).query(), "row-link"))
    return html.Td(text, className="number" if column.format in RIGHT else "")


def _heading(column: Column, path: str, view: View) -> html.Th:
    """A heading with a link that sorts by its column: numbers and days begin with the highest, texts with the first."""
    name = "number" if column.format in RIGHT else ""
    if column.id not in SORTS:
        return html.Th(column.label, scope="col", className=name)
    now = view.sort or NEWEST_FIRST
    is_here, is_descending = now.removeprefix("-") == column.id, now.startswith("-")
    down = not is_descending if is_here else column.format != "text"
    sort = ("-" if down else "") + column.id
    target = replace(view, sort="" if sort == NEWEST_FIRST else sort, page=1, order=None)
    text: Children = [column.label]
    if is_here:
        text.append(html.Span(" ▼" if is_descending else " ▲", **{"aria-hidden": "true"}))
    state: dict[str, Any] = {"aria-sort": "descending" if is_descending else "ascending"} if is_here else {}
    return html.Th(link(text, path + target.query(), "sort"), scope="col", className=name, **state)


def _lines(lines: Answer, order: str) -> html.Table:
    head = [
        html.Th(column.label, scope="col", className="number" if column.format in RIGHT else "")
        for column in lines.columns
    ]
    body = [
        html.Tr(
            [
                html.Td(exact(cell, column.format), className="number" if column.format in RIGHT else "")
                for cell, column in zip(cells, lines.columns, strict=True)
            ]
        )
        for cells in lines.rows[:MOST_TABLE_ROWS]
    ]
    caption = f"Lines of order {order}"
    if len(lines.rows) > MOST_TABLE_ROWS:
        caption += f": the first {MOST_TABLE_ROWS} of {count_text(len(lines.rows))}"
    parts = [html.Caption(caption), html.Thead(html.Tr(head)), html.Tbody(body)]
    return html.Table(parts, className="table order-lines")


def _pager(answer: OrdersAnswer, path: str, view: View) -> html.Nav:
    first = (answer.page - 1) * PAGE_ROWS + 1
    last = first + len(answer.rows) - 1
    parts: Children = [
        html.Span(
            f"{count_text(first)}–{count_text(last)} of {count_text(answer.count)} orders",
            className="pager-count",
        )
    ]
    targets = [("First", 1), ("Previous", answer.page - 1), ("Next", answer.page + 1), ("Last", answer.pages)]
    for name, page in targets if answer.pages > 1 else ():
        is_there = 1 <= page <= answer.pages and page != answer.page
        address = path + replace(view, page=page, order=None).query()
        if is_there:
            parts.append(link(name, address, "pager-link", **{"aria-label": f"{name} page"}))
        else:
            parts.append(html.Span(name, className="pager-link", **{"aria-hidden": "true"}))
        if name == "Previous":
            parts.append(
                html.Span(f"Page {count_text(answer.page)} of {count_text(answer.pages)}", className="pager-here")
            )
    return html.Nav(parts, className="pager", **{"aria-label": "Pages of orders"})
