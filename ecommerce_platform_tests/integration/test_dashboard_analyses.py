"""The page What next: every number compared with SQL on the extracts, for any filters, and its texts without data."""

from __future__ import annotations

import time
from decimal import Decimal
from typing import Any

import pytest

from dashboards.app.analyses_reader import EXTRACTS
from dashboards.app.content import Content, Dashboards
from dashboards.app.drawn import Drawn
from dashboards.app.filters import parse
from dashboards.app.server import PARTS
from dashboards.app.store import Store
from dashboards.spec.next_page import NEXT
from dashboards.spec.pages import page_at
from ecommerce_platform.io_managers import PostgresConnection
from ecommerce_platform_tests.extracts import fill
from ecommerce_platform_tests.harness import Platform, customer, day, line, order, product
from ecommerce_platform_tests.integration.test_dashboard_cards import texts


def shown(url: str, query: str = "") -> Content:
    dashboards = Dashboards(Store(PostgresConnection(url=url, role="reader")))
    content = dashboards.content(NEXT, query)
    assert (content.fault, content.dropped) == (None, ())
    return content


def sold(platform: Platform, number: int = 1) -> None:
    """Load a day with one order."""
    platform.load(
        number,
        customers=[customer(1)],
        products=[product(1), product(2)],
        transactions=[order(number, 1, on=number)],
        transaction_items=[line(number, number, 1)],
    )


@pytest.fixture(params=["", "?range=7d&category=Books&state=US-CA"])
def page(request: pytest.FixtureRequest, sales: Platform) -> Content:
    """The page of the small default shop, with and without filters: it follows none."""
    return shown(sales.url, request.param)


def rows(content: Content, visual: str) -> list[tuple]:
    return list(content.answers[visual].rows)


# ---- every number --------------------------------------------------------------------------------


def test_the_cards(page: Content, sales: Platform) -> None:
    kpis = {name: answer.value for name, answer in page.kpis.items()}
    ((running_out,),) = sales.rows(
        "select count(*) from analytics.stock_cover where stock_quantity <= 0 or days_of_cover <= 7"
    )
    ((median, share),) = sales.rows(
        "select distinct median_interval_days, repeat_customer_share from analytics.repeat_purchases"
    )
    ((unusual,),) = sales.rows(
        """
        select count(distinct sale_date)
        from analytics.sales_anomalies
        where sale_date between (select max(sale_date) - 29 from warehouse.fact_sales)
            and (select max(sale_date) from warehouse.fact_sales)
        """
    )
    assert kpis == {
        "running_out": running_out,
        "median_interval": median,
        "repeat_share": share,
        "unusual_days": unusual,
    }
    assert all(answer.change is None for answer in page.kpis.values())
    assert running_out > 0
    assert median > 0


def test_what_to_reorder(page: Content, sales: Platform) -> None:
    expected = sales.rows(
        """
        select product_name, category, stock_quantity, units_per_day, days_of_cover, runs_out_on, stock_status
        from analytics.stock_cover
        where stock_status not in ('Unknown', 'No sales')
        order by stock_quantity > 0, days_of_cover, revenue desc, product_code
        limit 15
        """
    )
    assert rows(page, "stock_cover") == expected
    assert len(expected) == 15


def test_unusual_days(page: Content, sales: Platform) -> None:
    expected = sales.rows(
        """
        select sale_date, category, revenue, expected_revenue, revenue - expected_revenue, direction
        from analytics.sales_anomalies
        order by sale_date desc, abs(robust_z) desc, category
        limit 15
        """
    )
    assert rows(page, "sales_anomalies") == expected
    assert expected


def test_customer_groups(page: Content, sales: Platform) -> None:
    expected = sales.rows(
        """
        select
            rfm_group, count(*), round(sum(revenue) / sum(sum(revenue)) over () * 100, 2),
            round(count(*) / sum(count(*)) over () * 100, 2), sum(revenue), round(avg(recency_days), 1),
            round(avg(orders), 2), round(sum(revenue) / count(*), 2)
        from warehouse.customer_rfm
        group by rfm_group
        order by count(*) desc, rfm_group
        """
    )
    assert rows(page, "rfm_segments") == expected
    assert len(expected) > 5


def test_when_customers_order_again(page: Content, sales: Platform) -> None:
    expected = sales.rows(
        """
        select interval_band, orders, order_share, cumulative_share
        from analytics.repeat_purchases
        order by from_days
        """
    )
    assert rows(page, "repeat_purchases") == expected
    assert expected[-1][3] == 100


