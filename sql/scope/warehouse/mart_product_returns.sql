-- The months of sale of inserted, updated, or deleted returns.
select date_trunc('month', sale_date)::date as month_start
from warehouse_fact_returns_changes
