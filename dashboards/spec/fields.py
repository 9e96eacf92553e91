"""Dimensions, hierarchies, and measures, and where each one is in the database.

A dimension's ID is also its URL parameter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeVar

from dashboards.spec.metrics import metric

Grain = Literal["order", "line", "day"]
Format = Literal["money", "count", "percent", "text", "day", "number", "moment"]


@dataclass(frozen=True)
class Dimension:
    """An attribute to filter by and to break revenue down by.

    Attributes:
        id: its identifier; also its URL parameter.
        label: its display name, singular.
        plural: its display name, plural.
        table: the warehouse table or view that contains it.
        column: its column in that table; only ``fact_sales.discount_band`` is computed.
        grain: whether it describes an order, an order line, or a day.
        meaning: its definition, shown in the README.
    """

    id: str
    label: str
    plural: str
    table: str
    column: str
    grain: Grain
    meaning: str


@dataclass(frozen=True)
class Hierarchy:
    """Levels to drill down, coarsest first: dimension IDs, or year, month, and day."""

    id: str
    levels: tuple[str, ...]


@dataclass(frozen=True)
class Measure:
    """A number to show. ``definition`` appears in the README; ``dax`` is the expression in the Power BI model."""

    id: str
    label: str
    format: Format
    definition: str
    dax: str


Item = TypeVar("Item", Dimension, Hierarchy, Measure)


def _by_id(*items: Item) -> Mapping[str, Item]:
    return {item.id: item for item in items}


DIMENSIONS: Mapping[str, Dimension] = _by_id(
    Dimension("category", "Category", "Categories", "dim_product", "category", "line", "Category on the order date."),
    Dimension("product", "Product", "Products", "dim_product", "product_name", "line", "Product, by its current name."),
    Dimension(
        "price_range",
        "Price range",
        "Price ranges",
        "dim_product",
        "price_range",
        "line",
        "By list price on the order date: Budget below 25, Mid-range below 100, Premium from 100.",
    ),
    Dimension(
        "discount_band",
        "Discount",
        "Discounts",
        "fact_sales",
        "discount_band",
        "line",
        "Discount as a percentage of the order line's price before the discount.",
    ),
    Dimension(
        "region",
        "Region",
        "Regions",
        "customer_profile",
        "region",
        "order",
        "The customer's US census region on the order date; outside the US, the country.",
    ),
    Dimension(
        "state",
        "State",
        "States",
        "customer_profile",
        "state_name",
        "order",
        "The customer's state on the order date.",
    ),
    Dimension(
        "segment",
        "Segment",
        "Segments",
        "customer_profile",
        "current_segment",
        "order",
        "The customer's current segment: VIP from 10 orders and 10,000 in revenue, Regular from 3 orders, else New;"
        " Guest for orders without a customer.",
    ),
    Dimension(
        "payment",
        "Payment method",
        "Payment methods",
        "dim_payment",
        "payment_method",
        "order",
        "How the customer paid for the order.",
    ),
    Dimension(
        "customer",
        "Customer",
        "Customers",
        "customer_profile",
        "customer_code",
        "order",
        "The customer's ID, as the shop writes it.",
    ),
    Dimension(
        "cohort",
        "Cohort",
        "Cohorts",
        "agg_customer_metrics",
        "first_order_date",
        "order",
        "Month of the customer's first order.",
    ),
    Dimension(
        "buyer",
        "Customer type",
        "Customer types",
        "agg_customer_metrics",
        "first_order_date",
        "order",
        "New in the month of the customer's first order, returning in later months;"
        " guest for orders without a customer.",
    ),
    Dimension("weekday", "Weekday", "Weekdays", "dim_date", "day_name", "day", "Day of the week (UTC)."),
)

HIERARCHIES: Mapping[str, Hierarchy] = _by_id(
    Hierarchy("products", ("category", "product")),
    Hierarchy("places", ("region", "state")),
    Hierarchy("time", ("year", "month", "day")),
)

TIME_LEVELS = {"year": ("Year", "Years"), "month": ("Month", "Months"), "day": ("Day", "Days")}


def _dax(name: str, **arguments: str) -> str:
    return metric(name).dax(**arguments)


def _so_far(dax: str) -> str:
    """The expression over the whole history up to the end of the date range."""
    return (
        "VAR lastDay = MAX ( dim_date[calendar_date] )"
        f" RETURN CALCULATE ( {dax}, FILTER ( ALL ( dim_date ), dim_date[calendar_date] <= lastDay ) )"
    )


MEASURES: Mapping[str, Measure] = _by_id(
    Measure(
        "revenue",
        "Total revenue",
        "money",
        "SUM(quantity × unit_price − discount_amount)",
        "SUM ( fact_sales[revenue] )",
    ),
    Measure(
        "orders", "Orders", "count", "COUNT(DISTINCT transaction_id)", "DISTINCTCOUNT ( fact_sales[transaction_id] )"
    ),
    Measure(
        "guest_orders",
        "Orders without a customer",
        "count",
        "orders of guests, who are not counted as customers",
        "CALCULATE ( [Orders], ISBLANK ( fact_sales[customer_id] ) )",
    ),
    Measure(
        "average_order_value",
        "Average order value",
        "money",
        "total revenue ÷ orders",
        _dax("average_order_value", revenue="[Total revenue]", orders="[Orders]"),
    ),
    Measure(
        "costed_revenue",
        "Revenue with known cost",
        "money",
        "total revenue of the order lines with a known cost",
        "CALCULATE ( [Total revenue], NOT ISBLANK ( fact_sales[cost] ) )",
    ),
    Measure(
        "cost",
        "Total cost",
        "money",
        "SUM(quantity × unit cost on the order date), over the order lines with a known cost",
        "SUM ( fact_sales[cost] )",
    ),
    Measure(
        "profit",
        "Profit",
        "money",
        "revenue with known cost − total cost",
        "[Revenue with known cost] - [Total cost]",
    ),
    Measure(
        "profit_margin",
        "Profit margin",
        "percent",
        "profit ÷ revenue with known cost × 100",
        _dax("profit_margin", revenue="[Revenue with known cost]", cost="[Total cost]"),
    ),
    Measure(
        "margin_coverage",
        "Revenue with known cost (%)",
        "percent",
        "revenue with known cost ÷ total revenue × 100: how much of the revenue profit and margin are about",
        _dax("share", part="[Revenue with known cost]", whole="[Total revenue]"),
    ),
    Measure(
        "revenue_share",
        "Share of revenue",
        "percent",
        "revenue ÷ revenue of all members × 100",
        _dax("share", part="[Total revenue]", whole="CALCULATE ( [Total revenue], ALLSELECTED () )"),
    ),
    Measure(
        "gross_revenue",
        "Gross revenue",
        "money",
        "SUM(quantity × unit_price)",
        _dax("gross_revenue", revenue="[Total revenue]", discount="[Total discount]"),
    ),
    Measure("returns", "Returns", "money", "SUM(refund_amount)", "SUM ( fact_returns[refund_amount] )"),
    Measure(
        "net_revenue",
        "Net revenue",
        "money",
        "total revenue − returns",
        _dax("net_revenue", revenue="[Total revenue]", returns="[Returns]"),
    ),
    Measure("returned_units", "Units returned", "count", "SUM(returned quantity)", "SUM ( fact_returns[quantity] )"),
    Measure(
        "return_rate",
        "Return rate",
        "percent",
        "units returned ÷ units sold × 100",
        _dax("return_rate", returned_units="[Units returned]", units="[Units sold]"),
    ),
    Measure("units", "Units sold", "count", "SUM(quantity)", "SUM ( fact_sales[quantity] )"),
    Measure("discount", "Total discount", "money", "SUM(discount_amount)", "SUM ( fact_sales[discount_amount] )"),
    Measure(
        "customers",
        "Customers",
        "count",
        "COUNT(DISTINCT customer_id) of customers with at least one order, without guests",
        "DISTINCTCOUNTNOBLANK ( fact_sales[customer_id] )",
    ),
    Measure(
        "purchase_frequency",
        "Purchase frequency",
        "number",
        "orders of customers ÷ customers with at least one order,"
        " per year of the history up to the end of the date range",
        _so_far(
            _dax(
                "purchase_frequency",
                orders="( [Orders] - [Orders without a customer] )",
                customers="[Customers]",
                window_days="[Days in range]",
            )
        ),
    ),
    Measure(
        "customer_lifespan",
        "Customer lifespan",
        "number",
        "average years from a customer's first to last order up to the end of the date range,"
        " at least one month per customer",
        _so_far(
            "AVERAGEX ( SUMMARIZE ( FILTER ( fact_sales, NOT ISBLANK ( fact_sales[customer_id] ) ),"
            " fact_sales[customer_id],"
            ' "first", MIN ( fact_sales[sale_date] ), "last", MAX ( fact_sales[sale_date] ) ), '
            + _dax("customer_lifespan", first_order="[first]", last_order="[last]")
            + " )"
        ),
    ),
    Measure(
        "customer_lifetime_value",
        "Customer lifetime value",
        "money",
        "average order value × purchase frequency × customer lifespan, without guests,"
        " over the whole history up to the end of the date range",
        _so_far(
            _dax(
                "customer_lifetime_value",
                revenue="[Revenue from customers]",
                customers="[Customers]",
                window_days="[Days in range]",
                lifespan="[Customer lifespan]",
            )
        ),
    ),
    Measure(
        "realized_value",
        "Realized value",
        "money",
        "revenue from customers ÷ customers, over the whole history up to the end of the date range",
        _so_far(_dax("average_order_value", revenue="[Revenue from customers]", orders="[Customers]")),
    ),
    Measure(
        "revenue_per_day",
        "Revenue per day",
        "money",
        "total revenue ÷ days in the date range, including days without orders",
        "DIVIDE ( [Total revenue], [Days in range] )",
    ),
)

FILTERS = tuple(DIMENSIONS)
"""The dimensions that a click can filter by. Together with the date range, they are the URL parameters."""
