"""Production: typed, clean 3NF tables. Contracts are complete: they repeat the rules of database constraints."""

from __future__ import annotations

import ibis
from pandera.ibis import Check

from ecommerce_platform.feeds.columns import FEEDS
from ecommerce_platform.schemas.rules import (
    FIRST_DAY,
    LAST_DAY,
    country,
    not_blank,
    not_negative,
    not_zero,
    optional,
    positive,
    price,
    required,
    rule,
    state,
    table_schema,
)

a_day = Check.in_range(FIRST_DAY, LAST_DAY)
a_feed = Check.isin(list(FEEDS))

from_its_file = rule("valid_from is not after partition_date", lambda t: t.valid_from <= t.partition_date)
from_its_update = rule(
    "valid_from is not after updated_at (UTC)",
    lambda t: t.valid_from <= t.updated_at.cast("timestamp").date(),
)

LINEAGE = {"partition_date": required(a_day), "source_row": required(positive)}

IMAGE_OF_CUSTOMER = {
    "first_name": optional(),
    "last_name": optional(),
    "email": optional(),
    "phone": optional(),
    "date_of_birth": optional(),
    "street_address": optional(),
    "city": optional(),
    "state": optional(state),
    "postal_code": optional(),
    "country": required(country),
    "registered_on": required(),
    "updated_at": required(),
    "valid_from": required(a_day),
    **LINEAGE,
}

IMAGE_OF_PRODUCT = {
    "product_name": required(not_blank),
    "category_id": required(Check.ge(0)),
    "brand": optional(not_blank),
    "price": required(price),
    "cost": required(price),
    "stock_quantity": optional(),
    "supplier_id": optional(positive),
    "updated_at": required(),
    "valid_from": required(a_day),
    **LINEAGE,
}

LoadedDays = table_schema(
    "production.loaded_days",
    {
        "feed": required(a_feed),
        "partition_date": required(a_day),
        "load_id": required(positive),
        "loaded_at": required(),
        "rows_in_file": required(positive),
    },
    key=("feed", "partition_date"),
)

Identifiers = table_schema(
    "production.identifiers",
    {
        "entity": required(Check.isin(["customer", "product", "transaction", "item", "return"])),
        "identifier": required(Check.str_length(1, 200)),
        "key": required(Check.lt(0)),
    },
    key=("entity", "identifier"),
)

Customers = table_schema(
    "production.customers",
    {"customer_id": required(not_zero), "email_is_valid": optional(), **IMAGE_OF_CUSTOMER},
    key=("customer_id",),
    rules=(
        from_its_file,
        from_its_update,
        rule(
            "email_is_valid is null if and only if email is null",
            lambda t: t.email.isnull() == t.email_is_valid.isnull(),
        ),
    ),
)

CustomerVersions = table_schema(
    "production.customer_versions",
    {"customer_id": required(not_zero), **IMAGE_OF_CUSTOMER},
    key=("customer_id", "valid_from"),
    rules=(from_its_file, from_its_update),
)

ProductCategories = table_schema(
    "production.product_categories",
    {"category_id": required(Check.ge(0)), "category": required(not_blank), "sub_category": required()},
    key=("category_id",),
)

Products = table_schema(
    "production.products",
    {"product_id": required(not_zero), **IMAGE_OF_PRODUCT},
    key=("product_id",),
    rules=(from_its_file, from_its_update),
)

ProductVersions = table_schema(
    "production.product_versions",
    {"product_id": required(not_zero), **IMAGE_OF_PRODUCT},
    key=("product_id", "valid_from"),
    rules=(from_its_file, from_its_update),
)

PaymentMethods = table_schema(
    "production.payment_methods",
    {"payment_method_id": required(Check.ge(0)), "payment_method": required(not_blank)},
    key=("payment_method_id",),
)

Transactions = table_schema(
    "production.transactions",
    {
        "transaction_id": required(not_zero),
        "customer_id": required(not_zero),
        "transaction_date": required(a_day),
        "transaction_time": optional(),
        "payment_method_id": required(Check.ge(0)),
        "shipping_address": optional(),
        "shipping_city": optional(),
        "shipping_state": optional(),
        "total_amount": required(price),
        **LINEAGE,
    },
    key=("transaction_id",),
    rules=(
        rule(
            "transaction_date is not after partition_date",
            lambda t: t.transaction_date <= t.partition_date,
        ),
    ),
)

TransactionItems = table_schema(
    "production.transaction_items",
    {
        "transaction_id": required(not_zero),
        "item_id": required(not_zero),
        "product_id": required(not_zero),
        "quantity": required(positive),
        "unit_price": required(price),
        "discount_amount": required(price),
        "line_total": required(price),
        **LINEAGE,
    },
    key=("transaction_id", "item_id"),
    rules=(
        rule(
            "line_total = quantity * unit_price - discount_amount",
            lambda t: t.line_total == t.quantity * t.unit_price - t.discount_amount,
        ),
    ),
)

Returns = table_schema(
    "production.returns",
    {
        "transaction_id": required(not_zero),
        "return_id": required(not_zero),
        "item_id": required(not_zero),
        "returned_on": required(a_day),
        "quantity": required(not_negative),
        "refund_amount": required(price),
        "reason": optional(not_blank),
        **LINEAGE,
    },
    key=("transaction_id", "return_id"),
    rules=(rule("returned_on is not after partition_date", lambda t: t.returned_on <= t.partition_date),),
)

RejectedRows = table_schema(
    "production.rejected_rows",
    {
        "feed": required(a_feed),
        "partition_date": required(a_day),
        "source_row": required(positive),
        "source_file": required(not_blank),
        "reasons": required(),
        "original": required(),
        "transaction_id": optional(not_zero),
        "missing_customer_id": optional(not_zero),
        "missing_transaction_id": optional(not_zero),
        "missing_product_id": optional(not_zero),
        "missing_item_id": optional(not_zero),
    },
    key=("feed", "partition_date", "source_row"),
    rules=(
        rule("reasons is not empty", lambda t: t.reasons.length() > 0),
        rule(
            "only orders have missing_customer_id",
            lambda t: t.missing_customer_id.isnull() | (t.feed == "transactions"),
        ),
        rule(
            "only order lines and returns have missing_transaction_id",
            lambda t: t.missing_transaction_id.isnull() | t.feed.isin(["transaction_items", "returns"]),
        ),
        rule(
            "only order lines have missing_product_id",
            lambda t: t.missing_product_id.isnull() | (t.feed == "transaction_items"),
        ),
        rule(
            "only returns have missing_item_id, and only of a known order",
            lambda t: t.missing_item_id.isnull() | ((t.feed == "returns") & t.missing_transaction_id.isnull()),
        ),
        rule(
            "the first reason names the missing parent",
            lambda t: (
                ibis.coalesce(
                    t.missing_customer_id, t.missing_transaction_id, t.missing_product_id, t.missing_item_id
                ).isnull()
                | t.reasons[0].re_search(": unknown ")
            ),
        ),
    ),
)
