-- analytics.daily_sales: sales per day, with their trend.
with returned as (
    select
        sale_date,
        sum(returns) as returns
    from warehouse.agg_daily_returns
    group by sale_date
)

select
    days.sale_date,
    dates.day_name,
    dates.is_weekend,
    days.orders,
    days.customers,
    days.units,
    days.revenue,
    days.profit,
    warehouse.average_order_value(days.revenue, days.orders) as average_order_value,
    round(
        sum(days.revenue) over (
            order by days.sale_date range between interval '6 days' preceding and current row
        ) / least(7, days.sale_date - min(days.sale_date) over () + 1),
        2
    ) as revenue_7_day_mean,
    days.guest_orders,
    days.costed_revenue,
    coalesce(returned.returns, 0) as returns,
    warehouse.net_revenue(days.revenue, coalesce(returned.returns, 0)) as net_revenue
from warehouse.agg_daily_sales as days
inner join warehouse.dim_date as dates on days.sale_date = dates.calendar_date
left join returned on days.sale_date = returned.sale_date
order by days.sale_date
