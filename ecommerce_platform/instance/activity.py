"""What Dagster is doing, for ``/metrics``: runs, queue, heartbeats and ticks, in five small queries of its tables.

Dagster's own functions for this load and decode whole runs and ticks. Their number grows with the history, and a scrape
comes every few seconds. Times are read from the JSON of the records: the columns hold the local time of whatever time
zone the session had.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ecommerce_platform.io_managers.connection import ClientConnection

BUCKETS = (10, 30, 60, 120, 300, 600, 1800, 3600, 7200)
"""Upper limits of the durations that are counted together, in seconds; longer runs are counted last."""

WAITING = ("QUEUED", "NOT_STARTED", "STARTING", "STARTED", "CANCELING")
ENDED = ("SUCCESS", "FAILURE", "CANCELED")


@dataclass(frozen=True)
class Durations:
    """How long the recent runs of a job with one result took.

    Attributes:
        job: its name.
        status: success, failure or canceled.
        counts: the number of runs up to each of ``BUCKETS``, and of longer ones; each run is counted once.
        seconds: the sum.
        last_end: the end of the latest one, as a Unix time.
    """

    job: str
    status: str
    counts: Sequence[int]
    seconds: float
    last_end: float


@dataclass(frozen=True)
class Ticks:
    """A sensor or schedule that is not stopped.

    Attributes:
        kind: sensor or schedule.
        name: its name.
        latest: its latest tick that did not fail, as a Unix time; None without one.
        has_failed: whether its latest tick failed.
    """

    kind: str
    name: str
    latest: float | None
    has_failed: bool


@dataclass(frozen=True)
class Activity:
    """What Dagster's records say.

    Attributes:
        durations: of the runs that ended since a given time, by job and status.
        waiting: the number of unfinished runs by state, in lower case; every state is there.
        oldest_queued: since when the first run in the queue waits, as a Unix time; None without one.
        heartbeats: the latest heartbeat of each daemon, as a Unix time.
        ticks: of each sensor and schedule.
        database_bytes: the size of Dagster's database.
    """

    durations: Sequence[Durations]
    waiting: Mapping[str, int]
    oldest_queued: float | None
    heartbeats: Mapping[str, float]
    ticks: Sequence[Ticks]
    database_bytes: int


def activity(connection: ClientConnection, since: dt.datetime) -> Activity:
    """Read what Dagster is doing.

    Args:
        connection: to Dagster's database.
        since: runs that ended earlier do not count.

    Raises:
        psycopg.Error: it cannot be read.
    """
    waiting: dict[str, int] = {state.lower(): 0 for state in WAITING}
    for state, count in connection.execute(UNFINISHED, {"states": list(WAITING)}):
        waiting[state.lower()] = count
    (oldest_queued,) = connection.execute(OLDEST_QUEUED).fetchone() or (None,)
    heartbeats = connection.execute("select daemon_type, (body::json ->> 'timestamp')::float8 from daemon_heartbeats")
    size = connection.execute("select pg_database_size(current_database())").fetchone() or (0,)
    return Activity(
        _durations(connection, since),
        waiting,
        oldest_queued,
        {name.lower(): moment for name, moment in heartbeats},
        [Ticks(*row) for row in connection.execute(TICKS)],
        size[0],
    )


def _durations(connection: ClientConnection, since: dt.datetime) -> list[Durations]:
    parameters = {"ended": list(ENDED), "since": since.timestamp(), "buckets": [float(limit) for limit in BUCKETS]}
    groups: dict[tuple[str, str], list[tuple[int, int, float, float]]] = {}
    for job, status, *counted in connection.execute(FINISHED, parameters):
        groups.setdefault((job, status.lower()), []).append((counted[0], counted[1], counted[2], counted[3]))
    found = []
    for (job, status), rows in sorted(groups.items()):
        counts = [0] * (len(BUCKETS) + 1)
        for bucket, count, _, _ in rows:
            counts[bucket] += count
        found.append(Durations(job, status, counts, sum(row[2] for row in rows), max(row[3] for row in rows)))
    return found


UNFINISHED = """
select status, count(*)
from runs
where status = any (%(states)s)
group by status
"""

OLDEST_QUEUED = """
select min(enqueued.moment)
from runs
cross join lateral (
    select (events.event::json ->> 'timestamp')::float8 as moment
    from event_logs as events
    where events.run_id = runs.run_id and events.dagster_event_type = 'PIPELINE_ENQUEUED'
    order by events.id desc
    limit 1
) as enqueued
where runs.status = 'QUEUED'
"""

# A run that failed before its first step has no start. The job of a run of selected assets is called __ASSET_JOB.
FINISHED = """
select
    trim(both '_' from pipeline_name),
    status,
    width_bucket(greatest(end_time - coalesce(start_time, end_time) - 1e-9, 0), %(buckets)s::float8[]),
    count(*),
    sum(end_time - coalesce(start_time, end_time)),
    max(end_time)
from runs
where status = any (%(ended)s) and end_time >= %(since)s
group by 1, 2, 3
"""

TICKS = """
select
    lower(instigators.instigator_type),
    instigators.instigator_body::jsonb #>> '{origin,job_name}',
    (
        select (ticks.tick_body::json ->> 'timestamp')::float8
        from job_ticks as ticks
        where ticks.selector_id = instigators.selector_id and ticks.status <> 'FAILURE'
        order by ticks.timestamp desc
        limit 1
    ),
    coalesce((
        select ticks.status = 'FAILURE'
        from job_ticks as ticks
        where ticks.selector_id = instigators.selector_id and ticks.status <> 'STARTED'
        order by ticks.timestamp desc
        limit 1
    ), false)
from instigators
where instigators.status <> 'STOPPED'
order by 1, 2
"""
