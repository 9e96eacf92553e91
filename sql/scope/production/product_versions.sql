-- The products whose images a run brings, changes or takes away.
select platform.parse_short_id(product_id) as product_id
from staging.products
where
    partition_date >= %(window_start)s and partition_date < %(window_end)s
    and platform.parse_short_id(product_id) is not null
union
select product_id
from production.product_versions
where partition_date >= %(window_start)s and partition_date < %(window_end)s
union
select key as product_id
from revisits
