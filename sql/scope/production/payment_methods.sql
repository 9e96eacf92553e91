-- The payment methods that a load introduces, and those that may have lost their last load: a method of a former load that the
-- day's present load does not have.
with used as materialized (
    select distinct
        orders.payment_method,
        orders.partition_date,
        orders.load_id
    from (
        select distinct
            partition_date,
            load_id
        from production_loaded_days_changes
        where feed = 'transactions'
    ) as loads
    inner join production.parsed_transactions as orders
        on loads.partition_date = orders.partition_date and loads.load_id = orders.load_id
    where orders.is_good
),

still_used as (
    select
        used.payment_method,
        used.partition_date
    from used
    inner join production.loaded_days as loaded on used.load_id = loaded.load_id
)

select platform.key_of(used.payment_method) as payment_method_id
from used
left join production.payment_methods as known on platform.key_of(used.payment_method) = known.payment_method_id
left join still_used on used.payment_method = still_used.payment_method and used.partition_date = still_used.partition_date
where known.payment_method_id is null or still_used.payment_method is null
