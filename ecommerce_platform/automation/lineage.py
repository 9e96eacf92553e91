"""The sensor that sends what runs did to OpenLineage. It is there only if OpenLineage is configured.

It reads Dagster's records after a run has ended, so that a receiver that is slow or down neither fails nor delays a
run. Its cursor is the last run that was sent: what could not be sent is sent at the next tick.
"""

from __future__ import annotations

import requests
from dagster import DefaultSensorStatus, SensorDefinition, SensorEvaluationContext, SkipReason, sensor

from ecommerce_platform.instance.records import ended_runs, last_ended_run
from ecommerce_platform.settings import is_openlineage_configured, load_settings

RUNS_AT_ONCE = 10
TRY_AGAIN = {408, 425, 429}
"""Statuses of a request that may succeed later, as those from 500 on. Others say that the event is wrong."""


def lineage_sensors() -> list[SensorDefinition]:
    """The sensor, if OpenLineage is configured."""
    return [lineage] if is_openlineage_configured() else []


@sensor(
    name="lineage",
    minimum_interval_seconds=30,
    default_status=DefaultSensorStatus.RUNNING,
    description="Sends START, COMPLETE and FAIL of each run and step that ended to OpenLineage, with the datasets.",
)
def lineage(context: SensorEvaluationContext):
    """Send the next runs, oldest first; the first tick sends none and begins with the runs that end from then on."""
    if context.cursor is None:
        context.update_cursor(str(last_ended_run(context.instance)))
        return SkipReason("Sends the runs that end from now on")
    sent = 0
    for storage_id, run_id in ended_runs(context.instance, int(context.cursor), RUNS_AT_ONCE):
        fault = _send(context, run_id)
        if fault is not None:
            return SkipReason(f"{sent} runs sent; the receiver does not answer and is tried again: {fault}")
        context.update_cursor(str(storage_id))
        sent += 1
    return SkipReason(f"{sent} runs sent")


def _send(context: SensorEvaluationContext, run_id: str) -> str | None:
    """Send a run; returns the class of the error if that must be tried again."""
    # Only this sensor needs them, and only when a run has ended.
    from openlineage.client import OpenLineageClient

    from ecommerce_platform.reports.lineage_events import WANTED, lineage_events

    run = context.instance.get_run_by_id(run_id)
    if run is None:
        return None  # deleted since
    client = OpenLineageClient()
    entries = [
        logged for logged in context.instance.all_logs(run_id, of_type=WANTED) if logged.dagster_event is not None
    ]
    try:
        for event in lineage_events(run, entries, load_settings()):
            try:
                client.emit(event)
            except requests.HTTPError as error:
                status = error.response.status_code if error.response is not None else 500
                if status in TRY_AGAIN or status >= 500:
                    return f"status {status}"
                context.log.error(f"The receiver refuses an event of {event.job.name} with status {status}")
    except (requests.RequestException, OSError) as error:
        return type(error).__name__  # its text may hold the URL with a key
    finally:
        client.close()
    return None
