-- Rows of other days that must be judged again: their parent has arrived, or has gone.
select
    rejected.feed,
    rejected.partition_date,
    rejected.source_row
from production.rejected_rows as rejected
inner join production.customers as customers on rejected.missing_customer_id = customers.customer_id
union
select
    rejected.feed,
    rejected.partition_date,
    rejected.source_row
from production.rejected_rows as rejected
inner join production.transactions as orders on rejected.missing_transaction_id = orders.transaction_id
union
select
    rejected.feed,
    rejected.partition_date,
    rejected.source_row
from production.rejected_rows as rejected
inner join production.products as products on rejected.missing_product_id = products.product_id
union
select
    'transactions' as feed,
    orders.partition_date,
    orders.source_row
from staging.transactions as orders
inner join revisits on platform.plain_id(orders.is_plain, orders.transaction_id) = revisits.key
union
select
    'transaction_items' as feed,
    lines.partition_date,
    lines.source_row
from staging.transaction_items as lines
inner join revisits on platform.plain_id(lines.is_plain, lines.transaction_id) = revisits.key
