-- analytics.product_profitability: profit per product, at the cost on each sale date. Products without a known cost have no rank.
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
    case
        when sales.profit is not null
            then row_number() over (order by sales.profit desc nulls last, sales.product_id)::integer
    end as profit_rank,
    sales.costed_revenue
from warehouse.agg_product_performance as sales
inner join warehouse.dim_product as products on sales.product_id = products.product_id and products.is_current
order by profit_rank, sales.product_id
