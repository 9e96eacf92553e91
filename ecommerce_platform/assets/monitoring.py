"""Monitoring: what the platform says of itself. Reads Dagster's records and the server's catalogue, read by people."""

import datetime as dt
from pathlib import Path

import pandas as pd
from dagster import (
    AssetCheckSeverity,
    AssetExecutionContext,
    AssetKey,
    AssetsDefinition,
    MetadataValue,
    Output,
    asset,
)
from psycopg import sql

from ecommerce_platform.assets.analytics import PANDAS_TYPES, extracts, frame_type
from ecommerce_platform.assets.ddl_columns import columns_of
from ecommerce_platform.assets.tables import spec_of, window_of_run
from ecommerce_platform.io_managers import Merge
from ecommerce_platform.io_managers.connection import ClientConnection
from ecommerce_platform.partitions import daily, one_run
from ecommerce_platform.resources.database import Database
from ecommerce_platform.resources.files import json_rows, write_atomically
from ecommerce_platform.settings import load_settings

GRADES = ((99.0, "B"), (95.0, "C"), (80.0, "D"))
DAY_COLUMNS = ("partition_date", "sale_date")
SMALL_TABLE_ROWS = 100_000


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
            frame, metadata={"rows": len(frame), "path": str(path), "report": MetadataValue.md(_markdown(frame))}
        )

    return build


def _markdown(frame: pd.DataFrame) -> str:
    def line(values: object) -> str:
        return "| " + " | ".join(str(value).replace("|", r"\|").replace("\n", " ") for value in values) + " |"  # type: ignore[attr-defined]

    return "\n".join([line(frame.columns), line(["---"] * len(frame.columns)), *map(line, frame.to_numpy())])


def quality_rows(context: AssetExecutionContext, connection: ClientConnection) -> pd.DataFrame:
    """The last evaluation of every check that has run: a row a check."""
    keys = _asset_graph().asset_check_keys
    records = context.instance.event_log_storage.get_latest_asset_check_execution_by_key(list(keys))
    rows = []
    for key, record in records.items():
        evaluation = record.evaluation
        if evaluation is None:
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


def pipeline_rows(context: AssetExecutionContext, connection: ClientConnection) -> pd.DataFrame:
    """A row a table: its size, its last materialization, its latest day and how far that lags behind the run's."""
    keys = [key for key in _asset_graph().materializable_asset_keys if key.path[0] not in ("raw", "monitoring")]
    records = {record.asset_entry.asset_key: record for record in context.instance.get_asset_records(keys)}
    window = window_of_run(context)
    last_key = daily.get_last_partition_key()
    asked = window.end - dt.timedelta(days=1) if not window.is_unbounded else dt.date.fromisoformat(last_key or "")
    rows = []
    for key in sorted(keys):
        record = records.get(key)
        entry = record.asset_entry if record else None
        materialized = entry.last_materialization_record if entry else None
        latest = _latest_day(connection, key)
        rows.append(
            {
                "table_name": ".".join(key.path),
                "layer": key.path[0],
                "row_count": _row_count(connection, key),
                "total_bytes": _one(connection, "select pg_total_relation_size(%s::regclass)", ".".join(key.path)),
                "last_materialized_at": dt.datetime.fromtimestamp(materialized.timestamp, dt.UTC)
                if materialized
                else None,
                "last_run_id": entry.last_run_id if entry else None,
                "latest_day": latest,
                "lag_days": (asked - latest).days if latest else None,
            }
        )
    return _typed("monitoring.pipeline_report", rows)


def _asset_graph():
    # Imported late, because the definitions import this module.
    from ecommerce_platform.definitions import defs

    return defs.resolve_asset_graph()


def _typed(table: str, rows: list[dict]) -> pd.DataFrame:
    expected = {column.name: PANDAS_TYPES.get(column.type, "object") for column in columns_of(table)}
    frame = pd.DataFrame(rows, columns=list(expected), dtype=object)
    return frame.astype({name: type_ for name, type_ in expected.items() if type_ != "object"})


def _one(connection: ClientConnection, statement: str, *parameters: object):
    row = connection.execute(statement, parameters).fetchone()  # type: ignore[arg-type]
    return row[0] if row else None


def _row_count(connection: ClientConnection, key: AssetKey) -> int:
    estimate = _one(
        connection, "select reltuples::bigint from pg_catalog.pg_class where oid = %s::regclass", ".".join(key.path)
    )
    if estimate is not None and estimate > SMALL_TABLE_ROWS:
        return estimate
    row = connection.execute(sql.SQL("select count(*) from {}").format(sql.Identifier(*key.path))).fetchone()
    return row[0] if row else 0


def _latest_day(connection: ClientConnection, key: AssetKey) -> dt.date | None:
    column = _one(
        connection,
        "select column_name from information_schema.columns where table_schema = %s and table_name = %s"
        " and column_name = any(%s) order by column_name limit 1",
        *key.path,
        list(DAY_COLUMNS),
    )
    if column is None:
        return None
    row = connection.execute(
        sql.SQL("select max({}) from {}").format(sql.Identifier(column), sql.Identifier(*key.path))
    ).fetchone()
    return row[0] if row else None


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
