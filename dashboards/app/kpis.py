"""The value of each KPI for a selection of order lines, and the values of its sparkline."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal

import numpy as np

from dashboards.app.analyses import ANALYSIS_KPIS
from dashboards.app.chart_data import money
from dashboards.app.periods import weekday_counts
from dashboards.app.selection import Selection
from dashboards.app.snapshot import number_of
from dashboards.spec.metrics import metric

MOST_SPARK_POINTS = 62


def known_states(selection: Selection, values: np.ndarray) -> np.ndarray:
    """The values of the states that are known: those of guests, and of customers without one, are not."""
    members = selection.snapshot.members["state"]
    return values[[code for code, member in enumerate(members) if not member.endswith("-Unknown")]]


def _states(selection: Selection) -> int | None:
    states = int(np.count_nonzero(known_states(selection, selection.order_counts("state"))))
    return states if states or not selection.count else None


def _share_of_top_states(selection: Selection) -> Decimal | None:
    if not known_states(selection, selection.order_counts("state")).any():
        return None
    return _share_of_best(selection, known_states(selection, selection.sums("state", "revenue")), 5)


def _share_of_best(selection: Selection, revenue: np.ndarray, count: int) -> Decimal | None:
    best = np.sort(revenue)[::-1][:count]
    return metric("share")(Decimal(int(best.sum())), Decimal(selection.total("revenue")))


def _share_of_member(selection: Selection, dimension: str, member: str) -> Decimal | None:
    revenue = selection.sums(dimension, "revenue")
    part = revenue[selection.snapshot.code(dimension, member)]
    return metric("share")(Decimal(int(part)), Decimal(int(revenue.sum())))


def _weekend_uplift(selection: Selection) -> Decimal | None:
    days = weekday_counts(*selection.span)
    revenue = selection.sums("weekday", "revenue")
    # A mean per day, rounded like the mean per order.
    mean = metric("average_order_value")
    weekend, week = mean(money(revenue[5:].sum()), sum(days[5:])), mean(money(revenue[:5].sum()), sum(days[:5]))
    return None if weekend is None or week is None else metric("share")(weekend - week, week)


KPI_VALUES: Mapping[str, Callable[[Selection], Decimal | int | None]] = {
    "revenue": lambda chosen: money(chosen.total("revenue")),
    "orders": lambda chosen: chosen.count,
    "units": lambda chosen: chosen.total("units"),
    "customers": lambda chosen: chosen.customers,
    "average_order_value": lambda chosen: metric("average_order_value")(money(chosen.total("revenue")), chosen.count),
    "profit_margin": lambda chosen: metric("profit_margin")(
        money(chosen.total("costed_revenue")), money(chosen.total("cost"))
    ),
    "gross_revenue": lambda chosen: metric("gross_revenue")(
        money(chosen.total("revenue")), money(chosen.total("discount"))
    ),
    "returns": lambda chosen: money(chosen.total("returns")),
    "net_revenue": lambda chosen: metric("net_revenue")(money(chosen.total("revenue")), money(chosen.total("returns"))),
    "return_rate": lambda chosen: metric("return_rate")(chosen.total("returned_units"), chosen.total("units")),
    "products_sold": lambda chosen: int(np.count_nonzero(chosen.line_counts("product"))),
    "top_ten_share": lambda chosen: _share_of_best(chosen, chosen.sums("product", "revenue"), 10),
    "revenue_per_customer": lambda chosen: metric("average_order_value")(
        money(chosen.customer_revenue), chosen.customers
    ),
    "returning_share": lambda chosen: _share_of_member(chosen, "buyer", "returning"),
    "vip_share": lambda chosen: _share_of_member(chosen, "segment", "VIP"),
    "states": _states,
    "top_five_states_share": _share_of_top_states,
    "weekend_uplift": _weekend_uplift,
    **ANALYSIS_KPIS,
}


def sparkline_values(selection: Selection, measure: str) -> tuple[float, ...]:
    """A measure over the date range, at as many points of the same number of days as a sparkline can show."""
    start, end = selection.span
    if end <= start:
        return ()
    days = (end - start).days + 1
    step = max(1, -(-days // MOST_SPARK_POINTS))
    # Count whole steps back from the end, so that no point covers fewer days than the others.
    points = days // step
    bucket = points - 1 - np.arange(days)[::-1] // step
    kept = bucket >= 0

    def sums(column: str) -> np.ndarray:
        return np.bincount(bucket[kept], selection.by_day(column)[kept], points)

    def customers() -> np.ndarray:
        of_days = np.where(kept, bucket, points).astype(np.int16)
        of_orders = of_days[selection.orders("day") - number_of(start)]
        return selection.distinct_customers(of_orders, points + 1)[:points]

    orders = sums("orders")
    values = {
        "orders": lambda: orders,
        "average_order_value": lambda: metric("average_order_value").of_columns(sums("revenue") / 100, orders),
        "profit_margin": lambda: metric("profit_margin").of_columns(sums("costed_revenue"), sums("cost")),
        "customers": customers,
        "units": lambda: sums("units"),
        "gross_revenue": lambda: metric("gross_revenue").of_columns(sums("revenue"), sums("discount")) / 100,
        "returns": lambda: sums("returns") / 100,
        "net_revenue": lambda: metric("net_revenue").of_columns(sums("revenue"), sums("returns")) / 100,
        "return_rate": lambda: metric("return_rate").of_columns(sums("returned_units"), sums("units")),
        "revenue": lambda: sums("revenue") / 100,
    }[measure]()
    return tuple(float(value) for value in values if np.isfinite(value))
