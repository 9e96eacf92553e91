"""Production: typed, clean, third normal form. Reads staging, read by the warehouse. Holds all personal data."""

from ecommerce_platform.checks.gate import judged_slices
from ecommerce_platform.io_managers import Merge
from ecommerce_platform.tables.asset import table_asset

loaded_days = table_asset(
    "production.loaded_days",
    write=Merge(key=("feed", "partition_date"), slice="partition_date"),
    description="One row per feed and day whose staging slice has passed its checks. Production reads only these.",
    extra_parameters=judged_slices,
)

identifiers = table_asset(
    "production.identifiers",
    write=Merge(key=("entity", "identifier"), scope=("entity", "identifier")),
    description="One row per identifier that is not a positive integer, with its key.",
)

customers = table_asset(
    "production.customers",
    write=Merge(key=("customer_id",), slice="partition_date", scope=("customer_id",)),
    description="One row per customer, as last exported.",
)

customer_versions = table_asset(
    "production.customer_versions",
    write=Merge(key=("customer_id", "valid_from"), slice="partition_date", scope=("customer_id",)),
    description="One row per customer and day of change: the last version exported for that day.",
)

product_categories = table_asset(
    "production.product_categories",
    write=Merge(key=("category_id",), scope=("category_id",)),
    description="One row per category and sub-category.",
)

products = table_asset(
    "production.products",
    write=Merge(key=("product_id",), slice="partition_date", scope=("product_id",), is_small=True),
    description="One row per product, as last exported.",
)

product_versions = table_asset(
    "production.product_versions",
    write=Merge(key=("product_id", "valid_from"), slice="partition_date", scope=("product_id",), is_small=True),
    description="One row per product and day of change: the last version exported for that day.",
)

payment_methods = table_asset(
    "production.payment_methods",
    write=Merge(key=("payment_method_id",), scope=("payment_method_id",)),
    description="One row per payment method.",
)

transactions = table_asset(
    "production.transactions",
    write=Merge(key=("transaction_id",), slice="partition_date", scope=("transaction_id",)),
    description="One row per order: its latest valid export whose customer is known.",
)

transaction_items = table_asset(
    "production.transaction_items",
    write=Merge(key=("transaction_id", "item_id"), slice="partition_date", scope=("transaction_id",)),
    description="One row per order line, from the latest export of its order.",
)

returns = table_asset(
    "production.returns",
    write=Merge(key=("transaction_id", "return_id"), slice="partition_date", scope=("transaction_id",), is_small=True),
    description="One row per return: its latest valid export whose order line is known.",
)

rejected_rows = table_asset(
    "production.rejected_rows",
    write=Merge(
        key=("feed", "partition_date", "source_row"),
        slice="partition_date",
        scope=("feed", "partition_date", "source_row"),
    ),
    description="One row per rejected row, with the reasons and the original text.",
)
