-- analytics.customer_segments: customers by current segment.
select
    customers.segment,
    count(*)::integer as customers,
    count(metrics.customer_id)::integer as buyers,
    coalesce(sum(metrics.orders), 0)::bigint as orders,
    coalesce(sum(metrics.revenue), 0) as revenue,
    sum(metrics.profit) as profit,
    warehouse.average_order_value(sum(metrics.revenue), sum(metrics.orders)) as average_order_value,
    warehouse.share(count(*), sum(count(*)) over ()) as customer_share,
    warehouse.share(coalesce(sum(metrics.revenue), 0), sum(sum(metrics.revenue)) over ()) as revenue_share,
    coalesce(sum(metrics.costed_revenue), 0) as costed_revenue
from warehouse.dim_customer as customers
left join warehouse.agg_customer_metrics as metrics on customers.customer_id = metrics.customer_id
where customers.is_current and customers.customer_key <> 0
group by customers.segment
order by customers.segment
