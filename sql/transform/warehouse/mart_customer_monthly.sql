-- warehouse.mart_customer_monthly: one row per customer and month with purchases; orders without a customer are left out.
with concerned as materialized (
    -- For an incremental run: sales are looked up per customer and month. All lookup columns are in one table, because
    -- PostgreSQL uses the index for the dates only if they come from the same table as the customer.
    select
        customer_id,
        month_start,
        (month_start + interval '1 month')::date as next_month
    from scope
),

orders as (
    select
        transaction_id,
        sale_date,
        min(customer_id) as customer_id,
        sum(quantity) as units,
        sum(revenue) as revenue,
        coalesce(sum(revenue) filter (where cost is not null), 0) as costed_revenue,
        sum(cost) as cost
    from warehouse.fact_sales
    where %(is_full_refresh)s and customer_id is not null
    group by transaction_id, sale_date
    union all
    select
        facts.transaction_id,
        facts.sale_date,
        min(facts.customer_id) as customer_id,
        sum(facts.quantity) as units,
        sum(facts.revenue) as revenue,
        coalesce(sum(facts.revenue) filter (where facts.cost is not null), 0) as costed_revenue,
        sum(facts.cost) as cost
    from concerned
    inner join warehouse.fact_sales as facts
        on
            concerned.customer_id = facts.customer_id
            and facts.sale_date >= concerned.month_start
            and facts.sale_date < concerned.next_month
    group by facts.transaction_id, facts.sale_date
)

select
    date_trunc('month', orders.sale_date)::date as month_start,
    orders.customer_id,
    min(orders.sale_date) as first_order_date,
    max(orders.sale_date) as last_order_date,
    count(*)::integer as orders,
    sum(orders.units)::bigint as units,
    sum(orders.revenue) as revenue,
    sum(orders.costed_revenue) as costed_revenue,
    sum(orders.cost) as cost,
    sum(orders.costed_revenue) - sum(orders.cost) as profit
from orders
group by date_trunc('month', orders.sale_date)::date, orders.customer_id
