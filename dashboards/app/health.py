"""What the platform says of itself: the page Data Health, and the stamps on every page. Reads monitoring only."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from dagster._core.definitions.freshness import TimeWindowFreshnessPolicy

from dashboards.app.answers import Answer, Column, KpiAnswer
from dashboards.app.snapshot import reading
from ecommerce_platform.checks.freshness import latest_expected_day
from ecommerce_platform.io_managers.connection import PostgresConnection
from ecommerce_platform.layers import LAYERS

FRESH, LATE, STALE, UNKNOWN = "Fresh", "Late", "Stale", "Unknown"


@dataclass(frozen=True)
class TableReport:
    """A row of monitoring.pipeline_report."""

    table: str
    layer: str
    rows: int
    loaded_at: dt.datetime | None
    latest_day: dt.date | None


@dataclass(frozen=True)
class CheckReport:
    """A row of monitoring.quality_report."""

    table: str
    check: str
    severity: str
    passed: bool
    violations: int | None
    description: str
    checked_at: dt.datetime

    @property
    def result(self) -> str:
        """Passed, Warning or Failed."""
        return "Passed" if self.passed else "Warning" if self.severity == "WARN" else "Failed"


@dataclass(frozen=True)
class Health:
    """What was read."""

    tables: Sequence[TableReport]
    checks: Sequence[CheckReport]
    rejects: Sequence[tuple[str, str, int]]
    rejected_rows: int
    """Each counted once, however many reasons it has."""

    @property
    def refreshed_at(self) -> dt.datetime | None:
        """When the sales were last loaded."""
        return next((report.loaded_at for report in self.tables if report.table == "warehouse.fact_sales"), None)


def read_health(connection: PostgresConnection) -> Health:
    """Read the reports.

    Raises:
        DatabaseError: the database cannot be read.
    """
    with reading(connection) as source:
        tables = source.execute(
            """
            select table_name, layer, row_count, last_materialized_at, latest_day
            from monitoring.pipeline_report
            order by table_name
            """
        ).fetchall()
        checks = source.execute(
            """
            select table_name, check_name, severity, passed, violations, coalesce(description, ''), checked_at
            from monitoring.quality_report
            order by passed, severity, table_name, check_name
            """
        ).fetchall()
        rejects = source.execute(
            """
            select feed, reason, row_count
            from monitoring.rejected_rows_by_reason
            order by row_count desc, feed, reason
            """
        ).fetchall()
        counted = source.execute(
            "select coalesce(sum(row_count), 0)::bigint from monitoring.rejected_rows_by_feed"
        ).fetchone()
    return Health(
        [TableReport(*row) for row in tables],
        [CheckReport(*row) for row in checks],
        rejects,
        counted[0] if counted else 0,
    )


def freshness_of(layer: str, loaded_at: dt.datetime | None, now: dt.datetime) -> str:
    """How a last load stands to the freshness policy of its layer: Fresh, Late (warns), Stale (fails) or Unknown."""
    if loaded_at is None:
        return UNKNOWN
    policy = LAYERS[layer].freshness
    assert isinstance(policy, TimeWindowFreshnessPolicy)
    age = now - loaded_at
    if age > policy.fail_window.to_timedelta():
        return STALE
    warn = policy.warn_window
    return LATE if warn is not None and age > warn.to_timedelta() else FRESH


def staleness(health: Health, last_day: dt.date | None, now: dt.datetime) -> str | None:
    """One sentence when the sales are older than they may be; None while they are fresh."""
    expected = latest_expected_day(now)
    if last_day is not None and last_day < expected:
        return f"The data go through {last_day:%-d %b %Y}; {expected:%-d %b %Y} was due."
    state = freshness_of("warehouse", health.refreshed_at, now)
    if state in (LATE, STALE) and health.refreshed_at is not None:
        hours = int((now - health.refreshed_at).total_seconds() // 3600)
        return f"The last load was {hours} hours ago, longer than the freshness policy of the warehouse allows."
    return None


def health_answers(health: Health, now: dt.datetime) -> tuple[dict[str, KpiAnswer], dict[str, Answer]]:
    """The numbers of the page Data Health."""
    results = [check.result for check in health.checks]
    kpis = {
        "checks_passed": KpiAnswer(results.count("Passed"), why=f"of {len(results):,}"),
        "checks_failed": KpiAnswer(results.count("Failed"), why="severity ERROR"),
        "checks_warning": KpiAnswer(results.count("Warning"), why="severity WARN"),
        "rejected_rows": KpiAnswer(
            health.rejected_rows, why=f"for {sum(count for _, _, count in health.rejects):,} reasons in all"
        ),
    }
    return kpis, {
        "freshness": _freshness(health, now),
        "check_results": _check_results(health),
        "failing_checks": _failing_checks(health),
        "rejects": _rejects(health),
    }


def _freshness(health: Health, now: dt.datetime) -> Answer:
    rows = []
    for layer in LAYERS:
        reports = [report for report in health.tables if report.layer == layer]
        if not reports:
            continue
        # A layer is as fresh as the table that was loaded the longest ago.
        times = [report.loaded_at for report in reports]
        oldest = None if None in times else min(time for time in times if time is not None)
        days = [report.latest_day for report in reports if report.latest_day is not None]
        rows.append(
            (
                layer,
                freshness_of(layer, oldest, now),
                oldest,
                min(days) if days else None,
                len(reports),
                sum(report.rows for report in reports),
            )
        )
    columns = (
        Column("layer", "Layer", "text"),
        Column("state", "State", "text"),
        Column("last_load", "Last load", "moment"),
        Column("latest_day", "Latest day", "day"),
        Column("tables", "Tables", "count"),
        Column("rows", "Rows", "count"),
    )
    return Answer(columns, tuple(rows))


def _check_results(health: Health) -> Answer:
    columns = (
        Column("layer", "Layer", "text"),
        Column("result", "Result", "text"),
        Column("checks", "Checks", "count"),
    )
    rows = []
    for result in ("Passed", "Warning", "Failed"):
        for layer in LAYERS:
            count = sum(check.table.split(".")[0] == layer and check.result == result for check in health.checks)
            if count:
                rows.append((layer, result, count))
    return Answer(columns, tuple(rows))


def _failing_checks(health: Health) -> Answer:
    columns = (
        Column("table", "Table", "text"),
        Column("check", "Check", "text"),
        Column("result", "Result", "text"),
        Column("violations", "Violations", "count"),
        Column("says", "It says", "text"),
        Column("checked_at", "Checked", "moment"),
    )
    rows = [
        (check.table, check.check, check.result, check.violations, check.description, check.checked_at)
        for check in health.checks
        if not check.passed
    ]
    return Answer(columns, tuple(sorted(rows, key=lambda row: (row[2], row[0], row[1]))))


def _rejects(health: Health) -> Answer:
    columns = (Column("reason", "Reason", "text"), Column("rows", "Rows", "count"), Column("feed", "Feed", "text"))
    return Answer(columns, tuple((reason, count, feed) for feed, reason, count in health.rejects))
