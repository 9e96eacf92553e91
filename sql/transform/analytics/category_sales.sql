-- analytics.category_sales: sales by the product's category on the sale date.
with sales as (
    select
        member as category,
        sum(orders)::bigint as orders,
        sum(units)::bigint as units,
        sum(revenue) as revenue,
        sum(cost) as cost,
        sum(profit) as profit,
        warehouse.profit_margin(sum(revenue), sum(cost)) as profit_margin,
        warehouse.share(sum(revenue), sum(sum(revenue)) over ()) as revenue_share
    from warehouse.mart_daily_breakdown
    where breakdown = 'category'
    group by member
),

returned as (
    select
        products.category,
        sum(months.returned_units)::bigint as returned_units,
        sum(months.returns) as returns
    from warehouse.mart_product_returns as months
    inner join warehouse.dim_product as products on months.product_key = products.product_key
    group by products.category
)

select
    sales.*, -- noqa: AM04
    coalesce(returned.returned_units, 0) as returned_units,
    coalesce(returned.returns, 0) as returns,
    warehouse.net_revenue(sales.revenue, coalesce(returned.returns, 0)) as net_revenue,
    warehouse.return_rate(coalesce(returned.returned_units, 0), sales.units) as return_rate
from sales
left join returned on sales.category = returned.category
order by sales.revenue desc, sales.category
