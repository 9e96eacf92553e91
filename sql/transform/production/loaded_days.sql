-- production.loaded_days: for each slice of the run's days, the load that production reads: the latest load if it passed
-- its contract, otherwise the one already in use. judged contains the write times of the slices that passed. The rows of all loads
-- are counted feed by feed, so that parallel workers share the work, and each node of a cluster counts its own rows.
with loads as materialized (
    select
        slices.table_name,
        slices.slice as partition_date,
        case when slices.written_at = any(%(judged)s::timestamptz[]) then slices.load_id else loaded.load_id end as load_id,
        slices.load_id as latest_id,
        slices.written_at,
        loaded.loaded_at
    from platform.slices as slices
    left join production.loaded_days as loaded
        on slices.table_name = 'staging.' || loaded.feed and slices.slice = loaded.partition_date
    where slices.slice >= %(window_start)s and slices.slice < %(window_end)s
),

counted as (
    select
        'customers' as feed,
        partition_date,
        load_id,
        count(*) as rows_in_file
    from staging.customers
    where partition_date >= %(window_start)s and partition_date < %(window_end)s
    group by partition_date, load_id
    union all
    select
        'products' as feed,
        partition_date,
        load_id,
        count(*) as rows_in_file
    from staging.products
    where partition_date >= %(window_start)s and partition_date < %(window_end)s
    group by partition_date, load_id
    union all
    select
        'transactions' as feed,
        partition_date,
        load_id,
        count(*) as rows_in_file
    from staging.transactions
    where partition_date >= %(window_start)s and partition_date < %(window_end)s
    group by partition_date, load_id
    union all
    select
        'transaction_items' as feed,
        partition_date,
        load_id,
        count(*) as rows_in_file
    from staging.transaction_items
    where partition_date >= %(window_start)s and partition_date < %(window_end)s
    group by partition_date, load_id
    union all
    select
        'returns' as feed,
        partition_date,
        load_id,
        count(*) as rows_in_file
    from staging.returns
    where partition_date >= %(window_start)s and partition_date < %(window_end)s
    group by partition_date, load_id
)

select
    counted.feed,
    counted.partition_date,
    counted.load_id,
    case when counted.load_id = loads.latest_id then loads.written_at else loads.loaded_at end as loaded_at,
    counted.rows_in_file::integer as rows_in_file
from counted
inner join loads
    on
        loads.table_name = 'staging.' || counted.feed
        and counted.partition_date = loads.partition_date
        and counted.load_id = loads.load_id
