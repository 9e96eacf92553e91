-- production.transaction_items: the good lines of each order whose product is known. The latest day that exports an
-- order together with lines is its base: lines of earlier days are superseded, later ones are added or replace.
with lines as materialized (
    select typed.*
    from production.typed_transaction_items as typed
    inner join production.transactions as orders on typed.transaction_id = orders.transaction_id
    inner join production.products as products on typed.product_id = products.product_id
    where
        typed.is_good
        and (%(everything)s or typed.transaction_id in (select scope.transaction_id from scope))
),

exported_again as (
    select transaction_id
    from lines
    group by transaction_id
    having min(partition_date) < max(partition_date)
),

line_days as (
    select distinct
        lines.transaction_id,
        lines.partition_date
    from lines
    inner join exported_again on lines.transaction_id = exported_again.transaction_id
),

bases as (
    select
        line_days.transaction_id,
        max(line_days.partition_date) as partition_date
    from line_days
    inner join production.typed_transactions as headers
        on
            line_days.transaction_id = headers.transaction_id
            and line_days.partition_date = headers.partition_date
            and headers.is_good
    inner join production.customers as customers on headers.customer_id = customers.customer_id
    group by line_days.transaction_id
)

select distinct on (lines.transaction_id, lines.item_id)
    lines.transaction_id,
    lines.item_id,
    lines.product_id,
    lines.quantity,
    lines.unit_price,
    lines.discount_amount,
    lines.line_total,
    lines.partition_date,
    lines.source_row
from lines
left join bases on lines.transaction_id = bases.transaction_id
where bases.partition_date is null or lines.partition_date >= bases.partition_date
order by lines.transaction_id, lines.item_id, lines.partition_date desc, lines.source_row desc
