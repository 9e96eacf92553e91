"""What DAX computes in the Power BI model: columns that the database does not have, and measures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dashboards.spec.fields import DIMENSIONS, MEASURES
from dashboards.spec.metrics import metric
from dashboards.spec.pages import PAGES
from dashboards.spec.powerbi_next import KPI_DAX, KPI_FORMATS, NEXT_MEASURES
from ecommerce_platform.schemas.domains import GUEST


@dataclass(frozen=True)
class Calculated:
    """A column that DAX computes because the database has no such column."""

    table: str
    name: str
    type: str
    dax: str
    meaning: str


CALCULATED = (
    Calculated(
        "fact_sales",
        "Order",
        "string",
        'COALESCE ( RELATED ( order_codes[code] ), FORMAT ( fact_sales[transaction_id], "0" ) )',
        "Order ID, as the shop writes it.",
    ),
    Calculated(
        "fact_sales",
        "Discount",
        "string",
        metric("discount_band").dax(
            discount_amount="fact_sales[discount_amount]", gross="fact_sales[quantity] * fact_sales[unit_price]"
        ),
        metric("discount_band").comment,
    ),
    Calculated(
        "fact_sales",
        "Months since first order",
        "int64",
        "IF ( NOT ISBLANK ( fact_sales[customer_id] ),"
        " DATEDIFF ( RELATED ( agg_customer_metrics[first_order_date] ), fact_sales[sale_date], MONTH ) )",
        "Months between the month of the customer's first order and the month of this order; blank without a customer.",
    ),
    Calculated(
        "fact_sales",
        "Customer type",
        "string",
        'IF ( ISBLANK ( fact_sales[customer_id] ), "Guest",'
        ' IF ( fact_sales[Months since first order] = 0, "New", "Returning" ) )',
        DIMENSIONS["buyer"].meaning,
    ),
    Calculated(
        "customer_profile",
        "Customer",
        "string",
        f'IF ( customer_profile[current_segment] = "{GUEST}", "{GUEST}", customer_profile[customer_code] )',
        "The customer's ID, as the shop writes it; Guest for orders without a customer.",
    ),
    Calculated(
        "dim_product",
        "Product",
        "string",
        "VAR nameNow = LOOKUPVALUE ( dim_product[product_name],"
        " dim_product[product_id], dim_product[product_id], dim_product[is_current], TRUE () )"
        " VAR onlyProduct = LOOKUPVALUE ( dim_product[product_id],"
        " dim_product[product_name], nameNow, dim_product[is_current], TRUE (), BLANK () )"
        ' RETURN IF ( ISBLANK ( onlyProduct ), nameNow & " (" & dim_product[product_code] & ")", nameNow )',
        "The product's current name, whatever it was on the order date; with its ID if other products have that name.",
    ),
    Calculated(
        "agg_customer_metrics",
        "Cohort",
        "dateTime",
        "EOMONTH ( agg_customer_metrics[first_order_date], -1 ) + 1",
        DIMENSIONS["cohort"].meaning,
    ),
)


def _share(part: str, whole: str) -> str:
    return metric("share").dax(part=part, whole=whole)


KNOWN_STATES = (
    'FILTER ( VALUES ( customer_profile[state_code] ), RIGHT ( customer_profile[state_code], 7 ) <> "Unknown" )'
)
"""The states that are known: those of orders without a customer, and of customers without one, are not."""


def _best(number: int, members: str) -> str:
    best = f"SUMX ( TOPN ( {number}, {members}, [Total revenue] ), [Total revenue] )"
    return _share(best, "[Total revenue]")


def _kpi_measure(kpi_id: str, dax: str) -> tuple[str, str, str, str]:
    kpi = next(kpi for page in PAGES for kpi in page.kpis if kpi.id == kpi_id)
    return kpi.label, KPI_FORMATS.get(kpi_id, kpi.format), dax, kpi.meaning


MORE_MEASURES: Mapping[str, tuple[str, str, str, str]] = {
    "days_in_range": (
        "Days in range",
        "count",
        "VAR firstSale = CALCULATE ( MIN ( fact_sales[sale_date] ), REMOVEFILTERS () )"
        " VAR lastSale = CALCULATE ( MAX ( fact_sales[sale_date] ), REMOVEFILTERS () )"
        " RETURN COUNTROWS ( FILTER ( VALUES ( dim_date[calendar_date] ),"
        " dim_date[calendar_date] >= firstSale && dim_date[calendar_date] <= lastSale ) )",
        "Days in the date range that are within the loaded history, with or without orders.",
    ),
    "customer_revenue": (
        "Revenue from customers",
        "money",
        "CALCULATE ( [Total revenue], NOT ISBLANK ( fact_sales[customer_id] ) )",
        "Total revenue without orders that have no customer.",
    ),
    "prior_revenue": (
        "Prior period revenue",
        "money",
        "VAR firstSale = CALCULATE ( MIN ( fact_sales[sale_date] ), REMOVEFILTERS () )"
        " VAR firstDay = MIN ( dim_date[calendar_date] )"
        " VAR dayCount = COUNTROWS ( VALUES ( dim_date[calendar_date] ) )"
        " VAR daysBack = IF ( dayCount = 1, 7, dayCount )"
        " RETURN IF ( firstDay - daysBack >= firstSale, CALCULATE ( [Total revenue], DATESBETWEEN ("
        " dim_date[calendar_date], firstDay - daysBack, firstDay - daysBack + dayCount - 1 ) ) )",
        "Total revenue of the preceding period of the same length, or of the same weekday a week before a single day;"
        " blank if the history begins later.",
    ),
    "last_year_revenue": (
        "Last year revenue",
        "money",
        "VAR firstDay = MIN ( dim_date[calendar_date] ) VAR lastDay = MAX ( dim_date[calendar_date] )"
        " RETURN CALCULATE ( [Total revenue],"
        " DATESBETWEEN ( dim_date[calendar_date], EDATE ( firstDay, -12 ), EDATE ( lastDay, -12 ) ) )",
        "Total revenue of the same dates a year before; February 29 becomes February 28.",
    ),
    "revenue_change": (
        "Revenue change",
        "percent",
        _share("( [Total revenue] - [Prior period revenue] )", "[Prior period revenue]"),
        "Percentage change in revenue from the prior period.",
    ),
    "revenue_change_last_year": (
        "Revenue change from last year",
        "percent",
        _share("( [Total revenue] - [Last year revenue] )", "[Last year revenue]"),
        "Percentage change in revenue from the same dates a year before.",
    ),
    "products_sold": _kpi_measure(
        "products_sold", "CALCULATE ( DISTINCTCOUNT ( dim_product[product_id] ), fact_sales )"
    ),
    "top_ten_share": _kpi_measure("top_ten_share", _best(10, "VALUES ( dim_product[product_id] )")),
    "top_five_states_share": _kpi_measure("top_five_states_share", _best(5, KNOWN_STATES)),
    "states": _kpi_measure("states", f"COUNTROWS ( FILTER ( {KNOWN_STATES}, [Orders] > 0 ) )"),
    "revenue_per_customer": _kpi_measure(
        "revenue_per_customer",
        metric("average_order_value").dax(revenue="[Revenue from customers]", orders="[Customers]"),
    ),
    "returning_share": _kpi_measure(
        "returning_share",
        _share('CALCULATE ( [Total revenue], fact_sales[Customer type] = "Returning" )', "[Total revenue]"),
    ),
    "vip_share": _kpi_measure(
        "vip_share",
        _share('CALCULATE ( [Total revenue], customer_profile[current_segment] = "VIP" )', "[Total revenue]"),
    ),
    "weekend_uplift": _kpi_measure(
        "weekend_uplift",
        "VAR weekendMean = CALCULATE ( [Revenue per day], dim_date[is_weekend] = TRUE () )"
        " VAR weekdayMean = CALCULATE ( [Revenue per day], dim_date[is_weekend] = FALSE () )"
        f" RETURN {_share('( weekendMean - weekdayMean )', 'weekdayMean')}",
    ),
    "cumulative_share": (
        "Cumulative share",
        "percent",
        "VAR thisRevenue = [Total revenue]"
        " VAR bestRevenue = SUMX ("
        " FILTER ( ALLSELECTED ( dim_product[Product] ), [Total revenue] >= thisRevenue ),"
        " [Total revenue] )"
        f" RETURN {_share('bestRevenue', 'CALCULATE ( [Total revenue], ALLSELECTED ( dim_product[Product] ) )')}",
        "Share of revenue from all products with at least as much revenue as this one.",
    ),
    "retention": (
        "Retention",
        "percent",
        _share("[Customers]", "CALCULATE ( [Customers], REMOVEFILTERS ( fact_sales[Months since first order] ) )"),
        "Percentage of the cohort that ordered in that month.",
    ),
    "order_lines": ("Order lines", "count", "COUNTROWS ( fact_sales )", "Number of order lines."),
    **{kpi_id: _kpi_measure(kpi_id, dax) for kpi_id, dax in KPI_DAX.items()},
    **NEXT_MEASURES,
}
"""Measures beyond the specification's: name, format, DAX, and description. Those that back a KPI take its texts."""


def measure_name(measure: str) -> str:
    """The name of a measure in the semantic model."""
    return MEASURES[measure].label if measure in MEASURES else MORE_MEASURES[measure][0]
