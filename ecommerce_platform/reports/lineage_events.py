"""What a run did, as OpenLineage events: a START and an end of the run and of each of its steps.

The IDs of the events follow from those of the run and its steps, so that a receiver takes an event that is sent again
for the same one. No event holds data: datasets are described, not read, and errors come without their text.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version

from dagster import AssetCheckEvaluation, DagsterEventType, DagsterRun, EventLogEntry
from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState, set_producer
from openlineage.client.facet_v2 import (
    DatasetFacet,
    InputDatasetFacet,
    JobFacet,
    RunFacet,
    column_lineage_dataset,
    data_quality_assertions_dataset,
    documentation_dataset,
    error_message_run,
    job_type_job,
    nominal_time_run,
    parent_run,
    schema_dataset,
)
from openlineage.client.naming.dataset import Postgres
from psycopg.conninfo import conninfo_to_dict

from ecommerce_platform.feeds.columns import FEEDS
from ecommerce_platform.partitions import days_of_run
from ecommerce_platform.resources.database import EMBEDDED_DATABASE
from ecommerce_platform.settings import Settings
from ecommerce_platform.storage.objects import ObjectPath
from ecommerce_platform.tables.manifest import entry, tables

NAMESPACE = "ecommerce"
"""Namespace of the jobs."""

PRODUCER = f"urn:ecommerce-platform:{version('ecommerce-platform')}"
set_producer(PRODUCER)

WANTED = {
    DagsterEventType.RUN_START,
    DagsterEventType.RUN_SUCCESS,
    DagsterEventType.RUN_FAILURE,
    DagsterEventType.RUN_CANCELED,
    DagsterEventType.STEP_START,
    DagsterEventType.STEP_SUCCESS,
    DagsterEventType.STEP_FAILURE,
    DagsterEventType.ASSET_CHECK_EVALUATION,
}
"""The events of a run that are read. Their number does not depend on how many days the run has."""

STARTS = {DagsterEventType.RUN_START, DagsterEventType.STEP_START}
ENDS = {
    DagsterEventType.RUN_SUCCESS: RunState.COMPLETE,
    DagsterEventType.RUN_FAILURE: RunState.FAIL,
    DagsterEventType.RUN_CANCELED: RunState.ABORT,
    DagsterEventType.STEP_SUCCESS: RunState.COMPLETE,
    DagsterEventType.STEP_FAILURE: RunState.FAIL,
}


@dataclass
class _Span:
    """When a step, or the run, began and ended, as Unix times, and what its checks found."""

    start: float | None = None
    end: float | None = None
    state: RunState = RunState.ABORT  # without an end, its process died
    checks: list[AssetCheckEvaluation] = field(default_factory=list)


@dataclass(frozen=True)
class Datasets:
    """Names and describes the tables and raw files of the platform.

    Attributes:
        settings: which database and folder.
    """

    settings: Settings

    def identity(self, table: str) -> tuple[str, str]:
        """Namespace and name of ``schema.table``, or of ``raw.FEED``, by the naming rules of OpenLineage."""
        schema, name = table.split(".")
        if schema == "raw":
            folder = self.settings.raw / name
            return (folder.root, folder.key) if isinstance(folder, ObjectPath) else ("file", str(folder))
        parts = conninfo_to_dict(self.settings.database_url or f"dbname={EMBEDDED_DATABASE}")
        host = str(parts.get("host") or "localhost")
        # A socket is a path of this machine.
        host = "localhost" if host.startswith("/") else host
        naming = Postgres(host, str(parts.get("port") or 5432), str(parts["dbname"]), schema, name)
        return naming.get_namespace(), naming.get_name()

    def read(self, table: str, checks: Sequence[AssetCheckEvaluation] = ()) -> InputDataset:
        """A table that a step reads, with what its checks found."""
        namespace, name = self.identity(table)
        assertions = [
            data_quality_assertions_dataset.Assertion(
                assertion=check.check_name, success=check.passed, severity=SEVERITIES[check.severity.value], params=None
            )
            for check in checks
        ]
        found: dict[str, InputDatasetFacet] = {}
        if assertions:
            facet = data_quality_assertions_dataset.DataQualityAssertionsDatasetFacet(assertions)
            found["dataQualityAssertions"] = facet
        return InputDataset(namespace, name, facets=self._facets(table), inputFacets=found)

    def written(self, table: str) -> OutputDataset:
        """A table that a step writes, with the sources of its columns."""
        namespace, name = self.identity(table)
        facets = self._facets(table)
        lineage = None if table.startswith("raw.") else entry(table).lineage
        fields = {
            column: column_lineage_dataset.Fields(
                [
                    column_lineage_dataset.InputField(
                        *self.identity(source), name, [column_lineage_dataset.Transformation("DIRECT")]
                    )
                    for source, name in sources
                ]
            )
            for column, sources in (lineage or {}).items()
            if sources
        }
        if fields:
            facets["columnLineage"] = column_lineage_dataset.ColumnLineageDatasetFacet(fields, [])
        return OutputDataset(namespace, name, facets=facets)

    def _facets(self, table: str) -> dict[str, DatasetFacet]:
        schema, name = table.split(".")
        if schema == "raw":
            columns = [schema_dataset.SchemaDatasetFacetFields(column, "text", fields=None) for column in FEEDS[name]]
            return {"schema": schema_dataset.SchemaDatasetFacet(columns)}
        known = entry(table)
        columns = [
            schema_dataset.SchemaDatasetFacetFields(
                column.name, column.type, column.comment, fields=None, ordinal_position=number
            )
            for number, column in enumerate(known.columns, 1)
        ]
        facets: dict[str, DatasetFacet] = {"schema": schema_dataset.SchemaDatasetFacet(columns)}
        if known.comment:
            facets["documentation"] = documentation_dataset.DocumentationDatasetFacet(known.comment)
        return facets


SEVERITIES = {"ERROR": "error", "WARN": "warn"}


def lineage_events(run: DagsterRun, entries: Sequence[EventLogEntry], settings: Settings) -> Iterator[RunEvent]:
    """The events of a run that ended, those of the run around those of its steps.

    Args:
        run: the run.
        entries: its events of the kinds ``WANTED``, in their order.
        settings: for the names of the datasets.
    """
    spans: dict[str | None, _Span] = {}
    for logged in entries:
        event = logged.dagster_event
        assert event is not None
        span = spans.setdefault(logged.step_key, _Span())
        if event.event_type in STARTS and span.start is None:  # the first attempt counts
            span.start = logged.timestamp
        elif event.event_type in ENDS:
            span.end, span.state = logged.timestamp, ENDS[event.event_type]
        elif event.event_type == DagsterEventType.ASSET_CHECK_EVALUATION:
            span.checks.append(event.asset_check_evaluation_data)
    whole = spans.pop(None, _Span())
    job = run.job_name.strip("_")
    starts = [span.start for span in (whole, *spans.values()) if span.start is not None]
    ends = [span.end for span in (whole, *spans.values()) if span.end is not None]
    if not starts:
        return  # it failed before it began
    nominal = _nominal_time(run.tags)
    first = whole.start or min(starts)
    last = whole.end or max(ends, default=first)
    whole_run = Run(run.run_id, dict(nominal))
    yield _event(RunState.START, first, whole_run, job, "DAG")
    datasets = Datasets(settings)
    parent = parent_run.ParentRunFacet(parent_run.Run(run.run_id), parent_run.Job(NAMESPACE, job))
    for step, span in spans.items():
        if step is None or span.start is None:
            continue
        identity = str(uuid.uuid5(uuid.UUID(run.run_id), step))
        reads, writes = datasets_of_step(step, span.checks, datasets)
        facets: dict[str, RunFacet] = {**nominal, "parent": parent}
        began = Run(identity, facets)
        yield _event(RunState.START, span.start, began, f"{job}.{step}", "TASK", reads, writes)
        failed = {} if span.state == RunState.COMPLETE else {"errorMessage": _error(step)}
        ended = Run(identity, {**facets, **failed})
        yield _event(span.state, span.end or last, ended, f"{job}.{step}", "TASK", reads, writes)
    failed = {} if whole.state == RunState.COMPLETE else {"errorMessage": _error(job)}
    yield _event(whole.state, last, Run(run.run_id, {**nominal, **failed}), job, "DAG")


def datasets_of_step(
    step: str, checks: Sequence[AssetCheckEvaluation], datasets: Datasets
) -> tuple[list[InputDataset], list[OutputDataset]]:
    """What a step reads and writes. The step of a table is called ``schema__table``, that of checks ``check__…``."""
    if step.startswith("check__"):
        checked: dict[str, list[AssetCheckEvaluation]] = {}
        for check in checks:
            checked.setdefault(".".join(check.asset_key.path), []).append(check)
        # A table may have gone since.
        known = {table: found for table, found in checked.items() if table in RAW or table in tables()}
        return [datasets.read(table, found) for table, found in known.items()], []
    table = step.replace("__", ".", 1)
    if table in RAW:
        return [], [datasets.written(table)]
    if table not in tables():
        return [], []
    staged = f"raw.{table.removeprefix('staging.')}"
    sources = (staged,) if staged in RAW and table.startswith("staging.") else entry(table).reads or ()
    return [datasets.read(source) for source in sources], [datasets.written(table)]


RAW = {f"raw.{feed}" for feed in FEEDS}


def _event(
    state: RunState,
    moment: float,
    run: Run,
    job: str,
    kind: str,
    inputs: Sequence[InputDataset] = (),
    outputs: Sequence[OutputDataset] = (),
) -> RunEvent:
    facets: dict[str, JobFacet] = {"jobType": job_type_job.JobTypeJobFacet("BATCH", "DAGSTER", kind)}
    when = dt.datetime.fromtimestamp(moment, dt.UTC).isoformat()
    return RunEvent(
        eventTime=when,
        producer=PRODUCER,
        run=run,
        job=Job(NAMESPACE, job, facets),
        eventType=state,
        inputs=list(inputs),
        outputs=list(outputs),
    )


def _nominal_time(tags: Mapping[str, str]) -> dict[str, RunFacet]:
    """The days of a run as the facet ``nominalTime``, the end excluded; nothing for a run without days."""
    days = days_of_run(tags)
    if days is None:
        return {}
    start, end = (dt.datetime.combine(day, dt.time(), dt.UTC) for day in (days[0], days[1] + dt.timedelta(days=1)))
    return {"nominalTime": nominal_time_run.NominalTimeRunFacet(start.isoformat(), end.isoformat())}


def _error(what: str) -> error_message_run.ErrorMessageRunFacet:
    # The text of the error may quote a row.
    return error_message_run.ErrorMessageRunFacet(f"{what} failed; see its run in Dagster", "python")
