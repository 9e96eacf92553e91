-- warehouse.mart_customer_monthly: purchases of each customer in each month.
with orders as (
    select
        facts.transaction_id,
        facts.sale_date,
        min(facts.customer_key) as customer_key,
        sum(facts.quantity) as units,
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
    group by facts.transaction_id, facts.sale_date
)

select
    dates.month_start,
    customers.customer_id,
    min(orders.sale_date) as first_order_date,
    max(orders.sale_date) as last_order_date,
    count(*)::integer as orders,
    sum(orders.units)::bigint as units,
    sum(orders.revenue) as revenue,
    sum(orders.cost) as cost,
    sum(orders.revenue) - sum(orders.cost) as profit
from orders
inner join warehouse.dim_date as dates on orders.sale_date = dates.calendar_date
inner join warehouse.dim_customer as customers on orders.customer_key = customers.customer_key
group by dates.month_start, customers.customer_id
