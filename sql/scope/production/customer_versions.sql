-- The customers whose images a run brings, changes or takes away.
select platform.parse_short_id(customer_id) as customer_id
from staging.customers
where
    partition_date >= %(window_start)s and partition_date < %(window_end)s
    and platform.parse_short_id(customer_id) is not null
union
select customer_id
from production.customer_versions
where partition_date >= %(window_start)s and partition_date < %(window_end)s
