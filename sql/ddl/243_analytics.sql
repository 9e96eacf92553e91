-- analytics: three extracts about customers.
create table analytics.rfm_segments (
    rfm_group text primary key,
    customers integer not null,
    customer_share numeric(6, 2),
    orders bigint not null,
    revenue numeric(28, 2) not null,
    revenue_share numeric(6, 2),
    average_recency_days numeric(10, 1) not null,
    average_orders numeric(14, 2) not null,
    average_revenue numeric(28, 2) not null
);

comment on table analytics.rfm_segments is
'One row per RFM group with customers: size, sales and averages over all days. Guests are left out.';
comment on column analytics.rfm_segments.rfm_group is
'Named group by recency, frequency and monetary scores; see the glossary.';
comment on column analytics.rfm_segments.customers is 'Customers of the group on the last day of sales.';
comment on column analytics.rfm_segments.customer_share is 'Share of all customers with at least one order, in percent.';
comment on column analytics.rfm_segments.orders is 'Orders of these customers over all days.';
comment on column analytics.rfm_segments.revenue is 'Revenue from these customers over all days.';
comment on column analytics.rfm_segments.revenue_share is
'Share of the revenue from all customers, in percent. Guests are left out.';
comment on column analytics.rfm_segments.average_recency_days is
'Mean number of days from a customer''s last order to the last day of sales.';
comment on column analytics.rfm_segments.average_orders is 'Orders / customers.';
comment on column analytics.rfm_segments.average_revenue is 'Revenue / customers.';

create table analytics.cohort_curves (
    cohort_month date not null,
    months_since integer not null,
    month_start date not null,
    customers integer not null,
    active_customers integer not null,
    retention numeric(6, 2) not null,
    orders bigint not null,
    revenue numeric(28, 2) not null,
    cumulative_revenue numeric(28, 2) not null,
    cumulative_revenue_per_customer numeric(28, 2) not null,
    is_complete boolean not null,
    primary key (cohort_month, months_since)
);

comment on table analytics.cohort_curves is
'One row per cohort and month, from the month of the first order to that of the last day of sales. Guests are left out.';
comment on column analytics.cohort_curves.cohort_month is 'Month of the customer''s first order (its first day).';
comment on column analytics.cohort_curves.months_since is 'Months since the month of the first order, which is 0.';
comment on column analytics.cohort_curves.month_start is 'First day of the month that the row is about.';
comment on column analytics.cohort_curves.customers is 'Customers of the cohort.';
comment on column analytics.cohort_curves.active_customers is 'Customers of the cohort with an order in the month.';
comment on column analytics.cohort_curves.retention is 'Active customers / customers * 100.';
comment on column analytics.cohort_curves.orders is 'Orders of the cohort in the month.';
comment on column analytics.cohort_curves.revenue is 'Revenue from the cohort in the month.';
comment on column analytics.cohort_curves.cumulative_revenue is 'Revenue from the cohort up to the end of the month.';
comment on column analytics.cohort_curves.cumulative_revenue_per_customer is
'Cumulative revenue / customers: the realized value per customer so far.';
comment on column analytics.cohort_curves.is_complete is
'Whether the last day of sales is the last day of the month or later. Otherwise, the month is not over.';

create table analytics.repeat_purchases (
    interval_band text primary key,
    from_days integer not null,
    to_days integer,
    orders bigint not null,
    order_share numeric(6, 2),
    cumulative_share numeric(6, 2),
    median_interval_days numeric(10, 1),
    customers integer not null,
    repeat_customers integer not null,
    repeat_customer_share numeric(6, 2) not null
);

comment on table analytics.repeat_purchases is
'One row per band of the days between two successive orders of a customer, over all days. Guests are left out.';
comment on column analytics.repeat_purchases.interval_band is
'Days since the previous order. Same day: each further order of a customer on one day.';
comment on column analytics.repeat_purchases.from_days is 'First day of the band.';
comment on column analytics.repeat_purchases.to_days is 'Last day of the band; null if it is open.';
comment on column analytics.repeat_purchases.orders is 'Number of repeat orders: orders that are not a customer''s first.';
comment on column analytics.repeat_purchases.order_share is 'Share of all repeat orders, in percent; null without any.';
comment on column analytics.repeat_purchases.cumulative_share is
'Share of all repeat orders in this band and those before it, in percent; null without any.';
comment on column analytics.repeat_purchases.median_interval_days is
'Median of all intervals, the same in each row; null without repeat orders.';
comment on column analytics.repeat_purchases.customers is 'Customers with at least one order, the same in each row.';
comment on column analytics.repeat_purchases.repeat_customers is
'Customers with at least two orders, also on one day; the same in each row.';
comment on column analytics.repeat_purchases.repeat_customer_share is
'Repeat customers / customers * 100, the same in each row.';
