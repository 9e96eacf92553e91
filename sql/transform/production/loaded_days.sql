-- production.loaded_days: for each slice of the run's days, the load that production reads: the latest load if it passed
-- its contract, otherwise the one already in use. judged contains the write times of the slices that passed.
select
    rows.feed,
    rows.partition_date,
    rows.load_id,
    case when rows.load_id = slices.load_id then slices.written_at else loaded.loaded_at end as loaded_at,
    count(*)::integer as rows_in_file
from platform.slices as slices
left join production.loaded_days as loaded
    on slices.table_name = 'staging.' || loaded.feed and slices.slice = loaded.partition_date
inner join production.staged_rows as rows
    on
        slices.slice = rows.partition_date
        and rows.load_id
        = case when slices.written_at = any(%(judged)s::timestamptz[]) then slices.load_id else loaded.load_id end
where slices.slice >= %(window_start)s and slices.slice < %(window_end)s
group by rows.feed, rows.partition_date, rows.load_id, slices.load_id, slices.written_at, loaded.loaded_at
