"""Every number of the pages, and the orders behind each, compared with SQL on fact_sales for any filters.

``HYPOTHESIS_EXAMPLES`` sets the number of combinations of each test.
"""

from __future__ import annotations

import datetime as dt
import os
import random
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from dashboards.app.answers import Answers
from dashboards.app.drill import orders_of_rows
from dashboards.app.filters import COMPARISONS, NEWEST_FIRST, SORTS, Filters, View, parse
from dashboards.app.orders import order_chunks
from dashboards.app.snapshot import Snapshot
from dashboards.spec.fields import FILTERS, HIERARCHIES
from dashboards.spec.pages import ORDERS, PAGES
from ecommerce_platform_tests.dashboard_sql import Expected, Shown
from ecommerce_platform_tests.integration import test_dashboard_numbers as numbers

EXAMPLES = int(os.environ.get("HYPOTHESIS_EXAMPLES", "40"))
LENGTHS = (0, 1, 6, 29, 89, 200, 430)
"""Days from the first to the last day of a range."""
ORDERS_OF_SQL = (
    "transaction_id, sale_date, state, coalesce(customer, 'Guest'), payment, count(*), sum(quantity), sum(revenue)",
    "group by transaction_id, sale_date, state, customer, payment",
)


class Lines(tuple[dict[str, Any], ...]):
    """Some order lines, without their content in the report of a failure."""

    def __repr__(self) -> str:
        return f"{len(self)} lines"


@pytest.fixture(scope="module")
def lines(connection: psycopg.Connection) -> Lines:
    """Some order lines. Filters are drawn from one of them, so that most combinations have orders."""
    columns = ", ".join(FILTERS)
    found = connection.execute(
        f"select sale_date, {columns} from wide order by md5(transaction_id::text), product limit 500".encode()
    ).fetchall()
    return Lines(dict(zip(["day", *FILTERS], row, strict=True)) for row in found)


@st.composite
def views(draw: st.DrawFn, snapshot: Snapshot, lines: Lines) -> View:
    """Dates, up to four filters, and a level of each hierarchy; one filter in ten has a member of any other order."""
    line = draw(st.sampled_from(lines))
    length = draw(st.sampled_from(LENGTHS))
    start = max(snapshot.first_day, line["day"] - dt.timedelta(days=draw(st.integers(0, length))))
    end = min(snapshot.last_day, start + dt.timedelta(days=length))
    period = draw(st.sampled_from((None, None, 4, 7, 10)))
    filters = Filters(start=start, end=end, period=period and line["day"].isoformat()[:period])
    for name in draw(st.lists(st.sampled_from(FILTERS), max_size=4, unique=True)):
        other = draw(st.sampled_from(lines)) if draw(st.integers(0, 9)) == 0 else line
        if other[name] is not None:
            filters = filters.with_member(name, other[name])
    levels = tuple(
        (name, draw(st.sampled_from(hierarchy.levels)))
        for name, hierarchy in HIERARCHIES.items()
        if draw(st.booleans())
    )
    return View(filters, levels, compare=draw(st.sampled_from(COMPARISONS)))


def orders_of(selection: Any, sort: str = "") -> list[tuple]:
    """The orders that a page lists: their keys and their rows without the ID."""
    return [
        (key, *row[1:]) for keys, rows in order_chunks(selection, sort) for key, row in zip(keys, rows, strict=True)
    ]


def orders_in_sql(snapshot: Snapshot, connection: psycopg.Connection, query: str) -> list[tuple]:
    """The orders that SQL finds, the newest first."""
    columns, group = ORDERS_OF_SQL
    found = Expected(connection, query, snapshot.first_day, snapshot.last_day).rows(
        columns, f"{group} order by sale_date desc, transaction_id desc"
    )
    return [(key, on, snapshot.name("state", state), *rest) for key, on, state, *rest in found]


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_the_orders_behind_every_number_are_those_of_sql(
    snapshot: Snapshot, connection: psycopg.Connection, lines: Lines, data: st.DataObject
) -> None:
    """All links of all charts lead to as many orders as the chart counts, and one link per chart to the very ones."""
    view = data.draw(views(snapshot, lines))
    pick = random.Random(data.draw(st.integers(0, 2**32)))
    answers = Answers(snapshot, view)
    listed = orders_of(answers.everything)
    assert listed == orders_in_sql(snapshot, connection, view.query())
    event("with orders" if listed else "without orders")
    sort = data.draw(st.sampled_from([f"{sign}{name}" for sign in ("", "-") for name in SORTS]))
    if sort != NEWEST_FIRST:
        assert sorted(orders_of(answers.everything, sort)) == sorted(listed)
    for visual in (visual for page in PAGES if page.id != "health" for visual in page.visuals):
        answer = answers.answer(visual)
        addresses = orders_of_rows(visual, answer, view)
        counts = answer.column("orders") if addresses else ()
        for count, address in zip(counts, addresses, strict=True):
            found, dropped = parse(address.partition("?")[2], snapshot.vocabulary, ORDERS)
            assert dropped == ()
            assert Answers(snapshot, found).everything.count == count, (visual.id, address)
        if addresses:
            behind = pick.choice(addresses).partition("?")[2]
            found, _ = parse(behind, snapshot.vocabulary, ORDERS)
            shown = orders_of(Answers(snapshot, found).everything)
            assert shown == orders_in_sql(snapshot, connection, behind), (visual.id, behind)


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_every_number_of_every_page_is_that_of_sql(
    snapshot: Snapshot, connection: psycopg.Connection, lines: Lines, data: st.DataObject
) -> None:
    view = data.draw(views(snapshot, lines))
    case = Shown(snapshot, view.query()), Expected(connection, view.query(), snapshot.first_day, snapshot.last_day)
    event("with orders" if case[0].answers.everything.count else "without orders")
    for check in numbers.CHECKS:
        check(case)
