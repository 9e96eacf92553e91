"""Integrity: rules that the database's own constraints cannot express."""

from __future__ import annotations

from ecommerce_platform.checks.history import (
    age_group_is_as_of_sale_date,
    current_row_is_latest_version,
    history,
    segments_match_purchases,
)
from ecommerce_platform.checks.outcome import IN_WINDOW, TableCheck, sql_check
from ecommerce_platform.checks.rates import rate_check
from ecommerce_platform.checks.reconciliation import CUSTOMERS_WHO_BOUGHT, SALE_DAYS, SALE_MONTHS

IS_REPORTING_CURRENCY = """
    (platform.clean({}.extra_columns ->> 'currency') = (select currency from platform.reporting_currency))
"""
"""Whether a row of staging names the reporting currency; null where it names none."""


OLDER = """
    select distinct {}
    from production.transaction_items as lines
    inner join production.transactions as orders on lines.transaction_id = orders.transaction_id
    where lines.partition_date < orders.partition_date and $touched
"""
"""The orders with a kept line that is older than the order's header."""


def integrity_checks() -> list[TableCheck]:
    """All integrity checks."""
    return [
        _emails_are_valid(),
        _order_totals(),
        _rejects_wait_for_missing_parents(),
        _rejects_break_a_rule(),
        _orders_are_in_the_reporting_currency(),
        _order_lines_come_from_latest_export(),
        current_row_is_latest_version("customer"),
        current_row_is_latest_version("product"),
        segments_match_purchases(),
        age_group_is_as_of_sale_date(),
        history("customer", "production.transactions"),
        history("product", None),
        *_keys_exist_in_dimension(),
    ]


def _keys_exist_in_dimension() -> list[TableCheck]:
    days, months = "aggregates.sale_date = any(%(days)s)", "aggregates.month_start = any(%(months)s)"
    buyers = f"aggregates.customer_id in ({CUSTOMERS_WHO_BOUGHT})"
    cases = (
        ("warehouse.mart_product_daily", "product_key", "warehouse.dim_product", days),
        ("warehouse.mart_product_monthly", "product_key", "warehouse.dim_product", months),
        ("warehouse.agg_product_performance", "product_id", "warehouse.dim_product", "true"),
        ("warehouse.mart_customer_monthly", "customer_id", "warehouse.dim_customer", buyers),
        ("warehouse.agg_customer_metrics", "customer_id", "warehouse.dim_customer", buyers),
    )
    return [
        sql_check(
            "keys_exist_in_dimension",
            table,
            f"Each {key} exists in {dimension}.",
            broken=f"""
                select aggregates.{key}
                from {table} as aggregates
                where
                    $concerned
                    and not exists (select 1 from {dimension} as known where known.{key} = aggregates.{key})
            """,
            tested=f"""
                with concerned as materialized (
                    select aggregates.{key}, count(*) as found
                    from {table} as aggregates
                    where $concerned
                    group by aggregates.{key}
                ),

                unknown as (
                    select concerned.{key}
                    from concerned
                    where not exists (select 1 from {dimension} as known where known.{key} = concerned.{key})
                )

                select sum(found) as rows_tested, (select count(*) from unknown) as suspects from concerned
            """,
            concerned={"concerned": concerned},
            keys={**SALE_DAYS, **SALE_MONTHS} if "any" in concerned else None,
        )
        for table, key, dimension, concerned in cases
    ]


def _rejects_wait_for_missing_parents() -> TableCheck:
    return sql_check(
        "rejects_wait_for_missing_parents",
        "production.rejected_rows",
        "No rejected row is waiting for a customer, order, product or order line that has already arrived.",
        broken="""
            select
                rejected.feed,
                rejected.partition_date,
                rejected.source_row,
                'customer ' || customers.customer_id as arrived
            from production.rejected_rows as rejected
            inner join production.customers as customers
                on rejected.missing_customer_id = customers.customer_id
            union all
            select
                rejected.feed,
                rejected.partition_date,
                rejected.source_row,
                'order ' || orders.transaction_id
            from production.rejected_rows as rejected
            inner join production.transactions as orders
                on rejected.missing_transaction_id = orders.transaction_id
            union all
            select
                rejected.feed,
                rejected.partition_date,
                rejected.source_row,
                'product ' || products.product_id
            from production.rejected_rows as rejected
            inner join production.products as products
                on rejected.missing_product_id = products.product_id
            union all
            select
                rejected.feed,
                rejected.partition_date,
                rejected.source_row,
                'order line ' || lines.item_id
            from production.rejected_rows as rejected
            inner join production.transaction_items as lines
                on rejected.transaction_id = lines.transaction_id and rejected.missing_item_id = lines.item_id
        """,
        tested="""
            select count(*) as rows_tested
            from production.rejected_rows
            where
                missing_customer_id is not null
                or missing_transaction_id is not null
                or missing_product_id is not null
                or missing_item_id is not null
        """,
    )


