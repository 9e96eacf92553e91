-- warehouse.dim_date: every day of 2000 to 2099.
select
    day::date as calendar_date,
    extract(year from day)::smallint as year,
    extract(quarter from day)::smallint as quarter,
    extract(month from day)::smallint as month,
    trim(to_char(day, 'Month')) as month_name,
    date_trunc('month', day)::date as month_start,
    extract(week from day)::smallint as iso_week,
    extract(day from day)::smallint as day_of_month,
    extract(isodow from day)::smallint as day_of_week,
    trim(to_char(day, 'Day')) as day_name,
    extract(isodow from day) >= 6 as is_weekend
from generate_series(timestamp '2000-01-01', timestamp '2099-12-31', interval '1 day') as days (day)
where %(everything)s or day::date in (select scope.calendar_date from scope)
