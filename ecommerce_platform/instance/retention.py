"""What the platform may delete, and what it must retain: ``ecommerce-platform maintenance`` and the weekly job.

Retained regardless of age:

- the last materialization of every partition, with its run: the UI shows it;
- the last result of every check, with its run;
- every staging slice that production was built from. A later image of a customer, a re-sent order or a late parent
  makes production read the old rows again, which can happen for any day: deleting a slice would make the tables depend
  on the order of loads. A slice that never passed its checks, or that another load superseded, has no such reader.

Of an old successful run that is retained, the records that only its own page shows are deleted: step events, log lines
and plans.
"""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from dagster import DagsterEventType, DagsterInstance, DagsterRunStatus, RunRecord, RunsFilter
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus
from dagster._core.storage.event_log import SqlEventLogStorage, SqlEventLogStorageTable
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable, AssetKeyTable
from dagster._core.storage.schedules.schema import JobTickTable
from dagster._core.storage.schedules.sql_schedule_storage import SqlScheduleStorage
from psycopg import sql

from ecommerce_platform.feeds.columns import FEEDS
from ecommerce_platform.io_managers import PostgresConnection
from ecommerce_platform.io_managers.connection import ClientConnection
from ecommerce_platform.io_managers.locks import locked
from ecommerce_platform.io_managers.transactions import transaction
from ecommerce_platform.settings import Settings
from ecommerce_platform.storage import ObjectPath

ENDED = [DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED]
LOADED_DAYS = "production.loaded_days"
"""The table of the loads that production reads: it must not change while other loads are deleted."""

UNFINISHED = dt.timedelta(days=1)
"""Something younger may be in progress; something older and unfinished was left by a crash."""

Events = SqlEventLogStorageTable.c
Checks = AssetCheckExecutionsTable.c
Ticks = JobTickTable.c

ONLY_ON_THE_RUNS_PAGE = [
    event.value
    for event in (
        DagsterEventType.STEP_START,
        DagsterEventType.STEP_SUCCESS,
        DagsterEventType.STEP_INPUT,
        DagsterEventType.STEP_OUTPUT,
        DagsterEventType.STEP_RESTARTED,
        DagsterEventType.STEP_UP_FOR_RETRY,
        DagsterEventType.HANDLED_OUTPUT,
        DagsterEventType.LOADED_INPUT,
        DagsterEventType.ENGINE_EVENT,
        DagsterEventType.RESOURCE_INIT_STARTED,
        DagsterEventType.RESOURCE_INIT_SUCCESS,
        DagsterEventType.STEP_WORKER_STARTING,
        DagsterEventType.STEP_WORKER_STARTED,
        DagsterEventType.LOGS_CAPTURED,
        DagsterEventType.ASSET_MATERIALIZATION_PLANNED,
        DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED,
        # The check's own page reads another table.
        DagsterEventType.ASSET_CHECK_EVALUATION,
    )
]
"""Events of a successful run that neither an asset's nor a check's page needs."""


@dataclass(frozen=True)
class Task:
    """A set of things that may be deleted.

    Attributes:
        name: what they are.
        count: their number.
        size: their bytes, as far as known: of the texts, not of the indexes.
        delete: deletes them.
    """

    name: str
    count: int
    size: int
    delete: Callable[[], None]


def plan(
    instance: DagsterInstance, database: PostgresConnection, settings: Settings, now: dt.datetime
) -> Iterator[Task]:
    """The deletions that are due, one at a time: run each before asking for the next, or run none.

    Args:
        instance: the instance, with its storage in a SQL database.
        database: the platform's database, as a role that may delete from staging.
        settings: the retention periods and the folders.
        now: the current time, with its time zone.
    """
    cutoff = now - dt.timedelta(days=settings.retention_days)
    events, ticks = instance.event_log_storage, instance.schedule_storage
    assert isinstance(events, SqlEventLogStorage)
    assert isinstance(ticks, SqlScheduleStorage)
    old = instance.get_run_records(RunsFilter(statuses=ENDED, updated_before=cutoff))
    kept = _needed_runs(instance, events, old)
    yield _runs(instance, events, [run for run in old if run.dagster_run.run_id not in kept])
    successes = [
        run.dagster_run.run_id
        for run in old
        if run.dagster_run.run_id in kept and run.dagster_run.status == DagsterRunStatus.SUCCESS
    ]
    yield _rows(
        "events of older runs that are retained",
        events.index_connection,
        SqlEventLogStorageTable,
        Events.event,
        Events.run_id.in_(successes)
        & (Events.dagster_event_type.is_(None) | Events.dagster_event_type.in_(ONLY_ON_THE_RUNS_PAGE)),
    )
    yield _rows(
        "older check results",
        events.index_connection,
        AssetCheckExecutionsTable,
        Checks.evaluation_event,
        (Checks.create_timestamp < _naive(cutoff)) & Checks.id.not_in(_last_results()),
    )
    yield _rows(
        "ticks of schedules and sensors",
        ticks.connect,
        JobTickTable,
        Ticks.tick_body,
        # A schedule continues from its last tick.
        (Ticks.timestamp < _naive(cutoff))
        & Ticks.id.not_in(sa.select(sa.func.max(Ticks.id)).group_by(Ticks.selector_id)),
    )
    yield _files("logs of deleted runs, and older logs", _logs(instance, settings, cutoff, now))
    yield _files("temporary files left by a crash", _temporary_files(settings, now))
    if settings.staging_retention_days is not None:
        last = now.date() - dt.timedelta(days=settings.staging_retention_days)
        for feed in FEEDS:
            yield _staging(database, feed, last, now - UNFINISHED)


