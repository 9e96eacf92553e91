-- The days of inserted, updated, or deleted sales.
select sale_date
from warehouse_fact_sales_changes
