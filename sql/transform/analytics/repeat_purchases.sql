-- analytics.repeat_purchases: how soon customers buy again.
with bands (interval_band, from_days, to_days) as (
    values
    ('Same day', 0, 0),
    ('1-7 days', 1, 7),
    ('8-14 days', 8, 14),
    ('15-30 days', 15, 30),
    ('31-60 days', 31, 60),
    ('61-90 days', 61, 90),
    ('91-180 days', 91, 180),
    ('181-365 days', 181, 365),
    ('Over 365 days', 366, null)
),

intervals as materialized (
    select
        interval_days,
        sum(orders) as orders
    from warehouse.mart_daily_repeats
    group by interval_days
),

ranked as (
    select
        interval_days,
        orders,
        sum(orders) over (order by interval_days) as last_rank,
        sum(orders) over () as all_orders
    from intervals
),

-- In the middle is one interval, or two if half of the intervals are at most the one and half at least the other.
median as (
    select round(avg(interval_days), 1) as median_interval_days
    from ranked
    where last_rank * 2 >= all_orders and (last_rank - orders) * 2 <= all_orders
),

customers as (
    select
        count(*) as customers,
        count(*) filter (where orders >= 2) as repeat_customers
    from warehouse.agg_customer_metrics
),

sums as (
    select
        bands.interval_band,
        bands.from_days,
        bands.to_days,
        coalesce(sum(intervals.orders), 0) as orders
    from bands
    left join intervals
        on
            bands.from_days <= intervals.interval_days
            and (bands.to_days >= intervals.interval_days or bands.to_days is null)
    group by bands.interval_band, bands.from_days, bands.to_days
)

select
    sums.interval_band,
    sums.from_days,
    sums.to_days,
    sums.orders::bigint as orders,
    warehouse.share(sums.orders, sum(sums.orders) over ()) as order_share,
    warehouse.share(sum(sums.orders) over (order by sums.from_days), sum(sums.orders) over ()) as cumulative_share,
    median.median_interval_days,
    customers.customers::integer as customers,
    customers.repeat_customers::integer as repeat_customers,
    warehouse.share(customers.repeat_customers, customers.customers) as repeat_customer_share
from sums
cross join median
cross join customers
where customers.customers > 0
order by sums.from_days
