-- monitoring: how long runs take, unusual volumes, the health of the database, and one line a layer.

alter table monitoring.pipeline_report
add column last_run_status text,
add column last_run_seconds numeric(12, 1) check (last_run_seconds >= 0),
add column write_seconds numeric(12, 3) check (write_seconds >= 0),
add column latest_day_rows bigint,
add column least_expected_rows bigint,
add column most_expected_rows bigint,
add column is_unusual boolean;

comment on column monitoring.pipeline_report.last_run_status is 'How that run ended; STARTED for the one that wrote this report.';
comment on column monitoring.pipeline_report.last_run_seconds is 'Seconds from its start to its end; to this report for a run that goes on.';
comment on column monitoring.pipeline_report.write_seconds is 'Seconds of the transaction that last wrote the table.';
comment on column monitoring.pipeline_report.latest_day_rows is 'Rows in the file of the latest day; null where the table is no replica of a feed.';
comment on column monitoring.pipeline_report.least_expected_rows is 'Its weekday''s mean less three standard deviations; null with too few of them.';
comment on column monitoring.pipeline_report.most_expected_rows is 'Its weekday''s mean plus three standard deviations; null with too few of them.';
comment on column monitoring.pipeline_report.is_unusual is 'Whether the latest day''s rows lie outside; null where that is not judged.';

create table if not exists monitoring.database_health (
    metric text not null,
    value numeric not null,
    unit text not null check (unit in ('bytes', 'count', 'percent', 'seconds')),
    least numeric,
    most numeric,
    is_healthy boolean not null,
    description text not null,
    measured_at timestamptz not null,
    primary key (metric),
    check (is_healthy = (value >= coalesce(least, value) and value <= coalesce(most, value)))
);

comment on table monitoring.database_health is 'The state of the database and of the disk below the data folder.';
comment on column monitoring.database_health.metric is 'What was measured.';
comment on column monitoring.database_health.value is 'The measurement.';
comment on column monitoring.database_health.unit is 'Its unit.';
comment on column monitoring.database_health.least is 'Healthy from here on; null without such a limit.';
comment on column monitoring.database_health.most is 'Healthy up to here; null without such a limit.';
comment on column monitoring.database_health.is_healthy is 'Whether the value lies within the limits.';
comment on column monitoring.database_health.description is 'What it means, and what to do where it is not healthy.';
comment on column monitoring.database_health.measured_at is 'When it was measured (UTC).';

-- An asset acts as loader, which may not see other sessions; their owner may.
create function platform.longest_transaction_seconds() returns numeric
language sql stable security definer set search_path = pg_catalog, pg_temp
return (
    select coalesce(max(extract(epoch from clock_timestamp() - activity.xact_start)), 0)
    from pg_stat_activity as activity
    where activity.datname = current_database() and activity.pid <> pg_backend_pid()
);

comment on function platform.longest_transaction_seconds() is
'Age of the oldest open transaction of the owner''s other sessions in this database, in seconds.';

create view monitoring.layer_report as
with checks as (
    select
        split_part(table_name, '.', 1) as layer,
        count(*) as checks,
        count(*) filter (where not passed and severity = 'ERROR') as failed,
        count(*) filter (where not passed and severity = 'WARN') as warnings,
        round(avg(score), 2) as score,
        max(grade) as worst_grade
    from monitoring.quality_report
    group by split_part(table_name, '.', 1)
),

tables as (
    select
        layer,
        count(*) as tables,
        sum(row_count)::bigint as row_count,
        sum(total_bytes)::bigint as total_bytes,
        min(last_materialized_at) as oldest_materialization,
        max(latest_day) as latest_day,
        -- A table of changes, such as products, has no row of a day without one: the layer's latest day counts.
        min(lag_days) as lag_days,
        sum(write_seconds) as write_seconds,
        count(*) filter (where is_unusual) as unusual_volumes
    from monitoring.pipeline_report
    group by layer
)

select
    tables.layer,
    tables.tables,
    tables.row_count,
    tables.total_bytes,
    tables.oldest_materialization,
    tables.latest_day,
    tables.lag_days,
    tables.write_seconds,
    tables.unusual_volumes,
    coalesce(checks.checks, 0) as checks,
    coalesce(checks.failed, 0) as failed,
    coalesce(checks.warnings, 0) as warnings,
    checks.score,
    checks.worst_grade
from tables
left join checks on tables.layer = checks.layer;

comment on view monitoring.layer_report is
'One line a layer, from the two reports: size, lag, and the mean score and worst grade of its checks.';

-- On a database that stands already, the grants of 900_grants.sql were given before these came.
grant select, insert, update, delete, truncate on monitoring.database_health to loader;
grant select on monitoring.database_health, monitoring.layer_report to reader;
grant select on monitoring.layer_report to loader;
