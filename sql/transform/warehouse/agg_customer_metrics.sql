-- warehouse.agg_customer_metrics: one row per customer, with all purchases to date.
select
    months.customer_id,
    min(months.first_order_date) as first_order_date,
    max(months.last_order_date) as last_order_date,
    sum(months.orders)::integer as orders,
    sum(months.units)::bigint as units,
    sum(months.revenue) as revenue,
    sum(months.costed_revenue) as costed_revenue,
    sum(months.cost) as cost,
    sum(months.profit) as profit,
    warehouse.average_order_value(sum(months.revenue), sum(months.orders)) as average_order_value,
    round(warehouse.customer_lifespan(min(months.first_order_date), max(months.last_order_date)), 4) as lifespan_years
from warehouse.mart_customer_monthly as months
left join scope on months.customer_id = scope.customer_id
where %(is_full_refresh)s or scope.customer_id is not null
group by months.customer_id
