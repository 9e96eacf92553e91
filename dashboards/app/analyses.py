"""The KPIs and charts of the page What next, from the extracts. They follow neither the filters nor the date range."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING

from dashboards.app.analyses_reader import Analyses
from dashboards.app.chart_data import Answer, Cell, Column, dimension_column, measure_column, money
from dashboards.app.filters import Filters
from dashboards.app.formats import day_text
from dashboards.app.selection import Selection
from dashboards.spec.page_types import Visual

if TYPE_CHECKING:
    from dashboards.app.answers import Answers

SHOWN_COHORTS = 12
SHOWN_DAYS = 60
"""Days of revenue before the forecast."""
RECENT_DAYS = 30
DAYS_TO_FORECAST = 28
"""Days of sales that a forecast takes."""
URGENT = ("Out of stock", "Runs out within 7 days")
UNKNOWN = "Unknown"

NOTE = "All orders; not affected by filters."
NOT_COMPUTED = "This analysis has not been computed yet. The next load of a day computes it."
NO_STOCK = "The shop's exports contain no stock quantities."
NO_PAIRS = "No two products are in enough orders of the last 90 days together."
NO_ANOMALIES = "No day was unusual. To judge days, it takes eleven weeks of sales."
NO_CUSTOMERS = "No order has a customer."
NO_REPEATS = "No customer has ordered twice."
NO_MONTHS = "No month is complete yet."
TOO_FEW_DAYS = f"No forecast: it takes {DAYS_TO_FORECAST} days of sales."
NO_FORECAST = "No forecast: the optional package statsforecast is not installed (pip install '.[forecast]')."


def _missing(analyses: Analyses, extract: str, columns: tuple[Column, ...], why: str) -> Answer:
    return Answer(columns, (), missing=why if extract in analyses.tables else NOT_COMPUTED)


# KPIs


def running_out(chosen: Selection) -> int | None:
    """Products out of stock or within a week of it; None if no stock is known."""
    products = chosen.snapshot.analyses.products
    return sum(products.get(status, 0) for status in URGENT) if products.keys() - {UNKNOWN} else None


def median_interval(chosen: Selection) -> Decimal | None:
    """The median of the days between two orders of a customer; None without repeat orders."""
    intervals = chosen.snapshot.analyses.intervals
    return intervals[0].median_days if intervals else None


def repeat_share(chosen: Selection) -> Decimal | None:
    """The share of customers who ordered at least twice; None without customers."""
    intervals = chosen.snapshot.analyses.intervals
    return intervals[0].repeat_customer_share if intervals else None


def unusual_days(chosen: Selection) -> int | None:
    """Days with an anomaly among the last ones; None if anomalies have not been computed."""
    snapshot = chosen.snapshot
    if "sales_anomalies" not in snapshot.analyses.tables:
        return None
    after = snapshot.last_day - dt.timedelta(days=RECENT_DAYS)
    return len({row.day for row in snapshot.analyses.anomalies if row.day > after})


ANALYSIS_KPIS: Mapping[str, Callable[[Selection], Decimal | int | None]] = {
    "running_out": running_out,
    "median_interval": median_interval,
    "repeat_share": repeat_share,
    "unusual_days": unusual_days,
}

# Charts


def stock_cover(answers: Answers, visual: Visual) -> Answer:
    """The products that run out first."""
    analyses = answers.snapshot.analyses
    columns = (
        dimension_column("product"),
        dimension_column("category"),
        Column("stock_quantity", "Stock", "count"),
        Column("units_per_day", "Units per day", "number"),
        Column("days_of_cover", "Days of cover", "number"),
        Column("runs_out_on", "Runs out on", "day"),
        Column("stock_status", "Status", "text"),
    )
    shown = [row for row in analyses.stock if row.status != UNKNOWN][: visual.limit]
    if not shown:
        return _missing(analyses, "stock_cover", columns, NO_STOCK)
    rows = tuple(
        (row.name, row.category, row.stock, row.units_per_day, row.days, row.runs_out_on, row.status) for row in shown
    )
    clicks = tuple((("product", row.code),) for row in shown)
    return Answer(columns, rows, clicks, note=NOTE, leads_to="/products")


def product_pairs(answers: Answers, visual: Visual) -> Answer:
    """The pairs of products with the highest lift."""
    analyses = answers.snapshot.analyses
    columns = (
        dimension_column("product"),
        Column("other_product", "Other product", "text"),
        Column("orders_together", "Orders together", "count"),
        Column("support", "Support", "percent"),
        Column("confidence", "Confidence", "percent"),
        Column("lift", "Lift", "number"),
    )
    shown = analyses.pairs[: visual.limit]
    if not shown:
        return _missing(analyses, "product_pairs", columns, NO_PAIRS)
    rows = tuple((row.name, row.other_name, row.orders, row.support, row.confidence, row.lift) for row in shown)
    clicks = tuple((("product", row.code),) for row in shown)
    note = f"Orders of the 90 days to {day_text(shown[0].as_of)}; not affected by filters."
    return Answer(columns, rows, clicks, note=note, leads_to="/products")


def sales_anomalies(answers: Answers, visual: Visual) -> Answer:
    """The latest unusual days."""
    analyses = answers.snapshot.analyses
    columns = (
        Column("day", "Day", "day"),
        dimension_column("category"),
        measure_column("revenue"),
        Column("expected_revenue", "Expected", "money"),
        Column("deviation", "Deviation", "money"),
        Column("direction", "Direction", "text"),
    )
    shown = analyses.anomalies[: visual.limit]
    if not shown:
        return _missing(analyses, "sales_anomalies", columns, NO_ANOMALIES)
    rows = tuple((row.day, row.category, row.revenue, row.expected, row.deviation, row.direction) for row in shown)
    clicks = tuple((("period", row.day.isoformat()), ("category", row.category)) for row in shown)
    return Answer(columns, rows, clicks, note=NOTE, leads_to="/")


def rfm_segments(answers: Answers, visual: Visual) -> Answer:
    """The groups of customers, the largest first."""
    analyses = answers.snapshot.analyses
    columns = (
        Column("rfm_group", "Group", "text"),
        measure_column("customers"),
        Column("revenue_share", "Share of revenue from customers", "percent"),
        Column("customer_share", "Share of customers", "percent"),
        measure_column("revenue"),
        Column("average_recency_days", "Days since last order", "number"),
        Column("average_orders", "Orders per customer", "number"),
        Column("average_revenue", "Revenue per customer", "money"),
    )
    if not analyses.groups:
        return _missing(analyses, "rfm_segments", columns, NO_CUSTOMERS)
    rows = tuple(
        (
            row.name,
            row.customers,
            row.revenue_share,
            row.customer_share,
            row.revenue,
            row.average_recency_days,
            row.average_orders,
            row.average_revenue,
        )
        for row in analyses.groups
    )
    return Answer(columns, rows, note=NOTE)


def repeat_purchases(answers: Answers, visual: Visual) -> Answer:
    """Repeat orders by the days since the customer's order before."""
    analyses = answers.snapshot.analyses
    columns = (
        Column("interval_band", "Since previous order", "text"),
        Column("repeat_orders", "Repeat orders", "count"),
        Column("order_share", "Share of repeat orders", "percent"),
        Column("cumulative_share", "Cumulative share", "percent"),
    )
    if not any(row.orders for row in analyses.intervals):
        return _missing(analyses, "repeat_purchases", columns, NO_REPEATS if analyses.intervals else NO_CUSTOMERS)
    rows = tuple((row.band, row.orders, row.share, row.cumulative_share) for row in analyses.intervals)
    return Answer(columns, rows, note=NOTE)


