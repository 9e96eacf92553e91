"""What becomes of each feed's rows (kept, superseded or rejected), and which columns :mod:`.accounting` compares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Fate:
    """How to classify a feed's rows.

    Attributes:
        kept: the table of the kept rows, which identifies each by partition_date and source_row.
        columns: its columns that are compared with the columns of the same name in the feed's typed view, with their
            kinds for :func:`checksum`; the kinds are None if columns may be null.
        superseded: an SQL condition on ``typed``, a good row that is not kept: a row that takes precedence has its key.
        exported: the same columns as SQL over ``staged``, a row of staging, for a feed with many rows.
        beside: a join to ``staged`` that keeps each of its rows once, with columns that ``exported`` uses.
    """

    kept: str
    columns: Mapping[str, str | None]
    superseded: str
    exported: Mapping[str, str] = field(default_factory=dict)
    beside: str = ""


def _of_plain_row(type_: str, parse: str, column: str) -> str:
    """A column of staging, typed: a row marked ``is_plain`` needs only a cast, at a fifth of the cost of parsing."""
    text = f"staged.{column}"
    return f"case when staged.is_plain then {text}::{type_} else {parse.format(text)} end"


KEY_OF_METHOD = "platform.key_of(coalesce(platform.clean({}.payment_method), 'Unknown'))"
"""The key of a payment method. It takes longer than the rest of an order, so it is computed once for each text that
production has; the stored keys are not trusted."""


def _a_later_image(kept: str, key: str) -> str:
    """The condition that a later image of the same day has the key."""
    return f"""
        exists (
            select 1
            from {kept} as holder
            where
                holder.{key} = typed.{key}
                and holder.valid_from = typed.valid_from
                and (holder.updated_at, holder.partition_date, holder.source_row)
                > (typed.updated_at, typed.partition_date, typed.source_row)
        )
    """


# Each class has its own definition; none is just the remainder. A row is kept if production names it as its source,
# rejected if it is in rejected_rows, and superseded if it is good, its parents exist, and a row that takes precedence
# has its key. An order line is also superseded if a later day exported its order again with lines.
FATES: Mapping[str, Fate] = {
    "customers": Fate(
        "production.customer_versions",
        dict.fromkeys(("customer_id", "city", "state", "country")),
        _a_later_image("production.customer_versions", "customer_id"),
    ),
    "products": Fate(
        "production.product_versions",
        dict.fromkeys(
            ("product_id", "valid_from", "product_name", "category_id", "brand", "price", "cost", "updated_at")
        ),
        _a_later_image("production.product_versions", "product_id"),
    ),
    "transactions": Fate(
        "production.transactions",
        {
            "transaction_id": "id",
            "customer_id": "optional id",
            "transaction_date": "date",
            "payment_method_id": "id",
            "total_amount": "numeric",
        },
        """
        (
            typed.customer_id is null
            or exists (select 1 from production.customers as parents where parents.customer_id = typed.customer_id)
        )
        and exists (
            select 1
            from production.transactions as holder
            where
                holder.transaction_id = typed.transaction_id
                and (holder.partition_date, holder.source_row) > (typed.partition_date, typed.source_row)
        )
        """,
        {
            "transaction_id": "staged.transaction_bucket",
            "customer_id": "staged.customer_bucket",
            "transaction_date": _of_plain_row("date", "platform.parse_date({})", "transaction_date"),
            "payment_method_id": f"coalesce(methods.key, {KEY_OF_METHOD.format('staged')})",
            "total_amount": _of_plain_row("numeric", "platform.parse_money({})", "total_amount"),
        },
        beside=f"""
            left join (
                select methods.payment_method, {KEY_OF_METHOD.format("methods")} as key
                from (select distinct payment_method from production.payment_methods) as methods
                offset bigint '0'
            ) as methods on staged.payment_method = methods.payment_method
        """,
    ),
    "transaction_items": Fate(
        "production.transaction_items",
        {
            "transaction_id": "id",
            "item_id": "id",
            "product_id": "id",
            "quantity": "integer",
            "unit_price": "numeric",
            "discount_amount": "numeric",
            "line_total": "numeric",
        },
        """
        -- Few rows ask: without the offset, PostgreSQL would read the keys of all orders into memory.
        exists (
            select 1 from production.transactions as parents
            where parents.transaction_id = typed.transaction_id
            offset 0
        )
        and exists (select 1 from production.products as parents where parents.product_id = typed.product_id)
        and (
            exists (
                select 1
                from production.transaction_items as holder
                where
                    holder.transaction_id = typed.transaction_id
                    and holder.item_id = typed.item_id
                    and (holder.partition_date, holder.source_row) > (typed.partition_date, typed.source_row)
            )
            or exists (
                select 1
                from production.typed_transactions as headers
                inner join production.transaction_items as later
                    on
                        headers.transaction_id = later.transaction_id
                        and headers.partition_date <= later.partition_date
                where
                    headers.transaction_bucket = platform.bucket(typed.transaction_id)
                    and headers.transaction_id = typed.transaction_id
                    and headers.reasons = ''
                    and headers.partition_date > typed.partition_date
                    and (
                        headers.customer_id is null
                        or exists (
                            select 1 from production.customers as known where known.customer_id = headers.customer_id
                        )
                    )
            )
        )
        """,
        {
            "transaction_id": "staged.transaction_bucket",
            "item_id": "staged.item_bucket",
            "product_id": "staged.product_bucket",
            "quantity": _of_plain_row("integer", "platform.parse_integer({})", "quantity"),
            "unit_price": _of_plain_row("numeric", "platform.parse_money({})", "unit_price"),
            "discount_amount": _of_plain_row("numeric", "coalesce(platform.parse_money({}), 0)", "discount_amount"),
            "line_total": _of_plain_row("numeric", "platform.parse_money({})", "line_total"),
        },
    ),
    "returns": Fate(
        "production.returns",
        {
            "transaction_id": "id",
            "return_id": "id",
            "item_id": "id",
            "returned_on": "date",
            "quantity": "integer",
            "refund_amount": "numeric",
        },
        """
        exists (
            select 1
            from production.transaction_items as parents
            where parents.transaction_id = typed.transaction_id and parents.item_id = typed.item_id
        )
        and exists (
            select 1
            from production.returns as holder
            where
                holder.transaction_id = typed.transaction_id
                and holder.return_id = typed.return_id
                and (holder.partition_date, holder.source_row) > (typed.partition_date, typed.source_row)
        )
        """,
        {
            "transaction_id": "staged.transaction_bucket",
            "return_id": "staged.return_bucket",
            "item_id": "staged.item_bucket",
            "returned_on": _of_plain_row("date", "platform.parse_date({})", "returned_on"),
            "quantity": _of_plain_row("integer", "platform.parse_integer({})", "quantity"),
            "refund_amount": _of_plain_row("numeric", "platform.parse_money({})", "refund_amount"),
        },
    ),
}
