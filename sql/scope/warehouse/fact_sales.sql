-- Orders whose header or lines changed; sales within the period of a customer or product version that changed; and sales with
-- an unknown payment method once a new method appears.
select transaction_id
from production_transactions_changes
union
select transaction_id
from production_transaction_items_changes
union
select facts.transaction_id
from warehouse_dim_customer_changes as versions
inner join warehouse.fact_sales as facts
    on
        versions.customer_id = facts.customer_id
        and versions.valid_from <= facts.sale_date
        and versions.valid_to > facts.sale_date
union
select facts.transaction_id
from warehouse_dim_product_changes as versions
inner join warehouse.fact_sales as facts
    on
        versions.product_id = facts.product_id
        and versions.valid_from <= facts.sale_date
        and versions.valid_to > facts.sale_date
union
select facts.transaction_id
from warehouse_dim_payment_changes as methods
inner join warehouse.fact_sales as facts on methods.operation = 'I' and facts.payment_key = 0
