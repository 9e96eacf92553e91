"""Every number of the dashboards, compared with independent SQL on fact_sales for several sets of filters."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from functools import partial
from typing import Any

import psycopg
import pytest
from psycopg import sql

from dashboards.app.snapshot import Snapshot
from dashboards.app.snapshot_reader import read_snapshot
from dashboards.spec.fields import HIERARCHIES
from dashboards.spec.pages import CUSTOMERS, EXECUTIVE, GEOGRAPHY, NEXT, ORDERS, PAGES, PRODUCTS
from ecommerce_platform.io_managers import PostgresConnection
from ecommerce_platform.settings import SQL_DIR
from ecommerce_platform_tests.dashboard_sql import (
    COMBINATIONS,
    REGION_OF,
    SUMS,
    Expected,
    Shown,
    kpi_values,
    round_half_up,
)
from ecommerce_platform_tests.harness import Platform


@pytest.fixture(params=COMBINATIONS)
def case(request: pytest.FixtureRequest, snapshot: Snapshot, connection: psycopg.Connection) -> tuple[Shown, Expected]:
    expected = Expected(connection, request.param, snapshot.first_day, snapshot.last_day)
    return Shown(snapshot, request.param), expected


def agree(shown: Mapping[str, Mapping[str, Any]], expected: Mapping[Any, tuple], measures: Sequence[str]) -> None:
    assert set(shown) == {str(member) for member in expected}
    for member, values in expected.items():
        assert tuple(shown[str(member)][name] for name in measures) == values, member


BREAKDOWNS = {
    "payment_methods": ("payment", ("payment",)),
    "sales_map": ("state", ("state",)),
    "state_map": ("state", ("state",)),
    "price_ranges": ("price_range", ("price_range",)),
    "discount_impact": ("discount_band", ("discount_band",)),
    "segment_share": ("segment", ("segment",)),
}


@pytest.mark.parametrize("visual", list(BREAKDOWNS))
def test_a_breakdown_shows_every_member_with_its_sums(case: tuple[Shown, Expected], visual: str) -> None:
    shown, expected = case
    dimension, without = BREAKDOWNS[visual]
    measures = next(v for page in PAGES for v in page.visuals if v.id == visual).measures
    columns = ", ".join(SUMS[name] for name in measures)
    agree(shown.by_click(visual), expected.by(dimension, columns, without), measures)


RANKINGS = ("top_products", "top_customers", "state_ranking")
DRILLED = ("top_categories", "category_margin", "return_rates", "regions")


@pytest.mark.parametrize("visual", RANKINGS)
def test_a_ranking_shows_the_best_members_in_order(case: tuple[Shown, Expected], visual: str) -> None:
    shown, expected = case
    spec = next(v for page in PAGES for v in page.visuals if v.id == visual)
    dimension, measures = str(spec.dimension), spec.measures
    everyone = expected.by(dimension, ", ".join(SUMS[name] for name in measures), [dimension])
    everyone.pop(None, None)  # guests
    best = sorted((values[0] for values in everyone.values()), reverse=True)[: spec.limit]
    rows = shown.by_click(visual)
    assert [row["revenue"] for row in rows.values()] == best
    for member, row in rows.items():
        assert tuple(row[name] for name in measures) == everyone[member]


@pytest.mark.parametrize("visual", DRILLED)
def test_a_hierarchy_shows_the_level_that_was_drilled_to(case: tuple[Shown, Expected], visual: str) -> None:
    shown, expected = case
    spec = next(v for page in PAGES for v in page.visuals if v.id == visual)
    level = shown.all[visual].level
    hierarchy = HIERARCHIES[str(spec.hierarchy)]
    assert level == dict(shown.answers.view.levels).get(hierarchy.id, hierarchy.levels[0])
    without = hierarchy.levels[hierarchy.levels.index(level) :]
    rows = shown.by_click(visual)
    everyone = expected.by(str(level), ", ".join(SUMS[name] for name in spec.measures), without)
    assert len(rows) == min(len(everyone), spec.limit or len(everyone))
    for member, row in rows.items():
        assert tuple(row[name] for name in spec.measures) == everyone[member]
    if visual == "return_rates":
        rates = [row["return_rate"] for row in rows.values()]
        assert rates == sorted(rates, reverse=True)


def test_the_figures_at_the_head_of_each_page(case: tuple[Shown, Expected]) -> None:
    shown, expected = case
    kpis = {kpi.id: shown.answers.kpi(kpi).value for page in PAGES if page.id != "health" for kpi in page.kpis}
    wanted = kpi_values(expected)
    assert {name: kpis[name] for name in wanted} == wanted
    elsewhere = {"weekend_uplift", *(kpi.id for kpi in NEXT.kpis)}
    assert set(kpis) - set(wanted) == elsewhere


def test_the_weekend_uplift_compares_means_per_day(case: tuple[Shown, Expected]) -> None:
    shown, expected = case
    low, high = shown.answers.everything.span
    days = [low + dt.timedelta(days=number) for number in range((high - low).days + 1)]
    sums = {name: revenue for name, (revenue,) in expected.by("weekday", "sum(revenue)", ()).items()}
    means = []
    for is_weekend in (True, False):
        revenue = sum((sum_ for name, sum_ in sums.items() if name.startswith("S") == is_weekend), Decimal(0))
        count = sum((day.weekday() >= 5) == is_weekend for day in days)
        means.append(round_half_up(revenue / count) if count else None)
    weekend, week = means
    uplift = None if weekend is None or not week else round_half_up((weekend - week) / week * 100)
    assert next(shown.answers.kpi(kpi).value for kpi in GEOGRAPHY.kpis if kpi.id == "weekend_uplift") == uplift


def half_up(value: Fraction, places: int) -> Decimal:
    """Round a non-negative number half up."""
    return Decimal(int(value * 10**places + Fraction(1, 2))).scaleb(-places)


def test_a_change_compares_with_as_many_days_before(snapshot: Snapshot, connection: psycopg.Connection) -> None:
    query = "?from=2024-06-10&to=2024-07-09&payment=PayPal"
    shown, expected = Shown(snapshot, query), Expected(connection, query, snapshot.first_day, snapshot.last_day)
    before = (dt.date(2024, 5, 11), dt.date(2024, 6, 9))
    now, prior = expected.one("sum(revenue)"), expected.one("sum(revenue)", window=before)
    answer = shown.answers.kpi(EXECUTIVE.kpis[0])
    assert answer.change == round_half_up((now - prior) / prior * 100)
    assert answer.why == "vs 11 May – 9 Jun 2024"
    margin = SUMS["profit_margin"]
    assert shown.answers.kpi(EXECUTIVE.kpis[3]).change == expected.one(margin) - expected.one(margin, window=before)


@pytest.mark.parametrize(
    "query",
    [
        "?from=2030-01-01&to=2030-02-01",
        "?from=2001-01-01&to=2001-12-31",
        "?range=all&period=2031",
        "?cohort=2025-03&range=7d&period=2024",
    ],
)
def test_days_without_any_sale_give_empty_charts_and_no_error(snapshot: Snapshot, query: str) -> None:
    for level in ("", "&level=time.day", "&level=time.year"):
        shown = Shown(snapshot, query + level)
        kpis = {kpi.id: shown.answers.kpi(kpi) for page in PAGES if page.id != "health" for kpi in page.kpis}
        assert (kpis["revenue"].value, kpis["orders"].value, kpis["average_order_value"].value) == (0, 0, None)
        for visual, answer in shown.all.items():
            follows_filters = visual not in ("revenue_trend", "seasonality") and NEXT.visual(visual) is None
            assert not follows_filters or answer.rows == (), visual
        assert sum(row[1] for row in shown.all["revenue_trend"].rows if shown.answers.view.filters.period is None) == 0


def test_a_range_that_begins_before_the_first_order_counts_the_days_that_there_are(snapshot: Snapshot) -> None:
    far = Shown(snapshot, "?from=2001-01-01&to=2031-12-31&category=Books")
    real = Shown(snapshot, f"?from={snapshot.first_day}&to={snapshot.last_day}&category=Books")
    for page in PAGES[:-1]:
        for kpi in page.kpis:
            assert far.answers.kpi(kpi) == real.answers.kpi(kpi), kpi.id
    assert far.all == real.all


def test_there_is_no_change_without_earlier_days(snapshot: Snapshot) -> None:
    answer = Shown(snapshot, "?range=all").answers.kpi(EXECUTIVE.kpis[0])
    assert (answer.change, answer.why) == (None, "No prior period")


@pytest.mark.parametrize("level", ["year", "month", "day"])
def test_the_trend_shows_every_period_with_and_without_sales(
    snapshot: Snapshot, connection: psycopg.Connection, level: str
) -> None:
    query = "?from=2024-02-10&to=2025-02-20&customer=7"
    shown = Shown(snapshot, f"{query}&level=time.{level}")
    expected = Expected(connection, query, snapshot.first_day, snapshot.last_day)
    length = {"year": 4, "month": 7, "day": 10}[level]
    sums = expected.by(f"left(sale_date::text, {length})", "sum(revenue), count(distinct transaction_id)", ())
    days = [dt.date(2024, 2, 10) + dt.timedelta(days=number) for number in range(377)]
    periods = list(dict.fromkeys(day.isoformat()[:length] for day in days))
    rows = shown.by_click("revenue_trend")
    assert list(rows) == periods
    assert len(sums) < len(periods) or level != "day"
    for period in periods:
        assert (rows[period]["revenue"], rows[period]["orders"]) == sums.get(period, (0, 0))


def test_the_trend_adds_up_in_each_period(case: tuple[Shown, Expected]) -> None:
    shown, expected = case
    level, snapshot = str(shown.all["revenue_trend"].level), shown.answers.snapshot
    chosen = dict(shown.answers.view.levels).get("time")
    assert level == (chosen or level)
    parent = ""  # the period that a chart at this level is of
    if chosen and level != "year":
        parent = expected.given.get("period", "")[: {"month": 4, "day": 7}[level]]
    low, high = max(expected.start, snapshot.first_day), min(expected.end, snapshot.last_day)
    days = [(low + dt.timedelta(days=number)).isoformat() for number in range((high - low).days + 1)]
    length = {"year": 4, "month": 7, "day": 10}[level]
    rows = shown.by_click("revenue_trend")
    assert list(rows) == list(dict.fromkeys(day[:length] for day in days if day.startswith(parent)))
    measures = next(v for v in EXECUTIVE.visuals if v.id == "revenue_trend").measures
    sums = expected.by(f"left(sale_date::text, {length})", ", ".join(SUMS[name] for name in measures), ["period"])
    nothing = {"revenue": 0, "orders": 0, "average_order_value": None, "profit_margin": None}
    for period, row in rows.items():
        wanted = sums.get(period, tuple(nothing[name] for name in measures))
        assert tuple(row[name] for name in measures) == wanted, period


def test_a_drilled_trend_shows_the_days_of_the_chosen_month(snapshot: Snapshot, connection: psycopg.Connection) -> None:
    shown = Shown(snapshot, "?range=all&period=2024-07-14&level=time.day")
    rows = shown.by_click("revenue_trend")
    assert list(rows) == [f"2024-07-{number:02d}" for number in range(1, 32)]
    expected = Expected(connection, "?range=all&period=2024-07-14", snapshot.first_day, snapshot.last_day)
    assert rows["2024-07-14"]["revenue"] == expected.one("sum(revenue)")


def test_the_long_tail_ends_at_all_revenue(case: tuple[Shown, Expected]) -> None:
    shown, expected = case
    answer = shown.all["long_tail"]
    revenues = expected.by("product", "sum(revenue)", ["product"])
    assert {clicks[0][1]: row[3] for clicks, row in zip(answer.clicks, answer.rows, strict=True)} == {
        product: revenue for product, (revenue,) in revenues.items() if revenue > 0
    }
    total, running = sum(row[3] for row in answer.rows), Decimal(0)
    for row in answer.rows:
        running += row[3]
        assert row[2] == round_half_up(running / total * 100)
    assert not answer.rows or answer.rows[-1][2] == 100


def test_lifetime_value_is_the_formula_of_the_metrics(case: tuple[Shown, Expected]) -> None:
    """Of the date range alone, "New" was worth 13.63, and VIPs were worth less in seven days than in twelve months."""
    shown, expected = case
    low, high = shown.answers.snapshot.first_day, expected.end
    period = expected.given.get("period")
    if period:
        span = [expected.start + dt.timedelta(days=number) for number in range((high - expected.start).days + 1)]
        high = max(day for day in span if day.isoformat().startswith(period))
    customers = expected.rows(
        "segment, count(distinct transaction_id), sum(revenue), max(sale_date) - min(sale_date)",
        "and customer is not null group by segment, customer",
        ["segment", "period"],
        (low, high),
    )
    rows = shown.by_click("lifetime_value")
    assert set(rows) == {values[0] for values in customers}
    for segment, row in rows.items():
        of_segment = [values for values in customers if values[0] == segment]
        orders, revenue = sum(values[1] for values in of_segment), sum(values[2] for values in of_segment)
        # Fractions are exact: displayed values are rounded once, at the end.
        spans = [max(values[3] / Fraction("365.25"), Fraction(1, 12)) for values in of_segment]
        lifespan = sum(spans) / len(spans)
        years = Fraction((high - low).days + 1) / Fraction("365.25")
        frequency = Fraction(orders, len(of_segment)) / years
        assert (row["orders"], row["revenue"], row["customers"]) == (orders, revenue, len(of_segment))
        assert row["customer_lifespan"] == half_up(lifespan, 4)
        assert row["purchase_frequency"] == half_up(frequency, 4)
        assert row["customer_lifetime_value"] == half_up(Fraction(revenue) / orders * frequency * lifespan, 2)
        assert row["realized_value"] == half_up(Fraction(revenue) / len(of_segment), 2)
        assert row["realized_value"] >= row["average_order_value"]


def test_lifetime_value_is_that_of_the_extract_whatever_day_the_range_begins(
    snapshot: Snapshot, sales: Platform
) -> None:
    columns = ("customers", "orders", "revenue", "average_order_value", "purchase_frequency", "customer_lifespan")
    columns += ("customer_lifetime_value",)
    select = (SQL_DIR / "transform" / "analytics" / "customer_lifetime_value.sql").read_text(encoding="utf-8")
    extract = sales.rows(f"select segment, {', '.join(columns)} from ({select}) as extract")
    for query in ("?range=7d", "", "?range=all"):
        shown = Shown(snapshot, query)
        rows = shown.by_click("lifetime_value")
        assert {name: tuple(row[column] for column in columns) for name, row in rows.items()} == {
            name: tuple(values) for name, *values in extract
        }
        note = shown.all["lifetime_value"].note
        assert "up to 5 Mar 2025; not a forecast" in note
        assert note.endswith("which puts New below one order.")


def test_new_and_returning_customers_are_counted_once_a_month(case: tuple[Shown, Expected]) -> None:
    shown, expected = case
    answer = shown.all["new_and_returning"]
    rows = {(row[0], row[1].lower()): (row[2], row[3]) for row in answer.rows}
    wanted = expected.rows(
        "month, buyer, count(distinct customer), sum(revenue)", "group by month, buyer", without=["buyer"]
    )
    assert rows == {(month, buyer): (customers, revenue) for month, buyer, customers, revenue in wanted if customers}


def test_a_cohort_keeps_what_comes_back_of_it(case: tuple[Shown, Expected]) -> None:
    shown, expected = case
    answer = shown.all["cohort_retention"]
    span_start, span_end = shown.answers.everything.span
    window = (span_start.replace(day=1), min(span_end, shown.answers.snapshot.last_day))
    without = ["cohort", "period"]
    active = {
        (cohort, month): customers
        for cohort, month, customers in expected.rows(
            "cohort, month, count(distinct customer)", "group by cohort, month", without, window
        )
    }
    sizes = dict(expected.rows("cohort, count(distinct customer)", "group by cohort", without, window))
    sizes.pop(None, None)  # guests
    seen = set()
    for cohort, later, retention, customers, size in answer.rows:
        assert size == sizes[cohort]
        number = int(cohort[:4]) * 12 + int(cohort[5:]) - 1 + later
        month = f"{number // 12}-{number % 12 + 1:02d}"
        assert customers == active.get((cohort, month), 0)
        assert retention == round_half_up(Decimal(customers) / sizes[cohort] * 100)
        seen.add(cohort)
    assert seen == {cohort for cohort in sizes if cohort >= f"{span_start:%Y-%m}"}


def test_weekdays_are_means_over_all_their_days(case: tuple[Shown, Expected]) -> None:
    shown, expected = case
    low, high = shown.answers.select(["weekday"]).span
    days = [low + dt.timedelta(days=number) for number in range((high - low).days + 1)]
    sums = expected.by("weekday", "sum(revenue), count(distinct transaction_id)", ["weekday"])
    for name, row in shown.by_click("weekdays").items():
        count = sum(f"{day:%A}" == name for day in days)
        revenue, orders = sums.get(name, (Decimal(0), 0))
        assert (row["days"], row["revenue"], row["orders"]) == (count, revenue, orders)
        assert row["revenue_per_day"] == round_half_up(revenue / count)
    assert set(sums) <= set(shown.by_click("weekdays"))


def test_a_mean_per_weekday_is_compared_with_a_mean(snapshot: Snapshot, connection: psycopg.Connection) -> None:
    """The days before can have more Mondays than the days of the range."""
    query = "?from=2024-06-10&to=2024-06-19&state=US-CA"
    shown, expected = Shown(snapshot, query), Expected(connection, query, snapshot.first_day, snapshot.last_day)
    window = (dt.date(2024, 5, 31), dt.date(2024, 6, 9))
    sums = dict(expected.rows("weekday, sum(revenue)", "group by weekday", window=window))
    for name, row in shown.by_click("weekdays").items():
        days = [window[0] + dt.timedelta(days=number) for number in range(10)]
        before = round_half_up(sums.get(name, Decimal(0)) / sum(f"{day:%A}" == name for day in days))
        assert row["compared_revenue_per_day"] == before


def test_payment_preference_adds_up_in_every_region(case: tuple[Shown, Expected]) -> None:
    shown, expected = case
    answer = shown.all["region_payments"]
    wanted: dict[tuple[str, str], list] = {}
    for region, payment, orders, revenue in expected.rows(
        "region, payment, count(distinct transaction_id), sum(revenue)",
        "group by region, payment",
        ["region", "state", "payment"],
    ):
        wanted[region, payment] = [orders, revenue]
    assert {(row[0], row[1]): [row[3], row[4]] for row in answer.rows} == wanted
    for region, payment, share, orders, _ in answer.rows:
        whole = sum(entry[0] for (other, _), entry in wanted.items() if other == region)
        assert share == round_half_up(Decimal(orders) / whole * 100), (region, payment)


def test_seasonality_shows_the_whole_history(case: tuple[Shown, Expected]) -> None:
    shown, expected = case
    snapshot = shown.answers.snapshot
    wanted = expected.rows(
        "month, sum(revenue), count(distinct transaction_id)",
        "group by month",
        ["period"],
        (snapshot.first_day, snapshot.last_day),
    )
    rows = shown.all["seasonality"].rows
    assert {row[0]: row[1:] for row in rows if row[2]} == {row[0]: row[1:] for row in wanted}
    history = range((snapshot.last_day - snapshot.first_day).days + 1)
    months = dict.fromkeys(f"{snapshot.first_day + dt.timedelta(days=number):%Y-%m}" for number in history)
    assert [row[0] for row in rows] == (list(months) if wanted else [])


def test_without_filters_the_pages_say_what_the_warehouse_says(snapshot: Snapshot, sales: Platform) -> None:
    """The aggregates lead to the same numbers in a different way."""
    shown = Shown(snapshot, "?range=all")
    totals = sales.rows("select sum(revenue), sum(orders), sum(units) from warehouse.agg_daily_sales")[0]
    kpis = {kpi.id: shown.answers.kpi(kpi).value for kpi in (*EXECUTIVE.kpis, *PRODUCTS.kpis, *CUSTOMERS.kpis)}
    assert (kpis["revenue"], kpis["orders"], kpis["units"]) == totals
    assert kpis["customers"] == sales.rows("select count(*) from warehouse.agg_customer_metrics")[0][0]
    returns = sales.rows("select sum(returns) from warehouse.agg_daily_returns")[0][0]
    assert kpis["returns"] == returns > 0
    assert kpis["net_revenue"] == totals[0] - returns
    breakdown = {
        "payment_method": "payment_methods",
        "state": "state_map",
        "discount_band": "discount_impact",
        "category": "top_categories",
    }
    for name, visual in breakdown.items():
        wanted = sales.rows(
            "select member, sum(revenue), sum(orders)::bigint from warehouse.mart_daily_breakdown"
            " where breakdown = %s group by member",
            name,
        )
        rows = shown.by_click(visual)
        assert {member: (row["revenue"], row["orders"]) for member, row in rows.items()} == {
            member: (revenue, orders) for member, revenue, orders in wanted
        }


def test_every_state_has_its_region(sales: Platform) -> None:
    for code, name, region in sales.rows(
        "select distinct state_code, state_name, region from warehouse.customer_profile where customer_key <> 0"
    ):
        assert region == REGION_OF[code]
        assert name != code


def test_a_place_without_a_name_keeps_its_code(platform: Platform) -> None:
    from ecommerce_platform_tests.harness import customer, line, order, product

    platform.load(
        1,
        customers=[customer(1, country="BR", state="SP"), customer(2, country="US", state="PR")],
        products=[product(1)],
        transactions=[order(1, 1), order(2, 2)],
        transaction_items=[line(1, 1), line(2, 2)],
    )
    assert sorted(platform.rows("select state_code, state_name, region from warehouse.customer_profile")) == [
        ("BR-SP", "BR-SP", "BR"),
        ("US-PR", "US-PR", "US"),
        ("ZZ-Unknown", "Unknown", "Unknown"),
    ]
    shown = Shown(read_snapshot(PostgresConnection(url=platform.url, role="reader")), "?range=all&region=BR")
    assert shown.answers.kpi(EXECUTIVE.kpis[1]).value == 1


def test_absurd_but_good_amounts_do_not_break_a_page(platform: Platform) -> None:
    """A cost of numeric(28, 2) does not fit into 64 bits of cents."""
    from ecommerce_platform_tests.harness import customer, line, order, product

    platform.load(
        1,
        customers=[customer(1)],
        products=[product(1, cost="9999999999.99")],
        transactions=[order(1, 1)],
        transaction_items=[line(1, 1, quantity=100_000_000, price="0.01", line_total="1000000.00")],
    )
    shown = Shown(read_snapshot(PostgresConnection(url=platform.url, role="reader")), "?range=all")
    assert shown.answers.kpi(EXECUTIVE.kpis[0]).value == Decimal("1000000.00")
    margin = shown.answers.kpi(EXECUTIVE.kpis[3]).value
    assert margin is not None
    assert margin < -90_000_000_000
    assert set(shown.all) == {
        visual.id for page in (EXECUTIVE, PRODUCTS, CUSTOMERS, GEOGRAPHY, ORDERS, NEXT) for visual in page.visuals
    }


def test_nothing_of_production_can_be_read_as_reader(sales: Platform) -> None:
    with PostgresConnection(url=sales.url, role="reader").connect() as reader:
        for table in ("production.customers", "staging.customers", "production.rejected_rows"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                reader.execute(sql.SQL("select 1 from {}").format(sql.Identifier(*table.split("."))))
        columns = {
            row[0] for row in reader.execute("table monitoring.rejected_rows_by_reason limit 0").description or ()
        }
        assert columns == {"feed", "reason", "row_count", "first_day", "last_day"}
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            reader.execute("delete from warehouse.fact_sales")


CHECKS = (
    *(partial(test_a_breakdown_shows_every_member_with_its_sums, visual=visual) for visual in BREAKDOWNS),
    *(partial(test_a_ranking_shows_the_best_members_in_order, visual=visual) for visual in RANKINGS),
    *(partial(test_a_hierarchy_shows_the_level_that_was_drilled_to, visual=visual) for visual in DRILLED),
    test_the_figures_at_the_head_of_each_page,
    test_the_weekend_uplift_compares_means_per_day,
    test_the_trend_adds_up_in_each_period,
    test_the_long_tail_ends_at_all_revenue,
    test_lifetime_value_is_the_formula_of_the_metrics,
    test_new_and_returning_customers_are_counted_once_a_month,
    test_a_cohort_keeps_what_comes_back_of_it,
    test_weekdays_are_means_over_all_their_days,
    test_payment_preference_adds_up_in_every_region,
    test_seasonality_shows_the_whole_history,
)
"""What holds for any filters: properties/test_dashboard_any_filters.py asks it of many more."""
