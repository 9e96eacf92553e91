-- The customers with an image in an added or removed load, the customers that were themselves added or removed, and those
-- whose identifier came or went.
select images.customer_id
from production_loaded_days_changes as loads
inner join production.parsed_customers as images
    on loads.partition_date = images.partition_date and loads.load_id = images.load_id
where loads.feed = 'customers' and images.customer_id is not null
union
select customer_id
from production_customers_changes
where operation in ('I', 'D')
union
select key as customer_id
from production_identifiers_changes
where entity = 'customer'
