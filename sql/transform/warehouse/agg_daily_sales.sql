-- warehouse.agg_daily_sales: one row per day with sales.
with orders as (
    select
        facts.sale_date,
        facts.transaction_id,
        min(facts.customer_id) as customer_id,
        count(*) as lines,
        sum(facts.quantity) as units,
        sum(facts.discount_amount) as discount,
        sum(facts.revenue) as revenue,
        coalesce(sum(facts.revenue) filter (where facts.cost is not null), 0) as costed_revenue,
        sum(facts.cost) as cost
    from warehouse.fact_sales as facts
    left join scope on facts.sale_date = scope.sale_date
    where %(is_full_refresh)s or scope.sale_date is not null
    group by facts.sale_date, facts.transaction_id
)

select
    orders.sale_date,
    count(*)::integer as orders,
    count(*) filter (where orders.customer_id is null)::integer as guest_orders,
    count(distinct orders.customer_id)::integer as customers,
    sum(orders.lines)::integer as lines,
    sum(orders.units)::bigint as units,
    sum(orders.discount) as discount,
    sum(orders.revenue) as revenue,
    sum(orders.costed_revenue) as costed_revenue,
    sum(orders.cost) as cost,
    sum(orders.costed_revenue) - sum(orders.cost) as profit,
    count(*) filter (where warehouse.is_large_order(orders.lines))::integer as large_orders
from orders
group by orders.sale_date
