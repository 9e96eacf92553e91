-- analytics.returns_by_product: products with returns, over all days.
with returned as (
    select
        product_id,
        sum(return_count)::integer as return_count,
        sum(returned_units)::bigint as returned_units,
        sum(returns) as returns
    from warehouse.mart_product_returns
    group by product_id
)

select
    products.product_code,
    products.product_name,
    products.category,
    sales.units,
    returned.return_count,
    returned.returned_units,
    warehouse.return_rate(returned.returned_units, sales.units) as return_rate,
    sales.revenue,
    returned.returns,
    warehouse.net_revenue(sales.revenue, returned.returns) as net_revenue,
    row_number() over (order by returned.returns desc, returned.product_id)::integer as returns_rank
from returned
inner join warehouse.agg_product_performance as sales on returned.product_id = sales.product_id
inner join warehouse.dim_product as products on returned.product_id = products.product_id and products.is_current
order by returns_rank
