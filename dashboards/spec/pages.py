"""Which page shows what. The web application, the Power BI report and the guide follow from this module."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal["trend", "bar", "column", "donut", "map", "pareto", "heatmap", "stack", "share_stack", "lines", "table"]


@dataclass(frozen=True)
class Kpi:
    """A number at the head of a page. ``spark`` draws its course, ``compare`` its change against the prior period."""

    id: str
    label: str
    format: Literal["money", "count", "percent"]
    meaning: str
    measure: str | None = None
    compare: bool = True


@dataclass(frozen=True)
class Visual:
    """One chart.

    Attributes:
        id: unique over all pages; names its CSV file.
        title: what it shows.
        meaning: what it tells, in one or two sentences; shown with the chart and in the guide.
        kind: how it is drawn.
        dimension: what it breaks sales down by, where it does.
        measures: its columns, the first is drawn.
        hierarchy: the hierarchy to drill through, where there is one.
        limit: at most so many members are drawn and listed; None for all.
        span: columns of a grid of twelve.
        powerbi: Power BI's visual type; None where the report has no such visual.
    """

    id: str
    title: str
    meaning: str
    kind: Kind
    dimension: str | None = None
    measures: tuple[str, ...] = ("revenue", "revenue_share")
    hierarchy: str | None = None
    limit: int | None = None
    span: int = 6
    powerbi: str | None = None


@dataclass(frozen=True)
class Page:
    """A page: its address, its title, the question that it answers, its numbers and its charts."""

    id: str
    path: str
    title: str
    question: str
    kpis: tuple[Kpi, ...]
    visuals: tuple[Visual, ...]
    in_powerbi: bool = True

    def visual(self, visual_id: str) -> Visual | None:
        """The chart of that id, if the page has it."""
        return next((visual for visual in self.visuals if visual.id == visual_id), None)


REVENUE = Kpi("revenue", "Total revenue", "money", "Quantity × unit price − discount.", "revenue")

EXECUTIVE = Page(
    "executive",
    "/",
    "Executive Summary",
    "How is the shop doing?",
    (
        REVENUE,
        Kpi("orders", "Orders", "count", "Distinct orders.", "orders"),
        Kpi("average_order_value", "Average order value", "money", "Total revenue ÷ orders.", "average_order_value"),
        Kpi("profit_margin", "Profit margin", "percent", "(Revenue − cost) ÷ revenue.", "profit_margin"),
    ),
    (
        Visual(
            "revenue_trend",
            "Revenue over time",
            "Total revenue of each year, month or day.",
            "trend",
            measures=("revenue", "orders", "average_order_value", "profit_margin"),
            hierarchy="time",
            span=8,
            powerbi="lineChart",
        ),
        Visual(
            "payment_methods",
            "Payment methods",
            "How orders are paid, by revenue.",
            "donut",
            "payment",
            ("revenue", "revenue_share", "orders", "average_order_value"),
            span=4,
            powerbi="donutChart",
        ),
        Visual(
            "top_categories",
            "Top categories",
            "Which categories bring the revenue. Drill to the ten best products of one.",
            "bar",
            "category",
            ("revenue", "revenue_share", "orders", "units", "profit_margin"),
            hierarchy="products",
            limit=10,
            span=5,
            powerbi="clusteredBarChart",
        ),
        Visual(
            "sales_map",
            "Sales by state",
            "Where customers lived on the day of the sale.",
            "map",
            "state",
            ("revenue", "revenue_share", "orders", "average_order_value"),
            span=7,
            powerbi="shapeMap",
        ),
    ),
)

PRODUCTS = Page(
    "products",
    "/products",
    "Product Analysis",
    "What sells, and what earns?",
    (
        REVENUE,
        Kpi("units", "Units sold", "count", "Pieces.", "units"),
        Kpi("products_sold", "Products sold", "count", "Products with at least one sale."),
        Kpi("top_ten_share", "Top ten's share", "percent", "Revenue of the ten best products ÷ all revenue."),
    ),
    (
        Visual(
            "top_products",
            "Top 10 products",
            "The products with the most revenue, and their share of it.",
            "bar",
            "product",
            ("revenue", "revenue_share", "orders", "units", "profit_margin"),
            limit=10,
            span=7,
            powerbi="clusteredBarChart",
        ),
        Visual(
            "category_margin",
            "Margin by category",
            "Profit margin, the best first. Drill to the products of one category.",
            "bar",
            "category",
            ("profit_margin", "revenue", "profit"),
            hierarchy="products",
            limit=15,
            span=5,
            powerbi="clusteredBarChart",
        ),
        Visual(
            "long_tail",
            "The long tail",
            "Products from best to least, and how much of all revenue they bring together (Pareto).",
            "pareto",
            "product",
            ("cumulative_share", "revenue"),
            span=6,
            powerbi="lineChart",
        ),
        Visual(
            "price_ranges",
            "Price ranges",
            "By list price: Budget below 25, Mid-range below 100.",
            "column",
            "price_range",
            ("revenue", "revenue_share", "units", "profit_margin"),
            span=3,
            powerbi="clusteredColumnChart",
        ),
        Visual(
            "discount_impact",
            "Discount impact",
            "What is left of the margin, by how much discount a line got.",
            "column",
            "discount_band",
            ("profit_margin", "revenue", "revenue_share", "orders", "discount"),
            span=3,
            powerbi="clusteredColumnChart",
        ),
    ),
)

CUSTOMERS = Page(
    "customers",
    "/customers",
    "Customer Insights",
    "Who buys, who comes back, and what are they worth?",
    (
        Kpi("customers", "Customers", "count", "Distinct customers with an order.", "customers"),
        Kpi("revenue_per_customer", "Revenue a customer", "money", "Total revenue ÷ customers."),
        Kpi(
            "returning_share", "Revenue from returning", "percent", "Share of customers who bought in an earlier month."
        ),
        Kpi("vip_share", "Revenue from VIPs", "percent", "Share of customers who are VIPs now."),
    ),
    (
        Visual(
            "segment_share",
            "Segment share of revenue",
            "Customers by the segment that they are in now.",
            "donut",
            "segment",
            ("revenue", "revenue_share", "customers", "orders", "average_order_value"),
            span=4,
            powerbi="donutChart",
        ),
        Visual(
            "lifetime_value",
            "Lifetime value",
            "By segment: average order value × purchase frequency × lifespan, over the days shown.",
            "column",
            "segment",
            (
                "customer_lifetime_value",
                "average_order_value",
                "purchase_frequency",
                "customer_lifespan",
                "customers",
                "orders",
                "revenue",
            ),
            span=3,
            powerbi="clusteredColumnChart",
        ),
        Visual(
            "new_and_returning",
            "New and returning customers",
            "Customers with an order in the month: new in the month of their first order ever, else returning.",
            "stack",
            "buyer",
            ("customers", "revenue"),
            span=5,
            powerbi="columnChart",
        ),
        Visual(
            "cohort_retention",
            "Cohort retention",
            "Of the customers whose first order ever fell into a month, how many order again so many months later.",
            "heatmap",
            "cohort",
            ("retention", "customers"),
            span=7,
            powerbi="pivotTable",
        ),
        Visual(
            "top_customers",
            "Top customers",
            "By number only: dashboards hold no personal data.",
            "table",
            "customer",
            ("revenue", "orders", "average_order_value", "revenue_share"),
            limit=10,
            span=5,
            powerbi="tableEx",
        ),
    ),
)

GEOGRAPHY = Page(
    "geography",
    "/geography",
    "Geographic & Trends",
    "Where and when do people buy?",
    (
        REVENUE,
        Kpi("states", "States with sales", "count", "States with at least one order."),
        Kpi(
            "top_five_states_share",
            "Top five states' share",
            "percent",
            "Revenue of the five best states ÷ all revenue.",
        ),
        Kpi(
            "weekend_uplift",
            "Weekend uplift",
            "percent",
            "Revenue of a weekend day against a weekday.",
            compare=False,
        ),
    ),
    (
        Visual(
            "state_map",
            "Sales by state",
            "Where customers lived on the day of the sale.",
            "map",
            "state",
            ("revenue", "revenue_share", "orders", "customers", "average_order_value"),
            span=7,
            powerbi="shapeMap",
        ),
        Visual(
            "state_ranking",
            "States ranked",
            "The fifteen states with the most revenue.",
            "bar",
            "state",
            ("revenue", "revenue_share", "orders", "customers", "average_order_value"),
            limit=15,
            span=5,
            powerbi="clusteredBarChart",
        ),
        Visual(
            "regions",
            "Regions",
            "Drill from regions to their states.",
            "bar",
            "region",
            ("revenue", "revenue_share", "orders", "customers", "average_order_value"),
            hierarchy="places",
            limit=15,
            span=4,
            powerbi="clusteredBarChart",
        ),
        Visual(
            "weekdays",
            "Weekdays and weekends",
            "Mean revenue of each day of the week, so that ranges with more Mondays do not favour Mondays.",
            "column",
            "weekday",
            ("revenue_per_day", "revenue", "orders", "days"),
            span=4,
            powerbi="clusteredColumnChart",
        ),
        Visual(
            "region_payments",
            "Payment preference by region",
            "Share of each region's orders by payment method.",
            "share_stack",
            "payment",
            ("order_share", "orders", "revenue"),
            span=4,
            powerbi="hundredPercentStackedBarChart",
        ),
        Visual(
            "seasonality",
            "Seasonality",
            "The months of each year on one axis. Shows the whole history, whatever the date range.",
            "lines",
            None,
            ("revenue", "orders"),
            span=12,
            powerbi="lineChart",
        ),
    ),
)

HEALTH = Page(
    "health",
    "/health",
    "Data Health",
    "Can these numbers be trusted?",
    (
        Kpi(
            "checks_passed",
            "Checks passed",
            "count",
            "Asset checks that passed over all days and over the days of the last run.",
            compare=False,
        ),
        Kpi(
            "checks_failed",
            "Checks failed",
            "count",
            "Checks of severity ERROR that fail, over all days or some.",
            compare=False,
        ),
        Kpi(
            "checks_warning",
            "Warnings",
            "count",
            "Checks of severity WARN that fail, over all days or some.",
            compare=False,
        ),
        Kpi(
            "rejected_rows",
            "Rejected rows",
            "count",
            "Exported rows that production does not take. A row may have several reasons.",
            compare=False,
        ),
    ),
    (
        Visual(
            "freshness",
            "Freshness by layer",
            "When each layer was last loaded, and whether that is within its freshness policy.",
            "table",
            measures=(),
            span=7,
        ),
        Visual(
            "check_results",
            "Check results by layer",
            "The last result of every asset check.",
            "stack",
            measures=(),
            span=5,
        ),
        Visual(
            "failing_checks",
            "Checks that need a look",
            "Checks that failed or warn, the days they cover, and what they found.",
            "table",
            measures=(),
            span=12,
        ),
        Visual(
            "rejects",
            "Rejected rows by reason",
            "Exported rows that production does not take; a row with two reasons counts under both.",
            "bar",
            measures=(),
            limit=12,
            span=12,
        ),
    ),
    in_powerbi=False,
)

PAGES: Sequence[Page] = (EXECUTIVE, PRODUCTS, CUSTOMERS, GEOGRAPHY, HEALTH)


def page_at(path: str) -> Page | None:
    """The page of an address, with or without a slash at its end."""
    wanted = path.rstrip("/") or "/"
    return next((page for page in PAGES if page.path == wanted), None)
