-- warehouse.mart_product_monthly: sales of each product version in each month.
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
    where
        %(everything)s
        or facts.sale_date in (
            select days.calendar_date
            from warehouse.dim_date as days
            where days.month_start in (select scope.month_start from scope)
        )
    group by facts.transaction_id, facts.sale_date, facts.product_key
)

select
    dates.month_start,
    orders.product_key,
    min(orders.sale_date) as first_sale_date,
    max(orders.sale_date) as last_sale_date,
    count(*)::integer as orders,
    sum(orders.units)::bigint as units,
    sum(orders.discount) as discount,
    sum(orders.revenue) as revenue,
    sum(orders.cost) as cost,
    sum(orders.revenue) - sum(orders.cost) as profit
from orders
inner join warehouse.dim_date as dates on orders.sale_date = dates.calendar_date
group by dates.month_start, orders.product_key
