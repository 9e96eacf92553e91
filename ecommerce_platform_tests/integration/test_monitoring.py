"""The platform's monitoring reports are correct."""

from __future__ import annotations

import datetime as dt
import shutil
from decimal import Decimal
from pathlib import Path

import pandas as pd
import psycopg
import pytest

from ecommerce_platform.assets.monitoring import _volume, pipeline_summary, quality_summary
from ecommerce_platform.io_managers import PostgresConnection
from ecommerce_platform.postgres.ddl import DDL_DIR, apply_ddl
from ecommerce_platform.postgres.embedded import EmbeddedPostgres
from ecommerce_platform.reports.health import Metric, database_health
from ecommerce_platform.reports.status import TableState
from ecommerce_platform_tests.harness import day


def measure(url: str, folder: Path) -> dict[str, Metric]:
    with PostgresConnection(url=url, role="loader").connect() as connection:
        return {metric.metric: metric for metric in database_health(connection, folder)}


def test_the_loader_sees_how_long_another_session_keeps_a_transaction_open(database_url: str, tmp_path: Path) -> None:
    assert measure(database_url, tmp_path)["longest_transaction_seconds"].value == 0
    with psycopg.connect(database_url) as other:
        other.execute("select 1")
        other.execute("select pg_sleep(0.05)")
        health = measure(database_url, tmp_path)
    assert 0 < health["longest_transaction_seconds"].value < 60
    assert all(metric.value >= 0 for metric in health.values())
    assert health["database_bytes"].value > 1_000_000


@pytest.mark.parametrize(("rows", "is_unusual"), [(400, True), (110, False), (3, True)])
def test_an_unusual_volume_is_reported(database_url: str, rows: int, is_unusual: bool) -> None:
    with psycopg.connect(database_url, cursor_factory=psycopg.ClientCursor) as connection:
        connection.execute(
            "insert into production.loaded_days select 'products', %s - 7 * n, now(), 100 + n, 1000 + n"
            " from generate_series(1, 8) as n",
            (day(100),),
        )
        connection.execute(
            "insert into production.loaded_days values ('products', %s, now(), %s, 2000)", (day(100), rows)
        )
        state = TableState("staging.products", rows, 0, day(100), None, None, None)
        told = _volume(connection, state)
    assert (told["latest_day_rows"], told["is_unusual"]) == (rows, is_unusual)


def test_a_database_that_stood_before_gets_the_new_reports_with_their_rights(
    postgres_server: EmbeddedPostgres, tmp_path: Path
) -> None:
    older = tmp_path / "ddl"
    shutil.copytree(DDL_DIR, older)
    for name in ("120_monitoring.sql", "178_comments_reports.sql"):
        (older / name).unlink()
    postgres_server.create_database("older")
    url = postgres_server.url("older")
    apply_ddl(url, older)
    applied = apply_ddl(url)
    assert applied[:2] == ["120_monitoring.sql", "160_what_people_see.sql"]
    later = sorted(path for path in DDL_DIR.glob("*.sql") if path.name >= "175")
    assert applied[2:] == [path.name for path in later if path.read_text().startswith("-- repeatable:")]
    with PostgresConnection(url=url, role="reader").connect() as connection:
        connection.execute("select * from monitoring.layer_report, monitoring.database_health")
    assert measure(url, tmp_path)["deadlocks"].is_healthy


def test_the_summaries_show_what_needs_attention_first() -> None:
    checks = pd.DataFrame(
        {
            "table_name": ["staging.products", "warehouse.fact_sales"],
            "check_name": ["contract", "contract"],
            "days": ["all days", "2024-01-01"],
            "severity": ["ERROR", "ERROR"],
            "passed": pd.array([True, False], dtype="boolean"),
            "rows_tested": pd.array([10, 100], dtype="Int64"),
            "violations": pd.array([0, 5], dtype="Int64"),
            "score": [100.0, 95.0],
            "grade": ["A", "C"],
            "description": ["fine", "a | in it"],
            "checked_at": [dt.datetime(2024, 1, 1, tzinfo=dt.UTC)] * 2,
        }
    )
    text = quality_summary(checks)
    assert "| warehouse | 1 | 1 | 95.0 | C |" in text
    assert r"| warehouse.fact_sales | contract | 2024-01-01 | ERROR | C | 95.0 | 100 | 5 | a \| in it |" in text
    assert "| staging.products |" not in text
    assert "Every check passed." in quality_summary(checks[:1])
    tables = pd.DataFrame(
        {
            "table_name": ["staging.products"],
            "layer": ["staging"],
            "row_count": [3],
            "total_bytes": [8192],
            "latest_day": [day(3)],
            "lag_days": pd.array([2], dtype="Int64"),
            "write_seconds": [0.5],
            "last_run_id": ["one"],
            "last_run_status": ["SUCCESS"],
            "last_run_seconds": [12.5],
            "latest_day_rows": [3],
            "least_expected_rows": [80],
            "most_expected_rows": [120],
            "is_unusual": pd.array([True], dtype="boolean"),
        }
    )
    text = pipeline_summary(tables)
    assert "| staging | 1 | 3 | 8192 | 2024-01-03 | 2 | 0.5 |" in text
    assert "| one | SUCCESS | 12.5 |" in text
    assert "| staging.products | 2024-01-03 | 3 | 80 | 120 |" in text


@pytest.mark.parametrize(("value", "is_healthy"), [(9, False), (10, True), (80, True), (81, False)])
def test_a_value_is_healthy_within_its_limits(value: int, is_healthy: bool) -> None:
    assert Metric("x", Decimal(value), "percent", Decimal(10), Decimal(80), "x").is_healthy is is_healthy
