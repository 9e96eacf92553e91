-- The rows of added or removed loads; of these and earlier loads, the rejected rows that wait for a parent that was added, and the
-- rows whose parent was removed. The days are looked up first, so that the rows are found by their index, on a node of a cluster, too:
-- a join alone made the planner read all of staging.
with days as (
    select array_agg(distinct partition_date) as changed
    from production_loaded_days_changes
)

select
    'customers' as feed,
    staged.partition_date,
    staged.source_row
from production_loaded_days_changes as loads
inner join staging.customers as staged
    on loads.partition_date = staged.partition_date and loads.load_id = staged.load_id
where loads.feed = 'customers' and staged.partition_date = any((select days.changed from days)::date[])
union
select
    'products' as feed,
    staged.partition_date,
    staged.source_row
from production_loaded_days_changes as loads
inner join staging.products as staged
    on loads.partition_date = staged.partition_date and loads.load_id = staged.load_id
where loads.feed = 'products' and staged.partition_date = any((select days.changed from days)::date[])
union
select
    'transactions' as feed,
    staged.partition_date,
    staged.source_row
from production_loaded_days_changes as loads
inner join staging.transactions as staged
    on loads.partition_date = staged.partition_date and loads.load_id = staged.load_id
where loads.feed = 'transactions' and staged.partition_date = any((select days.changed from days)::date[])
union
select
    'transaction_items' as feed,
    staged.partition_date,
    staged.source_row
from production_loaded_days_changes as loads
inner join staging.transaction_items as staged
    on loads.partition_date = staged.partition_date and loads.load_id = staged.load_id
where loads.feed = 'transaction_items' and staged.partition_date = any((select days.changed from days)::date[])
union
select
    'returns' as feed,
    staged.partition_date,
    staged.source_row
from production_loaded_days_changes as loads
inner join staging.returns as staged
    on loads.partition_date = staged.partition_date and loads.load_id = staged.load_id
where loads.feed = 'returns' and staged.partition_date = any((select days.changed from days)::date[])
union
select
    waiting.feed,
    waiting.partition_date,
    waiting.source_row
from production_customers_changes as customers
inner join production.rejected_rows as waiting on customers.customer_id = waiting.missing_customer_id
where customers.operation = 'I'
union
select
    waiting.feed,
    waiting.partition_date,
    waiting.source_row
from production_products_changes as products
inner join production.rejected_rows as waiting on products.product_id = waiting.missing_product_id
where products.operation = 'I'
union
select
    waiting.feed,
    waiting.partition_date,
    waiting.source_row
from production_transactions_changes as orders
inner join production.rejected_rows as waiting on orders.transaction_id = waiting.missing_transaction_id
where orders.operation = 'I'
union
select
    waiting.feed,
    waiting.partition_date,
    waiting.source_row
from production_transaction_items_changes as lines
inner join production.rejected_rows as waiting on lines.transaction_id = waiting.transaction_id
where lines.operation = 'I' and waiting.missing_item_id is not null
union
select
    'transactions' as feed,
    orders.partition_date,
    orders.source_row
from production_customers_changes as customers
inner join production.parsed_transactions as orders
    on
        platform.bucket(customers.customer_id) = orders.customer_bucket
        and platform.is_same_key(customers.customer_id, orders.customer_id)
where customers.operation = 'D'
union
select
    'transaction_items' as feed,
    lines.partition_date,
    lines.source_row
from production_transactions_changes as orders
inner join production.parsed_transaction_items as lines
    on
        platform.bucket(orders.transaction_id) = lines.transaction_bucket
        and platform.is_same_key(orders.transaction_id, lines.transaction_id)
where orders.operation = 'D'
union
select
    'transaction_items' as feed,
    lines.partition_date,
    lines.source_row
from production_products_changes as products
inner join production.parsed_transaction_items as lines
    on
        platform.bucket(products.product_id) = lines.product_bucket
        and platform.is_same_key(products.product_id, lines.product_id)
where products.operation = 'D'
union
select
    'returns' as feed,
    returns.partition_date,
    returns.source_row
from (
    select transaction_id
    from production_transactions_changes
    where operation = 'D'
    union
    select transaction_id
    from production_transaction_items_changes
    where operation = 'D'
) as orders
inner join production.parsed_returns as returns
    on
        platform.bucket(orders.transaction_id) = returns.transaction_bucket
        and platform.is_same_key(orders.transaction_id, returns.transaction_id)
