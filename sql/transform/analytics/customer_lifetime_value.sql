-- analytics.customer_lifetime_value: customer lifetime value by current segment.
with observed as (
    select max(sale_date) - min(sale_date) + 1 as window_days
    from warehouse.agg_daily_sales
),

segments as (
    select
        customers.segment,
        count(*)::integer as customers,
        sum(metrics.orders)::bigint as orders,
        sum(metrics.revenue) as revenue,
        warehouse.average_order_value(sum(metrics.revenue), sum(metrics.orders)) as average_order_value,
        avg(warehouse.customer_lifespan(metrics.first_order_date, metrics.last_order_date)) as customer_lifespan
    from warehouse.agg_customer_metrics as metrics
    inner join warehouse.dim_customer as customers
        on metrics.customer_id = customers.customer_id and customers.is_current
    group by customers.segment
)

select
    segments.segment,
    segments.customers,
    segments.orders,
    segments.revenue,
    segments.average_order_value,
    warehouse.purchase_frequency(segments.orders, segments.customers, observed.window_days) as purchase_frequency,
    round(segments.customer_lifespan, 4) as customer_lifespan,
    warehouse.customer_lifetime_value(
        segments.revenue, segments.customers, observed.window_days, segments.customer_lifespan
    ) as customer_lifetime_value
from segments
cross join observed
order by segments.segment
