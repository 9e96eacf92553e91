-- The customers and months with inserted, updated, or deleted sales.
select
    date_trunc('month', sale_date)::date as month_start,
    customer_id
from warehouse_fact_sales_changes
where customer_id is not null