def _rejects_break_a_rule() -> TableCheck:
    """The check of rejected rows in plain form (staging's is_plain), for which validity is simple to state."""
    own_fault = """
        rejected.missing_customer_id is null
        and rejected.missing_transaction_id is null
        and rejected.missing_product_id is null
        and $of_days
    """
    return sql_check(
        "rejects_break_a_rule",
        "production.rejected_rows",
        "No order or order line is rejected for a fault of its own although its numbers and dates are valid.",
        broken=f"""
            select
                rejected.feed,
                rejected.partition_date,
                rejected.source_row,
                array_to_string(rejected.reasons, '; ') as reasons
            from production.rejected_rows as rejected
            inner join staging.transaction_items as lines
                on rejected.partition_date = lines.partition_date and rejected.source_row = lines.source_row
            inner join production.loaded_days as loads on lines.load_id = loads.load_id
            where
                rejected.feed = 'transaction_items'
                and {own_fault}
                and lines.item_bucket is not null
                and lines.transaction_bucket is not null
                and lines.product_bucket is not null
                and case
                    when lines.is_plain
                        then
                            lines.quantity::numeric * lines.unit_price::numeric
                            = lines.line_total::numeric + lines.discount_amount::numeric
                end
            union all
            select
                rejected.feed,
                rejected.partition_date,
                rejected.source_row,
                array_to_string(rejected.reasons, '; ')
            from production.rejected_rows as rejected
            inner join staging.transactions as orders
                on rejected.partition_date = orders.partition_date and rejected.source_row = orders.source_row
            inner join production.loaded_days as loads on orders.load_id = loads.load_id
            where
                rejected.feed = 'transactions'
                and {own_fault}
                and orders.transaction_bucket is not null
                and (orders.customer_bucket is not null or platform.clean(orders.customer_id) is null)
                and case when orders.is_plain then orders.transaction_date::date <= orders.partition_date end
                and length(orders.payment_method) <= 200
                and coalesce({IS_REPORTING_CURRENCY.format("orders")}, true)
        """,
        tested=f"""
            select count(*) as rows_tested
            from production.rejected_rows as rejected
            where rejected.feed in ('transactions', 'transaction_items') and {own_fault}
        """,
        concerned={"of_days": "rejected.partition_date >= %(start)s and rejected.partition_date < %(end)s"},
    )


def _orders_are_in_the_reporting_currency() -> TableCheck:
    return sql_check(
        "orders_are_in_the_reporting_currency",
        "production.transactions",
        "No kept order names another currency than the reporting currency.",
        broken="""
            select orders.transaction_id, orders.partition_date, orders.source_row
            from production.typed_transactions as staged
            inner join production.transactions as orders
                on
                    staged.transaction_id = orders.transaction_id
                    and staged.partition_date = orders.partition_date
                    and staged.source_row = orders.source_row
            where
                staged.currency is not null
                and staged.currency <> (select currency from platform.reporting_currency)
                and $of_days
        """,
        tested="select count(*) as rows_tested from production.transactions as staged where $of_days",
        concerned={"of_days": "staged.partition_date >= %(start)s and staged.partition_date < %(end)s"},
    )


def _order_lines_come_from_latest_export() -> TableCheck:
    return sql_check(
        "order_lines_come_from_latest_export",
        "production.transaction_items",
        "No kept order line comes from a file older than the latest file that exports its order with lines.",
        broken="""
            select
                lines.transaction_id,
                lines.item_id,
                lines.partition_date,
                max(headers.partition_date) as exported_again_on
            from production.transaction_items as lines
            inner join production.typed_transactions as headers
                on lines.transaction_id = headers.transaction_id and lines.partition_date < headers.partition_date
            left join production.customers as customers on headers.customer_id = customers.customer_id
            inner join production.typed_transaction_items as exported
                on
                    headers.transaction_id = exported.transaction_id
                    and headers.transaction_bucket = exported.transaction_bucket
                    and headers.partition_date = exported.partition_date
            inner join production.products as products on exported.product_id = products.product_id
            where
                lines.transaction_id = any(%(orders)s)
                and headers.transaction_bucket = any(%(buckets)s)
                and headers.is_good
                and (headers.customer_id is null or customers.customer_id is not null)
                and exported.is_good
            group by lines.transaction_id, lines.item_id, lines.partition_date
        """,
        tested=f"select count(*) as rows_tested from production.transaction_items where {IN_WINDOW}",
        concerned={
            "touched": f"""
                lines.transaction_id in (
                    select transaction_id from production.transactions where {IN_WINDOW}
                    union all
                    select transaction_id from production.transaction_items where {IN_WINDOW}
                )
            """
        },
        # Few orders have lines of an earlier day. Bound as an array, they are looked up; PostgreSQL would expect a
        # third of all orders, and read every export.
        keys={
            "orders": OLDER.format("lines.transaction_id"),
            "buckets": OLDER.format("platform.bucket(lines.transaction_id)"),
        },
    )


def _emails_are_valid() -> TableCheck:
    check = sql_check(
        "emails_are_valid",
        "production.customers",
        "Each e-mail address is well-formed.",
        broken=f"select customer_id from production.customers where not email_is_valid and {IN_WINDOW}",
        tested=f"select count(email) as rows_tested from production.customers where {IN_WINDOW}",
    )
    return rate_check(check, "e-mail addresses are malformed")


def _order_totals() -> TableCheck:
    check = sql_check(
        "order_totals_agree",
        "production.transaction_items",
        "The exported total of an order equals the sum of its kept lines.",
        broken=f"""
            select
                orders.transaction_id,
                orders.total_amount,
                coalesce(sum(lines.line_total), 0) as sum_of_lines,
                count(lines.item_id) as lines
            from production.transactions as orders
            left join production.transaction_items as lines on orders.transaction_id = lines.transaction_id
            where orders.{IN_WINDOW.replace("and ", "and orders.")}
            group by orders.transaction_id, orders.total_amount
            having orders.total_amount <> coalesce(sum(lines.line_total), 0)
        """,
        tested=f"select count(*) as rows_tested from production.transactions where {IN_WINDOW}",
    )
    return rate_check(check, "order totals differ from the sum of their lines")
