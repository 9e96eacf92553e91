"""Monitoring: the platform reports on itself. Reads Dagster's records and the server's catalog, read by people."""

import datetime as dt
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path

import pandas as pd
from dagster import (
    AssetExecutionContext,
    AssetsDefinition,
    MetadataValue,
    Output,
    RunRecord,
    RunsFilter,
    asset,
)

from ecommerce_platform.assets.analytics import PANDAS_TYPES, extracts, frame_type
from ecommerce_platform.checks.results import last_results, worst_by_check
from ecommerce_platform.checks.volume import ENOUGH, recent_rows, usual_range
from ecommerce_platform.io_managers import Merge
from ecommerce_platform.io_managers.connection import ClientConnection
from ecommerce_platform.layers import LAYERS
from ecommerce_platform.partitions import daily, window_of_run
from ecommerce_platform.reports.health import database_health
from ecommerce_platform.reports.status import TableState, states_of, table_keys
from ecommerce_platform.resources.database import Database
from ecommerce_platform.settings import load_settings
from ecommerce_platform.tables.asset import asset_arguments, spec_of
from ecommerce_platform.tables.columns import columns_of

SHOWN = 50
"""Rows that a summary shows at most."""

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


def report_asset(
    name: str,
    *,
    key: tuple[str, ...],
    description: str,
    rows: Callable[[AssetExecutionContext, ClientConnection], pd.DataFrame],
    summary: Callable[[pd.DataFrame], str],
) -> AssetsDefinition:
    """A report, stored in monitoring.NAME and as a JSON file.

    Args:
        name: its table.
        key: the table's key columns.
        description: one sentence.
        rows: gives the report.
        summary: what a person should see of it first, in Markdown; it is kept with each event, so it is short.
    """
    table = f"monitoring.{name}"
    spec = spec_of(table, description, Merge(key=key), {"Asset": Path(__file__).resolve()}, is_daily=False)

    @asset(
        **asset_arguments(spec),
        deps=[extract.key for extract in extracts],
        io_manager_key="publisher",
        dagster_type=frame_type(table),
    )
    def build(context: AssetExecutionContext, database: Database) -> Output[pd.DataFrame]:
        with database.connect() as connection:
            frame = rows(context, connection)
        return Output(frame, metadata={"report": MetadataValue.md(summary(frame))})

    return build


def _markdown(frame: pd.DataFrame) -> str:
    """A frame as a Markdown table; a cell without a value is empty."""

    def line(values: Iterable[object]) -> str:
        cells = ("" if pd.isna(value) else str(value) for value in values)  # type: ignore[call-overload]
        return "| " + " | ".join(cell.replace("|", r"\|").replace("\n", " ") for cell in cells) + " |"

    return "\n".join([line(frame.columns), line(["---"] * len(frame.columns)), *map(line, frame.to_numpy())])


def quality_rows(context: AssetExecutionContext, connection: ClientConnection) -> pd.DataFrame:
    """One row per check that has run: its last result, or a failure where several results count."""
    rows = []
    for (table, check), result in sorted(worst_by_check(last_results(connection)).items()):
        score = score_of(result.passed, result.rows_tested, result.violations)
        rows.append(
            {
                "table_name": table,
                "check_name": check,
                "severity": result.severity,
                "passed": result.passed,
                "rows_tested": result.rows_tested,
                "violations": result.violations,
                "score": score,
                "grade": grade_of(result.passed, score),
                "description": result.description,
                "checked_at": result.checked_at,
                "days": result.days,
            }
        )
    return _typed("monitoring.quality_report", rows)


def quality_summary(frame: pd.DataFrame) -> str:
    """One line per layer, then every check that did not pass."""
    layers = frame.assign(layer=frame["table_name"].str.split(".").str[0], failed=~frame["passed"].astype(bool))
    scores = layers.assign(score=layers["score"].astype(float)).groupby("layer", sort=False)
    by_layer = scores.agg(
        checks=("passed", "size"), not_passed=("failed", "sum"), score=("score", "mean"), worst_grade=("grade", "max")
    )
    by_layer = by_layer.reindex([name for name in LAYERS if name in by_layer.index]).round(2).reset_index()
    bad = layers[layers["failed"]]
    columns = [
        "table_name",
        "check_name",
        "days",
        "severity",
        "grade",
        "score",
        "rows_tested",
        "violations",
        "description",
    ]
    told = _markdown(bad[columns].head(SHOWN)) if len(bad) else "Every check passed."
    return f"{_markdown(by_layer)}\n\n{told}"


