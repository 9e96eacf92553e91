-- warehouse.agg_daily_sales: sales of each day.
with orders as (
    select
        facts.sale_date,
        facts.transaction_id,
        min(customers.customer_id) as customer_id,
        count(*) as lines,
        sum(facts.quantity) as units,
        sum(facts.discount_amount) as discount,
        sum(facts.revenue) as revenue,
        sum(facts.cost) as cost,
        sum(facts.profit) as profit
    from warehouse.fact_sales as facts
    inner join warehouse.dim_customer as customers on facts.customer_key = customers.customer_key
    where %(everything)s or facts.sale_date in (select scope.sale_date from scope)
    group by facts.sale_date, facts.transaction_id
)

select
    sale_date,
    count(*)::integer as orders,
    count(distinct customer_id)::integer as customers,
    sum(lines)::integer as lines,
    sum(units)::bigint as units,
    sum(discount) as discount,
    sum(revenue) as revenue,
    sum(cost) as cost,
    sum(profit) as profit
from orders
group by sale_date
