-- The days of inserted, updated, or deleted sales, and of sales whose customer or product version changed.
select sale_date
from warehouse_fact_sales_changes
union
select facts.sale_date
from warehouse_dim_customer_changes as versions
inner join warehouse.fact_sales as facts
    on
        versions.customer_id = facts.customer_id
        and versions.valid_from <= facts.sale_date
        and versions.valid_to > facts.sale_date
union
select facts.sale_date
from warehouse_dim_product_changes as versions
inner join warehouse.fact_sales as facts
    on
        versions.product_id = facts.product_id
        and versions.valid_from <= facts.sale_date
        and versions.valid_to > facts.sale_date
