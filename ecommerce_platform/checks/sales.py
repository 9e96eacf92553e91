"""Compares sales with production: every order line is in the fact once, at the versions valid on its date."""

from __future__ import annotations

from ecommerce_platform.checks.checksum import checksum
from ecommerce_platform.checks.outcome import (
    IN_WINDOW,
    TableCheck,
    sql_check,
)

LINE = (
    ("items.transaction_id", "id"),
    ("items.item_id", "id"),
    ("orders.transaction_date", "date"),
    ("orders.customer_id", "optional id"),
    ("items.product_id", "id"),
    ("orders.payment_method_id", "id"),
    ("items.quantity", "integer"),
    ("items.unit_price", "amount"),
    ("items.discount_amount", "amount"),
    ("items.line_total", "amount"),
)
"""The columns that a sale takes from its line and order, for :func:`checksum`; ``SALE`` lists the sale's own."""


SALE = (
    ("facts.transaction_id", "id"),
    ("facts.item_id", "id"),
    ("facts.sale_date", "date"),
    ("facts.customer_id", "optional id"),
    ("facts.product_id", "id"),
    ("facts.payment_key", "id"),
    ("facts.quantity", "integer"),
    ("facts.unit_price", "amount"),
    ("facts.discount_amount", "amount"),
    ("facts.revenue", "numeric"),
)


ORDERS_IN_FILES = f"""
    select transaction_id from production.transaction_items where {IN_WINDOW}
    union
    select transaction_id from production.transactions where {IN_WINDOW}
"""
"""The orders whose header or lines lie in the files of the window's days."""


DIFFERENT_LINES = f"""
    with concerned as ({ORDERS_IN_FILES}),

    lines as (
        select
            items.transaction_id,
            items.item_id,
            orders.transaction_date as sale_date,
            orders.customer_id,
            items.product_id,
            orders.payment_method_id as payment_key,
            items.quantity,
            items.unit_price,
            items.discount_amount,
            items.line_total as revenue
        from production.transaction_items as items
        inner join production.transactions as orders on items.transaction_id = orders.transaction_id
        where
            greatest(items.partition_date, orders.partition_date) >= %(start)s
            and greatest(items.partition_date, orders.partition_date) < %(end)s
            and $concerned
    ),

    sales as (
        select
            facts.transaction_id,
            facts.item_id,
            facts.sale_date,
            facts.customer_id,
            facts.product_id,
            facts.payment_key,
            facts.quantity,
            facts.unit_price,
            facts.discount_amount,
            facts.revenue
        from warehouse.fact_sales as facts
        where facts.partition_date >= %(start)s and facts.partition_date < %(end)s
    )

    select
        coalesce(lines.transaction_id, sales.transaction_id) as transaction_id,
        coalesce(lines.item_id, sales.item_id) as item_id,
        case
            when sales.transaction_id is null then 'missing from fact_sales'
            when lines.transaction_id is null then 'not in production'
            else 'different'
        end as fault,
        lines.revenue as production_revenue,
        sales.revenue as fact_revenue
    from lines
    full join sales on lines.transaction_id = sales.transaction_id and lines.item_id = sales.item_id
    where lines is distinct from sales
"""
"""Each order line that is missing from the fact, not in production, or different."""


COMPARED_PER_DAY = f"""
    with concerned as ({ORDERS_IN_FILES}),

    -- Otherwise, PostgreSQL would compare the day of each line, not of each sum, with the first and the last day.
    lines as materialized (
        select
            greatest(items.partition_date, orders.partition_date) as partition_date,
            count(*) as rows,
            bit_xor({checksum(LINE)}) as checksum
        from production.transaction_items as items
        inner join production.transactions as orders on items.transaction_id = orders.transaction_id
        where $concerned
        group by greatest(items.partition_date, orders.partition_date)
    ),

    sales as (
        select
            facts.partition_date,
            count(*) as rows,
            sum(facts.revenue) as revenue,
            bit_xor({checksum(SALE)}) as checksum
        from warehouse.fact_sales as facts
        where facts.partition_date >= %(start)s and facts.partition_date < %(end)s
        group by facts.partition_date
    )

    select
        coalesce(sum(sales.rows), 0) as rows_tested,
        count(*) filter (
            where (lines.rows, lines.checksum) is distinct from (sales.rows, sales.checksum)
        ) as suspects,
        sum(sales.revenue) as revenue
    from (select * from lines where partition_date >= %(start)s and partition_date < %(end)s) as lines
    full join sales on lines.partition_date = sales.partition_date
"""
"""The number of sales, and of days whose checksum differs; such days are then compared line by line."""


def fact_agrees_with_production() -> TableCheck:
    """The check that the fact has every order line of production once, with its amounts."""
    return sql_check(
        "agrees_with_production",
        "warehouse.fact_sales",
        "Each kept order line is exactly one sale with the same date, customer, product, payment method, quantity and"
        " amounts, and there are no other sales.",
        broken=DIFFERENT_LINES,
        tested=COMPARED_PER_DAY,
        concerned={"concerned": "items.transaction_id in (select concerned.transaction_id from concerned)"},
    )


def versions_are_valid_on_sale_date() -> TableCheck:
    """The check that each sale refers to the versions valid on the sale date."""
    sales = """
            from warehouse.fact_sales as facts
            left join warehouse.dim_customer as customers on facts.customer_key = customers.customer_key
            left join warehouse.dim_product as products on facts.product_key = products.product_key
            where facts.partition_date >= %(start)s and facts.partition_date < %(end)s
    """
    wrong = """
        (
            case
                when facts.customer_id is null then facts.customer_key = 0
                else facts.customer_id = customers.customer_id
            end
            and facts.sale_date >= customers.valid_from and facts.sale_date < customers.valid_to
            and facts.product_id = products.product_id
            and facts.sale_date >= products.valid_from and facts.sale_date < products.valid_to
            and facts.cost is not distinct from facts.quantity * products.cost
        ) is not true
    """
    return sql_check(
        "versions_are_valid_on_sale_date",
        "warehouse.fact_sales",
        "Each sale points at the customer and product versions valid on the sale date, and has the cost of that date.",
        broken=f"""
            select
                facts.transaction_id,
                facts.item_id,
                facts.sale_date,
                concat_ws(
                    ', ',
                    case
                        when facts.customer_id is null and facts.customer_key <> 0
                            then 'version of a customer, without a customer'
                        when facts.customer_id <> customers.customer_id or customers.customer_id is null
                            then 'version of another customer'
                        when
                            (facts.sale_date >= customers.valid_from and facts.sale_date < customers.valid_to)
                            is not true
                            then 'customer version of another day'
                    end,
                    case
                        when (facts.product_id = products.product_id) is not true
                            then 'version of another product'
                        when
                            (facts.sale_date >= products.valid_from and facts.sale_date < products.valid_to)
                            is not true
                            then 'product version of another day'
                    end,
                    case
                        when facts.cost is distinct from facts.quantity * products.cost
                            then 'cost is not quantity * cost of the product'
                    end
                ) as fault
            {sales} and {wrong}
        """,
        tested=f"""
            select
                count(*) as rows_tested,
                sum(facts.cost) as cost,
                count(*) filter (where {wrong}) as suspects
            {sales}
        """,
    )
