-- The payment methods that a load introduces, and those that may have lost their last load.
with used as (
    select distinct
        orders.payment_method_id,
        orders.partition_date
    from production_loaded_days_changes as loads
    inner join production.parsed_transactions as orders
        on loads.partition_date = orders.partition_date and loads.load_id = orders.load_id
    where loads.feed = 'transactions' and orders.is_good
),

still_used as (
    select distinct
        orders.payment_method_id,
        orders.partition_date
    from production_loaded_days_changes as loads
    inner join production.typed_transactions as orders on loads.partition_date = orders.partition_date
    where loads.feed = 'transactions' and orders.is_good
)

select used.payment_method_id
from used
left join production.payment_methods as known on used.payment_method_id = known.payment_method_id
left join still_used
    on used.payment_method_id = still_used.payment_method_id and used.partition_date = still_used.partition_date
where known.payment_method_id is null or still_used.payment_method_id is null
