-- The customers with a month that came, changed or went.
select customer_id
from warehouse_mart_customer_monthly_changes
