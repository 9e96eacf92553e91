-- warehouse.mart_customer_monthly: purchases of each customer in each month.
select
    dates.month_start,
    customers.customer_id,
    min(facts.sale_date) as first_order_date,
    max(facts.sale_date) as last_order_date,
    count(distinct facts.transaction_id)::integer as orders,
    sum(facts.quantity)::bigint as units,
    sum(facts.revenue) as revenue,
    sum(facts.cost) as cost,
    sum(facts.profit) as profit
from warehouse.fact_sales as facts
inner join warehouse.dim_date as dates on facts.sale_date = dates.calendar_date
inner join warehouse.dim_customer as customers on facts.customer_key = customers.customer_key
where %(everything)s or dates.month_start in (select scope.month_start from scope)
group by dates.month_start, customers.customer_id
