-- warehouse.mart_product_monthly: sales per product version and month. An order falls on one day.
select
    dates.month_start,
    days.product_id,
    days.product_key,
    min(days.sale_date) as first_sale_date,
    max(days.sale_date) as last_sale_date,
    sum(days.orders)::integer as orders,
    sum(days.units)::bigint as units,
    sum(days.discount) as discount,
    sum(days.revenue) as revenue,
    sum(days.costed_revenue) as costed_revenue,
    sum(days.cost) as cost,
    sum(days.profit) as profit
from warehouse.mart_product_daily as days
inner join warehouse.dim_date as dates on days.sale_date = dates.calendar_date
left join scope on dates.month_start = scope.month_start
where %(is_full_refresh)s or scope.month_start is not null
group by dates.month_start, days.product_id, days.product_key
