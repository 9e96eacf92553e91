"""The layout of the page What next, whose charts show extracts and follow no filters."""

from __future__ import annotations

from dashboards.spec.page_types import Kpi, Page, Visual

NEXT = Page(
    "next",
    "/next",
    "What next",
    "What should I do next?",
    (
        Kpi(
            "running_out",
            "Products about to run out",
            "count",
            "Products out of stock, or whose stock lasts at most 7 days if they sell as in the last 28 days of sales.",
            compare=False,
        ),
        Kpi(
            "median_interval",
            "Median days between orders",
            "count",
            "Half of all repeat orders came within so many days after the customer's previous one.",
            compare=False,
        ),
        Kpi(
            "repeat_share",
            "Customers who came back",
            "percent",
            "Customers with at least two orders ÷ customers with at least one, over all days.",
            compare=False,
        ),
        Kpi(
            "unusual_days",
            "Unusual days",
            "count",
            "Of the last 30 days up to the last order, those on which a category sold far more or far less than usual.",
            compare=False,
        ),
    ),
    (
        Visual(
            "stock_cover",
            "What to reorder",
            "How long the stock lasts if products sell as in the last 28 days of sales; the most urgent first.",
            "table",
            measures=(),
            limit=15,
            span=12,
            powerbi="tableEx",
        ),
        Visual(
            "forecast",
            "The next 30 days",
            "Revenue per day: the last 60 days, and the forecast with the ranges that hold 80% and 95% of outcomes.",
            "band",
            measures=(),
            span=12,
            powerbi="lineChart",
        ),
        Visual(
            "product_pairs",
            "Bought together",
            "Pairs of products by lift: how many times as often they are bought together as by chance."
            " Support: of all orders; confidence: of the orders with the first product.",
            "table",
            measures=(),
            limit=15,
            span=6,
            powerbi="tableEx",
        ),
        Visual(
            "sales_anomalies",
            "Unusual days",
            "Days on which a category sold far more or far less than on the same weekday before, the latest first.",
            "table",
            measures=(),
            limit=15,
            span=6,
            powerbi="tableEx",
        ),
        Visual(
            "rfm_segments",
            "Customer groups",
            "Customers by how recently, how often, and for how much they ordered (RFM)."
            " In gray: the group's share of revenue.",
            "bar",
            measures=(),
            limit=10,
            span=6,
            share_beside=True,
            powerbi="clusteredBarChart",
        ),
        Visual(
            "repeat_purchases",
            "When customers order again",
            "Repeat orders by days since the customer's previous order. The line: their cumulative share.",
            "column",
            measures=(),
            span=6,
            line="cumulative_share",
            powerbi="lineClusteredColumnComboChart",
        ),
        Visual(
            "cohort_curves",
            "What customers are worth over time",
            "Cumulative revenue per customer by months since the month of the first order, for the last 12 cohorts.",
            "curves",
            "cohort",
            measures=(),
            span=12,
            powerbi="lineChart",
        ),
    ),
)
