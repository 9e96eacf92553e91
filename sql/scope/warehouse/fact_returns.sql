-- The orders whose returns changed, and those with returns whose sales changed.
select transaction_id
from production_returns_changes
union
select returns.transaction_id
from warehouse_fact_sales_changes as sales
inner join production.returns as returns on sales.transaction_id = returns.transaction_id
