-- The months of the customers whose sales came, changed or went.
select
    date_trunc('month', sale_date)::date as month_start,
    customer_id
from warehouse_fact_sales_changes
