-- analytics.monthly_sales: sales per month.
with months as (
    select
        dates.month_start,
        sum(days.orders)::integer as orders,
        sum(days.guest_orders)::integer as guest_orders,
        sum(days.units)::bigint as units,
        sum(days.revenue) as revenue,
        sum(days.costed_revenue) as costed_revenue,
        sum(days.cost) as cost,
        sum(days.profit) as profit
    from warehouse.agg_daily_sales as days
    inner join warehouse.dim_date as dates on days.sale_date = dates.calendar_date
    group by dates.month_start
),

returned as (
    select
        dates.month_start,
        sum(days.returned_units)::bigint as returned_units,
        sum(days.returns) as returns
    from warehouse.agg_daily_returns as days
    inner join warehouse.dim_date as dates on days.sale_date = dates.calendar_date
    group by dates.month_start
),

customers as (
    select
        month_start,
        count(*)::integer as customers
    from warehouse.mart_customer_monthly
    group by month_start
)

select
    months.month_start,
    months.orders,
    coalesce(customers.customers, 0) as customers,
    months.units,
    months.revenue,
    months.cost,
    months.profit,
    warehouse.profit_margin(months.costed_revenue, months.cost) as profit_margin,
    warehouse.average_order_value(months.revenue, months.orders) as average_order_value,
    warehouse.share(
        months.revenue - previous.revenue,
        previous.revenue
    ) as revenue_change,
    months.guest_orders,
    months.costed_revenue,
    coalesce(returned.returned_units, 0) as returned_units,
    coalesce(returned.returns, 0) as returns,
    warehouse.net_revenue(months.revenue, coalesce(returned.returns, 0)) as net_revenue,
    warehouse.return_rate(coalesce(returned.returned_units, 0), months.units) as return_rate
from months
left join customers on months.month_start = customers.month_start
left join returned on months.month_start = returned.month_start
left join months as previous on months.month_start = (previous.month_start + interval '1 month')::date
order by months.month_start
