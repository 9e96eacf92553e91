-- warehouse.dim_date: every day from 2000 to 2099.
with days as (
    select day::date as calendar_date
    from generate_series(timestamp '2000-01-01', timestamp '2099-12-31', interval '1 day') as days (day)
)

select
    days.calendar_date,
    extract(year from days.calendar_date)::smallint as year,
    extract(quarter from days.calendar_date)::smallint as quarter,
    extract(month from days.calendar_date)::smallint as month,
    trim(to_char(days.calendar_date, 'Month')) as month_name,
    date_trunc('month', days.calendar_date)::date as month_start,
    extract(week from days.calendar_date)::smallint as iso_week,
    extract(day from days.calendar_date)::smallint as day_of_month,
    extract(isodow from days.calendar_date)::smallint as day_of_week,
    trim(to_char(days.calendar_date, 'Day')) as day_name,
    extract(isodow from days.calendar_date) >= 6 as is_weekend
from days
left join scope on days.calendar_date = scope.calendar_date
where %(is_full_refresh)s or scope.calendar_date is not null
