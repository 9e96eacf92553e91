-- warehouse.agg_product_performance: sales of each product over all days.
select
    products.product_id,
    min(months.first_sale_date) as first_sale_date,
    max(months.last_sale_date) as last_sale_date,
    sum(months.orders)::integer as orders,
    sum(months.units)::bigint as units,
    sum(months.discount) as discount,
    sum(months.revenue) as revenue,
    sum(months.cost) as cost,
    sum(months.profit) as profit,
    warehouse.profit_margin(sum(months.revenue), sum(months.cost)) as profit_margin
from warehouse.mart_product_monthly as months
inner join warehouse.dim_product as products on months.product_key = products.product_key
group by products.product_id
