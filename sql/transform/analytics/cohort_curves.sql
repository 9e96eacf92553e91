-- analytics.cohort_curves: what each cohort of customers bought in each month since its first orders.
with observed as (
    select
        date_trunc('month', min(sale_date))::date as first_month,
        max(sale_date) as last_day
    from warehouse.agg_daily_sales
),

customers as materialized (
    select
        customer_id,
        date_trunc('month', first_order_date)::date as cohort_month
    from warehouse.agg_customer_metrics
),

sums as materialized (
    select
        customers.cohort_month,
        months.month_start,
        count(*) as active_customers,
        sum(months.orders) as orders,
        sum(months.revenue) as revenue
    from warehouse.mart_customer_monthly as months
    inner join customers on months.customer_id = customers.customer_id
    group by customers.cohort_month, months.month_start
),

-- Every customer of a cohort has ordered in its first month. Months without orders have a row, too.
grid as (
    select
        cohorts.cohort_month,
        cohorts.active_customers as customers,
        dates.month_start,
        12 * (extract(year from dates.month_start) - extract(year from cohorts.cohort_month))
        + extract(month from dates.month_start) - extract(month from cohorts.cohort_month) as months_since,
        (dates.month_start + interval '1 month')::date <= observed.last_day + 1 as is_complete
    from sums as cohorts
    cross join observed
    inner join warehouse.dim_date as dates
        on
            dates.month_start = dates.calendar_date
            and cohorts.cohort_month <= dates.calendar_date
            and observed.first_month <= dates.calendar_date
            and observed.last_day >= dates.calendar_date
    where cohorts.cohort_month = cohorts.month_start
),

curves as (
    select
        grid.cohort_month,
        grid.months_since,
        grid.month_start,
        grid.customers,
        coalesce(sums.active_customers, 0) as active_customers,
        coalesce(sums.orders, 0) as orders,
        coalesce(sums.revenue, 0) as revenue,
        coalesce(sum(sums.revenue) over (partition by grid.cohort_month order by grid.month_start), 0) as cumulative_revenue,
        grid.is_complete
    from grid
    left join sums on grid.cohort_month = sums.cohort_month and grid.month_start = sums.month_start
)

select
    cohort_month,
    months_since::integer as months_since,
    month_start,
    customers::integer as customers,
    active_customers::integer as active_customers,
    warehouse.share(active_customers, customers) as retention,
    orders::bigint as orders,
    revenue,
    cumulative_revenue,
    warehouse.revenue_per_customer(cumulative_revenue, customers) as cumulative_revenue_per_customer,
    is_complete
from curves
order by cohort_month, month_start
