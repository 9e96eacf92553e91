"""The sensor that sends what runs did to OpenLineage. It is there only if OpenLineage is configured.

It reads Dagster's records after a run has ended, so that a receiver that is slow or down neither fails nor delays a
run. What could not be sent is sent at the next tick.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import requests
from dagster import DefaultSensorStatus, SensorDefinition, SensorEvaluationContext, SkipReason, sensor
from requests.adapters import HTTPAdapter

from ecommerce_platform.instance.records import ended_runs, last_ended_run
from ecommerce_platform.settings import is_openlineage_configured, load_settings

if TYPE_CHECKING:
    from openlineage.client import OpenLineageClient
    from openlineage.client.event_v2 import RunEvent

RUNS_AT_ONCE = 10
TICK_SECONDS = 30
"""After this time a tick sends no further event; the next one goes on from there."""

TRY_AGAIN = {408, 425, 429}
"""Statuses of a request that may succeed later, as those from 500 on. Others say that the event is wrong."""


class LineageError(RuntimeError):
    """OpenLineage is configured in a way that would lose events."""


@dataclass
class Progress:
    """What was sent; the cursor of the sensor is ``RUN`` or ``RUN:EVENTS``.

    Attributes:
        run: storage ID of the event that says that the last run that was sent as a whole has ended.
        events: the number of events of the next run that were sent, too.
    """

    run: int
    events: int = 0

    @classmethod
    def of(cls, cursor: str) -> Progress:
        """Read a cursor."""
        run, _, events = cursor.partition(":")
        return cls(int(run), int(events or 0))

    def __str__(self) -> str:
        return f"{self.run}:{self.events}" if self.events else str(self.run)


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
    deadline = time.monotonic() + TICK_SECONDS
    with closing(_client()) as client:
        if context.cursor is None:
            context.update_cursor(str(last_ended_run(context.instance)))
            return SkipReason("Sends the runs that end from now on")
        sent = 0
        progress = Progress.of(context.cursor)
        for storage_id, run_id in ended_runs(context.instance, progress.run, RUNS_AT_ONCE):
            fault = _send(context, client, _events(context, run_id), progress, deadline)
            if fault is not None:
                context.update_cursor(str(progress))
                return SkipReason(f"{sent} runs sent; {fault}")
            progress = Progress(storage_id)
            context.update_cursor(str(progress))
            sent += 1
            if time.monotonic() > deadline:
                break
        return SkipReason(f"{sent} runs sent")


def _client() -> OpenLineageClient:
    """A client whose ``emit`` raises if the receiver did not take an event.

    Raises:
        LineageError: the transport of the settings does not tell.
    """
    # Only this sensor needs it.
    from openlineage.client import OpenLineageClient
    from openlineage.client.transport.http import HttpTransport

    try:
        client = OpenLineageClient()
        found = client.transport.kind
    except Exception as error:  # its text may hold the URL with a key
        client, found = None, type(error).__name__
    if client is None or not isinstance(client.transport, HttpTransport):
        if client is not None:
            client.close(0)
        raise LineageError(
            "The settings of OpenLineage must name a receiver by HTTP: OPENLINEAGE_URL, or a transport of type http"
            " with its url in openlineage.yml. Other transports do not say whether an event has arrived."
            f" Found: {found}."
        )
    # Its own attempts would last minutes; the next tick is the next attempt.
    client.transport.session.mount(client.transport.url, HTTPAdapter())
    return client


def _events(context: SensorEvaluationContext, run_id: str) -> list[RunEvent]:
    """The events of a run; none, with a message in the log, if they cannot be built: it would hold up all others."""
    from openlineage.client.serde import Serde

    from ecommerce_platform.reports.lineage_events import WANTED, lineage_events

    run = context.instance.get_run_by_id(run_id)
    if run is None:
        return []  # deleted since
    entries = [
        logged for logged in context.instance.all_logs(run_id, of_type=WANTED) if logged.dagster_event is not None
    ]
    try:
        events = list(lineage_events(run, entries, load_settings()))
        for event in events:
            Serde.to_json(event)
    except Exception:  # records of another version of the platform
        context.log.exception(f"Run {run_id} is left out: its events cannot be built")
        return []
    return events


def _send(
    context: SensorEvaluationContext,
    client: OpenLineageClient,
    events: Sequence[RunEvent],
    progress: Progress,
    deadline: float,
) -> str | None:
    """Send the events of a run from ``progress`` on, and move it; return why not all of them were sent, if so."""
    for event in events[progress.events :]:
        try:
            client.emit(event)
        except requests.HTTPError as error:
            status = error.response.status_code if error.response is not None else 500
            if status in TRY_AGAIN or status >= 500:
                return f"the receiver does not answer and is tried again: status {status}"
            context.log.error(f"The receiver refuses an event of {event.job.name} with status {status}")
        except Exception as error:  # its text may hold the URL with a key
            return f"the receiver does not answer and is tried again: {type(error).__name__}"
        progress.events += 1
        if time.monotonic() > deadline and progress.events < len(events):
            return f"{progress.events} of {len(events)} events of the next one; the rest follows at the next tick"
    return None
