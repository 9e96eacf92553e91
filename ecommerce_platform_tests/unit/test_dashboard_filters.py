"""How a dashboard URL is interpreted, and which parts of it are ignored."""

from __future__ import annotations

import datetime as dt
from urllib.parse import quote

import pytest

from dashboards.app.filters import Filters, View, parse, period_days, within
from dashboards.spec.pages import EXECUTIVE, PRODUCTS

VOCABULARY = {
    "category": {"Books", "Home & Kitchen"},
    "state": {"US-CA", "US-TX"},
    "product": {"7"},
    "payment": {"PayPal"},
    "weekday": {"Monday"},
}
FIRST, LAST = dt.date(2024, 1, 1), dt.date(2025, 3, 5)


def read(query: str) -> tuple[View, list[str]]:
    view, dropped = parse(query, VOCABULARY, EXECUTIVE)
    return view, [item.name for item in dropped]


def test_a_plain_address_means_the_last_twelve_months():
    view, dropped = read("")
    assert (view, dropped) == (View(), [])
    assert view.filters.days(FIRST, LAST) == (dt.date(2024, 3, 6), LAST)
    assert view.query() == ""


@pytest.mark.parametrize(
    ("query", "days"),
    [
        ("?range=7d", (dt.date(2025, 2, 27), LAST)),
        ("?range=30d", (dt.date(2025, 2, 4), LAST)),
        ("?range=90d", (dt.date(2024, 12, 6), LAST)),
        ("?range=ytd", (dt.date(2025, 1, 1), LAST)),
        ("?range=all", (FIRST, LAST)),
        ("?from=2024-02-29&to=2024-03-01", (dt.date(2024, 2, 29), dt.date(2024, 3, 1))),
    ],
)
def test_a_range_is_counted_back_from_the_last_day_with_data(query: str, days: tuple[dt.date, dt.date]):
    view, dropped = read(query)
    assert dropped == []
    assert view.filters.days(FIRST, LAST) == days


def test_twelve_months_from_a_leap_day_are_a_year():
    assert Filters().days(dt.date(2020, 1, 1), dt.date(2024, 2, 29)) == (dt.date(2023, 3, 1), dt.date(2024, 2, 29))


def test_a_range_never_begins_before_the_data():
    assert Filters("90d").days(dt.date(2025, 3, 1), LAST)[0] == dt.date(2025, 3, 1)


@pytest.mark.parametrize(
    ("query", "days"),
    [
        ("?from=2001-01-01&to=2024-05-31", (FIRST, dt.date(2024, 5, 31))),
        ("?from=2024-05-01&to=2031-01-01", (dt.date(2024, 5, 1), LAST)),
        ("?from=2001-01-01&to=2031-01-01", (FIRST, LAST)),
    ],
)
def test_a_custom_range_has_only_days_that_there_are(query: str, days: tuple[dt.date, dt.date]):
    """A range from 2001 on divided the revenue of a weekday by 571 Mondays, of which 53 existed."""
    assert read(query)[0].filters.days(FIRST, LAST) == days


@pytest.mark.parametrize("query", ["?from=2001-01-01&to=2001-12-31", "?from=2030-01-01&to=2030-12-31"])
def test_a_custom_range_outside_the_data_has_no_days(query: str):
    start, end = read(query)[0].filters.days(FIRST, LAST)
    assert end < start


def test_filters_levels_and_tables_are_read():
    view, dropped = read(
        "?category=Home%20%26%20Kitchen&state=US-CA&period=2024-07&level=products.product&table=sales_map"
    )
    assert dropped == []
    assert dict(view.filters.members) == {"category": "Home & Kitchen", "state": "US-CA"}
    assert (view.filters.period, view.level("products"), view.tables) == ("2024-07", "product", ("sales_map",))


def test_the_comparison_is_read_and_survives_every_click():
    for name in ("year", "weekdays", "none"):
        view, dropped = read(f"?range=30d&compare={name}")
        assert (view.compare, dropped) == (name, [])
        assert view.with_filters(Filters("7d")).query() == f"?range=7d&compare={name}"
    assert read("?compare=prior")[0] == View()


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("?state=US-ZZ", ["state"]),
        ("?state=us-ca", ["state"]),
        ("?category='; drop table warehouse.fact_sales; --", ["category"]),
        ("?state=US-CA' or '1'='1", ["state"]),
        ("?product=" + "9" * 10_000, ["product"]),
        ("?" + "x" * 10_000, ["x" * 40 + "…"]),
        ("?from=2024-12-31&to=2024-01-01", ["from"]),
        ("?from=2024-02-30&to=2024-03-01", ["from", "to"]),
        ("?from=2024-01-01", ["from"]),
        ("?from=20240101&to=2024-02-01", ["from", "to"]),
        ("?from=1999-12-31&to=2024-01-01", ["from", "to"]),
        ("?from=٢٠٢٤-01-01&to=2024-02-01", ["from", "to"]),
        ("?range=forever", ["range"]),
        ("?compare=", ["compare"]),
        ("?compare=Year", ["compare"]),
        ("?compare=year&compare=none", ["compare"]),
        ("?compare=year'; drop table warehouse.fact_sales; --", ["compare"]),
        ("?period=2024-13", ["period"]),
        ("?period=0000", ["period"]),
        ("?period=9999-12-31", ["period"]),
        ("?level=products.year", ["level"]),
        ("?level=time", ["level"]),
        ("?table=top_products", ["table"]),
        ("?state=US-CA&state=US-TX", ["state"]),
        ("?utm_source=mail", ["utm_source"]),
        ("?segment=VIP", ["segment"]),
        ("?state=%00%ff%0a", ["state"]),
        ("?state=", ["state"]),
        ("?" + "&".join(f"a{number}=1" for number in range(500)), ["URL"]),
    ],
)
def test_what_is_not_understood_is_named_and_dropped(query: str, names: list[str]):
    view, dropped = read(query)
    assert dropped == names
    kept = view.query()
    assert parse(kept, VOCABULARY, EXECUTIVE) == (view, ())
    assert "drop" not in kept
    assert "US-ZZ" not in kept


