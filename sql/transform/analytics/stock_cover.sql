-- analytics.stock_cover: how long the stock of each product lasts at the rate of the last 28 days of sales.
with recent as (
    select
        max(sale_date) as last_day,
        greatest(min(sale_date), max(sale_date) - 27) as first_day,
        least(max(sale_date) - min(sale_date) + 1, 28) as window_days
    from warehouse.agg_daily_sales
),

sold as (
    select
        days.product_id,
        sum(days.units)::bigint as units,
        sum(days.revenue) as revenue
    from recent
    inner join warehouse.mart_product_daily as days
        on days.sale_date >= recent.first_day and days.sale_date <= recent.last_day
    group by days.product_id
),

products as (
    select
        current.product_id,
        current.product_code,
        current.product_name,
        current.category,
        current.stock_quantity,
        current.stock_date,
        coalesce(sold.units, 0) as units,
        coalesce(sold.revenue, 0) as revenue,
        coalesce(round(sold.units::numeric / recent.window_days, 2), 0) as units_per_day,
        warehouse.days_of_cover(current.stock_quantity, sold.units, recent.window_days) as days_of_cover,
        recent.last_day
    from warehouse.dim_product as current
    cross join recent
    left join sold on current.product_id = sold.product_id
    where current.is_current and current.product_key <> 0
)

select
    product_code,
    product_name,
    category,
    stock_quantity,
    stock_date,
    units,
    revenue,
    units_per_day,
    round(days_of_cover, 1) as days_of_cover,
    case
        when stock_quantity > 0 and days_of_cover <= 3650 then last_day + ceil(days_of_cover)::integer
    end as runs_out_on,
    warehouse.stock_status(stock_quantity, days_of_cover) as stock_status,
    last_day as as_of_date
from products
order by days_of_cover, revenue desc, product_id
