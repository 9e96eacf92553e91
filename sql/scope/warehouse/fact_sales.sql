-- The orders that a run brings, changes or takes away, and those that point at another version now.
select transaction_id
from production.transactions
where partition_date >= %(window_start)s and partition_date < %(window_end)s
union
select transaction_id
from production.transaction_items
where partition_date >= %(window_start)s and partition_date < %(window_end)s
union
select transaction_id
from warehouse.fact_sales
where partition_date >= %(window_start)s and partition_date < %(window_end)s
union
select key as transaction_id
from revisits