def test_a_bad_filter_does_not_take_the_good_ones_along():
    view, dropped = read("?state=US-CA&category=Toys&payment=PayPal&from=2024-13-01&to=2024-01-01")
    assert dropped == ["category", "from", "to"]
    assert view.query() == "?state=US-CA&payment=PayPal"


def test_a_dropped_value_is_shown_short_and_printable():
    _, (dropped,) = parse("?state=" + quote("<script>\x1b[31m" + "x" * 500), VOCABULARY)
    assert len(str(dropped)) < 120
    assert "\x1b" not in str(dropped)


def test_a_click_chooses_and_a_second_click_lets_go():
    chosen = Filters().toggled([("state", "US-CA")])
    assert chosen.get("state") == "US-CA"
    assert chosen.toggled([("state", "US-TX")]).get("state") == "US-TX"
    assert chosen.toggled([("state", "US-CA")]) == Filters()
    both = chosen.toggled([("state", "US-CA"), ("payment", "PayPal")])
    assert dict(both.members) == {"state": "US-CA", "payment": "PayPal"}
    assert both.toggled([("state", "US-CA"), ("payment", "PayPal")]) == Filters()


@pytest.mark.parametrize(
    "fields",
    [
        {"range": "5 years"},
        {"start": dt.date(2024, 1, 1)},
        {"start": dt.date(2024, 1, 2), "end": dt.date(2024, 1, 1)},
        {"period": "2024-02-30"},
        {"members": (("password", "x"),)},
        {"members": (("state", "US-CA"), ("category", "Books"))},
    ],
)
def test_impossible_filters_cannot_be_made(fields: dict):
    with pytest.raises(ValueError, match=r"\S"):
        Filters(**fields)


def test_a_period_is_a_year_a_month_or_a_day():
    assert period_days("2024") == (dt.date(2024, 1, 1), dt.date(2024, 12, 31))
    assert period_days("2024-02") == (dt.date(2024, 2, 1), dt.date(2024, 2, 29))
    assert period_days("2024-02-29") == (dt.date(2024, 2, 29), dt.date(2024, 2, 29))


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("?period=2019", "not in the data, which is from 2024-01-01 to 2025-03-05"),
        ("?period=2025-03-06&range=all", "not in the data, which is from 2024-01-01 to 2025-03-05"),
        ("?period=2024-02", "not in the date range, which is from 2024-03-06 to 2025-03-05"),
        ("?from=2030-01-01&to=2030-12-31&period=2024", "not in the date range"),
    ],
)
def test_a_period_without_a_day_is_named_and_dropped(query: str, reason: str):
    """It gave zeros, and nothing said why."""
    view, dropped = within(*parse(query, VOCABULARY, EXECUTIVE), FIRST, LAST)
    assert view.filters.period is None
    assert [(item.name, item.reason) for item in dropped] == [("period", reason)]


@pytest.mark.parametrize("query", ["?period=2024", "?period=2025-03", "?range=all&period=2024-01-01", ""])
def test_a_period_with_a_day_is_kept(query: str):
    view, dropped = within(*parse(query, VOCABULARY, EXECUTIVE), FIRST, LAST)
    assert dropped == ()
    assert view.query() == parse(query, VOCABULARY, EXECUTIVE)[0].query()


@pytest.mark.parametrize(
    ("query", "cleared"),
    [
        ("?range=30d&state=US-CA&period=2025-03", "?range=30d"),
        (
            "?from=2024-05-01&to=2024-05-31&category=Books&level=products.product&table=sales_map",
            "?from=2024-05-01&to=2024-05-31&table=sales_map",
        ),
    ],
)
def test_clearing_the_filters_keeps_the_dates(query: str, cleared: str):
    """Reset took the dates away, too."""
    assert read(query)[0].cleared().query() == cleared


def test_a_chart_of_another_page_is_no_table_of_this_one():
    assert parse("?table=top_products", VOCABULARY, PRODUCTS)[0].tables == ("top_products",)
    assert [item.name for item in parse("?table=top_products", VOCABULARY, EXECUTIVE)[1]] == ["table"]
