-- Statements that are running now, longest first, and what they wait for.
select
    pid,
    usename as login,
    application_name,
    state,
    date_trunc('second', now() - query_start) as running_for,
    wait_event_type,
    wait_event,
    left(query, 120) as query
from pg_stat_activity
where datname = current_database() and state <> 'idle' and pid <> pg_backend_pid()
order by query_start;
