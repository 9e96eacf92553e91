-- analytics.monthly_sales: sales per month.
with history as (
    select
        min(sale_date) as first_day,
        max(sale_date) as last_day
    from warehouse.agg_daily_sales
),

months as (
    select
        dates.month_start,
        sum(days.orders)::integer as orders,
        sum(days.guest_orders)::integer as guest_orders,
        sum(days.units)::bigint as units,
        sum(days.revenue) as revenue,
        sum(days.revenue) filter (
            where dates.day_of_month <= extract(day from history.last_day)
        ) as revenue_to_date,
        sum(days.costed_revenue) as costed_revenue,
        sum(days.cost) as cost,
        sum(days.profit) as profit
    from warehouse.agg_daily_sales as days
    inner join warehouse.dim_date as dates on days.sale_date = dates.calendar_date
    cross join history
    group by dates.month_start
),

-- What a month is compared with: the month before, or as many of its days as an incomplete month has.
compared as (
    select
        months.month_start,
        case
            when previous.month_start < history.first_day then null
            when history.last_day >= (months.month_start + interval '1 month')::date - 1 then previous.revenue
            when extract(day from history.last_day) <= extract(day from months.month_start - 1)
                then previous.revenue_to_date
        end as previous_revenue
    from months
    cross join history
    inner join months as previous on months.month_start = (previous.month_start + interval '1 month')::date
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
        months.revenue - compared.previous_revenue,
        compared.previous_revenue
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
left join compared on months.month_start = compared.month_start
order by months.month_start
