-- warehouse: cost and profit are null where the cost is not known. costed_revenue is the revenue of the order lines with a known
-- cost: the part of the revenue that cost, profit and margin are about. Orders without a customer (guests) have no customer_id.
alter table warehouse.dim_product alter column cost drop not null;

alter table warehouse.fact_sales
alter column customer_id drop not null,
alter column cost drop not null,
alter column profit drop not null,
add check ((cost is null) = (profit is null));

alter table warehouse.agg_daily_sales
add column guest_orders integer not null default 0 check (guest_orders >= 0),
add column costed_revenue numeric(28, 2),
alter column cost drop not null,
alter column profit drop not null,
drop constraint agg_daily_sales_customers_check,
add check (customers >= 0);
alter table warehouse.mart_daily_breakdown
add column costed_revenue numeric(28, 2), alter column cost drop not null, alter column profit drop not null;
alter table warehouse.mart_product_daily
add column costed_revenue numeric(28, 2), alter column cost drop not null, alter column profit drop not null;
alter table warehouse.mart_product_monthly
add column costed_revenue numeric(28, 2), alter column cost drop not null, alter column profit drop not null;
alter table warehouse.agg_product_performance
add column costed_revenue numeric(28, 2), alter column cost drop not null, alter column profit drop not null;
alter table warehouse.mart_customer_monthly
add column costed_revenue numeric(28, 2), alter column cost drop not null, alter column profit drop not null;
alter table warehouse.agg_customer_metrics
add column costed_revenue numeric(28, 2), alter column cost drop not null, alter column profit drop not null;

-- Until now, every cost was known.
update warehouse.agg_daily_sales set costed_revenue = revenue;
update warehouse.mart_daily_breakdown set costed_revenue = revenue;
update warehouse.mart_product_daily set costed_revenue = revenue;
update warehouse.mart_product_monthly set costed_revenue = revenue;
update warehouse.agg_product_performance set costed_revenue = revenue;
update warehouse.mart_customer_monthly set costed_revenue = revenue;
update warehouse.agg_customer_metrics set costed_revenue = revenue;

alter table warehouse.agg_daily_sales alter column guest_orders drop default, alter column costed_revenue set not null;
alter table warehouse.mart_daily_breakdown alter column costed_revenue set not null;
alter table warehouse.mart_product_daily alter column costed_revenue set not null;
alter table warehouse.mart_product_monthly alter column costed_revenue set not null;
alter table warehouse.agg_product_performance alter column costed_revenue set not null;
alter table warehouse.mart_customer_monthly alter column costed_revenue set not null;
alter table warehouse.agg_customer_metrics alter column costed_revenue set not null;

-- The unknown product has no known cost: the next run computes the products again.
delete from platform.watermarks
where reader = 'warehouse.dim_product';

comment on column warehouse.agg_daily_sales.guest_orders is 'Number of orders without a customer.';
comment on column warehouse.agg_daily_sales.costed_revenue is 'Revenue of the order lines with a known cost.';
comment on column warehouse.mart_daily_breakdown.costed_revenue is 'Revenue of the order lines with a known cost.';
comment on column warehouse.mart_product_monthly.costed_revenue is 'Revenue of the order lines with a known cost.';
comment on column warehouse.mart_product_daily.costed_revenue is 'Revenue of the order lines with a known cost.';
comment on column warehouse.agg_product_performance.costed_revenue is 'Revenue of the order lines with a known cost.';
comment on column warehouse.mart_customer_monthly.costed_revenue is 'Revenue of the order lines with a known cost.';
comment on column warehouse.agg_customer_metrics.costed_revenue is 'Revenue of the order lines with a known cost.';
