"""The numbers of the weekly summary: those of the dashboards, and of independent SQL."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal

import psycopg
import pytest

from dashboards.app.answers import Answers
from dashboards.app.filters import Filters, View
from dashboards.app.health import Health, read_health
from dashboards.app.snapshot import Snapshot
from dashboards.app.snapshot_reader import read_snapshot
from dashboards.spec.pages import EXECUTIVE, PRODUCTS
from dashboards.weekly.page import page, text
from dashboards.weekly.summary import Summary, read_summary, summarize
from dashboards.weekly.weeks import Week
from ecommerce_platform.io_managers import PostgresConnection
from ecommerce_platform_tests.conftest import SALES_DAYS
from ecommerce_platform_tests.harness import Platform, customer, day, line, order, product

NOW = dt.datetime(2025, 3, 6, 6, tzinfo=dt.UTC)
LOADED = frozenset(day(number) for number in range(1, SALES_DAYS + 1))
WEEKS = [Week.named(name) for name in ("2024-W01", "2024-W02", "2024-W26", "2025-W01", "2025-W09")] + [Week(day(402))]


@pytest.fixture(scope="module")
def read(sales: Platform) -> tuple[Snapshot, Health]:
    connection = PostgresConnection(url=sales.url, role="reader")
    return read_snapshot(connection), read_health(connection)


def figures(summary: Summary) -> Mapping[str, object]:
    return {figure.kpi.id: figure.value for figure in summary.figures}


FIGURES = """
with lines as (
    select
        facts.*,
        coalesce((
            select sum(refund_amount) from warehouse.fact_returns as back
            where back.transaction_id = facts.transaction_id and back.item_id = facts.item_id
        ), 0) as refunds,
        coalesce((
            select sum(back.quantity) from warehouse.fact_returns as back
            where back.transaction_id = facts.transaction_id and back.item_id = facts.item_id
        ), 0) as returned
    from warehouse.fact_sales as facts
    where sale_date between %s and %s
)

select
    sum(revenue),
    count(distinct transaction_id),
    sum(revenue) / count(distinct transaction_id),
    (sum(revenue) filter (where cost is not null) - sum(cost)) / sum(revenue) filter (where cost is not null) * 100,
    sum(revenue) - sum(refunds),
    sum(returned) * 100.0 / sum(quantity)