def test_what_customers_are_worth_over_time(page: Content, sales: Platform) -> None:
    expected = sales.rows(
        """
        select to_char(cohort_month, 'YYYY-MM'), months_since, cumulative_revenue_per_customer, customers, retention
        from analytics.cohort_curves
        where month_start + interval '1 month' - interval '1 day' <= (select max(sale_date) from warehouse.fact_sales)
            and cohort_month >= (
                select max(month_start) - interval '11 months' from analytics.cohort_curves where is_complete
            )
        order by cohort_month, months_since
        """
    )
    assert rows(page, "cohort_curves") == expected
    assert len({row[0] for row in expected}) == 12


def test_the_next_30_days_follow_the_last_60(page: Content, sales: Platform) -> None:
    past = sales.rows(
        """
        select sale_date, sum(revenue)
        from warehouse.fact_sales
        where sale_date > (select max(sale_date) - 60 from warehouse.fact_sales)
        group by sale_date
        order by sale_date
        """
    )
    future = sales.rows(
        """
        select forecast_date, null::numeric, forecast, lower_80, upper_80, lower_95, upper_95
        from analytics.sales_forecast
        order by forecast_date
        """
    )
    assert rows(page, "forecast") == [*((on, revenue, *[None] * 5) for on, revenue in past), *future]
    assert (len(past), len(future)) == (60, 30)


def pairs(platform: Platform) -> list[tuple]:
    """Fill in some pairs, of which the small shop has none, and return them in their order."""
    columns = (
        "pair_rank product_code product_name category other_product_code other_product_name other_category"
        " orders_together product_orders other_product_orders support confidence other_confidence lift orders"
        " large_orders first_date as_of_date"
    )
    found = [
        (
            rank, "1", "Product 1", "Books", str(rank + 1), f"Product {rank + 1}", "Books", 10 + rank, 20, 30,
            Decimal("1.50"), Decimal("50.00"), Decimal("33.33"), Decimal(40 - rank), 1000, 0, day(1), day(90),
        )
        for rank in range(20, 0, -1)
    ]  # fmt: skip
    fill(platform, "analytics.product_pairs", columns.split(), found)
    return found[::-1]


def test_products_bought_together(platform: Platform) -> None:
    sold(platform)
    expected = pairs(platform)[:15]
    answer = shown(platform.url).answers["product_pairs"]
    assert [(row[2], row[3], row[4], row[5]) for row in answer.rows] == [
        (pair[7], pair[10], pair[11], pair[13]) for pair in expected
    ]
    assert [row[:2] for row in answer.rows] == [(pair[2], pair[5]) for pair in expected]
    assert answer.note == "Orders of the 90 days to 30 Mar 2024; not affected by filters."


def test_a_stock_that_nobody_knows_is_not_urgent(platform: Platform) -> None:
    """Products without a stock quantity, or without sales, come after those that run out."""
    sold(platform)
    columns = "product_code product_name category stock_quantity stock_date units revenue units_per_day days_of_cover"
    more = ("runs_out_on", "stock_status", "as_of_date")
    values = {
        "5": (None, 9, None, None, "Unknown"),
        "4": (8, 0, None, None, "No sales"),
        "3": (90, 28, Decimal("90.0"), day(91), "Enough"),
        "2": (3, 28, Decimal("3.0"), day(4), "Runs out within 7 days"),
        "1": (0, 0, None, None, "Out of stock"),
    }
    fill(
        platform,
        "analytics.stock_cover",
        (*columns.split(), *more),
        [
            (code, f"Product {code}", "Books", stock, day(1), units, 10, Decimal(units) / 28, days, on, status, day(1))
            for code, (stock, units, days, on, status) in values.items()
        ],
    )
    content = shown(platform.url)
    assert [row[0] for row in content.answers["stock_cover"].rows] == [f"Product {code}" for code in (1, 2, 3, 4)]
    assert content.kpis["running_out"].value == 2


# ---- what a click leads to -----------------------------------------------------------------------


