"""Runs the daily job over a range of days in this process, and tells what happens while it happens."""

import datetime as dt
import logging
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from dagster import (
    AssetCheckSeverity,
    AssetKey,
    AssetSelection,
    DagsterEvent,
    DagsterEventType,
    DagsterExecutionInterruptedError,
    DagsterInstance,
    Definitions,
    EventLogEntry,
    JsonMetadataValue,
)

from ecommerce_platform.assets.raw import REFUSED_DAYS
from ecommerce_platform.automation.daily import DAILY_JOB
from ecommerce_platform.instance.compute_logs import StoredComputeLogs
from ecommerce_platform.instance.orphaned_runs import PROCESS_TAG, fail_orphaned_runs, this_process
from ecommerce_platform.instance.records import FAILED_CHECK
from ecommerce_platform.instance.side_by_side import execute_job
from ecommerce_platform.instance.storage import DataFolderComputeLogs
from ecommerce_platform.partitions import range_tags

REFUSING_STEPS = ("raw__", "check__staging")
"""The steps that refuse a day for what is in its files."""

Listener = Callable[[DagsterEvent], None]


class SelectionError(ValueError):
    """A selection of assets that cannot be understood, or that selects nothing."""


@dataclass(frozen=True)
class RunOutcome:
    """How a run ended.

    Attributes:
        run_id: its id.
        success: whether it succeeded.
        failures: a line for each step that failed.
        warnings: what its steps have warned of.
        refused_days: the days whose files could not be taken.
        is_refused: whether nothing failed but files and the checks of staging: other days may succeed.
    """

    run_id: str
    success: bool
    failures: Sequence[str]
    warnings: Sequence[str] = ()
    refused_days: frozenset[dt.date] = frozenset()
    is_refused: bool = False


@dataclass
class _Heard:
    """What the events of a run have told so far."""

    failures: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    failed_steps: set[str] = field(default_factory=set)
    refused_days: set[dt.date] = field(default_factory=set)
    is_interrupted: bool = False

    @property
    def is_refused(self) -> bool:
        """Whether nothing failed but the steps that refuse a day for what is in its files."""
        return bool(self.failed_steps) and all(step.startswith(REFUSING_STEPS) for step in self.failed_steps)

    def add(self, entry: EventLogEntry) -> None:
        event = entry.dagster_event
        if event is None:
            if entry.level == logging.WARNING:
                self.warnings.append(entry.user_message)
            return
        if event.event_type == DagsterEventType.RUN_FAILURE:
            self.is_interrupted |= _is_interrupt(event.job_failure_data.error)
        if event.is_step_failure:
            self.is_interrupted |= _is_interrupt(event.step_failure_data.error)
            self.failed_steps.add(event.step_key or "")
            self.refused_days.update(_refused_days(event))
        if event.event_type == DagsterEventType.ASSET_CHECK_EVALUATION:
            evaluation = event.asset_check_evaluation_data
            if not evaluation.passed and evaluation.severity == AssetCheckSeverity.ERROR:
                table = ".".join(evaluation.asset_key.path)
                self.failures.append(f"{table}, check {evaluation.check_name}: {evaluation.description}")
        elif event.is_step_failure and not _is_failed_check(event):
            self.failures.append(_explain(event))


def run_days(
    definitions: Definitions,
    instance: DagsterInstance,
    start: dt.date,
    end: dt.date,
    select: str | None = None,
    listener: Listener | None = None,
) -> RunOutcome:
    """Materialize the assets for the days from ``start`` to ``end``, both included, in one run.

    Args:
        definitions: the platform as Dagster sees it.
        instance: where the run is recorded.
        select: an asset selection as in Dagster's UI, for example ``group:warehouse`` or ``key:"staging/*"+``.
        listener: called with each event, in this process.

    Raises:
        SelectionError: ``select`` selects no asset.
        KeyboardInterrupt: somebody has interrupted it; the run is recorded as failed.
    """
    keys = None if select is None else selected_keys(definitions, select)
    fail_orphaned_runs(instance)
    run_id = str(uuid.uuid4())
    heard = _Heard()

    def hear(entry: EventLogEntry) -> None:
        heard.add(entry)
        if listener is not None and entry.dagster_event is not None:
            listener(entry.dagster_event)

    logs = instance.compute_log_manager
    if isinstance(logs, DataFolderComputeLogs | StoredComputeLogs):
        logs.is_captured = False
    instance.add_event_listener(run_id, hear)
    result = execute_job(
        definitions.resolve_job_def(DAILY_JOB),
        instance,
        run_id=run_id,
        run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        tags={**range_tags(start, end), PROCESS_TAG: this_process()},
        assets=keys,
    )
    if heard.is_interrupted:
        raise KeyboardInterrupt
    if not result.success and not heard.failures:
        heard.failures.append(_why_it_never_began(instance, run_id))
    return RunOutcome(
        run_id, result.success, heard.failures, heard.warnings, frozenset(heard.refused_days), heard.is_refused
    )


def selected_keys(definitions: Definitions, select: str) -> list[AssetKey]:
    """The assets that a selection names, sorted; of those that the platform does not materialize, none.

    Raises:
        SelectionError: it cannot be understood, or selects nothing.
    """
    try:
        graph = definitions.resolve_asset_graph()
        keys = sorted(AssetSelection.from_string(select).resolve(graph) & graph.materializable_asset_keys)
    except Exception as error:
        raise SelectionError(f"--select {select!r}: {error}") from None
    if not keys:
        raise SelectionError(f"--select {select!r}: no such asset; try 'group:warehouse' or 'key:warehouse/fact_sales'")
    return keys


def step_count(definitions: Definitions, select: str | None = None) -> int:
    """How many steps a run has, for a progress bar; the whole job's without a selection."""
    if select is not None:
        return len(selected_keys(definitions, select))
    return len(list(definitions.resolve_job_def(DAILY_JOB).nodes))


def _is_failed_check(event: DagsterEvent) -> bool:
    # The check has told what it found already.
    error = event.step_failure_data.error
    return error is not None and error.cls_name == FAILED_CHECK


def _is_interrupt(error: Any) -> bool:
    """Whether an error that Dagster recorded comes from an interrupt."""
    while error is not None and error.cls_name != DagsterExecutionInterruptedError.__name__:
        error = error.cause
    return error is not None


def _refused_days(event: DagsterEvent) -> set[dt.date]:
    given = event.step_failure_data.user_failure_data
    days = given.metadata.get(REFUSED_DAYS) if given else None
    listed = days.value if isinstance(days, JsonMetadataValue) and isinstance(days.value, list) else []
    return {dt.date.fromisoformat(str(day)) for day in listed}


def _why_it_never_began(instance: DagsterInstance, run_id: str) -> str:
    """What Dagster noted of a run in which no step failed."""
    records = instance.get_records_for_run(run_id, of_type=DagsterEventType.RUN_FAILURE).records
    for record in records:
        event = record.event_log_entry.dagster_event
        data = event.job_failure_data if event is not None else None
        if data is not None and data.error is not None:
            return f"The run failed before any of its steps: {' '.join(data.error.message.split())}"
        if event is not None and event.message:
            return f"The run failed before any of its steps: {event.message}"
    return "The run failed before any of its steps, and Dagster recorded no reason. See its page in the UI."


def _explain(event: DagsterEvent) -> str:
    given = event.step_failure_data.user_failure_data
    if given is not None and given.description:
        return f"{event.step_key}: {given.description}"
    error = event.step_failure_data.error
    while error is not None and error.cause is not None:
        error = error.cause
    message = " ".join((error.message if error else "").split())
    return f"{event.step_key}: {message}"
