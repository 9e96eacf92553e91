-- The customers whose images or purchases a run brings, changes or takes away.
select customer_id
from production.customer_versions
where partition_date >= %(window_start)s and partition_date < %(window_end)s
union
select customer_id
from production.transactions
where partition_date >= %(window_start)s and partition_date < %(window_end)s
union
select orders.customer_id
from production.transaction_items as lines
inner join production.transactions as orders on lines.transaction_id = orders.transaction_id
where lines.partition_date >= %(window_start)s and lines.partition_date < %(window_end)s
union
select key as customer_id
from revisits