def _needed_runs(instance: DagsterInstance, events: SqlEventLogStorage, old: Sequence[RunRecord]) -> set[str]:
    """Ids of the runs that hold a latest record, and of the runs that they re-execute."""
    last = (
        sa.select(sa.func.max(Events.id))
        .where(
            Events.dagster_event_type.in_(
                [DagsterEventType.ASSET_MATERIALIZATION.value, DagsterEventType.ASSET_OBSERVATION.value]
            )
        )
        .group_by(Events.asset_key, Events.partition, Events.dagster_event_type)
    )
    with events.index_connection() as connection:
        needed = {
            run_id
            for statement in (
                sa.select(Events.run_id).where(Events.id.in_(last)).distinct(),
                sa.select(Checks.run_id).where(Checks.id.in_(_last_results())).distinct(),
                sa.select(AssetKeyTable.c.last_run_id),
            )
            for (run_id,) in connection.execute(statement)
        }
    for record in old:
        run = record.dagster_run
        if run.run_id in needed:
            needed |= {run.root_run_id or run.run_id, run.parent_run_id or run.run_id}
    return needed


def _last_results() -> sa.Select:
    """Ids of the last result of every check, and of its last record in any state."""
    verdicts = [AssetCheckExecutionRecordStatus.SUCCEEDED.value, AssetCheckExecutionRecordStatus.FAILED.value]
    last = sa.select(sa.func.max(Checks.id)).group_by(Checks.asset_key, Checks.check_name)
    return sa.select(sa.union(last, last.where(Checks.execution_status.in_(verdicts))).subquery().c[0])


def _runs(instance: DagsterInstance, events: SqlEventLogStorage, runs: Sequence[RunRecord]) -> Task:
    ids = [run.dagster_run.run_id for run in runs]
    with events.index_connection() as connection:
        size = connection.execute(
            sa.select(sa.func.coalesce(sa.func.sum(sa.func.length(Events.event)), 0)).where(Events.run_id.in_(ids))
        ).scalar_one()

    def delete() -> None:
        for run_id in ids:
            instance.delete_run(run_id)
        # Dagster does not delete these.
        with events.index_connection() as connection:
            connection.execute(sa.delete(AssetCheckExecutionsTable).where(Checks.run_id.in_(ids)))

    return Task("runs that hold no latest record", len(ids), int(size), delete)


def _rows(
    name: str, connect: Callable[[], Any], table: sa.Table, text: sa.ColumnElement, condition: sa.ColumnElement
) -> Task:
    counted = sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(sa.func.length(text)), 0)).where(condition)
    with connect() as connection:
        count, size = connection.execute(counted.select_from(table)).one()

    def delete() -> None:
        with connect() as connection:
            connection.execute(sa.delete(table).where(condition))

    return Task(name, int(count), int(size), delete)


def _naive(moment: dt.datetime) -> dt.datetime:
    """A timestamp as Dagster stores it: in UTC, without a time zone."""
    return moment.astimezone(dt.UTC).replace(tzinfo=None)


def _files(name: str, paths: Iterable[Path]) -> Task:
    found = list(paths)
    size = sum(file.stat().st_size for path in found for file in _below(path))

    def delete() -> None:
        for path in found:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)

    return Task(name, len(found), size, delete)


def _below(path: Path) -> Iterator[Path]:
    if path.is_dir() and not path.is_symlink():
        yield from (file for file in path.rglob("*") if file.is_file() and not file.is_symlink())
    elif path.exists():
        yield path


