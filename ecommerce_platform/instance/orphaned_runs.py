"""Orphaned runs: their process is gone, and Dagster does not notice, because its daemon watches no worker of theirs."""

from __future__ import annotations

import socket

import psutil
from dagster import DagsterInstance, DagsterRunStatus, RunsFilter

PROCESS_TAG = "ecommerce/process"
"""The tag of a run that identifies the process that executes it."""

IN_PROGRESS = [
    DagsterRunStatus.NOT_STARTED,
    DagsterRunStatus.STARTING,
    DagsterRunStatus.STARTED,
    DagsterRunStatus.CANCELING,
]


def fail_orphaned_runs(instance: DagsterInstance) -> list[str]:
    """Fail the runs whose process was killed, and free their pool slots, which would otherwise block the next run.

    Returns:
        The ids of the runs.
    """
    failed = []
    for run in instance.get_runs(filters=RunsFilter(statuses=IN_PROGRESS)):
        if PROCESS_TAG in run.tags and not _is_alive(run.tags[PROCESS_TAG]):
            instance.report_run_failed(run, "The process that executed this run is gone.")
            failed.append(run.run_id)
    if instance.event_log_storage.supports_global_concurrency_limits:
        for run_id in instance.event_log_storage.get_concurrency_run_ids():
            run = instance.get_run_by_id(run_id)
            if run is None or (run.is_finished and PROCESS_TAG in run.tags):
                instance.event_log_storage.free_concurrency_slots_for_run(run_id)
    return failed


def this_process() -> str:
    """The value of :data:`PROCESS_TAG` for this process, unique among all that ever ran on this machine."""
    process = psutil.Process()
    return f"{socket.gethostname()} {process.pid} {process.create_time():.0f}"


def _is_alive(tag: str) -> bool:
    host, pid, created = tag.rsplit(" ", 2)
    if host != socket.gethostname():
        return True
    try:
        return abs(psutil.Process(int(pid)).create_time() - float(created)) < 2
    except psutil.Error:
        return False
