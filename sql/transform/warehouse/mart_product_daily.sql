-- warehouse.mart_product_daily: sales of each product version on each day.
with orders as (
    -- An order may hold a product on several lines, and counts once.
    select
        facts.transaction_id,
        facts.sale_date,
        facts.product_key,
        sum(facts.quantity) as units,
        sum(facts.discount_amount) as discount,
        sum(facts.revenue) as revenue,
        sum(facts.cost) as cost
    from warehouse.fact_sales as facts
    where %(everything)s or facts.sale_date in (select scope.sale_date from scope)
    group by facts.transaction_id, facts.sale_date, facts.product_key
)

select
    sale_date,
    product_key,
    count(*)::integer as orders,
    sum(units)::bigint as units,
    sum(discount) as discount,
    sum(revenue) as revenue,
    sum(cost) as cost,
    sum(revenue) - sum(cost) as profit
from orders
group by sale_date, product_key
