"""Platform monitoring: the Data Health page, and the warnings on every page. Reads only the monitoring schema."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from dashboards.app.chart_data import Answer, Column, KpiAnswer
from dashboards.app.formats import count_text, day_text
from dashboards.app.snapshot_reader import reading
from ecommerce_platform.checks.freshness import latest_expected_day
from ecommerce_platform.checks.results import ALL_DAYS, CheckResult, failing_checks, last_results, worst_by_check
from ecommerce_platform.feeds.days import spans_of
from ecommerce_platform.io_managers.connection import PostgresConnection
from ecommerce_platform.layers import LATE_AFTER, LAYERS, STALE_AFTER
from ecommerce_platform.settings import load_settings
from ecommerce_platform.tables.raw_files import last_converted_day

FRESH, LATE, STALE, FAILING, UNKNOWN = "Fresh", "Late", "Stale", "Failing", "Unknown"
MOST_NAMED = 3
"""Maximum number of checks or date ranges that a notice names."""


@dataclass(frozen=True)
class TableReport:
    """A row in monitoring.pipeline_report."""

    table: str
    layer: str
    rows: int
    loaded_at: dt.datetime | None
    latest_day: dt.date | None


@dataclass(frozen=True)
class Health:
    """The state of the platform.

    Attributes:
        tables: the rows of monitoring.pipeline_report.
        results: the latest results of all checks, failures first.
        rejects: feed, reason, and number of rejected rows.
        rejected_rows: number of rejected rows; a row with several reasons counts once.
        incomplete_days: expected days with a missing or refused file, oldest first.
        behind: tables (schema.table) that have not processed every change.
        loaded_through: the last day whose files have passed, with or without orders.
    """

    tables: Sequence[TableReport] = ()
    results: Sequence[CheckResult] = ()
    rejects: Sequence[tuple[str, str, int]] = ()
    rejected_rows: int = 0
    incomplete_days: Sequence[dt.date] = ()
    behind: Sequence[str] = ()
    loaded_through: dt.date | None = None

    @property
    def refreshed_at(self) -> dt.datetime | None:
        """When warehouse.fact_sales was last loaded."""
        return next((report.loaded_at for report in self.tables if report.table == "warehouse.fact_sales"), None)


def read_health(connection: PostgresConnection) -> Health:
    """Read the monitoring reports.

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
        incomplete = source.execute("select partition_date from monitoring.incomplete_days order by 1").fetchall()
        behind = source.execute("select distinct monitoring.tables_behind() order by 1").fetchall()
        through = source.execute("select partition_date from monitoring.loaded_through").fetchone()
        results = last_results(source)
    return Health(
        [TableReport(*row) for row in tables],
        results,
        rejects,
        counted[0] if counted else 0,
        [day for (day,) in incomplete],
        [table for (table,) in behind],
        through[0] if through else None,
    )


def freshness_of(loaded_at: dt.datetime | None, now: dt.datetime) -> str:
    """The state of a load under the freshness policy: Fresh, Late (a warning), Stale (a failure), or Unknown."""
    if loaded_at is None:
        return UNKNOWN
    age = now - loaded_at
    if age > STALE_AFTER:
        return STALE
    return LATE if age > LATE_AFTER else FRESH


