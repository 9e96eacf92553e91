"""The layout of each page. The web application, the Power BI report, and the README are built from it.

Longer than other modules: it is one list, without logic.
"""

from __future__ import annotations

from collections.abc import Sequence

from dashboards.spec.next_page import NEXT
from dashboards.spec.page_types import Kpi, Page, Visual

REVENUE = Kpi("revenue", "Total revenue", "money", "Sum of quantity × unit price − discount.", "revenue")

EXECUTIVE = Page(
    "executive",
    "/",
    "Executive Summary",
    "How is the shop doing?",
    (
        REVENUE,
        Kpi("orders", "Orders", "count", "Number of distinct orders.", "orders"),
        Kpi("average_order_value", "Average order value", "money", "Total revenue ÷ orders.", "average_order_value"),
        Kpi(
            "profit_margin",
            "Profit margin",
            "percent",
            "(Revenue − cost) ÷ revenue, where the cost is known.",
            "profit_margin",
        ),
        Kpi(
            "gross_revenue",
            "Gross revenue",
            "money",
            "Sum of quantity × unit price, before discounts.",
            "gross_revenue",
            needs_returns=True,
        ),
        Kpi(
            "returns",
            "Returns",
            "money",
            "Refunds for the orders of the date range, on whatever day they were made."
            " Recent orders may still be returned.",
            "returns",
            compare=False,
            needs_returns=True,
        ),
        Kpi("net_revenue", "Net revenue", "money", "Total revenue − returns.", "net_revenue", needs_returns=True),
        Kpi(
            "return_rate",
            "Return rate",
            "percent",
            "Units returned ÷ units sold. Recent orders may still be returned.",
            "return_rate",
            compare=False,
            needs_returns=True,
        ),
    ),
    (
        Visual(
            "revenue_trend",
            "Revenue over time",
            "Total revenue by year, month, or day.",
            "trend",
            measures=("revenue", "orders", "average_order_value", "profit_margin"),
            hierarchy="time",
            span=8,
            powerbi="lineChart",
        ),
        Visual(
            "payment_methods",
            "Payment methods",
            "Revenue by payment method.",
            "donut",
            "payment",
            ("revenue", "revenue_share", "orders", "average_order_value"),
            span=4,
            powerbi="donutChart",
        ),
        Visual(
            "top_categories",
            "Top categories",
            "Categories by revenue. Drill down to the top 10 products in a category.",
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
            "Revenue by state",
            "By the customer's state on the order date.",
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
    "What sells, and what is profitable?",
    (
        REVENUE,
        Kpi("units", "Units sold", "count", "Total quantity ordered.", "units"),
        Kpi("products_sold", "Products sold", "count", "Products ordered at least once."),
        Kpi("top_ten_share", "Share of top 10 products", "percent", "Revenue of the top 10 products ÷ total revenue."),
    ),
    (
        Visual(
            "top_products",
            "Top 10 products",
            "Products with the highest revenue, and their share of the total.",
            "bar",
            "product",
            ("revenue", "revenue_share", "orders", "units", "profit_margin"),
            limit=10,
            span=7,
            powerbi="clusteredBarChart",
            share_beside=True,
        ),
        Visual(
            "category_margin",
            "Margin by category",
            "Profit margin where the cost is known, highest first. Drill down to the products in a category.",
            "bar",
            "category",
            ("profit_margin", "revenue", "profit", "margin_coverage"),
            hierarchy="products",
            limit=15,
            span=5,
            powerbi="clusteredBarChart",
        ),
        Visual(
            "long_tail",
            "The long tail",
            "Cumulative share of revenue, starting with the best-selling product (Pareto chart).",
            "pareto",
            "product",
            ("cumulative_share", "revenue"),
            span=6,
            powerbi="lineChart",
        ),
        Visual(
            "price_ranges",
            "Price ranges",
            "By list price: Budget below ¤25, Mid-range below ¤100, Premium from ¤100.",
            "column",
            "price_range",
            ("revenue", "revenue_share", "units", "profit_margin"),
            span=3,
            powerbi="clusteredColumnChart",
        ),
        Visual(
            "discount_impact",
            "Discount impact",
            "Profit margin by the discount on the order line.",
            "column",
            "discount_band",
            ("profit_margin", "revenue", "revenue_share", "orders", "discount", "margin_coverage"),
            span=3,
            powerbi="clusteredColumnChart",
        ),
        Visual(
            "return_rates",
            "Return rate by category",
            "Units returned as a percentage of units sold, highest first. Drill down to the products in a category.",
            "bar",
            "category",
            ("return_rate", "returned_units", "returns", "net_revenue", "units"),
            hierarchy="products",
            limit=15,
            span=12,
            powerbi="clusteredBarChart",
            needs_returns=True,
        ),
    ),
)

CUSTOMERS = Page(
    "customers",
    "/customers",
    "Customer Insights",
    "Who buys, who comes back, and what are they worth?",
    (
        Kpi("customers", "Customers", "count", "Customers with at least one order, without guests.", "customers"),
        Kpi("revenue_per_customer", "Revenue per customer", "money", "Revenue from customers ÷ customers."),
        Kpi(
            "returning_share",
            "Revenue from returning customers",
            "percent",
            "Share of total revenue from customers who first ordered in an earlier month.",
        ),
        Kpi("vip_share", "Revenue from VIP customers", "percent", "Share of total revenue from current VIPs."),
    ),
    (
        Visual(
            "segment_share",
            "Revenue by segment",
            "By the customer's current segment; Guest for orders without a customer.",
            "donut",
            "segment",
            ("revenue", "revenue_share", "customers", "orders", "average_order_value"),
            span=4,
            powerbi="donutChart",
        ),
        Visual(
            "lifetime_value",
            "Lifetime value",
            "Average order value × purchase frequency × lifespan, beside the revenue per customer so far. All orders"
            " up to the end of the date range count.",
            "column",
            "segment",
            (
                "customer_lifetime_value",
                "realized_value",
                "average_order_value",
                "purchase_frequency",
                "customer_lifespan",
                "customers",
                "orders",
                "revenue",
            ),
            beside="realized_value",
            span=4,
            powerbi="clusteredColumnChart",
        ),
        Visual(
            "new_and_returning",
            "New and returning customers",
            "Customers who ordered in each month: new in the month of their first order, returning in later months.",
            "stack",
            "buyer",
            ("customers", "revenue"),
            span=4,
            powerbi="columnChart",
        ),
        Visual(
            "cohort_retention",
            "Cohort retention",
            "Of the customers who first ordered in a month, the percentage who ordered in each later month."
            " Beside the month: their number.",
            "heatmap",
            "cohort",
            ("retention", "customers"),
            span=6,
            powerbi="pivotTable",
        ),
        Visual(
            "top_customers",
            "Top customers",
            "Customers appear by ID only: the dashboards contain no personal data.",
            "table",
            "customer",
            ("revenue", "orders", "average_order_value", "revenue_share"),
            limit=10,
            span=6,
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
        Kpi("states", "States with orders", "count", "States with at least one order."),
        Kpi(
            "top_five_states_share",
            "Share of top 5 states",
            "percent",
            "Revenue of the top 5 states ÷ total revenue.",
        ),
        Kpi(
            "weekend_uplift",
            "Weekend uplift",
            "percent",
            "Average revenue of a weekend day compared with a weekday.",
            compare=False,
        ),
    ),
    (
        Visual(
            "state_map",
            "Revenue by state",
            "By the customer's state on the order date.",
            "map",
            "state",
            ("revenue", "revenue_share", "orders", "customers", "average_order_value"),
            span=7,
            powerbi="shapeMap",
        ),
        Visual(
            "state_ranking",
            "Top 15 states",
            "States with the highest revenue.",
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
            "Revenue by region. Drill down to states.",
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
            "Average revenue per day, so that a range with more Mondays doesn't favor Mondays.",
            "column",
            "weekday",
            ("revenue_per_day", "revenue", "orders", "days"),
            span=4,
            powerbi="clusteredColumnChart",
        ),
        Visual(
            "region_payments",
            "Payment methods by region",
            "Each payment method's share of orders in the region.",
            "share_stack",
            "payment",
            ("order_share", "orders", "revenue"),
            span=4,
            powerbi="hundredPercentStackedBarChart",
        ),
        Visual(
            "seasonality",
            "Seasonality",
            "Monthly revenue, one line per year. Always shows the full history, regardless of the date range.",
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
            "Asset checks that passed for all days and for the days of the last run.",
            compare=False,
        ),
        Kpi(
            "checks_failed",
            "Checks failed",
            "count",
            "Checks with severity ERROR that are failing for some or all days.",
            compare=False,
        ),
        Kpi(
            "checks_warning",
            "Warnings",
            "count",
            "Checks with severity WARN that are failing for some or all days.",
            compare=False,
        ),
        Kpi(
            "rejected_rows",
            "Rejected rows",
            "count",
            "Exported rows that production rejected. A row can have several reasons.",
            compare=False,
        ),
    ),
    (
        Visual(
            "freshness",
            "Freshness by layer",
            "When each layer was last loaded, and whether that meets its freshness policy.",
            "table",
            measures=(),
            span=7,
        ),
        Visual(
            "check_results",
            "Check results by layer",
            "The latest result of each asset check.",
            "stack",
            measures=(),
            span=5,
        ),
        Visual(
            "failing_checks",
            "Checks that need attention",
            "Failed checks and warnings, the days they cover, and what they found.",
            "table",
            measures=(),
            span=12,
        ),
        Visual(
            "rejects",
            "Rejected rows by reason",
            "Exported rows that production rejected. A row with two reasons counts under both.",
            "bar",
            measures=(),
            limit=12,
            span=12,
        ),
    ),
    in_powerbi=False,
)

ORDERS = Page(
    "orders",
    "/orders",
    "Orders",
    "Which orders are behind a number?",
    (
        REVENUE,
        Kpi("orders", "Orders", "count", "Number of distinct orders.", "orders"),
        Kpi("average_order_value", "Average order value", "money", "Total revenue ÷ orders.", "average_order_value"),
        Kpi("units", "Units sold", "count", "Total quantity ordered.", "units"),
    ),
    (
        Visual(
            "orders",
            "Orders",
            "The orders that the numbers of all pages are computed from. Click an order to see its lines.",
            "table",
            measures=(),
            span=12,
            powerbi="tableEx",
        ),
    ),
    lists_orders=True,
)

PAGES: Sequence[Page] = (EXECUTIVE, PRODUCTS, CUSTOMERS, GEOGRAPHY, ORDERS, NEXT, HEALTH)


def page_at(path: str) -> Page | None:
    """The page at a URL path, with or without a trailing slash; None if there is none."""
    wanted = path.rstrip("/") or "/"
    return next((page for page in PAGES if page.path == wanted), None)
