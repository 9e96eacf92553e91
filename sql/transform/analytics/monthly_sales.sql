-- analytics.monthly_sales: sales per month.
with months as (
    select
        dates.month_start,
        sum(days.orders)::integer as orders,
        sum(days.units)::bigint as units,
        sum(days.revenue) as revenue,
        sum(days.cost) as cost,
        sum(days.profit) as profit,
        sum(days.returned_units)::bigint as returned_units,
        sum(days.returns) as returns
    from warehouse.agg_daily_sales as days
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
    customers.customers,
    months.units,
    months.revenue,
    months.cost,
    months.profit,
    warehouse.profit_margin(months.revenue, months.cost) as profit_margin,
    warehouse.average_order_value(months.revenue, months.orders) as average_order_value,
    warehouse.share(
        months.revenue - previous.revenue,
        previous.revenue
    ) as revenue_change,
    months.returned_units,
    months.returns,
    warehouse.net_revenue(months.revenue, months.returns) as net_revenue,
    warehouse.return_rate(months.returned_units, months.units) as return_rate
from months
inner join customers on months.month_start = customers.month_start
left join months as previous on months.month_start = (previous.month_start + interval '1 month')::date
order by months.month_start
