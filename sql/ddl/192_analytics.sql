-- analytics: extracts say how much of the revenue their cost, profit and margin cover (costed_revenue), and how many orders have no
-- customer. The next run writes the extracts again.
alter table analytics.daily_sales add column guest_orders integer not null default 0;
alter table analytics.monthly_sales add column guest_orders integer not null default 0;
alter table analytics.daily_sales alter column guest_orders drop default;
alter table analytics.monthly_sales alter column guest_orders drop default;
alter table analytics.monthly_sales alter column cost drop not null;
alter table analytics.category_sales alter column cost drop not null;
alter table analytics.product_profitability alter column cost drop not null, alter column profit_rank drop not null;

alter table analytics.top_products add column costed_revenue numeric(28, 2), alter column profit drop not null;
alter table analytics.monthly_sales add column costed_revenue numeric(28, 2), alter column profit drop not null;
alter table analytics.customer_segments add column costed_revenue numeric(28, 2), alter column profit drop not null;
alter table analytics.category_sales add column costed_revenue numeric(28, 2), alter column profit drop not null;
alter table analytics.geography add column costed_revenue numeric(28, 2), alter column profit drop not null;
alter table analytics.product_profitability add column costed_revenue numeric(28, 2), alter column profit drop not null;
alter table analytics.daily_sales add column costed_revenue numeric(28, 2), alter column profit drop not null;
alter table analytics.discount_impact add column costed_revenue numeric(28, 2), alter column profit drop not null;

update analytics.top_products set costed_revenue = revenue;
update analytics.monthly_sales set costed_revenue = revenue;
update analytics.customer_segments set costed_revenue = revenue;
update analytics.category_sales set costed_revenue = revenue;
update analytics.geography set costed_revenue = revenue;
update analytics.product_profitability set costed_revenue = revenue;
update analytics.daily_sales set costed_revenue = revenue;
update analytics.discount_impact set costed_revenue = revenue;

alter table analytics.top_products alter column costed_revenue set not null;
alter table analytics.monthly_sales alter column costed_revenue set not null;
alter table analytics.customer_segments alter column costed_revenue set not null;
alter table analytics.category_sales alter column costed_revenue set not null;
alter table analytics.geography alter column costed_revenue set not null;
alter table analytics.product_profitability alter column costed_revenue set not null;
alter table analytics.daily_sales alter column costed_revenue set not null;
alter table analytics.discount_impact alter column costed_revenue set not null;

comment on column analytics.top_products.costed_revenue is 'Revenue of the order lines with a known cost.';
comment on column analytics.monthly_sales.guest_orders is 'Number of orders without a customer.';
comment on column analytics.monthly_sales.costed_revenue is 'Revenue of the order lines with a known cost.';
comment on column analytics.customer_segments.costed_revenue is 'Revenue of their order lines with a known cost.';
comment on column analytics.category_sales.costed_revenue is 'Revenue of the order lines with a known cost.';
comment on column analytics.geography.costed_revenue is 'Revenue of the order lines with a known cost.';
comment on column analytics.product_profitability.costed_revenue is 'Revenue of the order lines with a known cost.';
comment on column analytics.daily_sales.guest_orders is 'Number of orders without a customer.';
comment on column analytics.daily_sales.costed_revenue is 'Revenue of the order lines with a known cost.';
comment on column analytics.discount_impact.costed_revenue is 'Revenue of the order lines with a known cost.';
