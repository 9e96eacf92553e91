"""Checks of histories: versions have no gaps, and segments and age groups match their dates."""

from __future__ import annotations

from ecommerce_platform.checks.outcome import IN_WINDOW, TableCheck, sql_check

SEGMENT_THRESHOLDS = {"regular_orders": 3, "vip_orders": 10, "vip_revenue": 10_000}
"""The orders and revenue from which a customer is a Regular or a VIP; repeated here on purpose, so that the check does
not depend on sql/ddl/070_metrics.sql, which it verifies."""


def history(of: str, bought: str | None) -> TableCheck:
    """The check that the versions of each customer or product cover each day from 2000-01-01 on exactly once."""
    table, ids = f"warehouse.dim_{of}", f"{of}_id"
    touched = f"select {ids} from production.{of}_versions where {IN_WINDOW}"
    if bought is not None:
        touched += f" union select {ids} from {bought} where {IN_WINDOW}"
    judged = _judged_versions(table, ids, parents=f"production.{of}s")
    return sql_check(
        "history_is_seamless",
        table,
        f"The versions of each {of} cover every day from 2000-01-01 without gaps or overlaps, and one is current.",
        broken=f"{judged} select * from broken",
        tested=f"{judged} select count(*) as rows_tested, (select count(*) from broken) as suspects from judged",
        concerned={
            "touched": f"{ids} in ({touched})",
            "of_days": f"parents.{IN_WINDOW.replace('and ', 'and parents.')}",
        },
    )


def _judged_versions(table: str, ids: str, parents: str) -> str:
    """CTEs: ``judged``, each version and its fault, and ``broken``, the faulty ones and those without a counterpart."""
    return f"""
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
            where $touched
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
        ),

        broken as (
            select * from judged where fault <> ''
            union all
            select parents.{ids}, null, null, 'no version'
            from {parents} as parents
            where
                $of_days
                and not exists (select 1 from {table} as versions where versions.{ids} = parents.{ids})
            union all
            select versions.{ids}, versions.valid_from, versions.valid_to, 'unknown to production'
            from judged as versions
            where
                versions.{ids} <> 0
                and not exists (select 1 from {parents} as parents where versions.{ids} = parents.{ids})
        )
    """


def current_row_is_latest_version(of: str) -> TableCheck:
    """The check that the current row of each customer or product is its latest version."""
    table, ids, versions = f"production.{of}s", f"{of}_id", f"production.{of}_versions"
    touched = f"{ids} in (select {ids} from {versions} where {IN_WINDOW})"
    return sql_check(
        "current_row_is_latest_version",
        versions,
        f"The row of each {of} in {table} is its latest version.",
        broken=f"""
            with present as (
                select {ids}, valid_from, partition_date, source_row from {table} where $touched
            ),

            last as (
                select distinct on ({ids}) {ids}, valid_from, partition_date, source_row
                from {versions}
                where $touched
                order by {ids}, valid_from desc
            )

            select
                coalesce(present.{ids}, last.{ids}) as {ids},
                present.valid_from,
                last.valid_from as last_version
            from present
            full join last on present.{ids} = last.{ids}
            where present is distinct from last
        """,
        tested=f"select count(*) as rows_tested from {table} where $touched",
        concerned={"touched": touched},
    )


ON_FIRST_DAY = "(orders.sale_date <= coalesce(begun.valid_from, '2000-01-01'))"

PURCHASES = f"""
    with versions as (
        select customer_key, customer_id, segment, valid_from
        from warehouse.dim_customer
        where customer_key <> 0 and $touched
    ),

    orders as (
        -- An order has one customer and one day, or agrees_with_production says so.
        select
            transaction_id,
            min(customer_key) as customer_key,
            min(sale_date) as sale_date,
            sum(revenue) as revenue
        from (
            -- In the order of the key, one order is added up after another: a million sums at once would not fit into
            -- the memory of a statement.
            select transaction_id, customer_key, sale_date, revenue
            from warehouse.fact_sales
            where $of_versions
            order by transaction_id
        ) as lines
        group by transaction_id
    ),

    begun as (
        -- Half of the versions are a customer's first: a smaller table is faster to look things up in.
        select customer_key, valid_from from versions where valid_from > '2000-01-01'
    ),

    purchases as (
        select
            orders.customer_key,
            count(*) as orders,
            sum(orders.revenue) as revenue,
            count(*) filter (where not {ON_FIRST_DAY}) as later_orders,
            sum(orders.revenue) - coalesce(sum(orders.revenue) filter (where {ON_FIRST_DAY}), 0)
                as later_revenue
        from orders
        left join begun on orders.customer_key = begun.customer_key
        group by orders.customer_key
    ),

    added_up as (
        select
            versions.customer_id,
            versions.valid_from,
            versions.segment,
            coalesce(sum(purchases.orders) over so_far, 0) as last_orders,
            coalesce(sum(purchases.revenue) over so_far, 0) as last_revenue,
            coalesce(sum(purchases.orders) over so_far - coalesce(purchases.later_orders, 0), 0)
                as first_orders,
            coalesce(sum(purchases.revenue) over so_far - coalesce(purchases.later_revenue, 0), 0)
                as first_revenue
        from versions
        left join purchases on versions.customer_key = purchases.customer_key
        window so_far as (partition by versions.customer_id order by versions.valid_from)
    )
"""
"""CTEs: ``added_up`` has the purchases of each customer version up to its first day, and up to its last day."""


