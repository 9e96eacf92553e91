-- The customers whose images or purchases a run brings, changes or takes away. Who was a VIP before a purchase stays one, so
-- that it makes no version; without this a day read all that its customers, most of them VIPs, had ever bought. What a
-- correction takes away is queued where it is taken away.
with bought as (
    select
        customer_id,
        transaction_date
    from production.transactions
    where partition_date >= %(window_start)s and partition_date < %(window_end)s
    union
    select
        orders.customer_id,
        orders.transaction_date
    from production.transaction_items as lines
    inner join production.transactions as orders on lines.transaction_id = orders.transaction_id
    where lines.partition_date >= %(window_start)s and lines.partition_date < %(window_end)s
)

select customer_id
from production.customer_versions
where partition_date >= %(window_start)s and partition_date < %(window_end)s
union
select bought.customer_id
from bought
where
    not exists (
        select 1
        from warehouse.dim_customer as versions
        where
            versions.customer_id = bought.customer_id
            and versions.segment = 'VIP'
            and versions.valid_from <= bought.transaction_date
    )
union
select key as customer_id
from revisits
