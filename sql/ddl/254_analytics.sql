-- analytics: which products are bought together.
create table analytics.product_pairs (
    pair_rank integer not null,
    product_code text not null,
    product_name text not null,
    category text not null,
    other_product_code text not null,
    other_product_name text not null,
    other_category text not null,
    orders_together bigint not null,
    product_orders bigint not null,
    other_product_orders bigint not null,
    support numeric(6, 2) not null,
    confidence numeric(6, 2) not null,
    other_confidence numeric(6, 2) not null,
    lift numeric(28, 2) not null,
    orders bigint not null,
    large_orders bigint not null,
    first_date date not null,
    as_of_date date not null,
    primary key (product_code, other_product_code)
);

comment on table analytics.product_pairs is
'One row per pair of products that are bought together more often than chance explains (lift above 1): the 200 pairs with the highest lift, of those in at least 10 orders and 0.1 % of all orders of the last 90 days.';
comment on column analytics.product_pairs.pair_rank is 'Rank by lift; 1 is the highest.';
comment on column analytics.product_pairs.product_code is 'Product ID, as the shop writes it.';
comment on column analytics.product_pairs.product_name is 'Current product name.';
comment on column analytics.product_pairs.category is 'Current category.';
comment on column analytics.product_pairs.other_product_code is 'ID of the other product, as the shop writes it.';
comment on column analytics.product_pairs.other_product_name is 'Current name of the other product.';
comment on column analytics.product_pairs.other_category is 'Current category of the other product.';
comment on column analytics.product_pairs.orders_together is 'Number of orders of at most 50 lines that contain both products.';
comment on column analytics.product_pairs.product_orders is 'Number of orders that contain the product.';
comment on column analytics.product_pairs.other_product_orders is 'Number of orders that contain the other product.';
comment on column analytics.product_pairs.support is 'Orders with both products as a percentage of all orders.';
comment on column analytics.product_pairs.confidence is
'Orders with both products as a percentage of the orders with the product: how many of its buyers take the other one, too.';
comment on column analytics.product_pairs.other_confidence is
'Orders with both products as a percentage of the orders with the other product.';
comment on column analytics.product_pairs.lift is
'How many times as often the two are bought together as they would be by chance; see warehouse.lift.';
comment on column analytics.product_pairs.orders is 'Number of orders of the 90 days, the same in each row.';
comment on column analytics.product_pairs.large_orders is
'Number of orders of more than 50 lines, which are left out of orders_together; the same in each row.';
comment on column analytics.product_pairs.first_date is 'First of the 90 days.';
comment on column analytics.product_pairs.as_of_date is 'Last of the 90 days: the last day with sales.';
