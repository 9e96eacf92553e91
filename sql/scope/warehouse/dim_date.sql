-- The missing days. A day with wrong values is found by verify and fixed by a run over all days.
select days.day::date as calendar_date
from generate_series(timestamp '2000-01-01', timestamp '2099-12-31', interval '1 day') as days (day)
left join warehouse.dim_date as known on days.day::date = known.calendar_date
where
    known.calendar_date is null
    and (select count(*) from warehouse.dim_date) < date '2100-01-01' - date '2000-01-01'
