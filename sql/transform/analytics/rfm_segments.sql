-- analytics.rfm_segments: customers by RFM group, as of the last day of sales.
select
    rfm_group,
    count(*)::integer as customers,
    warehouse.share(count(*), sum(count(*)) over ()) as customer_share,
    sum(orders)::bigint as orders,
    sum(revenue) as revenue,
    warehouse.share(sum(revenue), sum(sum(revenue)) over ()) as revenue_share,
    round(avg(recency_days), 1) as average_recency_days,
    round(avg(orders), 2) as average_orders,
    warehouse.revenue_per_customer(sum(revenue), count(*)) as average_revenue
from warehouse.customer_rfm
group by rfm_group
order by sum(revenue) desc, rfm_group
