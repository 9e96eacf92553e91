-- The orders in an added or removed load, those whose customer or payment method was added or removed, and those whose
-- identifier came or went.
select orders.transaction_id
from production_loaded_days_changes as loads
inner join production.parsed_transactions as orders
    on loads.partition_date = orders.partition_date and loads.load_id = orders.load_id
where loads.feed = 'transactions' and orders.transaction_id is not null
union
select orders.transaction_id
from production_customers_changes as customers
inner join production.parsed_transactions as orders
    on
        platform.bucket(customers.customer_id) = orders.customer_bucket
        and platform.is_same_key(customers.customer_id, orders.customer_id)
where customers.operation in ('I', 'D') and orders.transaction_id is not null
union
select orders.transaction_id
from production_payment_methods_changes as methods
inner join production.parsed_transactions as orders on methods.payment_method_id = orders.payment_method_id
where methods.operation in ('I', 'D') and orders.transaction_id is not null
union
select key as transaction_id
from production_identifiers_changes
where entity = 'transaction'
