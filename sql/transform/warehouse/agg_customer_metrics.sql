-- warehouse.agg_customer_metrics: purchases of each customer over all days.
select
    customer_id,
    min(first_order_date) as first_order_date,
    max(last_order_date) as last_order_date,
    sum(orders)::integer as orders,
    sum(units)::bigint as units,
    sum(revenue) as revenue,
    sum(cost) as cost,
    sum(profit) as profit,
    warehouse.average_order_value(sum(revenue), sum(orders)) as average_order_value,
    round(warehouse.customer_lifespan(min(first_order_date), max(last_order_date)), 4) as lifespan_years
from warehouse.mart_customer_monthly
where %(everything)s or customer_id in (select scope.customer_id from scope)
group by customer_id
