-- The customers with an inserted, updated, or deleted month.
select customer_id
from warehouse_mart_customer_monthly_changes
