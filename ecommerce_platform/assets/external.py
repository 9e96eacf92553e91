"""What stands before raw and after analytics: systems that the platform does not run, so that lineage shows them.

Dagster materializes none of these. They are in no job, have no freshness policy, and are in no report or alert.
"""

from dagster import AssetKey, AssetSpec

from ecommerce_platform.layers import ANALYTICS, ENGINEERING
from ecommerce_platform.tables.asset import table_key

SHOP = AssetKey(["shop", "exports"])

SEEN_BY_THE_WEB_APPLICATION = (
    "production.loaded_days",
    "production.rejected_rows",
    "warehouse.dim_customer",
    "warehouse.dim_payment",
    "warehouse.dim_product",
    "warehouse.fact_returns",
    "warehouse.fact_sales",
    "monitoring.pipeline_report",
)
"""Views resolved: of production it sees counts and days only."""

SEEN_BY_POWER_BI = (
    "warehouse.agg_customer_metrics",
    "warehouse.agg_daily_returns",
    "warehouse.agg_daily_sales",
    "warehouse.agg_product_performance",
    "warehouse.dim_customer",
    "warehouse.dim_date",
    "warehouse.dim_payment",
    "warehouse.dim_product",
    "warehouse.fact_returns",
    "warehouse.fact_sales",
    "warehouse.mart_customer_monthly",
    "warehouse.mart_daily_breakdown",
    "warehouse.mart_product_daily",
    "warehouse.mart_product_monthly",
    "warehouse.mart_product_returns",
)

SEEN_BY_TABLEAU = (
    "warehouse.dim_customer",
    "warehouse.dim_date",
    "warehouse.dim_payment",
    "warehouse.dim_product",
    "warehouse.fact_returns",
    "warehouse.fact_sales",
)


def _dashboard(name: str, kind: str, description: str, tables: tuple[str, ...]) -> AssetSpec:
    return AssetSpec(
        key=AssetKey(["dashboards", name]),
        description=description,
        group_name="dashboards",
        owners=list(ANALYTICS),
        kinds={"dashboard", kind},
        deps=[table_key(table) for table in tables],
    )


external_assets = [
    AssetSpec(
        key=SHOP,
        description="The shop's own systems. They export one file per feed and business day: customers, products,"
        " orders, order lines and returns. By default the synthetic shop stands in for them.",
        group_name="shop",
        owners=list(ENGINEERING),
        kinds={"source", "csv"},
    ),
    _dashboard(
        "web_application",
        "plotly",
        "Five interactive pages: executive summary, products, customers, geography and data health. Served by"
        " `ecommerce-platform up`.",
        SEEN_BY_THE_WEB_APPLICATION,
    ),
    _dashboard(
        "power_bi",
        "powerbi",
        "The Power BI project in dashboards/powerbi: the same pages and measures over the warehouse.",
        SEEN_BY_POWER_BI,
    ),
    _dashboard(
        "tableau",
        "tableau",
        "The Tableau extract: the star schema as one .hyper file, written by `ecommerce-platform export tableau`.",
        SEEN_BY_TABLEAU,
    ),
]
