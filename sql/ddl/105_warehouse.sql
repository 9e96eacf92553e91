-- warehouse: the identifiers of customers and products as the shop writes them, beside their keys. The view of 110_dashboards.sql
-- shows them.
alter table warehouse.dim_customer add column customer_code text not null default 'Unknown';
alter table warehouse.dim_product add column product_code text not null default 'Unknown';

update warehouse.dim_customer set customer_code = customer_id::text
where customer_key <> 0;

update warehouse.dim_product set product_code = product_id::text
where product_key <> 0;

alter table warehouse.dim_customer alter column customer_code drop default;
alter table warehouse.dim_product alter column product_code drop default;

analyze warehouse.dim_customer, warehouse.dim_product;
