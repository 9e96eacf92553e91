-- All versions of a customer, their validity, and the orders and revenue of each.
select
    customers.customer_code,
    customers.valid_from,
    nullif(customers.valid_to, 'infinity') as valid_to,
    customers.city,
    customers.state,
    customers.age_group,
    customers.segment,
    count(distinct sales.transaction_id) as orders,
    coalesce(sum(sales.revenue), 0) as revenue
from warehouse.dim_customer as customers
left join warehouse.fact_sales as sales on customers.customer_key = sales.customer_key
where customers.customer_code = '1' -- set the customer ID here
group by customers.customer_key
order by customers.valid_from;
