-- analytics.category_sales: sales by the product's category on the sale date.
select
    member as category,
    sum(orders)::bigint as orders,
    sum(units)::bigint as units,
    sum(revenue) as revenue,
    sum(cost) as cost,
    sum(profit) as profit,
    warehouse.profit_margin(sum(costed_revenue), sum(cost)) as profit_margin,
    warehouse.share(sum(revenue), sum(sum(revenue)) over ()) as revenue_share,
    sum(costed_revenue) as costed_revenue
from warehouse.mart_daily_breakdown
where breakdown = 'category'
group by member
order by sum(revenue) desc, member
