"""Reads the extracts that say what to do next: stock, pairs of products, unusual days, the forecast, and customers."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple

from ecommerce_platform.io_managers.connection import ClientConnection

MOST_URGENT = 100
"""Products of the stock cover that are kept, of which a page shows the first few."""


class Cover(NamedTuple):
    """A product of ``analytics.stock_cover``."""

    code: str
    name: str
    category: str
    stock: int | None
    units_per_day: Decimal
    days: Decimal | None
    runs_out_on: dt.date | None
    status: str


class Pair(NamedTuple):
    """A row of ``analytics.product_pairs``."""

    code: str
    name: str
    other_name: str
    orders: int
    support: Decimal
    confidence: Decimal
    lift: Decimal
    as_of: dt.date


class Anomaly(NamedTuple):
    """A row of ``analytics.sales_anomalies``."""

    day: dt.date
    category: str
    revenue: Decimal
    expected: Decimal
    deviation: Decimal
    direction: str


class ForecastDay(NamedTuple):
    """A row of ``analytics.sales_forecast``."""

    day: dt.date
    forecast: Decimal
    lower_80: Decimal
    upper_80: Decimal
    lower_95: Decimal
    upper_95: Decimal
    as_of: dt.date


class RfmGroup(NamedTuple):
    """A row of ``analytics.rfm_segments``."""

    name: str
    customers: int
    customer_share: Decimal | None
    revenue: Decimal
    revenue_share: Decimal | None
    average_recency_days: Decimal
    average_orders: Decimal
    average_revenue: Decimal


class Interval(NamedTuple):
    """A row of ``analytics.repeat_purchases``."""

    band: str
    orders: int
    share: Decimal | None
    cumulative_share: Decimal | None
    median_days: Decimal | None
    repeat_customer_share: Decimal


class CohortMonth(NamedTuple):
    """A complete month of ``analytics.cohort_curves``."""

    cohort: str
    months_since: int
    revenue_per_customer: Decimal
    customers: int
    retention: Decimal


@dataclass(frozen=True)
class Analyses:
    """The rows of the extracts. One whose table does not exist yet has none, and is not in ``tables``.

    Attributes:
        tables: the extracts that exist.
        stock: the products that run out first; those that do not sell or whose stock is unknown come last.
        products: the number of products by stock status.
        pairs: pairs of products, the highest lift first.
        anomalies: unusual days of categories, the latest first.
        forecast: the next days.
        groups: RFM groups, the largest first.
        intervals: bands of days between two orders, the shortest first.
        cohorts: complete months of all cohorts, by cohort and month.
    """

    tables: frozenset[str] = frozenset()
    stock: Sequence[Cover] = ()
    products: Mapping[str, int] = field(default_factory=dict)
    pairs: Sequence[Pair] = ()
    anomalies: Sequence[Anomaly] = ()
    forecast: Sequence[ForecastDay] = ()
    groups: Sequence[RfmGroup] = ()
    intervals: Sequence[Interval] = ()
    cohorts: Sequence[CohortMonth] = ()


STOCK = f"""
select product_code, product_name, category, stock_quantity, units_per_day, days_of_cover, runs_out_on, stock_status
from analytics.stock_cover
order by
    array_position(
        array['Out of stock', 'Runs out within 7 days', 'Runs out within 30 days', 'Enough'], stock_status
    ),
    days_of_cover,
    revenue desc,
    product_code
limit {MOST_URGENT}
"""

PRODUCTS = "select stock_status, count(*) from analytics.stock_cover group by stock_status"

ROWS: Mapping[str, tuple[str, Any, str]] = {
    "product_pairs": (
        "pairs",
        Pair,
        """
        select
            product_code, product_name, other_product_name, orders_together, support, confidence, lift, as_of_date
        from analytics.product_pairs
        order by pair_rank
        """,
    ),
    "sales_anomalies": (
        "anomalies",
        Anomaly,
        """
        select sale_date, category, revenue, expected_revenue, deviation, direction
        from analytics.sales_anomalies
        order by sale_date desc, abs(robust_z) desc, category
        """,
    ),
    "sales_forecast": (
        "forecast",
        ForecastDay,
        """
        select forecast_date, forecast, lower_80, upper_80, lower_95, upper_95, as_of_date
        from analytics.sales_forecast
        order by forecast_date
        """,
    ),
    "rfm_segments": (
        "groups",
        RfmGroup,
        """
        select
            rfm_group, customers, customer_share, revenue, revenue_share,
            average_recency_days, average_orders, average_revenue
        from analytics.rfm_segments
        order by customers desc, rfm_group
        """,
    ),
    "repeat_purchases": (
        "intervals",
        Interval,
        """
        select interval_band, orders, order_share, cumulative_share, median_interval_days, repeat_customer_share
        from analytics.repeat_purchases
        order by from_days
        """,
    ),
    "cohort_curves": (
        "cohorts",
        CohortMonth,
        """
        select
            to_char(cohort_month, 'YYYY-MM'), months_since, cumulative_revenue_per_customer, customers, retention
        from analytics.cohort_curves
        where is_complete
        order by cohort_month, months_since
        """,
    ),
}
"""For each extract: the attribute of :class:`Analyses`, the type of its rows, and the statement that reads them."""

EXTRACTS = ("stock_cover", *ROWS)


def read_analyses(connection: ClientConnection) -> Analyses:
    """The extracts, in the transaction of the connection."""
    found = connection.execute(
        "select relname from pg_class where relnamespace = to_regnamespace('analytics') and relname = any(%s)",
        (list(EXTRACTS),),
    ).fetchall()
    tables = frozenset(row[0] for row in found)
    rows: dict[str, Any] = {
        attribute: [kind(*row) for row in connection.execute(statement.encode()).fetchall()]
        for table, (attribute, kind, statement) in ROWS.items()
        if table in tables
    }
    if "stock_cover" in tables:
        rows["stock"] = [Cover(*row) for row in connection.execute(STOCK.encode()).fetchall()]
        rows["products"] = dict(connection.execute(PRODUCTS.encode()).fetchall())
    return Analyses(tables, **rows)
