-- repeatable: the RFM scores of each customer. They are computed when they are read: recency changes for every customer every day,
-- so that a table would be written as a whole every day.
-- A score says which share of the customers has a lower value: below 20 % is the first quintile, below 40 % the second, and so on.
-- So equal values have equal scores, whatever the order of the rows. A value is above percentile_disc(0.2) if and only if at least
-- 20 % of the customers have a lower one.
create or replace view warehouse.rfm_quintiles as
select
    min(days.as_of) as as_of,
    percentile_disc(array[0.2, 0.4, 0.6, 0.8]) within group (order by days.as_of - customers.last_order_date) as recency_days,
    percentile_disc(array[0.2, 0.4, 0.6, 0.8]) within group (order by customers.orders) as orders,
    percentile_disc(array[0.2, 0.4, 0.6, 0.8]) within group (order by customers.revenue) as revenue
from (
    select max(sale_date) as as_of
    from warehouse.agg_daily_sales
) as days
cross join warehouse.agg_customer_metrics as customers;

create or replace view warehouse.customer_rfm as
select
    scores.customer_id,
    scores.as_of,
    scores.recency_days,
    scores.orders,
    scores.revenue,
    scores.recency_score,
    scores.frequency_score,
    scores.monetary_score,
    warehouse.rfm_group(scores.recency_score, scores.frequency_score, scores.monetary_score) as rfm_group
from (
    select
        customers.customer_id,
        quintiles.as_of,
        quintiles.as_of - customers.last_order_date as recency_days,
        customers.orders,
        customers.revenue,
        5
        - (quintiles.as_of - customers.last_order_date > quintiles.recency_days[1])::integer
        - (quintiles.as_of - customers.last_order_date > quintiles.recency_days[2])::integer
        - (quintiles.as_of - customers.last_order_date > quintiles.recency_days[3])::integer
        - (quintiles.as_of - customers.last_order_date > quintiles.recency_days[4])::integer as recency_score,
        1
        + (customers.orders > quintiles.orders[1])::integer
        + (customers.orders > quintiles.orders[2])::integer
        + (customers.orders > quintiles.orders[3])::integer
        + (customers.orders > quintiles.orders[4])::integer as frequency_score,
        1
        + (customers.revenue > quintiles.revenue[1])::integer
        + (customers.revenue > quintiles.revenue[2])::integer
        + (customers.revenue > quintiles.revenue[3])::integer
        + (customers.revenue > quintiles.revenue[4])::integer as monetary_score
    from warehouse.agg_customer_metrics as customers
    cross join warehouse.rfm_quintiles as quintiles
    -- Otherwise, PostgreSQL would compute each score wherever it is used.
    offset bigint '0' -- noqa: AM09
) as scores;

comment on view warehouse.rfm_quintiles is
'One row: the last day of sales, and the values above which a customer is in the 2nd, 3rd, 4th and 5th quintile.';
comment on column warehouse.rfm_quintiles.as_of is 'Last day of sales.';
comment on column warehouse.rfm_quintiles.recency_days is 'Days since the last order, of all customers with orders.';
comment on column warehouse.rfm_quintiles.orders is 'Number of orders of a customer.';
comment on column warehouse.rfm_quintiles.revenue is 'Revenue from a customer.';

comment on view warehouse.customer_rfm is
'One row per customer with at least one order: recency, frequency and monetary scores as of the last day of sales, and the named group.';
comment on column warehouse.customer_rfm.customer_id is 'Customer ID.';
comment on column warehouse.customer_rfm.as_of is 'Last day of sales.';
comment on column warehouse.customer_rfm.recency_days is 'Days from the last order to the last day of sales.';
comment on column warehouse.customer_rfm.orders is 'Number of distinct orders.';
comment on column warehouse.customer_rfm.revenue is 'Total revenue.';
comment on column warehouse.customer_rfm.recency_score is
'5 to 1: 5 if fewer than 20 % of the customers have ordered more recently, 4 if fewer than 40 %, and so on.';
comment on column warehouse.customer_rfm.frequency_score is
'1 to 5: 1 if fewer than 20 % of the customers have fewer orders, 2 if fewer than 40 %, and so on.';
comment on column warehouse.customer_rfm.monetary_score is
'1 to 5: 1 if fewer than 20 % of the customers have less revenue, 2 if fewer than 40 %, and so on.';
comment on column warehouse.customer_rfm.rfm_group is 'Named group; see warehouse.rfm_group.';
