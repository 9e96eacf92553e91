-- The days whose sales a run brings, changes or takes away.
select sale_date
from warehouse.fact_sales
where partition_date >= %(window_start)s and partition_date < %(window_end)s
union
select date '2000-01-01' + key::integer as sale_date
from revisits