from lines
"""


def expected(sales: Platform, week: Week) -> list[Decimal]:
    ((*row,),) = sales.rows(FIGURES, *week.span)
    return [Decimal(value) for value in row]


def assert_agree(found: list[object], wanted: list[Decimal]) -> None:
    assert found[:2] == wanted[:2]
    for value, exact in zip(found[2:], wanted[2:], strict=True):
        assert isinstance(value, Decimal)
        assert abs(value - exact) <= Decimal("0.005") + Decimal("0.0001")


@pytest.mark.parametrize("week", WEEKS, ids=lambda week: week.name)
def test_every_figure_and_its_comparisons_agree_with_sql(
    sales: Platform, read: tuple[Snapshot, Health], week: Week
) -> None:
    summary = summarize(*read, week, LOADED, NOW)
    assert [name for name, _ in summary.compared] == [
        name for name, weeks in (("the week before", 1), ("a year before", 52)) if week.before(weeks).first >= day(1)
    ]
    assert_agree(list(figures(summary).values()), expected(sales, week))
    for place, (_, other) in enumerate(summary.compared):
        wanted = expected(sales, other)
        known = {figure.kpi.id: figure.changes[place] for figure in summary.figures}
        assert known["return_rate"] is None  # recent orders may still be returned
        changes = [change for change in known.values() if change is not None]
        assert_agree([*(change.value for change in changes), wanted[5]], wanted)
        for figure in summary.figures:
            change = figure.changes[place]
            if change is None:
                continue
            difference = Decimal(figure.value or 0) - Decimal(change.value)  # type: ignore[arg-type]
            points = difference if figure.kpi.format == "percent" else difference / Decimal(change.value) * 100  # type: ignore[arg-type]
            assert change.change is not None
            assert abs(change.change - points) < Decimal("0.01")


@pytest.mark.parametrize("week", WEEKS, ids=lambda week: week.name)
def test_days_and_best_members_agree_with_sql(sales: Platform, read: tuple[Snapshot, Health], week: Week) -> None:
    summary = summarize(*read, week, LOADED, NOW)
    by_day = {
        row[0]: row[1:]
        for row in sales.rows("select sale_date, sum(revenue), count(distinct transaction_id) from warehouse.fact_sales"
                              " group by sale_date")
    }  # fmt: skip
    zero = (Decimal(0), 0)
    assert [(item.revenue, item.orders) for item in summary.days] == [by_day.get(each, zero) for each in week.days]
    before = [each - dt.timedelta(days=7) for each in week.days]
    assert [item.before for item in summary.days] == [
        by_day.get(each, zero)[0] if each in LOADED else None for each in before
    ]
    best = """
    select {name}, sum(revenue) as revenue, count(distinct transaction_id)
    from warehouse.fact_sales
    inner join warehouse.dim_product using (product_key)
    inner join warehouse.dim_customer using (customer_key)
    where sale_date between %s and %s
    group by 1
    order by revenue desc
    limit 5
    """
    for (_, answer), name in zip(
        summary.tables,
        ("dim_product.product_id", "dim_product.category", "dim_customer.country || dim_customer.state"),
        strict=True,
    ):
        rows = sales.rows(best.format(name=name), *week.span)
        assert [(row[1], row[3]) for row in answer.rows] == [row[1:] for row in rows]
    known = [(other, revenue) for other, revenue in summary.weeks if revenue is not None]
    assert known[-1] == (week, figures(summary)["revenue"])
    for other, revenue in known:
        assert revenue == sum(by_day.get(each, zero)[0] for each in other.days)


@pytest.mark.parametrize("week", WEEKS, ids=lambda week: week.name)
def test_numbers_are_those_of_the_dashboards(read: tuple[Snapshot, Health], week: Week) -> None:
    summary = summarize(*read, week, LOADED, NOW)
    answers = Answers(read[0], View(Filters(start=week.first, end=week.last)), day(SALES_DAYS))
    kpis = {kpi.id: answers.kpi(kpi) for kpi in EXECUTIVE.kpis}
    for figure in summary.figures:
        assert figure.value == kpis[figure.kpi.id].value
        assert figure.note == kpis[figure.kpi.id].note
        if summary.compared and summary.compared[0][0] == "the week before" and figure.changes[0] is not None:
            assert figure.changes[0].change == kpis[figure.kpi.id].change
    charts = {"product": ("top_products", PRODUCTS), "state": ("sales_map", EXECUTIVE)}
    found = {answer.columns[0].id: answer for _, answer in summary.tables}
    for dimension, (name, of_page) in charts.items():
        visual = of_page.visual(name)
        assert visual is not None
        shown = answers.breakdown(visual, dimension)
        for column in ("revenue", "revenue_share", "orders"):
            assert shown.column(column)[:5] == found[dimension].column(column)
    trend = EXECUTIVE.visual("revenue_trend")
    assert trend is not None
    assert answers.trend(trend).column("revenue") == [item.revenue for item in summary.days]


def test_a_day_that_is_missing_is_named_and_nothing_is_compared(read: tuple[Snapshot, Health]) -> None:
    week = Week.named("2025-W09")
    summary = summarize(*read, week, LOADED - {week.first, week.days[1], week.last}, NOW)
    assert summary.problems[0] == (
        "This summary is incomplete. 3 of its 7 days are not completely loaded: 24 Feb – 25 Feb 2025, Sun 2 Mar 2025."
    )
    assert summary.compared == []
    assert summary.not_compared == "No comparison, because this week is not completely loaded."
    assert summary.weeks[-1][1] is None
    gap = summarize(*read, week, LOADED - {week.before(1).last}, NOW)
    assert [name for name, _ in gap.compared] == ["a year before"]
    assert "17 Feb – 23 Feb 2025 is not completely loaded" in gap.not_compared
    assert gap.days[-1].before is None
    first = summarize(*read, WEEKS[0], LOADED, NOW)
    assert "25 Dec – 31 Dec 2023 is before the first loaded day" in first.not_compared


def reader(platform: Platform) -> PostgresConnection:
    return PostgresConnection(url=platform.url, role="reader")


def test_an_empty_shop_has_a_summary_that_says_so(platform: Platform) -> None:
    week = Week.named("2024-W01")
    summary = read_summary(reader(platform), week, (), NOW)
    assert set(figures(summary).values()) == {None}
    assert summary.checks == "No check has run yet."
    assert all(item == (item.day, None, None, None) for item in summary.days)
    for content in (page(summary, None), text(summary, None)):
        assert "7 of its 7 days are not completely loaded" in content
        assert "Top products" not in content


def test_a_week_without_orders_is_zero_and_compared_with_the_one_before(platform: Platform) -> None:
    platform.load(
        1,
        customers=[customer(1)],
        products=[product(1, product_name='<b>"Lamp" & Co</b>')],
        transactions=[order(1)],
        transaction_items=[line(1, 1)],
    )
    for number in range(2, 15):
        platform.export(number)
    platform.run(2, 14)
    loaded = [day(number) for number in range(1, 15)]
    empty = read_summary(reader(platform), Week.named("2024-W02"), loaded, NOW)
    assert list(figures(empty)) == ["revenue", "orders", "average_order_value", "profit_margin"]
    assert list(figures(empty).values()) == [Decimal("0.00"), 0, None, None]
    change = empty.figures[0].changes[0]
    assert change is not None
    assert (change.value, change.change) == (Decimal("10.00"), Decimal("-100.00"))
    assert "No orders in this week." in page(empty, None)
    first = read_summary(reader(platform), Week.named("2024-W01"), loaded, NOW)
    assert "&lt;b&gt;&#34;Lamp&#34; &amp; Co&lt;/b&gt;" in page(first, None)
    assert '1. <b>"Lamp" & Co</b>: $10.00 (100.00%), 1 orders' in text(first, None)


def test_what_is_wrong_with_the_data_stands_in_the_summary(platform: Platform) -> None:
    """Two days lack files and a check fails, which the dashboards also say at their top."""
    for number in (1, 2, 5):
        platform.load(number)
    with psycopg.connect(platform.url) as connection:
        connection.execute(
            """
            insert into platform.check_results
            values ('warehouse.fact_sales', 'contract', '(,)', true, 'ERROR', false, 1, 1, 'bad')
            """
        )
    summary = read_summary(reader(platform), Week.named("2024-W01"), [day(1), day(2), day(5)], NOW)
    assert "1 check is failing: warehouse.fact_sales contract (all days)." in " ".join(summary.problems)
    assert "2 days are not loaded: 3 Jan 2024 to 4 Jan 2024." in " ".join(summary.problems)
    assert summary.checks == "0 of 1 checks pass, 1 fails. 0 rows are rejected."
