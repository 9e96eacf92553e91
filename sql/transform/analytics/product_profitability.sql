-- analytics.product_profitability: profit per product, at the cost on each sale date.
select
    products.product_code,
    products.product_name,
    products.category,
    products.price_range,
    sales.units,
    sales.revenue,
    sales.cost,
    sales.profit,
    sales.profit_margin,
    row_number() over (order by sales.profit desc, sales.product_id)::integer as profit_rank
from warehouse.agg_product_performance as sales
inner join warehouse.dim_product as products on sales.product_id = products.product_id and products.is_current
order by profit_rank
