"""The platform's metrics for Prometheus: read from both databases whenever somebody scrapes.

Each scrape is two connections that end with it and a handful of cheap statements, under a time limit that holds even if
a database stops answering. No label holds data: labels are names of tables, checks, feeds, jobs, daemons, sensors and
schedules, so their number is bounded.
"""

from __future__ import annotations

import datetime as dt
import logging
import os
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from importlib.metadata import version
from itertools import accumulate

import psycopg
from prometheus_client.metrics_core import GaugeMetricFamily, HistogramMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from ecommerce_platform.checks import table_checks
from ecommerce_platform.checks.freshness import Clock, latest_expected_day, utc_now
from ecommerce_platform.checks.results import last_results, worst_by_check
from ecommerce_platform.feeds.columns import FEEDS
from ecommerce_platform.instance.activity import BUCKETS, Activity, activity
from ecommerce_platform.io_managers.connection import SESSION_OPTIONS, ClientConnection
from ecommerce_platform.reports.health import database_health
from ecommerce_platform.resources.database import EMBEDDED_DATABASE, embedded_server
from ecommerce_platform.settings import Settings
from ecommerce_platform.tables.loaded_days import what_is_loaded
from ecommerce_platform.tables.raw_files import last_day_to_load

log = logging.getLogger(__name__)

CONNECT_SECONDS = 3
STATEMENT_MILLISECONDS = 3000
DATABASE_SECONDS = 4
"""Connecting, all statements and closing. Prometheus waits for ten seconds by default; both databases must have
answered, or failed, by then."""

RECENT = dt.timedelta(days=7)
"""Runs that ended this long ago count in the durations."""

Rows = Iterable[tuple[Sequence[str], float]]
"""The values of the labels, and the value."""


def gauge(name: str, says: str, rows: Rows | float, labels: Sequence[str] = ()) -> GaugeMetricFamily:
    """A gauge of the platform with one value, or with one per combination of labels."""
    metric = GaugeMetricFamily(f"ecommerce_{name}", says, labels=labels)
    for values, value in [((), rows)] if isinstance(rows, int | float) else rows:
        metric.add_metric(values, value)
    return metric


class PlatformCollector(Collector):
    """Everything that ``/metrics`` says.

    A database that cannot be read is a metric (``ecommerce_up``, ``ecommerce_dagster_up``), not an error.

    Args:
        settings: which databases, and which days are expected.
        clock: returns the current time.
    """

    def __init__(self, settings: Settings, clock: Clock = utc_now):
        self._settings = settings
        self._clock = clock

    def describe(self) -> Iterable[Metric]:
        """Nothing: a registry must not scrape when this is registered."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Read both databases."""
        yield InfoMetricFamily(
            "ecommerce_build", "Version of the platform.", {"version": version("ecommerce-platform")}
        )
        yield from self._read("up", "1 if the platform's database can be read, else 0.", "", self._platform)
        dagster = "1 if Dagster's records can be read, else 0."
        yield from self._read("dagster_up", dagster, "_dagster", self._dagster)

    def _read(
        self, name: str, says: str, suffix: str, read: Callable[[ClientConnection], list[Metric]]
    ) -> Iterator[Metric]:
        metrics: list[Metric] = []
        is_up = 1
        try:
            with reading(database_of(self._settings, suffix)) as connection:
                metrics = read(connection)
        except Exception as error:  # whatever is wrong, a scrape must still get an answer
            log.warning("ecommerce_%s is 0: %s", name, " ".join(str(error).split())[:300])
            is_up = 0
        yield gauge(name, says, is_up)
        yield from metrics

    def _platform(self, connection: ClientConnection) -> list[Metric]:
        connection.execute("set local role loader")
        return [
            *self._days(connection),
            *_feeds(connection),
            *_checks(connection),
            *_tables(connection),
            *_health(connection, self._settings),
        ]

    def _days(self, connection: ClientConnection) -> Iterator[Metric]:
        now = self._clock()
        loaded = what_is_loaded(connection)
        expected = last_day_to_load(self._settings, latest_expected_day(now))
        missing = sum((last - first).days + 1 for first, last in loaded.missing(self._settings.first_day, expected))
        latest = max(loaded.days, default=None)
        yield gauge(
            "expected_day_timestamp_seconds",
            "Start of the latest day (UTC) that must be loaded by now.",
            _start(expected),
        )
        yield gauge(
            "latest_loaded_day_timestamp_seconds",
            "Start of the latest loaded day (UTC); no value before the first load.",
            () if latest is None else _start(latest),
        )
        yield gauge(
            "latest_loaded_day_age_seconds",
            "Time since the end of the latest loaded day; no value before the first load.",
            () if latest is None else now.timestamp() - _start(latest + dt.timedelta(days=1)),
        )
        yield gauge(
            "days_behind",
            "Days from the latest loaded day to the latest expected day; before the first load, all expected days.",
            missing if latest is None else max((expected - latest).days, 0),
        )
        yield gauge("missing_days", "Days from the first day to the latest expected day that are not loaded.", missing)
        yield gauge("tables_behind", "Tables that have not processed every change.", len(loaded.behind))
        (count,) = connection.execute("select count(*) from monitoring.incomplete_days").fetchone() or (0,)
        yield gauge("incomplete_days", "Days with a missing, refused or failing file.", count)

    def _dagster(self, connection: ClientConnection) -> list[Metric]:
        now = self._clock()
        return list(_activity(activity(connection, now - RECENT), now.timestamp()))


