-- analytics: extracts show the products' identifiers as the shop writes them, not their keys.
alter table analytics.top_products alter column product_id type text;
alter table analytics.top_products rename column product_id to product_code;
alter table analytics.product_profitability alter column product_id type text;
alter table analytics.product_profitability rename column product_id to product_code;

comment on column analytics.top_products.product_code is 'Product ID, as the shop writes it.';
comment on column analytics.product_profitability.product_code is 'Product ID, as the shop writes it.';
