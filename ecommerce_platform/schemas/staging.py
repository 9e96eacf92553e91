"""Staging: exact text replicas. Production rejects single invalid rows; these contracts stop files of garbage.

A failed contract stops the day before production reads it. What most values of a column must look like is in
``feeds/values.py``.
"""

from __future__ import annotations

from pandera.ibis import Check, Column, DataFrameSchema

from ecommerce_platform.feeds.columns import FEEDS
from ecommerce_platform.feeds.values import VALUE_RULES
from ecommerce_platform.schemas.rules import (
    mostly,
    mostly_distinct,
    mostly_split,
    optional,
    positive,
    required,
    rule,
    table_schema,
)

MANY_IMAGES = 0.9
"""A shop can export a customer or a product many times per day; the last image counts."""

MANY_COPIES = 0.5
"""An order is exported once; if most orders have a second copy, the file was written twice."""

GENERATED = {
    "customers": ("customer_bucket",),
    "products": ("product_bucket",),
    "transactions": ("transaction_bucket", "customer_bucket", "is_plain"),
    "transaction_items": ("item_bucket", "transaction_bucket", "product_bucket", "is_plain"),
    "returns": ("return_bucket", "transaction_bucket", "item_bucket", "is_plain"),
}
"""The columns that the database computes from a row of each feed."""


def replica(feed: str, distinct: Check) -> DataFrameSchema:
    """Return the contract of a feed's replica: the feed's columns, with the rules of their values, and our own."""
    return table_schema(
        f"staging.{feed}",
        {
            **{name: replicated(feed, name) for name in FEEDS[feed]},
            "extra_columns": optional(),
            "malformed": optional(mostly_split()),
            **{name: optional() for name in GENERATED[feed]},
            "partition_date": required(),
            "source_file": required(),
            "source_row": required(positive),
            "load_id": required(positive),
            "loaded_at": required(),
        },
        key=("partition_date", "source_row", "load_id"),
        rules=(
            rule(
                "source_file is the file of partition_date",
                lambda t: t.source_file == f"{feed}/" + t.partition_date.cast("string") + ".csv",
            ),
            distinct,
        ),
    )


def replicated(feed: str, column: str) -> Column:
    """Return a column of a feed: text, of which most must have the form that the column's values have."""
    of_most = VALUE_RULES[feed][column].of_most if column in VALUE_RULES[feed] else None
    return optional(*([] if of_most is None else [mostly(of_most)]))


Customers = replica("customers", mostly_distinct("customer_id", surplus=MANY_IMAGES))
Products = replica("products", mostly_distinct("product_id", surplus=MANY_IMAGES))
Transactions = replica("transactions", mostly_distinct("transaction_id", surplus=MANY_COPIES))
TransactionItems = replica("transaction_items", mostly_distinct("transaction_id", "item_id", surplus=MANY_COPIES))
Returns = replica("returns", mostly_distinct("transaction_id", "return_id", surplus=MANY_COPIES))
