-- The months of the customers whose purchases a run brings, changes or takes away.
select
    date_trunc('month', sale_date)::date as month_start,
    customer_key / 65536 as customer_id
from warehouse.fact_sales
where partition_date >= %(window_start)s and partition_date < %(window_end)s
union
select
    (date '2000-01-01' + make_interval(months => mod(key, 4096)::integer))::date as month_start,
    key / 4096 as customer_id
from revisits
