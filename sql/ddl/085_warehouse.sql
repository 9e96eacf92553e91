-- warehouse: products by day, from which their months are added up, so that a new day need not read its whole month; and
-- months of single customers as keys of platform.revisits.

create table warehouse.mart_product_daily (
    sale_date date not null,
    product_key bigint not null,
    orders integer not null check (orders > 0),
    units bigint not null,
    discount numeric(28, 2) not null,
    revenue numeric(28, 2) not null,
    cost numeric(28, 2) not null,
    profit numeric(28, 2) not null,
    primary key (sale_date, product_key)
);

comment on table warehouse.mart_product_daily is 'Sales of each product version on each day.';
comment on column warehouse.mart_product_daily.sale_date is 'Day of the sale.';
comment on column warehouse.mart_product_daily.product_key is 'Version of the product on the day of the sale.';
comment on column warehouse.mart_product_daily.orders is 'Distinct orders.';
comment on column warehouse.mart_product_daily.units is 'Pieces.';
comment on column warehouse.mart_product_daily.discount is 'Sum of the discounts.';
comment on column warehouse.mart_product_daily.revenue is 'Total revenue.';
comment on column warehouse.mart_product_daily.cost is 'Total cost.';
comment on column warehouse.mart_product_daily.profit is 'revenue - cost.';

create function warehouse.customer_month(customer_id bigint, day date) returns bigint
language sql immutable parallel safe
return customer_id * 4096 + (extract(year from day)::integer - 2000) * 12 + extract(month from day)::integer - 1;

comment on function warehouse.customer_month(bigint, date) is
'A customer and a month of 2000 to 2099 as one number; the month is the remainder of 4096, January 2000 is 0.';

comment on column platform.revisits.key is
'Its key: an order, a customer, a product, a day since 2000-01-01, or a customer''s month (warehouse.customer_month).';

-- A database that holds sales already computes the new table with its next run.
insert into platform.revisits (consumer, key)
select distinct
    'warehouse.mart_product_daily',
    sale_date - date '2000-01-01'
from warehouse.fact_sales;

with queued as (
    delete from platform.revisits
    where consumer = 'warehouse.mart_customer_monthly'
    returning date '2000-01-01' + key::integer as day
)

insert into platform.revisits (consumer, key)
select distinct
    'warehouse.mart_customer_monthly',
    warehouse.customer_month(concerned.customer_id, queued.day)
from queued
cross join lateral (
    select facts.customer_key / 65536 as customer_id
    from warehouse.fact_sales as facts
    where facts.sale_date = queued.day
    union all
    select months.customer_id
    from warehouse.mart_customer_monthly as months
    where months.month_start = date_trunc('month', queued.day)::date
) as concerned;
