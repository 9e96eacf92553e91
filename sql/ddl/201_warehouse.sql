-- warehouse: returns, at the versions of the sales that they take back; sums by day of return and by day of sale.
create table warehouse.fact_returns (
    transaction_id bigint not null,
    return_id bigint not null,
    item_id bigint not null,
    return_date date not null references warehouse.dim_date (calendar_date),
    sale_date date not null references warehouse.dim_date (calendar_date),
    customer_id bigint,
    customer_key bigint not null default 0
    references warehouse.dim_customer (customer_key) on delete set default deferrable,
    product_id bigint not null,
    product_key bigint not null default 0
    references warehouse.dim_product (product_key) on delete set default deferrable,
    payment_key bigint not null default 0
    references warehouse.dim_payment (payment_key) on delete set default deferrable,
    quantity integer not null check (quantity >= 0),
    refund_amount numeric(12, 2) not null check (refund_amount >= 0),
    reason text not null,
    partition_date date not null,
    primary key (transaction_id, return_id)
);

create index fact_returns_return_date_idx on warehouse.fact_returns (return_date);
create index fact_returns_sale_date_idx on warehouse.fact_returns (sale_date);
create index fact_returns_partition_date_idx on warehouse.fact_returns (partition_date);
create index fact_returns_customer_key_idx on warehouse.fact_returns (customer_key);
create index fact_returns_product_key_idx on warehouse.fact_returns (product_key);
create index fact_returns_payment_key_idx on warehouse.fact_returns (payment_key);

comment on table warehouse.fact_returns is
'One row per return, with the day, customer version, product version and payment method of its sale.';
comment on column warehouse.fact_returns.transaction_id is 'Order ID.';
comment on column warehouse.fact_returns.return_id is 'Return ID, unique within its order.';
comment on column warehouse.fact_returns.item_id is 'Order line that was returned.';
comment on column warehouse.fact_returns.return_date is 'Day of the return (UTC).';
comment on column warehouse.fact_returns.sale_date is 'Day of the sale (UTC).';
comment on column warehouse.fact_returns.customer_id is 'Customer ID; null if the order has no customer.';
comment on column warehouse.fact_returns.customer_key is
'Customer version of the sale; 0 (the unknown member) until it is known.';
comment on column warehouse.fact_returns.product_id is 'Product ID.';
comment on column warehouse.fact_returns.product_key is
'Product version of the sale; 0 (the unknown member) until it is known.';
comment on column warehouse.fact_returns.payment_key is
'Payment method of the sale; 0 (the unknown member) until it is known.';
comment on column warehouse.fact_returns.quantity is 'Units returned; 0 for a refund without a return of goods.';
comment on column warehouse.fact_returns.refund_amount is 'Amount refunded.';
comment on column warehouse.fact_returns.reason is 'Reason, as the shop writes it; Unknown if it gives none.';
comment on column warehouse.fact_returns.partition_date is 'Day of the file that holds the return as it stands.';

create table warehouse.agg_daily_returns (
    return_date date primary key references warehouse.dim_date (calendar_date),
    return_count integer not null check (return_count > 0),
    orders integer not null check (orders > 0),
    returned_units bigint not null,
    returns numeric(28, 2) not null
);

comment on table warehouse.agg_daily_returns is 'One row per day of return: what was taken back and refunded on it.';
comment on column warehouse.agg_daily_returns.return_date is 'Day of the return (UTC), not of the sale.';
comment on column warehouse.agg_daily_returns.return_count is 'Number of returns.';
comment on column warehouse.agg_daily_returns.orders is 'Number of distinct orders with a return on the day.';
comment on column warehouse.agg_daily_returns.returned_units is 'Units returned.';
comment on column warehouse.agg_daily_returns.returns is 'Sum of the refunds.';

create table warehouse.mart_product_returns (
    month_start date not null,
    product_id bigint not null,
    product_key bigint not null,
    return_count integer not null check (return_count > 0),
    returned_units bigint not null,
    returns numeric(28, 2) not null,
    primary key (month_start, product_id, product_key)
);

comment on table warehouse.mart_product_returns is
'One row per month of sale and product version: what was returned of these sales, on whatever day.';
comment on column warehouse.mart_product_returns.month_start is 'First day of the month of the sale.';
comment on column warehouse.mart_product_returns.product_id is 'Product ID.';
comment on column warehouse.mart_product_returns.product_key is 'Product version on the sale date.';
comment on column warehouse.mart_product_returns.return_count is 'Number of returns.';
comment on column warehouse.mart_product_returns.returned_units is 'Units returned.';
comment on column warehouse.mart_product_returns.returns is 'Sum of the refunds.';

-- Existing days have no returns until the first ones are loaded.
alter table warehouse.agg_daily_sales
add column returned_units bigint not null default 0,
add column returns numeric(28, 2) not null default 0;
alter table warehouse.agg_daily_sales
alter column returned_units drop default,
alter column returns drop default;

comment on column warehouse.agg_daily_sales.returned_units is 'Units of the sales of the day that were returned, on whatever day.';
comment on column warehouse.agg_daily_sales.returns is 'Refunds for the sales of the day, on whatever day they were made.';

select
    platform.log_changes('warehouse.fact_returns', array['transaction_id', 'return_date', 'sale_date', 'partition_date']),
    platform.log_changes('warehouse.agg_daily_returns', array[]::text[]),
    platform.log_changes('warehouse.mart_product_returns', array[]::text[]);
