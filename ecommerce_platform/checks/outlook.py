"""What the page What next shows of the days to come: stock, unusual days and the forecast agree with the sales."""

from __future__ import annotations

from ecommerce_platform.checks.outcome import TableCheck
from ecommerce_platform.checks.reconciliation import BREAKDOWN, DAILY, agrees, sums_of


def outlook_checks() -> list[TableCheck]:
    """All checks of the extracts that look ahead. An empty forecast agrees with every history."""
    sold = ("units", "revenue")
    return [
        agrees(
            "analytics.stock_cover",
            DAILY,
            key=(),
            measures=sold,
            ours=f"select {sums_of(*sold)} from analytics.stock_cover",
            theirs=f"""
                select {sums_of(*sold)}
                from {DAILY}
                where sale_date > (select max(sale_date) - 28 from {DAILY})
            """,
        ),
        agrees(
            "analytics.sales_anomalies",
            BREAKDOWN,
            key=("sale_date", "category"),
            measures=("revenue",),
            ours="select * from analytics.sales_anomalies",
            theirs=f"""
                select unusual.sale_date, unusual.category, coalesce(sales.revenue, 0) as revenue
                from analytics.sales_anomalies as unusual
                left join {BREAKDOWN} as sales
                    on sales.breakdown = 'category' and unusual.category = sales.member
                    and unusual.sale_date = sales.sale_date
            """,
        ),
        agrees(
            "analytics.sales_forecast",
            DAILY,
            key=(),
            measures=("first_forecast_date", "days"),
            ours="select min(forecast_date) as first_forecast_date, count(*) as days from analytics.sales_forecast",
            theirs=f"""
                select max(sale_date) + 1 as first_forecast_date, 30 as days
                from {DAILY}
                having exists (select 1 from analytics.sales_forecast)
            """,
        ),
    ]
