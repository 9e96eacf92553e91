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
        sum(facts.cost) as cost
    from warehouse.fact_sales as facts
    left join scope on facts.sale_date = scope.sale_date
    where %(is_full_refresh)s or scope.sale_date is not null
    group by facts.sale_date, facts.transaction_id
),

returned as (
    select
        facts.sale_date,
        sum(facts.quantity) as returned_units,
        sum(facts.refund_amount) as returns
    from warehouse.fact_returns as facts
    left join scope on facts.sale_date = scope.sale_date
    where %(is_full_refresh)s or scope.sale_date is not null
    group by facts.sale_date
)

select
    orders.sale_date,
    count(*)::integer as orders,
    count(distinct orders.customer_id)::integer as customers,
    sum(orders.lines)::integer as lines,
    sum(orders.units)::bigint as units,
    sum(orders.discount) as discount,
    sum(orders.revenue) as revenue,
    sum(orders.cost) as cost,
    sum(orders.revenue) - sum(orders.cost) as profit,
    coalesce(returned.returned_units, 0)::bigint as returned_units,
    coalesce(returned.returns, 0) as returns
from orders
left join returned on orders.sale_date = returned.sale_date
group by orders.sale_date, returned.returned_units, returned.returns
