"""The daily job, and the schedule that runs it for every missing day.

Dagster's own partitioned schedule looks at the last day only, so a daemon that was down for three days would leave a
gap. This one requests each of the last days that is not loaded.

No automation conditions are used. They decide asset by asset, from what Dagster has recorded, when to launch a run.
Here, what is up to date is decided in the database: each table keeps a watermark on the change logs of the tables that
it reads, committed together with its rows (:mod:`..tables.loaded_days`). Conditions would be a second answer to the
same question, and would split a day into several runs, although its checks compare tables with each other.
"""

import datetime as dt
from collections.abc import Collection, Sequence

from dagster import (
    AssetSelection,
    DagsterInstance,
    DagsterRunStatus,
    DefaultScheduleStatus,
    RunRequest,
    RunsFilter,
    ScheduleEvaluationContext,
    SkipReason,
    define_asset_job,
    schedule,
)

from ecommerce_platform.instance.orphaned_runs import fail_orphaned_runs
from ecommerce_platform.partitions import days_of_run, days_tag
from ecommerce_platform.resources.database import Database
from ecommerce_platform.settings import load_settings
from ecommerce_platform.tables.loaded_days import Loaded, what_is_loaded
from ecommerce_platform.tables.raw_files import days_with_a_new_file, last_day_to_load

DAILY_JOB = "daily"

daily_job = define_asset_job(
    DAILY_JOB,
    selection=AssetSelection.all(),
    description="Loads one day or a range of days through every file and table, and checks the result.",
    # A failed blocking check is retried with its asset: alone it would fail again.
    run_tags={"dagster/retry_strategy": "FROM_ASSET_FAILURE"},
)


def what_is_loaded_now() -> Loaded:
    """What is loaded according to the database, without the days for which a newer file has landed."""
    with Database(role="loader").connect() as connection:
        return what_is_loaded(connection).without(days_with_a_new_file(connection, load_settings()))


def days_to_request(
    today: dt.date, loaded: Loaded, under_way: Collection[str], first_day: dt.date, catch_up_days: int
) -> Sequence[dt.date]:
    """The finished days of the last ``catch_up_days`` that a schedule asks for, oldest first.

    Args:
        today: the current UTC date, which is not finished.
        loaded: what is loaded.
        under_way: partition keys that are being loaded.
        first_day: the first partition.
        catch_up_days: how far to look back, in days.
    """
    start = max(first_day, today - dt.timedelta(days=catch_up_days))
    last = today - dt.timedelta(days=1)
    spans = loaded.to_run(start, last) if start <= last else []
    days = [first + dt.timedelta(days=number) for first, end in spans for number in range((end - first).days + 1)]
    return [day for day in days if day.isoformat() not in under_way]


def days_under_way(instance: DagsterInstance) -> set[str]:
    """The days, as partition keys, that an unfinished run of the daily job is about, queued or in progress."""
    unfinished = [
        DagsterRunStatus.QUEUED,
        DagsterRunStatus.NOT_STARTED,
        DagsterRunStatus.STARTING,
        DagsterRunStatus.STARTED,
    ]
    spans = [
        days_of_run(run.tags) for run in instance.get_runs(filters=RunsFilter(job_name=DAILY_JOB, statuses=unfinished))
    ]
    return {
        (first + dt.timedelta(days=number)).isoformat()
        for first, last in filter(None, spans)
        for number in range((last - first).days + 1)
    }


@schedule(
    name="every_day",
    job=daily_job,
    cron_schedule="30 0 * * *",
    execution_timezone="UTC",
    default_status=DefaultScheduleStatus.RUNNING,
    description="Runs at 00:30 UTC. Loads yesterday and any recent day that is missing (14 days back by default;"
    " see ECOMMERCE_CATCH_UP_DAYS).",
)
def every_day(context: ScheduleEvaluationContext):
    """One run per day that has not passed, oldest first; one for yesterday where tables are behind."""
    settings = load_settings()
    fail_orphaned_runs(context.instance)
    today = context.scheduled_execution_time.astimezone(dt.UTC).date()
    # After a long outage the days of one tick may still be waiting when the next comes.
    under_way = days_under_way(context.instance)
    days = days_to_request(today, what_is_loaded_now(), under_way, settings.first_day, settings.catch_up_days)
    last = last_day_to_load(settings, today)
    days = [day for day in days if day <= last]
    if not days:
        return SkipReason("No day is missing.")
    # The tick's date is part of the key: the next day's tick requests a failed day again.
    return [
        RunRequest(run_key=f"{day}@{today}", partition_key=day.isoformat(), tags=days_tag(day, day)) for day in days
    ]