def database_of(settings: Settings, suffix: str = "") -> str:
    """The libpq URL of the platform's database, or of the one with a suffix, without starting a server."""
    if settings.database_url is None:
        return embedded_server(settings).url(f"{EMBEDDED_DATABASE}{suffix}")
    name = conninfo_to_dict(settings.database_url)["dbname"]
    return make_conninfo(settings.database_url, dbname=f"{name}{suffix}")


@contextmanager
def reading(url: str) -> Generator[ClientConnection]:
    """A read-only transaction at one snapshot, over after ``DATABASE_SECONDS`` even if nothing answers.

    Raises:
        TimeoutError: it took longer.
        psycopg.Error: the database cannot be read; ``QueryCanceled`` after ``STATEMENT_MILLISECONDS`` of one statement.
    """
    deadline = time.monotonic() + DATABASE_SECONDS
    given = {**SESSION_OPTIONS, "statement_timeout": str(STATEMENT_MILLISECONDS)}
    options = " ".join(f"-c {name}={value}" for name, value in given.items())
    connection = psycopg.connect(
        url,
        options=options,
        connect_timeout=CONNECT_SECONDS,
        tcp_user_timeout=DATABASE_SECONDS * 1000,
        keepalives_idle=DATABASE_SECONDS,
        keepalives_interval=1,
        keepalives_count=3,
        application_name="ecommerce-metrics",
        cursor_factory=psycopg.ClientCursor,
    )
    with _cut_off(connection, deadline), connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        yield connection


@contextmanager
def _cut_off(connection: ClientConnection, deadline: float) -> Generator[None]:
    """End a connection at a time of the monotonic clock, whatever it is waiting for then.

    A time limit of the server does not help a client whose server has stopped, or is out of reach.
    """
    # A descriptor of its own: that of the connection may belong to something else once it is closed.
    with socket.socket(fileno=os.dup(connection.fileno())) as line:
        is_late = threading.Event()

        def cut() -> None:
            is_late.set()
            with suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)

        timer = threading.Timer(max(deadline - time.monotonic(), 0), cut)
        timer.daemon = True
        timer.start()
        try:
            yield
        except psycopg.Error as error:
            if is_late.is_set():
                raise TimeoutError(f"the database has not answered within {DATABASE_SECONDS} seconds") from error
            raise
        finally:
            timer.cancel()
            timer.join()


def _start(day: dt.date) -> float:
    return dt.datetime.combine(day, dt.time(), dt.UTC).timestamp()


def _feeds(connection: ClientConnection) -> Iterator[Metric]:
    rows = connection.execute(
        """
        with latest as (
            select partition_date
            from monitoring.loaded_through
        ),

        loaded as (
            select
                feed,
                sum(rows_in_file) as all_rows,
                coalesce(sum(rows_in_file) filter (where partition_date = (table latest)), 0) as latest_rows
            from production.loaded_days
            group by feed
        ),

        rejected as (
            select
                feed,
                count(*) as all_rows,
                count(*) filter (where partition_date = (table latest)) as latest_rows
            from production.rejected_rows
            group by feed
        )

        select
            feeds.feed,
            coalesce(loaded.all_rows, 0),
            coalesce(loaded.latest_rows, 0),
            coalesce(rejected.all_rows, 0),
            coalesce(rejected.latest_rows, 0)
        from unnest(%s::text[]) as feeds (feed)
        left join loaded on feeds.feed = loaded.feed
        left join rejected on feeds.feed = rejected.feed
        """,
        (list(FEEDS),),
    ).fetchall()
    metrics = (
        ("feed_rows", "Rows of the loaded files of a feed."),
        ("feed_latest_day_rows", "Rows of a feed's file of the latest day whose files have passed."),
        ("feed_rejected_rows", "Rows of a feed that production rejects now."),
        ("feed_latest_day_rejected_rows", "Of the latest day's rows, those that production rejects now."),
    )
    for column, (name, says) in enumerate(metrics, 1):
        yield gauge(name, says, [((row[0],), float(row[column])) for row in rows], ["feed"])


