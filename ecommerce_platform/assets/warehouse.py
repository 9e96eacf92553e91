"""Warehouse: the star schema and its aggregates. Reads production, read by analytics and dashboards."""

from ecommerce_platform.io_managers import Merge
from ecommerce_platform.tables.asset import table_asset

END_OF_VERSION = ("valid_to", "is_current")
"""They follow from the next version, whose change is logged."""

STOCK = ("stock_quantity", "stock_date")
"""No sale depends on them. The extract that reads them is computed as a whole in every run."""

dim_date = table_asset(
    "warehouse.dim_date",
    write=Merge(key=("calendar_date",), scope=("calendar_date",)),
    description="One row per calendar day from 2000 to 2099.",
    is_daily=False,
)

dim_customer = table_asset(
    "warehouse.dim_customer",
    write=Merge(key=("customer_key",), scope=("customer_id",), derived=END_OF_VERSION),
    description="One row per customer version (SCD2): place, age group and segment, without personal data.",
)

dim_product = table_asset(
    "warehouse.dim_product",
    write=Merge(key=("product_key",), scope=("product_id",), derived=(*END_OF_VERSION, *STOCK)),
    description="One row per product version (SCD2): category, brand, price, cost and price range; and the stock.",
)

dim_payment = table_asset(
    "warehouse.dim_payment",
    write=Merge(key=("payment_key",)),
    description="One row per payment method.",
)

fact_sales = table_asset(
    "warehouse.fact_sales",
    write=Merge(key=("transaction_id", "item_id"), slice="partition_date", scope=("transaction_id",)),
    description="One row per order line, at the customer and product versions valid on the sale date.",
)

fact_returns = table_asset(
    "warehouse.fact_returns",
    write=Merge(key=("transaction_id", "return_id"), slice="partition_date", scope=("transaction_id",)),
    description="One row per return, at the customer and product versions of its sale.",
)

agg_daily_returns = table_asset(
    "warehouse.agg_daily_returns",
    write=Merge(key=("return_date", "sale_date"), scope=("return_date", "sale_date"), is_small=True),
    description="One row per day of return and day of sale: returns, units and refunds.",
    is_daily=False,
)

mart_product_returns = table_asset(
    "warehouse.mart_product_returns",
    write=Merge(key=("month_start", "product_id", "product_key"), scope=("month_start",)),
    description="One row per month of sale and product version with returns.",
    is_daily=False,
)

agg_daily_sales = table_asset(
    "warehouse.agg_daily_sales",
    write=Merge(key=("sale_date",), scope=("sale_date",), is_small=True),
    description="One row per day with sales: orders, customers, revenue, cost and profit.",
    is_daily=False,
)

mart_daily_breakdown = table_asset(
    "warehouse.mart_daily_breakdown",
    write=Merge(key=("sale_date", "breakdown", "member"), scope=("sale_date",), is_small=True),
    description="One row per day and category, payment method, segment, state or discount band.",
    is_daily=False,
)

mart_product_daily = table_asset(
    "warehouse.mart_product_daily",
    write=Merge(key=("sale_date", "product_id", "product_key"), scope=("sale_date",)),
    description="One row per day and product version sold.",
    is_daily=False,
)

mart_product_monthly = table_asset(
    "warehouse.mart_product_monthly",
    write=Merge(key=("month_start", "product_id", "product_key"), scope=("month_start",)),
    description="One row per month and product version sold.",
    is_daily=False,
)

mart_product_pairs = table_asset(
    "warehouse.mart_product_pairs",
    write=Merge(key=("sale_date", "product_id", "other_product_id"), scope=("sale_date",)),
    description="One row per day of the last 90 days and pair of products bought together.",
    is_daily=False,
)

agg_product_performance = table_asset(
    "warehouse.agg_product_performance",
    write=Merge(key=("product_id",)),
    description="One row per product sold: sales over all days.",
    is_daily=False,
)

mart_customer_monthly = table_asset(
    "warehouse.mart_customer_monthly",
    write=Merge(key=("month_start", "customer_id"), scope=("month_start", "customer_id")),
    description="One row per month and customer who ordered in it.",
    is_daily=False,
)

agg_customer_metrics = table_asset(
    "warehouse.agg_customer_metrics",
    write=Merge(key=("customer_id",), scope=("customer_id",)),
    description="One row per customer with at least one order: purchases over all days.",
    is_daily=False,
)

mart_daily_repeats = table_asset(
    "warehouse.mart_daily_repeats",
    write=Merge(key=("sale_date", "interval_days"), scope=("sale_date",), is_small=True),
    description="One row per day and interval in days: orders of customers who had ordered before.",
    is_daily=False,
)
