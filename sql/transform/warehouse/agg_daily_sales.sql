-- warehouse.agg_daily_sales: sales of each day.
with orders as (
    select
        sale_date,
        transaction_id,
        min(customer_key) as customer_key,
        count(*) as lines,
        sum(quantity) as units,
        sum(discount_amount) as discount,
        sum(revenue) as revenue,
        sum(cost) as cost
    from warehouse.fact_sales
    where %(everything)s or sale_date in (select scope.sale_date from scope)
    group by sale_date, transaction_id
)

select
    orders.sale_date,
    count(*)::integer as orders,
    count(distinct customers.customer_id)::integer as customers,
    sum(orders.lines)::integer as lines,
    sum(orders.units)::bigint as units,
    sum(orders.discount) as discount,
    sum(orders.revenue) as revenue,
    sum(orders.cost) as cost,
    sum(orders.revenue) - sum(orders.cost) as profit
from orders
inner join warehouse.dim_customer as customers on orders.customer_key = customers.customer_key
group by orders.sale_date
