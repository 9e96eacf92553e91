-- The products whose images a run brings, changes or takes away.
select product_id
from production.product_versions
where partition_date >= %(window_start)s and partition_date < %(window_end)s
union
select key as product_id
from revisits
