"""Monitoring: what the platform says of itself. Reads Dagster's records and the server's catalogue, read by people."""

import datetime as dt
from collections.abc import Iterable
from pathlib import Path

import pandas as pd
from dagster import (
    AssetCheckEvaluation,
    AssetCheckKey,
    AssetCheckSeverity,
    AssetExecutionContext,
    AssetsDefinition,
    MetadataValue,
    Output,
    asset,
)
from dagster._core.storage.asset_check_execution_record import (
    AssetCheckExecutionRecord,
    AssetCheckExecutionRecordStatus,
)

from ecommerce_platform.assets.analytics import PANDAS_TYPES, extracts, frame_type
from ecommerce_platform.assets.ddl_columns import columns_of
from ecommerce_platform.assets.tables import spec_of, window_of_run
from ecommerce_platform.io_managers import Merge
from ecommerce_platform.io_managers.connection import ClientConnection
from ecommerce_platform.partitions import daily, one_run
from ecommerce_platform.resources.database import Database
from ecommerce_platform.resources.files import json_rows, write_atomically
from ecommerce_platform.settings import load_settings
from ecommerce_platform.status import states_of, table_keys

GRADES = ((99.0, "B"), (95.0, "C"), (80.0, "D"))


def score_of(passed: bool, rows_tested: int | None, violations: int | None) -> float:
    """100 * (1 - violations / rows tested), from 0 to 100; without counts 100 when passed, else 0."""
    if violations is None or not rows_tested:
        return 100.0 if passed else 0.0
    return round(max(0.0, 100 * (1 - violations / rows_tested)), 2)


def grade_of(passed: bool, score: float) -> str:
    """A for a check that passed; else by score: B from 99, C from 95, D from 80, F below."""
    if passed:
        return "A"
    return next((grade for least, grade in GRADES if score >= least), "F")


def report_asset(name: str, *, key: tuple[str, ...], description: str, rows) -> AssetsDefinition:
    """A report: ``rows(context, connection)`` gives its DataFrame, stored in monitoring.NAME and as a JSON file."""
    table = f"monitoring.{name}"
    spec = spec_of(table, description, Merge(key=key), Path(__file__), is_daily=False)

    @asset(
        key=spec.key,
        description=spec.description,
        group_name=spec.group_name,
        owners=spec.owners,
        kinds=spec.kinds,
        metadata=spec.metadata,
        deps=[extract.key for extract in extracts],
        io_manager_key="io_manager",
        dagster_type=frame_type(table),
        backfill_policy=one_run,
        pool=table,
    )
    def build(context: AssetExecutionContext, database: Database) -> Output[pd.DataFrame]:
        with database.connect() as connection:
            frame = rows(context, connection)
        path = load_settings().reports / f"{name}.json"
        write_atomically(path, json_rows(frame))
        return Output(
            frame,
            metadata={"rows": len(frame), "path": str(path), "report": MetadataValue.md(_markdown(frame))},
        )

    return build


def _markdown(frame: pd.DataFrame) -> str:
    def line(values: Iterable[object]) -> str:
        return "| " + " | ".join(str(value).replace("|", r"\|").replace("\n", " ") for value in values) + " |"  # type: ignore[attr-defined]

    return "\n".join([line(frame.columns), line(["---"] * len(frame.columns)), *map(line, frame.to_numpy())])


def quality_rows(context: AssetExecutionContext, connection: ClientConnection) -> pd.DataFrame:
    """The last evaluation of every check that has run: a row a check."""
    # Imported late, because the definitions import this module.
    from ecommerce_platform.definitions import defs

    keys = defs.resolve_asset_graph().asset_check_keys
    records = context.instance.event_log_storage.get_latest_asset_check_execution_by_key(list(keys))
    rows = []
    for key, record in records.items():
        record = _last_evaluated(context, key, record)
        evaluation = record.evaluation if record else None
        if not isinstance(evaluation, AssetCheckEvaluation):
            continue
        counts = {
            name: int(value.value) if (value := evaluation.metadata.get(name)) is not None else None
            for name in ("rows_tested", "violations")
        }
        score = score_of(evaluation.passed, counts["rows_tested"], counts["violations"])
        rows.append(
            {
                "table_name": ".".join(key.asset_key.path),
                "check_name": key.name,
                "severity": "WARN" if evaluation.severity == AssetCheckSeverity.WARN else "ERROR",
                "passed": evaluation.passed,
                **counts,
                "score": score,
                "grade": grade_of(evaluation.passed, score),
                "description": evaluation.description,
                "checked_at": dt.datetime.fromtimestamp(record.create_timestamp, dt.UTC),
            }
        )
    rows.sort(key=lambda row: (row["table_name"], row["check_name"]))
    return _typed("monitoring.quality_report", rows)


def _last_evaluated(context: AssetExecutionContext, key: AssetCheckKey, record: AssetCheckExecutionRecord):
    """The record, or where this run has only planned the check (it comes after this report) the one before."""
    if isinstance(record.evaluation, AssetCheckEvaluation):
        return record
    done = {AssetCheckExecutionRecordStatus.SUCCEEDED, AssetCheckExecutionRecordStatus.FAILED}
    history = context.instance.event_log_storage.get_asset_check_execution_history(key, limit=1, status=done)
    return history[0] if history else None


def pipeline_rows(context: AssetExecutionContext, connection: ClientConnection) -> pd.DataFrame:
    """A row a table: its size, its last materialization, its latest day and how far that lags behind the run's."""
    window = window_of_run(context)
    last_day = dt.date.fromisoformat(daily.get_last_partition_key() or "")
    asked = last_day if window.is_unbounded else window.end - dt.timedelta(days=1)
    keys = [key for key in table_keys() if key.path[0] != "monitoring"]
    rows = [
        {
            "table_name": state.table,
            "layer": state.table.split(".")[0],
            "row_count": state.rows,
            "total_bytes": state.total_bytes,
            "last_materialized_at": state.materialized_at,
            "last_run_id": state.run_id,
            "latest_day": state.latest_day,
            "lag_days": max(0, (asked - state.latest_day).days) if state.latest_day else None,
        }
        for state in states_of(context.instance, connection, keys)
    ]
    return _typed("monitoring.pipeline_report", rows)


def _typed(table: str, rows: list[dict]) -> pd.DataFrame:
    expected = {column.name: PANDAS_TYPES.get(column.type, "object") for column in columns_of(table)}
    frame = pd.DataFrame(rows, columns=pd.Index(expected), dtype=object)
    return frame.astype({name: type_ for name, type_ in expected.items() if type_ != "object"})


quality_report = report_asset(
    "quality_report",
    key=("table_name", "check_name"),
    description="One row a check: its last result, with a score and a grade.",
    rows=quality_rows,
)

pipeline_report = report_asset(
    "pipeline_report",
    key=("table_name",),
    description="One row a table: size, last materialization, latest day and lag.",
    rows=pipeline_rows,
)
