-- warehouse.mart_product_monthly: sales of each product version in each month. An order lies on one day.
select
    date_trunc('month', sale_date)::date as month_start,
    product_key,
    min(sale_date) as first_sale_date,
    max(sale_date) as last_sale_date,
    sum(orders)::integer as orders,
    sum(units)::bigint as units,
    sum(discount) as discount,
    sum(revenue) as revenue,
    sum(cost) as cost,
    sum(profit) as profit
from warehouse.mart_product_daily
where
    %(everything)s
    or sale_date in (
        select days.calendar_date
        from warehouse.dim_date as days
        where days.month_start in (select scope.month_start from scope)
    )
group by date_trunc('month', sale_date)::date, product_key
