-- warehouse.mart_product_daily: sales of each product version on each day. An order counts once, on however many lines it
-- holds the product: sorting each day's lines by order is faster than adding them up by order first.
select
    sale_date,
    product_key,
    count(distinct transaction_id)::integer as orders,
    sum(quantity)::bigint as units,
    sum(discount_amount) as discount,
    sum(revenue) as revenue,
    sum(cost) as cost,
    sum(revenue) - sum(cost) as profit
from warehouse.fact_sales
where %(everything)s or sale_date in (select scope.sale_date from scope)
group by sale_date, product_key