def staleness(health: Health, last_day: dt.date | None, now: dt.datetime) -> str | None:
    """A sentence that says why the data is stale; None if it is fresh.

    With a connector, nothing newer is due than what has been exported.
    """
    settings = load_settings()
    if settings.connector_dir is not None:
        converted = last_converted_day(settings)
        if last_day is None or converted is None or last_day >= converted:
            return None
        return f"The latest data is from {day_text(last_day)}; the exports hold orders until {day_text(converted)}."
    expected = latest_expected_day(now)
    if last_day is not None and last_day < expected:
        return f"The latest data is from {day_text(last_day)}; {day_text(expected)} was due."
    state = freshness_of(health.refreshed_at, now)
    if state in (LATE, STALE) and health.refreshed_at is not None:
        hours = int((now - health.refreshed_at).total_seconds() // 3600)
        return f"The last load was {hours} hours ago, which exceeds the warehouse's freshness policy."
    return None


class Notice(NamedTuple):
    """A warning about the data: a short badge, a title, and a sentence."""

    badge: str
    title: str
    text: str


def warnings(health: Health, last_day: dt.date | None, now: dt.datetime) -> list[Notice]:
    """The warnings about the data, most severe first."""
    notices: list[Notice] = []
    failing = failing_checks(health.results)
    if failing:
        names = [f"{result.table} {result.check} ({_days(result)})" for result in failing]
        count = len({(result.table, result.check) for result in failing})
        text = f"{_count(count, 'check is failing', 'checks are failing')}: {_first(names)}."
        notices.append(Notice(FAILING, "These numbers may be wrong.", text))
    if health.incomplete_days:
        spans = [_span(first, last) for first, last in spans_of(health.incomplete_days)]
        days = _count(len(health.incomplete_days), "day is", "days are")
        notices.append(Notice("Incomplete", "These numbers are incomplete.", f"{days} not loaded: {_first(spans)}."))
    if health.behind:
        tables = _count(len(health.behind), "table is", "tables are")
        text = f"{tables} missing recent changes: a run is in progress or has failed."
        notices.append(Notice("Behind", "These numbers are not up to date.", text))
    stale = staleness(health, last_day, now)
    if stale:
        notices.append(Notice(STALE, "These numbers are stale.", stale))
    return notices


def _count(number: int, one: str, many: str) -> str:
    return f"{count_text(number)} {one if number == 1 else many}"


def _first(names: Sequence[str]) -> str:
    left = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + left


def _days(result: CheckResult) -> str:
    return _span(result.first_day, result.last_day) if result.first_day and result.last_day else ALL_DAYS


def _span(first: dt.date, last: dt.date) -> str:
    return f"{day_text(first)}" if first == last else f"{day_text(first)} to {day_text(last)}"


def health_answers(health: Health, now: dt.datetime) -> tuple[dict[str, KpiAnswer], dict[str, Answer]]:
    """The KPIs and charts of the Data Health page."""
    results = list(_results_by_check(health).values())
    kpis = {
        "checks_passed": KpiAnswer(results.count(PASSED), why=f"of {count_text(len(results))}"),
        "checks_failed": KpiAnswer(results.count(FAILED), why="severity ERROR"),
        "checks_warning": KpiAnswer(results.count(WARNING), why="severity WARN"),
        "rejected_rows": KpiAnswer(
            health.rejected_rows, why=f"{count_text(sum(rows for _, _, rows in health.rejects))} reasons in total"
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
        # A layer is only as fresh as its least recently loaded table.
        times = [report.loaded_at for report in reports]
        oldest = None if None in times else min(time for time in times if time is not None)
        days = [report.latest_day for report in reports if report.latest_day is not None]
        is_failing = any(result.table.split(".")[0] == layer for result in failing_checks(health.results))
        rows.append(
            (
                layer,
                FAILING if is_failing else freshness_of(oldest, now),
                oldest,
                max(days, default=None),
                len(reports),
                sum(report.rows for report in reports),
            )
        )
    columns = (
        Column("layer", "Layer", "text"),
        Column("state", "Status", "text"),
        Column("last_load", "Last load", "moment"),
        Column("latest_day", "Latest day", "day"),
        Column("tables", "Tables", "count"),
        Column("rows", "Rows", "count"),
    )
    return Answer(columns, tuple(rows))


PASSED, WARNING, FAILED = "Passed", "Warning", "Failed"


def _result(result: CheckResult) -> str:
    return PASSED if result.passed else WARNING if result.severity == "WARN" else FAILED


def _results_by_check(health: Health) -> dict[tuple[str, str], str]:
    """The worst result of each check (table, name), whether for all days or for some."""
    return {key: _result(result) for key, result in worst_by_check(health.results).items()}


def _check_results(health: Health) -> Answer:
    columns = (
        Column("layer", "Layer", "text"),
        Column("result", "Result", "text"),
        Column("checks", "Checks", "count"),
    )
    counts = Counter((table.split(".")[0], result) for (table, _), result in _results_by_check(health).items())
    rows = [
        (layer, result, counts[layer, result])
        for result in (PASSED, WARNING, FAILED)
        for layer in LAYERS
        if counts[layer, result]
    ]
    return Answer(columns, tuple(rows))


def _failing_checks(health: Health) -> Answer:
    columns = (
        Column("table", "Table", "text"),
        Column("check", "Check", "text"),
        Column("result", "Result", "text"),
        Column("days", "Days", "text"),
        Column("violations", "Violations", "count"),
        Column("says", "Details", "text"),
        Column("checked_at", "Checked at", "moment"),
    )
    rows = [
        (
            result.table,
            result.check,
            _result(result),
            _days(result) if result.first_day else ALL_DAYS.capitalize(),
            result.violations,
            result.description,
            result.checked_at,
        )
        for result in health.results
        if not result.passed
    ]
    return Answer(columns, tuple(sorted(rows, key=lambda row: (row[2], row[0], row[1]))))


def _rejects(health: Health) -> Answer:
    columns = (Column("reason", "Reason", "text"), Column("rows", "Rows", "count"), Column("feed", "Feed", "text"))
    return Answer(columns, tuple((reason, count, feed) for feed, reason, count in health.rejects))
