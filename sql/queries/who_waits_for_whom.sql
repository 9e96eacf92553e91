-- Blocked sessions and the session that blocks each; to end the blocker, run pg_terminate_backend(holding_pid).
select
    waiting.pid as waiting_pid,
    waiting.application_name as waiting_application,
    date_trunc('second', now() - waiting.query_start) as waits_for,
    left(waiting.query, 80) as waiting_query,
    holding.pid as holding_pid,
    holding.application_name as holding_application,
    holding.state as holding_state,
    date_trunc('second', now() - holding.xact_start) as holding_since,
    left(holding.query, 80) as holding_query
from pg_stat_activity as waiting
cross join unnest(pg_blocking_pids(waiting.pid)) as blockers (pid)
inner join pg_stat_activity as holding on blockers.pid = holding.pid
order by waits_for desc;
