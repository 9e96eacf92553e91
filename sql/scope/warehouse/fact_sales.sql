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

-- The planner does not know how few orders and customers these are; ORDER BY keeps it from joining whole tables.
customers as (
    select orders.customer_id
    from concerned
    cross join
        lateral (
            select production_orders.customer_id
            from production.transactions as production_orders
            where production_orders.transaction_id = concerned.transaction_id
            order by production_orders.customer_id
        ) as orders
    union
    select customer_id
    from production.customer_versions
    where partition_date >= %(window_start)s and partition_date < %(window_end)s
)

select transaction_id
from concerned
union
select orders.transaction_id
from customers
cross join
    lateral (
        select production_orders.transaction_id
        from production.transactions as production_orders
        where production_orders.customer_id = customers.customer_id
        order by production_orders.transaction_id
    ) as orders
left join lateral (
    select facts.item_id
    from warehouse.fact_sales as facts
    where facts.transaction_id = orders.transaction_id
    order by facts.item_id
    limit 1
) as sales on true
where sales.item_id is null
