-- What checks have said of which days, and until another verdict over the same days, for everybody who looks.
create table platform.check_results (
    table_name text not null,
    check_name text not null,
    days daterange not null check (not isempty(days)),
    is_whole boolean not null,
    severity text not null check (severity in ('ERROR', 'WARN')),
    passed boolean not null,
    rows_tested bigint not null check (rows_tested >= 0),
    violations bigint not null check (violations >= 0),
    description text not null,
    checked_at timestamptz not null default clock_timestamp(),
    primary key (table_name, check_name, days, is_whole)
);

comment on table platform.check_results is
'Of each check: its last result over all days, its last result over some days, and every failure over days that it has not judged again.';
comment on column platform.check_results.table_name is 'The asset that was checked, as schema.table.';
comment on column platform.check_results.check_name is 'The check.';
comment on column platform.check_results.days is 'The days that were looked at; without bounds for every day there can be.';
comment on column platform.check_results.is_whole is 'Whether these were all days that there were then.';
comment on column platform.check_results.severity is 'ERROR stops what is downstream, WARN does not.';
comment on column platform.check_results.passed is 'The verdict.';
comment on column platform.check_results.rows_tested is 'Rows, keys or days that were looked at.';
comment on column platform.check_results.violations is 'How many of them break a rule, added up over the rules.';
comment on column platform.check_results.description is 'One sentence: what was found.';
comment on column platform.check_results.checked_at is 'When (UTC).';

alter table monitoring.quality_report add column days text not null default 'all days';
alter table monitoring.quality_report alter column days drop default;

comment on column monitoring.quality_report.days is 'The days that it looked at: all days, a day, or the first and the last of several.';

-- What there must be: which tables read which, and from which day on. Written whenever the tables are prepared.
create table platform.expected_reads (
    reader text not null,
    source text not null,
    primary key (reader, source)
);

comment on table platform.expected_reads is 'Which tables read which; one that has never read a source has no watermark that could tell.';
comment on column platform.expected_reads.reader is 'The table that reads, as schema.table.';
comment on column platform.expected_reads.source is 'The table whose log it reads, as schema.table.';

create table platform.first_day (
    first_day date primary key
);

comment on table platform.first_day is 'The first day that must be loaded, in one row at most; none where the files that land say so.';
comment on column platform.first_day.first_day is 'The day.';

grant select, insert, update, delete on platform.check_results to loader;
grant select on platform.expected_reads, platform.first_day to loader;