def _logs(instance: DagsterInstance, settings: Settings, cutoff: dt.datetime, now: dt.datetime) -> Iterator[Path]:
    """Log folders of runs that Dagster no longer has, and logs that were last written before the cutoff."""
    # Of an object store, these are the few that could not be uploaded.
    stored = settings.compute_logs
    folder = settings.dagster_home / "storage" if isinstance(stored, ObjectPath) else stored
    for path in sorted(folder.glob("*")):
        written = max((file.stat().st_mtime for file in [path, *_below(path)]), default=0.0)
        is_recent = written > (now - UNFINISHED).timestamp()
        if _is_run_id(path.name):
            if written < cutoff.timestamp() or not (is_recent or instance.has_run(path.name)):
                yield path
        elif path.is_dir():
            # The folder of a sensor or schedule stays; only old files in it are deleted.
            yield from (file for file in sorted(_below(path)) if file.stat().st_mtime < cutoff.timestamp())


def _is_run_id(name: str) -> bool:
    try:
        return str(UUID(name)) == name
    except ValueError:
        return False


def _temporary_files(settings: Settings, now: dt.datetime) -> Iterator[Path]:
    """Files that an interrupted write left beside its target: hidden, and with a longer name."""
    before = (now - UNFINISHED).timestamp()
    for folder in (settings.raw, settings.extracts, settings.reports):
        if isinstance(folder, ObjectPath):
            continue  # An upload that was cut off is visible to nobody.
        for pattern in (".*.csv.*", ".*.json.*"):
            yield from (path for path in sorted(folder.rglob(pattern)) if path.stat().st_mtime < before)


def _staging(database: PostgresConnection, feed: str, last: dt.date, moment: dt.datetime) -> Task:
    """Slices of a feed before a day that production does not read: they never passed, or were superseded.

    A slice that was staged after ``moment`` may be in progress, and one in the change log of the loaded days may have
    rows that some table has yet to remove. Both are left unchanged.
    """
    table = sql.Identifier("staging", feed)

    def unread(connection: ClientConnection) -> sql.Composed:
        kept = connection.execute(
            "select load_id from production.loaded_days"
            " union select load_id from change_log.production_loaded_days where load_id is not null"
        ).fetchall()
        return sql.SQL("partition_date < {last} and loaded_at < {moment} and load_id <> all ({kept})").format(
            last=sql.Literal(last),
            moment=sql.Literal(moment),
            kept=sql.SQL("{}::bigint[]").format(sql.Literal([load for (load,) in kept])),
        )

    with database.connect() as connection:
        days, size = connection.execute(
            sql.SQL(
                "select count(distinct partition_date), coalesce(sum(pg_column_size(slice)), 0)"
                " from {} as slice where {}"
            ).format(table, unread(connection))
        ).fetchone() or (0, 0)

    def delete() -> None:
        name = f"staging.{feed}"
        with database.connect() as connection, locked(connection, [name, LOADED_DAYS]), transaction(connection):
            connection.execute(sql.SQL("delete from {} where {}").format(table, unread(connection)))
            latest = connection.execute(
                "select load_id from platform.slices where table_name = %s and slice < %s and load_id is not null",
                (name, last),
            ).fetchall()
            loads = [load for (load,) in latest]
            left = connection.execute(
                sql.SQL("select distinct load_id from {} where partition_date < %s and load_id = any (%s)").format(
                    table
                ),
                (last, loads),
            ).fetchall()
            gone = sorted(set(loads) - {load for (load,) in left})
            # If the latest load of a day was deleted, the day reverts to the load that passed before, if any.
            passed = connection.execute(
                "select partition_date, load_id, rows_in_file, loaded_at from production.loaded_days where feed = %s",
                (feed,),
            ).fetchall()
            columns = list(zip(*passed, strict=True)) or [(), (), (), ()]
            connection.execute(
                """
                update platform.slices as slices
                set load_id = passed.load_id, row_count = passed.row_count, written_at = passed.loaded_at
                from unnest(%s::date[], %s::bigint[], %s::bigint[], %s::timestamptz[])
                    as passed (slice, load_id, row_count, loaded_at)
                where slices.table_name = %s and slices.slice = passed.slice and slices.load_id = any (%s)
                """,
                (*map(list, columns), name, gone),
            )
            connection.execute("delete from platform.slices where table_name = %s and load_id = any (%s)", (name, gone))

    return Task(f"days of staging.{feed} with a load that production does not use", days, int(size), delete)
