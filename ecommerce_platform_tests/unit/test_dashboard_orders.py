"""The parameters of the list of orders in a URL, and its links."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from urllib.parse import quote

import pytest

from dashboards.app.cards import tools
from dashboards.app.filters import Filters, View, parse
from dashboards.app.orders import COLUMNS, OrdersAnswer
from dashboards.app.orders_table import orders_table
from dashboards.spec.pages import EXECUTIVE, HEALTH, ORDERS

VOCABULARY = {"state": {"US-CA"}, "customer": {"7"}}


def test_a_list_of_orders_has_a_page_an_order_and_a_sort_column():
    view, dropped = parse("?range=all&sort=-revenue&page=3", {}, ORDERS)
    assert (view, dropped) == (View(Filters("all"), sort="-revenue", page=3), ())
    assert view.query() == "?range=all&sort=-revenue&page=3"
    opened, dropped = parse("?order=-9223372036854775808", {}, ORDERS)
    assert (opened.order, dropped) == (-(2**63), ())
    assert opened.query() == "?order=-9223372036854775808"
    assert parse("?sort=-day&page=1", {}, ORDERS) == (View(), ())


@pytest.mark.parametrize("name", ["page", "sort", "order"])
@pytest.mark.parametrize(
    "value",
    ["", "x", "1.5", "+1", "1e3", "٣", "' or 1=1 --", "%s", "<script>", "\x00", "0x1", "revenue;", "--day", "9" * 300],
)
def test_hostile_values_are_dropped_with_a_notice(name: str, value: str):
    view, dropped = parse(f"?state=US-CA&{name}={quote(value)}", VOCABULARY, ORDERS)
    assert view == View(Filters(members=(("state", "US-CA"),)))
    assert [item.name for item in dropped] == [name]


@pytest.mark.parametrize("value", ["0", "-1", "1000000000"])
def test_a_page_is_a_positive_number(value: str):
    view, dropped = parse(f"?page={value}", {}, ORDERS)
    assert (view, [str(item) for item in dropped]) == (
        View(),
        [f"page={value}: must be a page number, such as 2"],
    )


def test_an_order_determines_its_page():
    view, dropped = parse("?page=9&order=12", {}, ORDERS)
    assert view == View(order=12)
    assert [str(item) for item in dropped] == ["page=9: the order determines the page"]


def test_other_pages_have_no_list_of_orders():
    for page in (EXECUTIVE, HEALTH, None):
        view, dropped = parse("?page=2&sort=revenue&order=1", {}, page)
        assert view == View()
        assert {item.reason for item in dropped} == {"this page has no list of orders"}


def test_another_filter_leads_to_the_first_page():
    view = View(sort="-units", page=7, order=None)
    assert view.with_filters(Filters("all")) == View(Filters("all"), sort="-units")


def test_every_chart_of_orders_leads_to_them_with_the_filters_only():
    view = View(Filters("90d", members=(("state", "US-CA"),)), (("time", "day"),), ("revenue_trend",))
    links = {getattr(item, "data-tool"): item for item in tools(EXECUTIVE.visuals[0], "/", view, "trend.csv")}
    assert links["orders"].href == "/orders?range=90d&state=US-CA"
    for page in (HEALTH, ORDERS):
        assert "orders" not in [
            getattr(item, "data-tool") for visual in page.visuals for item in tools(visual, "/", view, "chart.csv")
        ]


def test_ids_are_text_and_never_html():
    row = ("<img src=x onerror=alert(1)>", dt.date(2024, 1, 1), "Texas", "7", "PayPal", 1, 2, Decimal("3.00"))
    answer = OrdersAnswer(COLUMNS, (row,), keys=(-5,), count=1)
    drawn = orders_table(answer, "/orders", View())
    (body,) = [part for part in drawn.children[0].children.children if type(part).__name__ == "Tbody"]
    link = body.children[0].children[0].children
    assert (link.children, link.href) == (row[0], "/orders?order=-5")
