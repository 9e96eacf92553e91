"""Queries of Dagster's records of runs, checks, freshness and ticks."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from dagster import AssetCheckKey, AssetKey, DagsterEventType, DagsterInstance, DagsterRun, RunStatusChangeRecordsFilter
from dagster._core.definitions.freshness import FreshnessState
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.errors import DagsterAssetCheckFailedError
from dagster._core.scheduler.instigation import InstigatorStatus, TickStatus
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus
from dagster._core.storage.tags import WILL_RETRY_TAG

FAILED_CHECK = DagsterAssetCheckFailedError.__name__
"""The error class of a step whose blocking check failed."""


def has_passed_in_run(instance: DagsterInstance, asset: AssetKey, check: str, run_id: str) -> bool:
    """Whether the latest result of a check is from the given run and passed."""
    records = instance.event_log_storage.get_asset_check_execution_history(AssetCheckKey(asset, check), limit=1)
    return (
        bool(records) and records[0].run_id == run_id and records[0].status == AssetCheckExecutionRecordStatus.SUCCEEDED
    )


def is_retried_automatically(run: DagsterRun) -> bool:
    """Whether Dagster retries a failed run automatically."""
    return run.tags.get(WILL_RETRY_TAG) == "true"


def stale_assets(instance: DagsterInstance, assets: Sequence[AssetKey]) -> dict[AssetKey, dt.datetime]:
    """The assets whose freshness policy fails, with the time since when, ordered by key."""
    return {
        key: record.updated_at
        for key, record in sorted(instance.get_freshness_state_records(assets).items())
        if record.freshness_state == FreshnessState.FAIL
    }


def last_tick(instance: DagsterInstance, since: dt.datetime) -> dt.datetime | None:
    """The time of the last sensor tick, at least ``since``; None if all sensors are stopped."""
    states = instance.all_instigator_state(instigator_type=InstigatorType.SENSOR)
    running = [state for state in states if state.status != InstigatorStatus.STOPPED]
    if states and not running:
        return None
    ticks = [
        tick.timestamp
        for state in running
        for tick in instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=1)
        if tick.status != TickStatus.FAILURE
    ]
    return dt.datetime.fromtimestamp(max([since.timestamp(), *ticks]), dt.UTC)


RUN_ENDS = (DagsterEventType.RUN_SUCCESS, DagsterEventType.RUN_FAILURE, DagsterEventType.RUN_CANCELED)


def ended_runs(instance: DagsterInstance, after: int, limit: int) -> list[tuple[int, str]]:
    """The next runs that ended, oldest first: the storage ID of the event that says so, and the run's ID."""
    found = [
        (record.storage_id, record.run_id)
        for kind in RUN_ENDS
        for record in instance.fetch_run_status_changes(
            RunStatusChangeRecordsFilter(kind, after_storage_id=after), limit=limit, ascending=True
        ).records
    ]
    return sorted(found)[:limit]


def last_ended_run(instance: DagsterInstance) -> int:
    """The storage ID of the latest event that says that a run ended; 0 without one."""
    found = [
        record.storage_id
        for kind in RUN_ENDS
        for record in instance.fetch_run_status_changes(RunStatusChangeRecordsFilter(kind), limit=1).records
    ]
    return max(found, default=0)
