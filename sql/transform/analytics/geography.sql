-- analytics.geography: sales by the customer's state on the sale date.
with sales as (
    select
        substr(member, 1, 2) as country,
        substr(member, 4) as state,
        sum(orders)::bigint as orders,
        sum(units)::bigint as units,
        sum(revenue) as revenue,
        sum(costed_revenue) as costed_revenue,
        sum(cost) as cost,
        sum(profit) as profit
    from warehouse.mart_daily_breakdown
    where breakdown = 'state'
    group by member
),

residents as (
    select
        country,
        state,
        count(*)::integer as customers
    from warehouse.dim_customer
    where is_current and customer_key <> 0
    group by country, state
)

select
    sales.country,
    sales.state,
    coalesce(residents.customers, 0) as customers,
    sales.orders,
    sales.units,
    sales.revenue,
    sales.profit,
    warehouse.profit_margin(sales.costed_revenue, sales.cost) as profit_margin,
    warehouse.average_order_value(sales.revenue, sales.orders) as average_order_value,
    warehouse.share(sales.revenue, sum(sales.revenue) over ()) as revenue_share,
    sales.costed_revenue
from sales
left join residents on sales.country = residents.country and sales.state = residents.state
order by sales.revenue desc, sales.country, sales.state
