"""Integrity: what the database's own constraints cannot say."""

from __future__ import annotations

from ecommerce_platform.checks.outcome import TableCheck, sql_check
from ecommerce_platform.checks.reconciliation import CUSTOMERS_WHO_BOUGHT, SALE_MONTHS

IN_WINDOW = "partition_date >= %(start)s and partition_date < %(end)s"


def integrity_checks() -> list[TableCheck]:
    """All of them."""
    return [
        _emails_are_valid(),
        _order_totals(),
        _parents_are_still_missing(),
        _history("customer", "production.transactions"),
        _history("product", None),
        *_keys_exist(),
    ]


def _history(of: str, bought: str | None) -> TableCheck:
    """The versions of each customer or product cover all days from 2000-01-01 on, each day once."""
    table, ids, parents = f"warehouse.dim_{of}", f"{of}_id", f"production.{of}s"
    touched = f"select {ids} from production.{of}_versions where {IN_WINDOW}"
    if bought is not None:
        touched += f" union select {ids} from {bought} where {IN_WINDOW}"
    return sql_check(
        "history_is_seamless",
        table,
        f"Each {of} has versions from 2000-01-01 on without gap or overlap, one of them current.",
        broken=f"""
            with versions as (
                select
                    {ids},
                    valid_from,
                    valid_to,
                    is_current,
                    lag(valid_to) over (partition by {ids} order by valid_from) as end_before,
                    lead(valid_from) over (partition by {ids} order by valid_from) as next_begin,
                    count(*) filter (where is_current) over (partition by {ids}) as current_ones
                from {table}
                where %(everything)s or {ids} in ({touched})
            ),

            judged as (
                select
                    {ids},
                    valid_from::text as valid_from,
                    valid_to::text as valid_to,
                    concat_ws(
                        ', ',
                        case
                            when end_before is null and valid_from <> '2000-01-01'
                                then 'begins after 2000-01-01'
                        end,
                        case when end_before > valid_from then 'overlaps the version before' end,
                        case when end_before < valid_from then 'leaves a gap after the version before' end,
                        case
                            when next_begin is null and valid_to <> 'infinity' then 'the last version ends'
                        end,
                        case
                            when next_begin is null and current_ones <> 1
                                then current_ones || ' current versions'
                        end
                    ) as fault
                from versions
            )

            select * from judged where fault <> ''
            union all
            select parents.{ids}, null, null, 'no version'
            from {parents} as parents
            where
                (%(everything)s or parents.{IN_WINDOW.replace("and ", "and parents.")})
                and not exists (select 1 from {table} as versions where versions.{ids} = parents.{ids})
            union all
            select versions.{ids}, versions.valid_from, versions.valid_to, 'unknown to production'
            from judged as versions
            where not exists (select 1 from {parents} as parents where versions.{ids} = parents.{ids})
        """,
        tested=f"select count(*) as rows_tested from {table} where %(everything)s or {ids} in ({touched})",
    )


def _keys_exist() -> list[TableCheck]:
    months = f"%(everything)s or aggregates.month_start in ({SALE_MONTHS})"
    buyers = f"%(everything)s or aggregates.customer_id in ({CUSTOMERS_WHO_BOUGHT})"
    cases = (
        ("warehouse.mart_product_monthly", "product_key", "warehouse.dim_product", months),
        ("warehouse.agg_product_performance", "product_id", "warehouse.dim_product", "true"),
        ("warehouse.mart_customer_monthly", "customer_id", "warehouse.dim_customer", months),
        ("warehouse.agg_customer_metrics", "customer_id", "warehouse.dim_customer", buyers),
    )
    return [
        sql_check(
            "keys_exist",
            table,
            f"Each {key} is one of {dimension}.",
            broken=f"""
                select aggregates.{key}
                from {table} as aggregates
                where
                    ({concerned})
                    and not exists (select 1 from {dimension} as known where known.{key} = aggregates.{key})
            """,
            tested=f"select count(*) as rows_tested from {table} as aggregates where {concerned}",
        )
        for table, key, dimension, concerned in cases
    ]


def _parents_are_still_missing() -> TableCheck:
    return sql_check(
        "parents_are_still_missing",
        "production.rejected_rows",
        "No rejected row waits for a customer, an order or a product that has arrived.",
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
        """,
        tested="""
            select count(*) as rows_tested
            from production.rejected_rows
            where
                missing_customer_id is not null
                or missing_transaction_id is not null
                or missing_product_id is not null
        """,
    )


def _emails_are_valid() -> TableCheck:
    return sql_check(
        "emails_are_valid",
        "production.customers",
        "Each e-mail address has the shape of one.",
        broken=f"select customer_id from production.customers where not email_is_valid and {IN_WINDOW}",
        tested=f"select count(email) as rows_tested from production.customers where {IN_WINDOW}",
        severity="WARN",
    )


def _order_totals() -> TableCheck:
    return sql_check(
        "order_totals_agree",
        "production.transaction_items",
        "The total that the shop exported with an order is the sum of the lines that were kept.",
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
        severity="WARN",
    )
