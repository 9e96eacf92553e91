-- analytics.discount_impact: sales by discount band of the order line.
select
    member as discount_band,
    sum(orders)::bigint as orders,
    sum(lines)::bigint as lines,
    sum(units)::bigint as units,
    sum(discount) as discount,
    sum(revenue) as revenue,
    sum(profit) as profit,
    warehouse.profit_margin(sum(costed_revenue), sum(cost)) as profit_margin,
    warehouse.share(sum(revenue), sum(sum(revenue)) over ()) as revenue_share,
    sum(costed_revenue) as costed_revenue
from warehouse.mart_daily_breakdown
where breakdown = 'discount_band'
group by member
order by member
