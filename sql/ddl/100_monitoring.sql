-- monitoring: what the platform says of itself.

create table if not exists monitoring.quality_report (
    table_name text not null,
    check_name text not null,
    severity text not null check (severity in ('ERROR', 'WARN')),
    passed boolean not null,
    rows_tested bigint,
    violations bigint,
    score numeric(6, 2),
    grade text not null check (grade in ('A', 'B', 'C', 'D', 'F')),
    description text,
    checked_at timestamptz not null,
    primary key (table_name, check_name)
);

comment on table monitoring.quality_report is 'The last result of every asset check.';
comment on column monitoring.quality_report.table_name is 'The asset that was checked, as schema.table.';
comment on column monitoring.quality_report.check_name is 'The check.';
comment on column monitoring.quality_report.severity is 'ERROR stops what is downstream, WARN does not.';
comment on column monitoring.quality_report.passed is 'Whether it passed.';
comment on column monitoring.quality_report.rows_tested is 'Rows that it looked at, where it counts them.';
comment on column monitoring.quality_report.violations is 'Violations that it found, where it counts them.';
comment on column monitoring.quality_report.score is '100 * (1 - violations / rows tested), at least 0; without counts 100 when passed, else 0.';
comment on column monitoring.quality_report.grade is 'A passed; else by score: B from 99, C from 95, D from 80, F below.';
comment on column monitoring.quality_report.description is 'What the check says of its last run.';
comment on column monitoring.quality_report.checked_at is 'When it last ran (UTC).';

create table if not exists monitoring.pipeline_report (
    table_name text not null,
    layer text not null,
    row_count bigint not null,
    total_bytes bigint not null,
    last_materialized_at timestamptz,
    last_run_id text,
    latest_day date,
    lag_days integer,
    primary key (table_name)
);

comment on table monitoring.pipeline_report is 'The state of every table.';
comment on column monitoring.pipeline_report.table_name is 'The table, as schema.table.';
comment on column monitoring.pipeline_report.layer is 'Its layer.';
comment on column monitoring.pipeline_report.row_count is 'Rows that it holds, as the server last counted or estimates.';
comment on column monitoring.pipeline_report.total_bytes is 'Bytes on disk, indexes included.';
comment on column monitoring.pipeline_report.last_materialized_at is 'When Dagster last stored it (UTC).';
comment on column monitoring.pipeline_report.last_run_id is 'The run that did.';
comment on column monitoring.pipeline_report.latest_day is 'Latest business day that it holds; null where it has no days.';
comment on column monitoring.pipeline_report.lag_days is 'Days from the latest business day to the latest day that the run was asked for.';