@pytest.mark.parametrize("visual", ["stock_cover", "sales_anomalies", "cohort_curves"])
def test_a_row_leads_to_its_sales_on_another_page_without_other_filters(sales: Platform, visual: str) -> None:
    content = shown(sales.url, "?range=7d&category=Books")
    assert content.snapshot is not None
    spec = NEXT.visual(visual)
    assert spec is not None
    drawn = Drawn(content, "light", "")
    answer = content.answers[visual]
    addresses = drawn._addresses(spec)
    assert len(addresses) == len(answer.rows) > 0
    for address, pairs in zip(addresses, answer.clicks, strict=True):
        path, _, query = address.partition("?")
        there = page_at(path)
        view, dropped = parse(query, content.snapshot.vocabulary, there)
        assert (there is None, dropped) == (False, ())
        assert view.filters.range == "all"
        assert [(name, view.filters.get(name)) for name, _ in pairs] == list(pairs)
        assert len(view.filters.members) + (view.filters.period is not None) == len(pairs)
    assert not any(drawn._chosen(spec))


def test_every_chart_says_that_it_follows_no_filter(page: Content) -> None:
    for name, answer in page.answers.items():
        assert answer.missing or answer.note.endswith("ot affected by filters."), name


def test_the_page_is_computed_once_for_all_filters(sales: Platform) -> None:
    """With many people, it waited in line behind the pages that are computed for their filters."""
    dashboards = Dashboards(Store(PostgresConnection(url=sales.url, role="reader")))
    first = dashboards.content(NEXT, "")
    for query in ("?range=7d", "?range=all&state=US-CA", "?category=Books&compare=year"):
        content = dashboards.content(NEXT, query)
        assert content.answers is first.answers
        assert "?" + content.view.query().lstrip("?") == query


# ---- shops without them --------------------------------------------------------------------------


def test_a_shop_without_orders_has_a_page_without_numbers(platform: Platform) -> None:
    platform.load(1)
    assert shown(platform.url).answers == {}


REASONS = {
    "stock_cover": "The shop's exports contain no stock quantities.",
    "forecast": "No forecast: it takes 28 days of sales.",
    "product_pairs": "No two products are in enough orders of the last 90 days together.",
    "sales_anomalies": "No day was unusual. To judge days, it takes eleven weeks of sales.",
    "rfm_segments": "No order has a customer.",
    "repeat_purchases": "No order has a customer.",
    "cohort_curves": "No order has a customer.",
}


def text_of(content: Content, visual: str) -> str:
    asked: list[list[dict[str, Any]]] = [[] for _ in PARTS]
    asked[5] = [{"visual": visual}]
    return texts(Drawn(content, "light", "").parts(asked)[5])


@pytest.mark.parametrize("query", ["", "?table=forecast&table=rfm_segments&table=repeat_purchases&table=cohort_curves"])
def test_a_chart_without_rows_says_why(platform: Platform, query: str) -> None:
    sold(platform)
    content = shown(platform.url, query)
    assert {name: text_of(content, name) for name in content.answers} == REASONS
    assert {name: answer.value for name, answer in content.kpis.items()} == {
        "running_out": None,
        "median_interval": None,
        "repeat_share": None,
        "unusual_days": 0,
    }


def test_without_the_package_the_forecast_names_it(platform: Platform) -> None:
    sold(platform)
    sold(platform, 28)
    assert text_of(shown(platform.url), "forecast") == (
        "No forecast: the optional package statsforecast is not installed (pip install '.[forecast]')."
    )


def test_tables_that_do_not_exist_yet_do_not_break_the_page(platform: Platform) -> None:
    """The dashboards of a new version on a database whose tables are those of the one before."""
    sold(platform)
    for name in EXTRACTS:
        platform.execute(f"drop table analytics.{name}")
    content = shown(platform.url)
    assert {text_of(content, name) for name in content.answers} == {
        "This analysis has not been computed yet. The next load of a day computes it."
    }
    assert {answer.value for answer in content.kpis.values()} == {None}


# ---- new data ------------------------------------------------------------------------------------


def test_a_new_extract_shows_without_reading_the_lines_again(platform: Platform) -> None:
    sold(platform)
    store = Store(PostgresConnection(url=platform.url, role="reader"), look_every=0.0, in_background=False)
    first = store.current()
    deadline = time.monotonic() + 60
    # PostgreSQL reports writes a moment after they are committed: wait until it reports no more.
    while (latest := store.current()) is not first:
        first = latest
        assert time.monotonic() < deadline
        time.sleep(1.1)
    pairs(platform)
    while (latest := store.current()) is first:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert (len(first.analyses.pairs), len(latest.analyses.pairs)) == (0, 20)
    assert latest.lines is first.lines
    assert latest.read_at > first.read_at
