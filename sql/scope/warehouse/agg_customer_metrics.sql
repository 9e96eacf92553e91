-- The customers whose purchases a run brings, changes or takes away.
select customers.customer_id
from warehouse.fact_sales as facts
inner join warehouse.dim_customer as customers on facts.customer_key = customers.customer_key
where facts.partition_date >= %(window_start)s and facts.partition_date < %(window_end)s
union
select key as customer_id
from revisits
