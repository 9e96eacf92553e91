-- analytics.sales_anomalies: days on which a category sold far more or far less than on the same weekday of the seven weeks before.
-- The modified z-score of Iglewicz and Hoaglin, "How to Detect and Handle Outliers" (1993): 0.6745 * (residual - median) / MAD,
-- where MAD is the median absolute deviation from the median; above 3.5, a value is an outlier. Medians, because one extreme day
-- must not move what the others are compared with.
with categories as (
    select
        member as category,
        min(sale_date) as first_day
    from warehouse.mart_daily_breakdown
    where breakdown = 'category'
    group by member
    having count(*) >= 28
),

-- A day without sales of a category counts, a day without any sales does not: the shop was closed, or the day is missing.
revenues as (
    select
        categories.category,
        days.sale_date,
        coalesce(sales.revenue, 0) as revenue,
        lag(coalesce(sales.revenue, 0), 1) over same_weekday as week_1,
        lag(coalesce(sales.revenue, 0), 2) over same_weekday as week_2,
        lag(coalesce(sales.revenue, 0), 3) over same_weekday as week_3,
        lag(coalesce(sales.revenue, 0), 4) over same_weekday as week_4,
        lag(coalesce(sales.revenue, 0), 5) over same_weekday as week_5,
        lag(coalesce(sales.revenue, 0), 6) over same_weekday as week_6,
        lag(coalesce(sales.revenue, 0), 7) over same_weekday as week_7
    from categories
    inner join warehouse.agg_daily_sales as days on days.sale_date >= categories.first_day
    left join warehouse.mart_daily_breakdown as sales
        on
            sales.breakdown = 'category'
            and categories.category = sales.member
            and days.sale_date = sales.sale_date
    window
        same_weekday as (
            partition by categories.category, extract(isodow from days.sale_date) order by days.sale_date
        )
),

expected as materialized (
    select
        revenues.category,
        revenues.sale_date,
        revenues.revenue,
        usual.revenue as expected_revenue
    from revenues
    cross join
        lateral (
            select percentile_disc(0.5) within group (order by weeks.revenue) as revenue
            from (
                values
                (revenues.week_1),
                (revenues.week_2),
                (revenues.week_3),
                (revenues.week_4),
                (revenues.week_5),
                (revenues.week_6),
                (revenues.week_7)
            ) as weeks (revenue)
        ) as usual
    where revenues.week_7 is not null
),

residuals as (
    select
        *,
        revenue / expected_revenue - 1 as residual
    from expected
    where expected_revenue > 0
),

medians as (
    select
        category,
        percentile_disc(0.5) within group (order by residual) as median
    from residuals
    group by category
    having count(*) >= 28
),

deviations as (
    select
        residuals.category,
        medians.median,
        percentile_disc(0.5) within group (order by abs(residuals.residual - medians.median)) as mad
    from residuals
    inner join medians on residuals.category = medians.category
    group by residuals.category, medians.median
),

scored as (
    select
        residuals.*, -- noqa: AM04
        0.6745 * (residuals.residual - deviations.median) / nullif(deviations.mad, 0) as robust_z
    from residuals
    inner join deviations on residuals.category = deviations.category
)

select
    sale_date,
    category,
    revenue,
    expected_revenue,
    revenue - expected_revenue as deviation,
    round(robust_z, 2) as robust_z,
    case when robust_z > 0 then 'Above' else 'Below' end as direction
from scored
where abs(robust_z) > 3.5
order by sale_date desc, abs(robust_z) desc, category
