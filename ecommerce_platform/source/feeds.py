"""The four feeds: their names, in flow order, and their columns, in file order."""

from __future__ import annotations

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
}
