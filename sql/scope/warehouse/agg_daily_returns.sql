-- The days of inserted, updated, or deleted returns.
select return_date
from warehouse_fact_returns_changes
