-- The orders whose lines or header are in an added or removed load, those whose header, customer, or product was added or
-- removed, and those whose identifier came or went. Any export of an order, not only the latest, can be the base of its lines.
select lines.transaction_id
from production_loaded_days_changes as loads
inner join production.parsed_transaction_items as lines
    on loads.partition_date = lines.partition_date and loads.load_id = lines.load_id
where loads.feed = 'transaction_items' and lines.transaction_id is not null
union
select orders.transaction_id
from production_loaded_days_changes as loads
inner join production.parsed_transactions as orders
    on loads.partition_date = orders.partition_date and loads.load_id = orders.load_id
where loads.feed = 'transactions' and orders.transaction_id is not null
union
select transaction_id
from production_transactions_changes
union
select orders.transaction_id
from production_customers_changes as customers
inner join production.parsed_transactions as orders
    on
        platform.bucket(customers.customer_id) = orders.customer_bucket
        and platform.is_same_key(customers.customer_id, orders.customer_id)
where customers.operation in ('I', 'D') and orders.transaction_id is not null
union
select lines.transaction_id
from production_products_changes as products
inner join production.parsed_transaction_items as lines
    on
        platform.bucket(products.product_id) = lines.product_bucket
        and platform.is_same_key(products.product_id, lines.product_id)
where products.operation in ('I', 'D') and lines.transaction_id is not null
union
select key as transaction_id
from production_identifiers_changes
where entity = 'transaction'
