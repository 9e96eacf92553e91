-- The orders that a run brings, changes or takes away, and those that point at another version now. Of the customers
-- concerned also the orders that have no sale yet: a run that died before this table left them behind, and the
-- segments of these customers count them already.
with concerned as (
    select transaction_id
    from production.transactions
    where partition_date >= %(window_start)s and partition_date < %(window_end)s
    union
    select transaction_id
    from production.transaction_items
    where partition_date >= %(window_start)s and partition_date < %(window_end)s
    union
    select transaction_id
    from warehouse.fact_sales
    where partition_date >= %(window_start)s and partition_date < %(window_end)s
    union
    select key as transaction_id
    from revisits
),

customers as (
    select orders.customer_id
    from production.transactions as orders
    inner join concerned on orders.transaction_id = concerned.transaction_id
    union
    select customer_id
    from production.customer_versions
    where partition_date >= %(window_start)s and partition_date < %(window_end)s
)

select transaction_id
from concerned
union
select orders.transaction_id
from production.transactions as orders
inner join customers on orders.customer_id = customers.customer_id
where not exists (
    select 1
    from warehouse.fact_sales as sales
    where sales.transaction_id = orders.transaction_id
)
