"""URLs and metrics of the dashboards, for arbitrary input."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from urllib.parse import urlencode

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dashboards.app.filters import (
    COMPARISONS,
    EARLIEST,
    LATEST,
    NEWEST_FIRST,
    RANGES,
    SORTS,
    Filters,
    View,
    parse,
)
from dashboards.spec.fields import FILTERS, HIERARCHIES
from dashboards.spec.metrics import metric
from dashboards.spec.page_types import Page
from dashboards.spec.pages import PAGES

members = st.text(min_size=1, max_size=60)
days = st.dates(EARLIEST, LATEST)


@st.composite
def filters(draw: st.DrawFn) -> Filters:
    chosen = draw(st.dictionaries(st.sampled_from(FILTERS), members))
    start, end = sorted((draw(days), draw(days))) if draw(st.booleans()) else (None, None)
    period = draw(st.none() | days.map(lambda day: day.isoformat()[: draw(st.sampled_from((4, 7, 10)))]))
    return Filters(
        "12m" if start else draw(st.sampled_from(sorted(RANGES))),
        start,
        end,
        period,
        tuple((name, chosen[name]) for name in FILTERS if name in chosen),
    )


@st.composite
def views(draw: st.DrawFn, page: Page) -> View:
    levels = tuple(
        (name, draw(st.sampled_from(hierarchy.levels)))
        for name, hierarchy in HIERARCHIES.items()
        if draw(st.booleans())
    )
    tables = draw(st.sets(st.sampled_from([visual.id for visual in page.visuals])))
    compare = draw(st.sampled_from(COMPARISONS))
    if not page.lists_orders:
        return View(draw(filters()), levels, tuple(sorted(tables)), compare)
    sort = draw(st.sampled_from(["", *(f"{sign}{name}" for sign in ("", "-") for name in SORTS)]))
    order = draw(st.none() | st.integers(-(2**63), 2**63 - 1))
    number = draw(st.integers(1, 10**9 - 1)) if order is None else 1
    sort = "" if sort == NEWEST_FIRST else sort
    return View(draw(filters()), levels, tuple(sorted(tables)), compare, sort, number, order)


@given(st.data(), st.sampled_from(PAGES))
def test_an_address_gives_back_the_view_that_wrote_it(data: st.DataObject, page: Page) -> None:
    view = data.draw(views(page))
    vocabulary = {name: {value} for name, value in view.filters.members}
    assert parse(view.query(), vocabulary, page) == (view, ())


hostile = st.one_of(
    st.text(),
    st.sampled_from(
        ["' or 1=1 --", "'; drop table x; --", "%s", "%(start)s", "\x00", "../../etc/passwd", "<script>", "𝟚𝟘𝟚𝟜"]
    ),
    st.text(min_size=200, max_size=400),
)
names = st.sampled_from(
    [*FILTERS, "range", "from", "to", "period", "compare", "level", "table", "page", "sort", "order"]
) | st.text(max_size=12)


@given(st.lists(st.tuples(names, hostile), max_size=12), st.sampled_from(PAGES))
def test_nothing_but_known_members_comes_out_of_any_address(pairs: list[tuple[str, str]], page: Page) -> None:
    vocabulary = {"state": {"US-CA"}, "category": {"Books"}}
    view, dropped = parse("?" + urlencode(pairs), vocabulary, page)
    for name, value in view.filters.members:
        assert value in vocabulary[name]
    understood = len(view.filters.members) + len(view.levels) + len(view.tables)
    assert view.sort.removeprefix("-") in ("", *SORTS)
    assert view.page >= 1
    assert understood + len(dropped) <= len(pairs) + 1
    assert parse(view.query(), vocabulary, page) == (view, ())


@given(st.text())
def test_no_text_at_all_breaks_the_reading_of_an_address(text: str) -> None:
    view, _ = parse(text, {})
    assert view.filters.members == ()


@given(
    filters(), st.lists(st.tuples(st.sampled_from(FILTERS), members), min_size=1, max_size=2, unique_by=lambda p: p[0])
)
def test_two_clicks_on_one_point_leave_no_filter_of_it(before: Filters, pairs: list[tuple[str, str]]) -> None:
    once = before.toggled(pairs)
    twice = once.toggled(pairs)
    assert all(twice.get(name) is None or once.get(name) is None for name, _ in pairs)
    others = {name: value for name, value in before.members if name not in dict(pairs)}
    assert {name: value for name, value in twice.members if name not in dict(pairs)} == others


amounts = st.decimals(Decimal("-1e12"), Decimal("1e12"), places=2)
counts = st.integers(0, 10**9)


@pytest.fixture(scope="module")
def connection(sales):
    with psycopg.connect(sales.url, autocommit=True) as opened:
        yield opened


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.one_of(
        st.tuples(st.just("average_order_value"), amounts, counts),
        st.tuples(st.just("profit_margin"), amounts, amounts),
        st.tuples(st.just("share"), amounts, amounts),
        st.tuples(st.just("purchase_frequency"), counts, counts, st.integers(0, 36_500)),
        st.tuples(st.just("customer_lifetime_value"), amounts, counts, st.integers(0, 36_500), counts),
    )
)
def test_a_metric_is_what_postgresql_makes_of_it(connection: psycopg.Connection, call: tuple) -> None:
    name, *values = call
    casts = ", ".join(["%s::numeric"] * len(values))
    row = connection.execute(f"select warehouse.{name}({casts})".encode(), values).fetchone()
    assert row == (metric(name)(*values),)


@given(days, st.integers(0, 20_000))
def test_a_lifespan_is_what_postgresql_makes_of_it(connection: psycopg.Connection, first: dt.date, length: int) -> None:
    last = first + dt.timedelta(days=length)
    row = connection.execute("select round(warehouse.customer_lifespan(%s, %s), 10)", (first, last)).fetchone()
    lifespan = metric("customer_lifespan")(first, last)
    assert lifespan is not None
    assert row == (lifespan.quantize(Decimal("1e-10"), "ROUND_HALF_UP"),)
