-- The days of sales that came, changed or went.
select sale_date
from warehouse_fact_sales_changes
