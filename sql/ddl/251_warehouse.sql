-- warehouse: the stock of each product, as its latest image says, on its current version.
alter table warehouse.dim_product
add column stock_quantity integer,
add column stock_date date;

-- The next run computes every row again.
delete from platform.watermarks
where reader = 'warehouse.dim_product';

comment on column warehouse.dim_product.stock_quantity is
'Units in stock when the shop last exported the product; null if the shop gives none, and for earlier versions.';
comment on column warehouse.dim_product.stock_date is
'Day of the product''s latest image, which the stock quantity is from; null for earlier versions.';
