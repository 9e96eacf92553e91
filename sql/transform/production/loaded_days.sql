-- production.loaded_days: which load of which slice passed the checks of staging: the latest of the days of the run.
select
    rows.feed,
    slices.slice as partition_date,
    slices.load_id,
    slices.written_at as loaded_at,
    count(*)::integer as rows_in_file
from platform.slices as slices
inner join production.staged_rows as rows on slices.slice = rows.partition_date and slices.load_id = rows.load_id
where slices.slice >= %(window_start)s and slices.slice < %(window_end)s
group by rows.feed, slices.slice, slices.load_id, slices.written_at