def pipeline_rows(context: AssetExecutionContext, connection: ClientConnection) -> pd.DataFrame:
    """One row per table: size, last materialization and its run, latest day, lag behind the run's days, and volume."""
    window = window_of_run(context.run.tags)
    last_day = dt.date.fromisoformat(daily.get_last_partition_key() or "")
    asked = last_day if window.is_unbounded else window.end - dt.timedelta(days=1)
    keys = [key for key in table_keys() if key.path[0] != "monitoring"]
    states = states_of(context.instance, connection, keys)
    ids = sorted({state.run_id for state in states if state.run_id})
    runs = {record.dagster_run.run_id: record for record in context.instance.get_run_records(RunsFilter(run_ids=ids))}
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
            **_run(runs.get(state.run_id or "")),
            "write_seconds": state.write_seconds,
            **_volume(connection, state),
        }
        for state in states
    ]
    return _typed("monitoring.pipeline_report", rows)


def _run(record: RunRecord | None) -> dict[str, object]:
    if record is None or record.start_time is None:
        return {}
    end = record.end_time or dt.datetime.now(dt.UTC).timestamp()
    return {
        "last_run_status": record.dagster_run.status.value,
        "last_run_seconds": round(max(0.0, end - record.start_time), 1),
    }


def _volume(connection: ClientConnection, state: TableState) -> dict[str, object]:
    """Whether a feed's latest day holds as many rows as its weekday usually does, as the volume check says."""
    layer, feed = state.table.split(".")
    if layer != "staging" or state.latest_day is None:
        return {}
    row = connection.execute(
        "select rows_in_file from production.loaded_days where feed = %s and partition_date = %s",
        (feed, state.latest_day),
    ).fetchone()
    history = recent_rows(connection, feed, state.latest_day)
    if row is None or len(history) < ENOUGH:
        return {"latest_day_rows": row and row[0]}
    least, most = usual_range(history)
    return {
        "latest_day_rows": row[0],
        "least_expected_rows": least,
        "most_expected_rows": most,
        "is_unusual": not least <= row[0] <= most,
    }


def pipeline_summary(frame: pd.DataFrame) -> str:
    """One line per layer, one per run that stored something, and the days with an unusual volume."""
    by_layer = (
        frame.assign(write_seconds=frame["write_seconds"].astype(float))
        .groupby("layer", sort=False)
        .agg(
            tables=("table_name", "size"),
            rows=("row_count", "sum"),
            bytes=("total_bytes", "sum"),
            latest_day=("latest_day", lambda days: max((day for day in days if day), default=None)),
            lag_days=("lag_days", "min"),
            write_seconds=("write_seconds", "sum"),
        )
    )
    by_layer = by_layer.reindex([name for name in LAYERS if name in by_layer.index]).round(1).reset_index()
    columns = ["last_run_id", "last_run_status", "last_run_seconds"]
    runs = frame[columns].drop_duplicates("last_run_id").dropna(subset=["last_run_id"]).head(SHOWN)
    unusual = frame[frame["is_unusual"].fillna(False).astype(bool)]
    volume = ["table_name", "latest_day", "latest_day_rows", "least_expected_rows", "most_expected_rows"]
    told = _markdown(unusual[volume]) if len(unusual) else "No volume is unusual."
    return f"{_markdown(by_layer)}\n\n{_markdown(runs)}\n\n{told}"


def health_rows(context: AssetExecutionContext, connection: ClientConnection) -> pd.DataFrame:
    """One row per measurement of the database and its disk."""
    now = dt.datetime.now(dt.UTC)
    rows = [
        {**asdict(metric), "is_healthy": metric.is_healthy, "measured_at": now}
        for metric in database_health(connection, load_settings().data)
    ]
    return _typed("monitoring.database_health", rows)


def health_summary(frame: pd.DataFrame) -> str:
    """All measurements, unhealthy ones first."""
    return _markdown(
        frame.sort_values(["is_healthy", "metric"])[["metric", "value", "unit", "is_healthy", "description"]]
    )


def _typed(table: str, rows: list[dict]) -> pd.DataFrame:
    expected = {column.name: PANDAS_TYPES.get(column.base_type, "object") for column in columns_of(table)}
    frame = pd.DataFrame(rows, columns=pd.Index(expected), dtype=object)
    return frame.astype({name: type_ for name, type_ in expected.items() if type_ != "object"})


quality_report = report_asset(
    "quality_report",
    key=("table_name", "check_name"),
    description="One row per check: its last result, with a score and a grade.",
    rows=quality_rows,
    summary=quality_summary,
)

pipeline_report = report_asset(
    "pipeline_report",
    key=("table_name",),
    description="One row per table: size, last run, latest day, lag, and whether that day's volume is unusual.",
    rows=pipeline_rows,
    summary=pipeline_summary,
)

health_report = report_asset(
    "database_health",
    key=("metric",),
    description="One row per measurement of the database and its disk, with its healthy range.",
    rows=health_rows,
    summary=health_summary,
)
