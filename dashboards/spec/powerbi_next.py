"""The measures of the page What next in the Power BI model, over the extracts that it imports."""

from __future__ import annotations

from collections.abc import Mapping

EXTRACTS = (
    "cohort_curves",
    "product_pairs",
    "repeat_purchases",
    "rfm_segments",
    "sales_anomalies",
    "sales_forecast",
    "stock_cover",
)
"""The tables of the schema analytics in the model. Only the forecast is related to another table, dim_date."""

LAST_SALE = "VAR lastSale = CALCULATE ( MAX ( fact_sales[sale_date] ), REMOVEFILTERS () )"

KPI_DAX: Mapping[str, str] = {
    "running_out": 'IF ( COUNTROWS ( FILTER ( stock_cover, stock_cover[stock_status] <> "Unknown" ) ) > 0,'
    " COUNTROWS ( FILTER ( stock_cover, stock_cover[stock_status]"
    ' IN { "Out of stock", "Runs out within 7 days" } ) ) + 0 )',
    "median_interval": "MAX ( repeat_purchases[median_interval_days] )",
    "repeat_share": "MAX ( repeat_purchases[repeat_customer_share] )",
    "unusual_days": f"{LAST_SALE} RETURN CALCULATE ( DISTINCTCOUNT ( sales_anomalies[sale_date] ),"
    " KEEPFILTERS ( sales_anomalies[sale_date] > lastSale - 30 ) ) + 0",
}
"""The DAX of each KPI of the page."""
KPI_FORMATS: Mapping[str, str] = {"median_interval": "tenths"}
"""The formats of KPIs in Power BI, where they differ from the specification's."""


def _bound(column: str, label: str, meaning: str) -> tuple[str, str, str, str]:
    return label, "money", f"SUM ( sales_forecast[{column}] )", meaning


NEXT_MEASURES: Mapping[str, tuple[str, str, str, str]] = {
    "revenue_before": (
        "Revenue before the forecast",
        "money",
        "VAR firstSale = CALCULATE ( MIN ( fact_sales[sale_date] ), REMOVEFILTERS () )"
        f" {LAST_SALE} VAR shown = FILTER ( VALUES ( dim_date[calendar_date] ),"
        " dim_date[calendar_date] >= MAX ( firstSale, lastSale - 59 ) && dim_date[calendar_date] <= lastSale )"
        " RETURN IF ( NOT ISEMPTY ( shown ), CALCULATE ( [Total revenue], shown ) + 0 )",
        "Total revenue of the 60 days up to the last order; 0 on a day without orders.",
    ),
    "forecast": _bound("forecast", "Forecast", "Expected total revenue of the 30 days after the last order."),
    "lower_80": _bound("lower_80", "Lower 80%", "Lower end of the range that holds 80% of outcomes."),
    "upper_80": _bound("upper_80", "Upper 80%", "Upper end of the range that holds 80% of outcomes."),
    "lower_95": _bound("lower_95", "Lower 95%", "Lower end of the range that holds 95% of outcomes."),
    "upper_95": _bound("upper_95", "Upper 95%", "Upper end of the range that holds 95% of outcomes."),
    "group_customers": (
        "Customers in group",
        "count",
        "SUM ( rfm_segments[customers] )",
        "Customers of the RFM group.",
    ),
    "group_revenue": (
        "Revenue of group",
        "money",
        "SUM ( rfm_segments[revenue] )",
        "Revenue from the customers of the RFM group, over all days.",
    ),
    "group_revenue_share": (
        "Share of revenue from customers",
        "percent",
        "SUM ( rfm_segments[revenue_share] )",
        "The RFM group's share of the revenue from all customers.",
    ),
    "repeat_orders": (
        "Repeat orders",
        "count",
        "SUM ( repeat_purchases[orders] )",
        "Orders that are not a customer's first.",
    ),
    "cumulative_repeat_share": (
        "Cumulative share of repeat orders",
        "percent",
        "MAX ( repeat_purchases[cumulative_share] )",
        "Share of repeat orders in this band of days and those before it.",
    ),
    "cohort_value": (
        "Cumulative revenue per customer",
        "money",
        "VAR lastCohort = CALCULATE ( MAX ( cohort_curves[cohort_month] ), REMOVEFILTERS (),"
        " cohort_curves[is_complete] = TRUE () )"
        " RETURN CALCULATE ( SUM ( cohort_curves[cumulative_revenue_per_customer] ),"
        " cohort_curves[is_complete] = TRUE (),"
        " KEEPFILTERS ( cohort_curves[cohort_month] > EDATE ( lastCohort, -12 ) ) )",
        "Revenue per customer of one of the last 12 cohorts up to the end of the month; only months that are over.",
    ),
}
"""Further measures of the page: name, format, DAX, and description."""
