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
        round(avg(metrics.lifespan_years), 4) as customer_lifespan
    from warehouse.agg_customer_metrics as metrics
    inner join warehouse.dim_customer as customers
        on metrics.customer_id = customers.customer_id and customers.is_current
    group by customers.segment
),

frequencies as (
    select
        segments.*,
        warehouse.purchase_frequency(segments.orders, segments.customers, observed.window_days) as purchase_frequency
    from segments
    cross join observed
)

select
    segment,
    customers,
    orders,
    revenue,
    average_order_value,
    purchase_frequency,
    customer_lifespan,
    warehouse.customer_lifetime_value(average_order_value, purchase_frequency, customer_lifespan)
        as customer_lifetime_value
from frequencies
order by segment