def cohort_curves(answers: Answers, visual: Visual) -> Answer:
    """The cumulative revenue per customer of the last cohorts, without the month that is not over."""
    analyses = answers.snapshot.analyses
    columns = (
        dimension_column("cohort"),
        Column("months_since", "Months since first order", "count"),
        Column("revenue_per_customer", "Cumulative revenue per customer", "money"),
        Column("cohort_size", "Customers in cohort", "count"),
        Column("retention", "Retention", "percent"),
    )
    last = sorted({row.cohort for row in analyses.cohorts})[-SHOWN_COHORTS:]
    shown = [row for row in analyses.cohorts if row.cohort in last]
    if not shown:
        return _missing(analyses, "cohort_curves", columns, NO_MONTHS if analyses.groups else NO_CUSTOMERS)
    rows = tuple(
        (row.cohort, row.months_since, row.revenue_per_customer, row.customers, row.retention) for row in shown
    )
    clicks = tuple((("cohort", row.cohort),) for row in shown)
    return Answer(columns, rows, clicks, note=NOTE, leads_to="/customers")


def forecast(answers: Answers, visual: Visual) -> Answer:
    """The revenue of the last days, and what the next ones may bring."""
    snapshot = answers.snapshot
    analyses = snapshot.analyses
    bounds = [
        (f"{end}_{level}", f"{label} {level}%")
        for level in (80, 95)
        for end, label in (("lower", "Lower"), ("upper", "Upper"))
    ]
    columns = (
        Column("day", "Day", "day"),
        measure_column("revenue"),
        Column("forecast", "Forecast", "money"),
        *(Column(name, label, "money") for name, label in bounds),
    )
    if not analyses.forecast:
        days = (snapshot.last_day - snapshot.first_day).days + 1
        return _missing(analyses, "sales_forecast", columns, NO_FORECAST if days >= DAYS_TO_FORECAST else TOO_FEW_DAYS)
    end = analyses.forecast[0].as_of
    start = max(snapshot.first_day, end - dt.timedelta(days=SHOWN_DAYS - 1))
    revenue = Selection(snapshot, Filters("all"), (start, end)).by_day("revenue")
    rows: list[tuple[Cell, ...]] = [
        (start + dt.timedelta(days=place), money(cents), *[None] * 5) for place, cents in enumerate(revenue)
    ]
    rows += [
        (row.day, None, row.forecast, row.lower_80, row.upper_80, row.lower_95, row.upper_95)
        for row in analyses.forecast
    ]
    return Answer(columns, tuple(rows), note=NOTE)


ANALYSES: Mapping[str, Callable[[Answers, Visual], Answer]] = {
    "stock_cover": stock_cover,
    "forecast": forecast,
    "product_pairs": product_pairs,
    "sales_anomalies": sales_anomalies,
    "rfm_segments": rfm_segments,
    "repeat_purchases": repeat_purchases,
    "cohort_curves": cohort_curves,
}
"""How each chart is answered; see ``Answers.answer``."""