def segments_match_purchases() -> TableCheck:
    """The check of segments. Purchases only accumulate, so a segment that fits the first and last day fits all days.

    It belongs to the fact, because the dimension is written before the fact: a sale refers to the version of its day,
    and the sales of a customer's versions up to one are the purchases up to that version's last day. A run over some
    days omits customers who were already VIPs; ``verify`` checks all customers.
    """
    touched = f"""
        customer_id in (
            select customer_id from production.customer_versions where {IN_WINDOW}
            union all
            -- Who was a VIP the day before stays one: that was judged when it began.
            select versions.customer_id
            from warehouse.fact_sales as facts
            inner join warehouse.dim_customer as versions on facts.customer_key = versions.customer_key
            where
                facts.partition_date >= %(start)s and facts.partition_date < %(end)s
                and not (versions.segment = 'VIP' and versions.valid_from < facts.sale_date)
        )
    """
    segment = """
        case
            when {0}_orders >= %(vip_orders)s and {0}_revenue >= %(vip_revenue)s then 'VIP'
            when {0}_orders >= %(regular_orders)s then 'Regular'
            else 'New'
        end
    """
    wrong = f"segment <> {segment.format('first')} or segment <> {segment.format('last')}"
    return sql_check(
        "segments_match_purchases",
        "warehouse.fact_sales",
        "The segment of each customer version matches the purchases up to its first day and up to its last day.",
        broken=f"{PURCHASES} select * from added_up where {wrong}",
        tested=f"""
            {PURCHASES} select count(*) as rows_tested, count(*) filter (where {wrong}) as suspects from added_up
        """,
        values=SEGMENT_THRESHOLDS,
        concerned={"touched": touched, "of_versions": "customer_key in (select versions.customer_key from versions)"},
    )


def age_group_is_as_of_sale_date() -> TableCheck:
    """The check of age groups. Ages only increase: a version that fits its first and last sale fits those between."""
    judged = """
            with bought as (
                select
                    customer_key,
                    customer_id,
                    array[min(sale_date), max(sale_date)] as days
                from warehouse.fact_sales
                where $of_days
                group by customer_key, customer_id
            ),

            images as (
                select
                    customer_id,
                    date_of_birth,
                    case when row_number() over later = 1 then '-infinity' else valid_from end as valid_from,
                    coalesce(lead(valid_from) over later, 'infinity') as valid_to
                from production.customer_versions
                where $of_buyers
                window later as (partition by customer_id order by valid_from)
            ),

            judged as (
                select
                    bought.customer_id,
                    sale_date,
                    versions.age_group,
                    warehouse.age_group(images.date_of_birth, sale_date) as age_group_of_the_day
                from bought
                cross join unnest(bought.days) as of (sale_date)
                inner join warehouse.dim_customer as versions on bought.customer_key = versions.customer_key
                inner join images
                    on
                        bought.customer_id = images.customer_id
                        and sale_date >= images.valid_from
                        and sale_date < images.valid_to
            )
    """
    wrong = "age_group <> age_group_of_the_day"
    return sql_check(
        "age_group_is_as_of_sale_date",
        "warehouse.fact_sales",
        "Each sale points at a customer version with the customer's age group on the sale date.",
        broken=f"{judged} select * from judged where {wrong}",
        tested=f"{judged} select count(*) as rows_tested, count(*) filter (where {wrong}) as suspects from judged",
        concerned={"of_days": IN_WINDOW, "of_buyers": "customer_id in (select bought.customer_id from bought)"},
    )
