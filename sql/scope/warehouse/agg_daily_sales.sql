-- The days of inserted, updated, or deleted sales, and of sales whose returns changed.
select sale_date
from warehouse_fact_sales_changes
union
select sale_date
from warehouse_fact_returns_changes
