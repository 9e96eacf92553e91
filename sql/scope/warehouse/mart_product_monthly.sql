-- The months of inserted, updated, or deleted days.
select date_trunc('month', sale_date)::date as month_start
from warehouse_mart_product_daily_changes
