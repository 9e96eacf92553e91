-- production.loaded_days: which load of which slice passed the checks of staging.
select
    'customers' as feed,
    partition_date,
    loaded_at,
    count(*)::integer as rows_in_file
from staging.customers
where partition_date >= %(window_start)s and partition_date < %(window_end)s
group by partition_date, loaded_at
union all
select
    'products' as feed,
    partition_date,
    loaded_at,
    count(*)::integer as rows_in_file
from staging.products
where partition_date >= %(window_start)s and partition_date < %(window_end)s
group by partition_date, loaded_at
union all
select
    'transactions' as feed,
    partition_date,
    loaded_at,
    count(*)::integer as rows_in_file
from staging.transactions
where partition_date >= %(window_start)s and partition_date < %(window_end)s
group by partition_date, loaded_at
union all
select
    'transaction_items' as feed,
    partition_date,
    loaded_at,
    count(*)::integer as rows_in_file
from staging.transaction_items
where partition_date >= %(window_start)s and partition_date < %(window_end)s
group by partition_date, loaded_at
