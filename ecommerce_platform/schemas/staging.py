"""Staging: exact text replicas. Production rejects single invalid rows; these contracts stop files of garbage.

A failed contract stops the day before production reads it.
"""

from __future__ import annotations

from collections.abc import Mapping

from pandera.ibis import Check, Column, DataFrameSchema

from ecommerce_platform.feeds import columns as feeds
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

ID = mostly(feeds.ID, "positive integers", plain=True)
ID_OR_BLANK = mostly(feeds.ID_OR_BLANK, "positive integers or blank", plain=True)
AMOUNT = mostly(feeds.AMOUNT, "valid amounts", plain=True)
AMOUNT_OR_BLANK = mostly(feeds.AMOUNT_OR_BLANK, "valid amounts or blank")
NUMBER = mostly(feeds.NUMBER, "integers", plain=True)
DAY = mostly(feeds.DAY, "dates (YYYY-MM-DD)", plain=True)
MOMENT = mostly(feeds.MOMENT, "timestamps (ISO 8601)")
NOT_BLANK = mostly(feeds.FILLED, "not blank")

MANY_IMAGES = 0.9
"""A shop can export a customer or a product many times per day; the last image counts."""

MANY_COPIES = 0.5
"""An order is exported once; if most orders have a second copy, the file was written twice."""


def replica(feed: str, needed: Mapping[str, Column], distinct: Check) -> DataFrameSchema:
    """Return the contract of a feed's replica: the feed's columns, with the rules in ``needed``, and staging's own."""
    return table_schema(
        f"staging.{feed}",
        {
            **{name: needed.get(name, optional()) for name in feeds.FEEDS[feed]},
            "extra_columns": optional(),
            "malformed": optional(mostly_split()),
            **({"is_plain": optional()} if feed in ("transactions", "transaction_items") else {}),
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


Customers = replica(
    "customers",
    {
        "customer_id": optional(ID),
        "country": optional(NOT_BLANK),
        "registered_on": optional(DAY),
        "updated_at": optional(MOMENT),
    },
    mostly_distinct("customer_id", surplus=MANY_IMAGES),
)

Products = replica(
    "products",
    {
        "product_id": optional(ID),
        "product_name": optional(NOT_BLANK),
        "price": optional(AMOUNT),
        "cost": optional(AMOUNT_OR_BLANK),
        "updated_at": optional(MOMENT),
    },
    mostly_distinct("product_id", surplus=MANY_IMAGES),
)

Transactions = replica(
    "transactions",
    {
        "transaction_id": optional(ID),
        "customer_id": optional(ID_OR_BLANK),
        "transaction_date": optional(DAY),
        "total_amount": optional(AMOUNT),
    },
    mostly_distinct("transaction_id", surplus=MANY_COPIES),
)

TransactionItems = replica(
    "transaction_items",
    {
        "item_id": optional(ID),
        "transaction_id": optional(ID),
        "product_id": optional(ID),
        "quantity": optional(NUMBER),
        "unit_price": optional(AMOUNT),
        "line_total": optional(AMOUNT),
    },
    mostly_distinct("transaction_id", "item_id", surplus=MANY_COPIES),
)
