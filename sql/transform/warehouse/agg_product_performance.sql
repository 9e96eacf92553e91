-- warehouse.agg_product_performance: one row per product, with all sales to date.
select
    product_id,
    min(first_sale_date) as first_sale_date,
    max(last_sale_date) as last_sale_date,
    sum(orders)::integer as orders,
    sum(units)::bigint as units,
    sum(discount) as discount,
    sum(revenue) as revenue,
    sum(costed_revenue) as costed_revenue,
    sum(cost) as cost,
    sum(profit) as profit,
    warehouse.profit_margin(sum(costed_revenue), sum(cost)) as profit_margin
from warehouse.mart_product_monthly
group by product_id
