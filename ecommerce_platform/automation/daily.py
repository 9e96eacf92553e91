"""The daily job, and the schedule that runs it for every day that is missing.

Dagster's own partitioned schedule looks at the last day only, so a daemon that was down for three days would leave a
hole. This one asks for each of the last days that ``warehouse.fact_sales`` does not hold.
"""

import datetime as dt
from collections.abc import Collection, Iterator, Sequence

from dagster import (
    AssetKey,
    AssetSelection,
    DagsterInstance,
    DagsterRun,
    DagsterRunStatus,
    DefaultScheduleStatus,
    RunRequest,
    RunsFilter,
    ScheduleEvaluationContext,
    SkipReason,
    define_asset_job,
    schedule,
)

from ecommerce_platform.partitions import days_of_run
from ecommerce_platform.settings import load_settings

DAILY_JOB = "daily"
LOADED = AssetKey(["warehouse", "fact_sales"])

daily_job = define_asset_job(
    DAILY_JOB,
    selection=AssetSelection.all(),
    description="Every table and file, for one day or a range of days.",
)


def missing_days(today: dt.date, loaded: Collection[str], first_day: dt.date, catch_up_days: int) -> Sequence[dt.date]:
    """The finished days of the last ``catch_up_days`` that are not loaded, oldest first.

    Args:
        today: the current UTC date, which is not finished.
        loaded: partition keys that are materialized.
        first_day: the first partition.
        catch_up_days: how far to look back, in days.
    """
    candidates = (today - dt.timedelta(days=back) for back in range(catch_up_days, 0, -1))
    return [day for day in candidates if day >= first_day and day.isoformat() not in loaded]


def loaded_days(instance: DagsterInstance) -> set[str]:
    """The days, as partition keys, whose sales are stored and whose last run got to its end.

    A run that died after ``fact_sales`` leaves aggregates and extracts behind: its days count as not loaded.
    """
    unfinished = {
        day.isoformat()
        for run, days in last_runs_of_days(instance)
        if run.status != DagsterRunStatus.SUCCESS
        for day in days
    }
    return set(instance.get_materialized_partitions(LOADED)) - unfinished


def last_runs_of_days(instance: DagsterInstance) -> Iterator[tuple[DagsterRun, set[dt.date]]]:
    """The runs that decide whether a day is loaded, newest first, each with the days whose last whole run it is."""
    decided: set[dt.date] = set()
    ended = [DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED]
    for run in instance.get_runs(filters=RunsFilter(job_name=DAILY_JOB, statuses=ended)):
        span = days_of_run(run.tags)
        # A run in this process that selects nothing has an empty selection, one of the daemon has none.
        is_whole = not run.asset_selection or run.root_run_id is not None
        if span is None or not is_whole:
            continue
        days = {span[0] + dt.timedelta(days=number) for number in range((span[1] - span[0]).days + 1)} - decided
        decided |= days
        if days:
            yield run, days


def days_under_way(instance: DagsterInstance) -> set[str]:
    """The days, as partition keys, that an unfinished run of the daily job is about: waiting, or on."""
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
    description="Half past midnight UTC: loads yesterday, and every day of the last two weeks that is missing.",
)
def every_day(context: ScheduleEvaluationContext):
    """One run a missing day, oldest first."""
    from ecommerce_platform.automation.runner import end_dead_runs  # which imports this module

    settings = load_settings()
    end_dead_runs(context.instance)
    today = context.scheduled_execution_time.astimezone(dt.UTC).date()
    # After a long outage the days of one tick may still be waiting when the next comes.
    loaded = loaded_days(context.instance) | days_under_way(context.instance)
    days = missing_days(today, loaded, settings.first_day, settings.catch_up_days)
    if not days:
        return SkipReason("No day is missing.")
    # The tick's date is part of the key: a day that failed is asked for again tomorrow, not never.
    return [
        RunRequest(run_key=f"{day}@{today}", partition_key=day.isoformat(), tags={"ecommerce/day": day.isoformat()})
        for day in days
    ]