@cache
def _known_checks() -> frozenset[tuple[str, str]]:
    return frozenset((check.table, check.name) for check in table_checks())


def _checks(connection: ClientConnection) -> Iterator[Metric]:
    worst = worst_by_check(last_results(connection))
    results = {
        key: "passed" if result.passed else "failed" if result.is_blocking else "warning"
        for key, result in worst.items()
    }
    counts = Counter({"passed": 0, "warning": 0, "failed": 0, "not_evaluated": 0})
    counts.update([*results.values(), *("not_evaluated" for key in _known_checks() if key not in results)])
    yield gauge(
        "checks",
        "Checks by the worst of their latest results.",
        [((result,), count) for result, count in counts.items()],
        ["result"],
    )
    yield gauge(
        "failing_check",
        "1 for each check that has failed (severity ERROR) or warns (severity WARN); others have no series.",
        [((*key, result.severity), 1) for key, result in worst.items() if not result.passed],
        ["table", "check", "severity"],
    )


def _tables(connection: ClientConnection) -> Iterator[Metric]:
    rows = connection.execute(
        "select table_name, row_count, total_bytes from monitoring.pipeline_report order by 1"
    ).fetchall()
    yield gauge(
        "table_rows", "Rows of a table, as the latest run reported.", [((row[0],), row[1]) for row in rows], ["table"]
    )
    yield gauge(
        "table_bytes",
        "Size of a table with its indexes, as the latest run reported.",
        [((row[0],), row[2]) for row in rows],
        ["table"],
    )


def _health(connection: ClientConnection, settings: Settings) -> Iterator[Metric]:
    for measured in database_health(connection, settings.data):
        yield gauge(measured.metric, measured.description, float(measured.value))


def _activity(found: Activity, now: float) -> Iterator[Metric]:
    durations = HistogramMetricFamily(
        "ecommerce_run_duration_seconds", "Runs that ended in the last seven days.", labels=["dagster_job", "status"]
    )
    limits = [*(str(float(limit)) for limit in BUCKETS), "+Inf"]
    for group in found.durations:
        buckets = list(zip(limits, accumulate(group.counts), strict=True))
        durations.add_metric([group.job, group.status], buckets, group.seconds)
    yield durations
    yield gauge(
        "last_run_end_timestamp_seconds",
        "End of the latest run in the last seven days.",
        [((group.job, group.status), group.last_end) for group in found.durations],
        ["dagster_job", "status"],
    )
    yield gauge("runs", "Unfinished runs by state.", [((key,), n) for key, n in found.waiting.items()], ["state"])
    yield gauge(
        "oldest_queued_run_age_seconds",
        "How long the first run in the queue has waited; 0 without one.",
        0 if found.oldest_queued is None else max(now - found.oldest_queued, 0),
    )
    yield gauge(
        "daemon_heartbeat_age_seconds",
        "Time since the latest heartbeat of a daemon.",
        [((daemon,), now - moment) for daemon, moment in found.heartbeats.items()],
        ["daemon"],
    )
    yield gauge(
        "tick_age_seconds",
        "Time since the latest tick that did not fail, of each sensor and schedule that is not stopped.",
        [((tick.kind, tick.name), now - tick.latest) for tick in found.ticks if tick.latest is not None],
        ["kind", "name"],
    )
    yield gauge(
        "tick_failed",
        "1 if the latest tick of a sensor or schedule failed, else 0.",
        [((tick.kind, tick.name), int(tick.has_failed)) for tick in found.ticks],
        ["kind", "name"],
    )
    yield gauge("dagster_database_bytes", "Size of Dagster's database on disk.", found.database_bytes)
