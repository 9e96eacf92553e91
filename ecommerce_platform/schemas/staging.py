"""Staging: exact text replicas. A few bad rows are production's business; a file of garbage is ours.

A failing contract stops the day before production sees it.
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

ID = mostly(feeds.ID, "positive whole numbers", plain=True)
AMOUNT = mostly(feeds.AMOUNT, "amounts", plain=True)
NUMBER = mostly(feeds.NUMBER, "whole numbers", plain=True)
DAY = mostly(feeds.DAY, "dates (YYYY-MM-DD)", plain=True)
MOMENT = mostly(feeds.MOMENT, "moments (ISO 8601)")
NOT_BLANK = mostly(feeds.FILLED, "filled in")

MANY_IMAGES = 0.9
"""A shop may export a customer or a product many times a day; the last image counts."""

MANY_COPIES = 0.5
"""An order is exported once; more than one copy of most is a file written twice."""


def replica(feed: str, needed: Mapping[str, Column], distinct: Check) -> DataFrameSchema:
    """The contract of a feed's replica: its columns, the ``needed`` ones judged, then what staging adds."""
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
        "category": optional(NOT_BLANK),
        "price": optional(AMOUNT),
        "cost": optional(AMOUNT),
        "updated_at": optional(MOMENT),
    },
    mostly_distinct("product_id", surplus=MANY_IMAGES),
)

Transactions = replica(
    "transactions",
    {
        "transaction_id": optional(ID),
        "customer_id": optional(ID),
        "transaction_date": optional(DAY),
        "payment_method": optional(NOT_BLANK),
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
