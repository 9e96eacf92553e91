-- warehouse: which products are bought together.
create table warehouse.mart_product_pairs (
    sale_date date not null,
    product_id bigint not null,
    other_product_id bigint not null,
    orders integer not null check (orders > 0),
    primary key (sale_date, product_id, other_product_id),
    check (product_id < other_product_id)
);

comment on table warehouse.mart_product_pairs is
'One row per day of the last 90 days of sales and pair of products: the orders with both. Orders of more than 50 lines are left out.';
comment on column warehouse.mart_product_pairs.sale_date is 'Day of the sale (UTC).';
comment on column warehouse.mart_product_pairs.product_id is 'Product ID, the lower one of the pair.';
comment on column warehouse.mart_product_pairs.other_product_id is 'Product ID, the higher one of the pair.';
comment on column warehouse.mart_product_pairs.orders is 'Number of orders that contain both products.';

select platform.log_changes('warehouse.mart_product_pairs', array[]::text[]);

alter table warehouse.agg_daily_sales add column large_orders integer not null default 0;
alter table warehouse.agg_daily_sales alter column large_orders drop default;

comment on column warehouse.agg_daily_sales.large_orders is
'Number of orders with more than 50 lines, which mart_product_pairs leaves out.';

-- The next run computes every row again.
delete from platform.watermarks
where reader = 'warehouse.agg_daily_sales';
