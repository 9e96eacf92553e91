-- analytics.top_products: the 100 products with the highest revenue.
select
    row_number() over by_revenue::integer as sales_rank,
    products.product_code,
    products.product_name,
    products.category,
    products.brand,
    sales.orders,
    sales.units,
    sales.revenue,
    sales.profit,
    sales.profit_margin,
    warehouse.share(sales.revenue, sum(sales.revenue) over ()) as revenue_share
from warehouse.agg_product_performance as sales
inner join warehouse.dim_product as products on sales.product_id = products.product_id and products.is_current
window by_revenue as (order by sales.revenue desc, sales.product_id)
order by sales_rank
limit 100
