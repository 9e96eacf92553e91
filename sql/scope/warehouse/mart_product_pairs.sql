-- The days of inserted, updated, or deleted sales, and the days that leave the last 90 days, or are in them again. These lie
-- 90 days before: after the last day that has not changed, up to the last day.
with changed as materialized (
    select distinct sale_date
    from warehouse_fact_sales_changes
),

last_days as (
    select
        (
            select max(facts.sale_date)
            from warehouse.fact_sales as facts
            where facts.sale_date not in (select changed.sale_date from changed)
        ) as unchanged,
        max(changed.sale_date) as changed
    from changed
)

select sale_date
from changed
union
select days.calendar_date as sale_date
from last_days
inner join warehouse.dim_date as days
    on
        days.calendar_date > last_days.unchanged - 90
        and days.calendar_date <= last_days.changed - 90
