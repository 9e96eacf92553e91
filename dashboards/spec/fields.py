"""What can be shown and filtered: dimensions, hierarchies and measures, each with its place in the database.

A dimension's id is its parameter in the address of a page.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeVar

from dashboards.spec.metrics import metric

Grain = Literal["order", "line", "day"]
Format = Literal["money", "count", "percent", "text", "day", "month", "number", "moment"]


@dataclass(frozen=True)
class Dimension:
    """Something that sales are broken down by.

    Attributes:
        id: its name, also in the address of a page.
        label: what a person reads, one member.
        plural: what a person reads, all members.
        table: table or view of the warehouse that holds it.
        column: its column there; ``fact_sales.discount_band`` alone is computed.
        grain: whether a member belongs to an order, to an order line, or to a day.
        meaning: what it says, for the guide.
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
    """Levels to drill through, the coarsest first; the ids of dimensions, or year, month and day."""

    id: str
    levels: tuple[str, ...]


@dataclass(frozen=True)
class Measure:
    """A number. ``definition`` is what the guide says; ``dax`` is the measure of the Power BI model."""

    id: str
    label: str
    format: Format
    definition: str
    dax: str


Item = TypeVar("Item", Dimension, Hierarchy, Measure)


def _by_id(*items: Item) -> Mapping[str, Item]:
    return {item.id: item for item in items}


DIMENSIONS: Mapping[str, Dimension] = _by_id(
    Dimension(
        "category", "Category", "Categories", "dim_product", "category", "line", "Category on the day of the sale."
    ),
    Dimension(
        "product", "Product", "Products", "dim_product", "product_name", "line", "The product, under its current name."
    ),
    Dimension(
        "price_range",
        "Price range",
        "Price ranges",
        "dim_product",
        "price_range",
        "line",
        "Budget below 25, Mid-range below 100, else Premium; list price on the day of the sale.",
    ),
    Dimension(
        "discount_band",
        "Discount",
        "Discounts",
        "fact_sales",
        "discount_band",
        "line",
        "Discount as a share of the undiscounted line.",
    ),
    Dimension(
        "region",
        "Region",
        "Regions",
        "customer_profile",
        "region",
        "order",
        "Census region in the USA, elsewhere the country; where the customer lived on the day of the sale.",
    ),
    Dimension(
        "state",
        "State",
        "States",
        "customer_profile",
        "state_name",
        "order",
        "Where the customer lived on the day of the sale.",
    ),
    Dimension(
        "segment",
        "Segment",
        "Segments",
        "customer_profile",
        "current_segment",
        "order",
        "The customer's segment now: VIP from 10 orders and 10,000 of revenue, Regular from 3 orders, else New.",
    ),
    Dimension(
        "payment", "Payment", "Payment methods", "dim_payment", "payment_method", "order", "How the order was paid."
    ),
    Dimension(
        "customer", "Customer", "Customers", "customer_profile", "customer_id", "order", "The customer's number."
    ),
    Dimension(
        "cohort",
        "Cohort",
        "Cohorts",
        "agg_customer_metrics",
        "first_order_date",
        "order",
        "Month of the customer's first order ever.",
    ),
    Dimension(
        "buyer",
        "Buyers",
        "Buyers",
        "agg_customer_metrics",
        "first_order_date",
        "order",
        "New in the month of the customer's first order ever, returning in every later month.",
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
        "average_order_value",
        "Average order value",
        "money",
        "total revenue ÷ orders",
        _dax("average_order_value", revenue="[Total revenue]", orders="[Orders]"),
    ),
    Measure("cost", "Total cost", "money", "SUM(quantity × cost on the day of the sale)", "SUM ( fact_sales[cost] )"),
    Measure("profit", "Profit", "money", "total revenue − total cost", "[Total revenue] - [Total cost]"),
    Measure(
        "profit_margin",
        "Profit margin",
        "percent",
        "(total revenue − total cost) ÷ total revenue × 100",
        _dax("profit_margin", revenue="[Total revenue]", cost="[Total cost]"),
    ),
    Measure(
        "revenue_share",
        "Share of revenue",
        "percent",
        "revenue ÷ revenue of all members shown × 100",
        _dax("share", part="[Total revenue]", whole="CALCULATE ( [Total revenue], ALLSELECTED () )"),
    ),
    Measure("units", "Units", "count", "SUM(quantity)", "SUM ( fact_sales[quantity] )"),
    Measure("discount", "Discounts given", "money", "SUM(discount_amount)", "SUM ( fact_sales[discount_amount] )"),
    Measure(
        "customers",
        "Customers",
        "count",
        "COUNT(DISTINCT customer_id) of customers with an order",
        "CALCULATE ( DISTINCTCOUNT ( customer_profile[customer_id] ), fact_sales )",
    ),
    Measure(
        "purchase_frequency",
        "Purchase frequency",
        "number",
        "orders ÷ customers with at least one order, per year of the window",
        _dax("purchase_frequency", orders="[Orders]", customers="[Customers]", window_days="[Days in window]"),
    ),
    Measure(
        "customer_lifespan",
        "Customer lifespan",
        "number",
        "mean years from first to last order of the customers, at least one month each",
        "AVERAGEX ( SUMMARIZE ( fact_sales, customer_profile[customer_id],"
        ' "first", MIN ( fact_sales[sale_date] ), "last", MAX ( fact_sales[sale_date] ) ), '
        + _dax("customer_lifespan", first_order="[first]", last_order="[last]")
        + " )",
    ),
    Measure(
        "customer_lifetime_value",
        "Customer lifetime value",
        "money",
        "average order value × purchase frequency × customer lifespan",
        _dax(
            "customer_lifetime_value",
            revenue="[Total revenue]",
            customers="[Customers]",
            window_days="[Days in window]",
            lifespan="[Customer lifespan]",
        ),
    ),
    Measure(
        "revenue_per_day",
        "Revenue a day",
        "money",
        "total revenue ÷ days of the window, days without sales included",
        "DIVIDE ( [Total revenue], [Days in window] )",
    ),
)

FILTERS = tuple(DIMENSIONS)
"""The dimensions that a click may filter, and so the parameters of an address besides the days."""
