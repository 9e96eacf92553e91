-- repeatable: whether the data are complete and judged. Every page, `status` and the reports read these views.
create or replace view platform.passed_days as
select slices.slice as partition_date
from platform.slices as slices
left join production.loaded_days as loaded
    on slices.table_name = 'staging.' || loaded.feed and slices.slice = loaded.partition_date
where
    slices.table_name in (
        'staging.customers', 'staging.products', 'staging.transactions', 'staging.transaction_items', 'staging.returns'
    )
group by slices.slice
-- A slice without rows has nothing to pass; a slice that it took the place of is gone once production knows.
having count(*) = 5 and bool_and(slices.load_id is not distinct from loaded.load_id);

comment on view platform.passed_days is 'Days whose five slices have passed their checks and are in production.';
comment on column platform.passed_days.partition_date is 'Business day (UTC).';

create or replace view monitoring.check_results as
select
    table_name,
    check_name,
    lower(days) as first_day,
    upper(days) - 1 as last_day,
    severity,
    passed,
    rows_tested,
    violations,
    description,
    checked_at
from platform.check_results;

comment on view monitoring.check_results is
'Latest result of each check over all days and over some days, and every failure over days that have not been checked again.';
comment on column monitoring.check_results.table_name is 'Asset that was checked, as schema.table.';
comment on column monitoring.check_results.check_name is 'Name of the check.';
comment on column monitoring.check_results.first_day is 'First day tested; null for a check of every possible day.';
comment on column monitoring.check_results.last_day is 'Last day tested; null for a check of every possible day.';
comment on column monitoring.check_results.severity is 'ERROR stops downstream assets; WARN does not.';
comment on column monitoring.check_results.passed is 'True if the check passed.';
comment on column monitoring.check_results.rows_tested is 'Number of rows, keys or days tested.';
comment on column monitoring.check_results.violations is 'Number of violations, added up over the rules.';
comment on column monitoring.check_results.description is 'Finding in one sentence.';
comment on column monitoring.check_results.checked_at is 'Time of the evaluation (UTC).';

create or replace view monitoring.incomplete_days as
with span as (
    select
        least(min(slices.slice), (select min(first_day) from platform.first_day)) as first_day,
        max(slices.slice) as last_day
    from platform.slices as slices
    where slices.table_name like 'staging.%'
)

select days.day::date as partition_date
from span
cross join generate_series(span.first_day, span.last_day, interval '1 day') as days (day)
except
select partition_date
from platform.passed_days
union
select partition_date
from platform.refused_files;

comment on view monitoring.incomplete_days is
'Days between the first and the last day in staging with a missing or refused file, or whose latest load has not passed its checks.';
comment on column monitoring.incomplete_days.partition_date is 'Business day (UTC).';

-- reader may see neither the logs nor the watermarks: only which tables wait.
create or replace function monitoring.tables_behind() returns setof text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
    origin text;
    last_entry bigint;
begin
    if not exists (select 1 from production.loaded_days) then
        return;
    end if;
    for origin in
        select distinct source
        from platform.expected_reads
        where to_regclass('change_log.' || replace(source, '.', '_')) is not null
    loop
        execute format('select coalesce(max(position), 0) from change_log.%I', replace(origin, '.', '_')) into last_entry;
        return query
            select expected.reader
            from platform.expected_reads as expected
            left join platform.watermarks as known
                on expected.reader = known.reader and expected.source = known.source
            where expected.source = origin and coalesce(known.position, -1) < last_entry;
    end loop;
end
$$;

comment on function monitoring.tables_behind() is
'Tables, as schema.table, that have not read every change of their sources; a table may be listed more than once.';

revoke all on function monitoring.tables_behind() from public;
grant execute on function monitoring.tables_behind() to reader, loader;
grant select on monitoring.check_results, monitoring.incomplete_days to reader, loader;
grant select on platform.passed_days to loader;
