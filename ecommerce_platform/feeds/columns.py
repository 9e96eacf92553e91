"""The five feeds, in flow order, and their columns, in file order."""

from __future__ import annotations

BLANKS = (
    "\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u180e"
    "\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u200b\u200c\u200d\u2028\u2029\u202f\u205f\u2060\u3000\ufeff"
)
"""The characters that are trimmed from a value: white space of Unicode and Python, and zero-width spaces.

A value of only these is blank. ``platform.clean`` in the database, the contracts and ``source check`` use the same
list. It is not ``\\S``, whose meaning depends on the locale of the database.
"""

ORDER_KEY = "order_key"
"""The column of staging by which a cluster distributes orders. No file has it: it follows from the order's ID."""

FEEDS: dict[str, tuple[str, ...]] = {
    "customers": (
        "customer_id",
        "first_name",
        "last_name",
        "email",
        "phone",
        "date_of_birth",
        "street_address",
        "city",
        "state",
        "postal_code",
        "country",
        "registered_on",
        "updated_at",
    ),
    "products": (
        "product_id",
        "product_name",
        "category",
        "sub_category",
        "brand",
        "price",
        "cost",
        "stock_quantity",
        "supplier_id",
        "updated_at",
    ),
    "transactions": (
        "transaction_id",
        "customer_id",
        "transaction_date",
        "transaction_time",
        "payment_method",
        "shipping_address",
        "shipping_city",
        "shipping_state",
        "total_amount",
    ),
    "transaction_items": (
        "item_id",
        "transaction_id",
        "product_id",
        "quantity",
        "unit_price",
        "discount_amount",
        "line_total",
    ),
    "returns": (
        "return_id",
        "transaction_id",
        "item_id",
        "returned_on",
        "quantity",
        "refund_amount",
        "reason",
    ),
}

OPTIONAL_FEEDS = frozenset({"returns"})
"""Feeds that a shop may leave out, as a whole or on single days: a day without a file has no rows."""


OPTIONAL_COLUMNS: dict[str, tuple[str, ...]] = {"products": ("currency",), "transactions": ("currency",)}
"""Columns that a file may have besides, after the others. Staging keeps them in ``extra_columns``."""


def feed_columns(feed: str) -> tuple[str, ...]:
    """The columns of a feed, in order.

    Raises:
        ValueError: the feed does not exist.
    """
    if feed not in FEEDS:
        raise ValueError(f"unknown feed {feed!r}; the feeds are {', '.join(FEEDS)}")
    return FEEDS[feed]
