"""The last check results, in the database: read by the dashboards, ``status``, the reports and the alerts.

A check stores its result immediately, so that a run that it stops still shows the reason. A failure over some days
remains, for each of them, until that day is checked again; and the last result over all days is stored beside the last
one over some days. See sql/ddl/150_monitoring.sql.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import psycopg
from psycopg.types.json import Jsonb

from ecommerce_platform.checks.outcome import CheckOutcome, Severity, TableCheck
from ecommerce_platform.io_managers.connection import ClientConnection
from ecommerce_platform.io_managers.modes import Window

ALL_DAYS = "all days"


@dataclass(frozen=True)
class CheckResult:
    """The result of a check for some days: a row of monitoring.check_results.

    Attributes:
        table: schema.table.
        check: the name of the check.
        severity: ERROR or WARN.
        passed: whether the check passed.
        first_day: the first checked day; None for all days.
        last_day: the last checked day; None for all days.
        rows_tested: the number of rows, keys or days.
        violations: the number of violations, summed over the rules.
        description: one sentence.
        checked_at: the time of the check, with its time zone.
    """

    table: str
    check: str
    severity: Severity
    passed: bool
    first_day: dt.date | None
    last_day: dt.date | None
    rows_tested: int
    violations: int
    description: str
    checked_at: dt.datetime

    @property
    def days(self) -> str:
        """The days in words: ``all days``, ``2024-03-01`` or ``2024-03-01 to 2024-03-07``."""
        if self.first_day is None:
            return ALL_DAYS
        return str(self.first_day) if self.first_day == self.last_day else f"{self.first_day} to {self.last_day}"

    @property
    def is_blocking(self) -> bool:
        """Whether it failed with severity ERROR."""
        return not self.passed and self.severity == "ERROR"

    def to_json(self) -> dict[str, object]:
        """As plain JSON."""
        return {
            "table": self.table,
            "check": self.check,
            "severity": self.severity,
            "passed": self.passed,
            "days": self.days,
            "violations": self.violations,
            "description": self.description,
            "checked_at": self.checked_at.isoformat(),
        }


def record_results(
    connection: ClientConnection, window: Window, results: Iterable[tuple[TableCheck, CheckOutcome]]
) -> None:
    """Store the results of some checks over the days of a window, in one transaction.

    Args:
        connection: as loader.
        window: the checked days. A window that includes every stored day stands for all days.
        results: each check with its outcome. A check that was not evaluated is not stored.
    """
    rows = [
        {
            "table_name": check.table,
            "check_name": check.name,
            "severity": check.severity,
            "passed": outcome.passed,
            "rows_tested": outcome.rows_tested,
            "violations": outcome.violations,
            "description": outcome.description,
            "is_about_now": check.is_about_now,
        }
        for check, outcome in results
        if outcome.is_judged
    ]
    if rows:
        days = {"start": window.start, "end": window.end, "is_unbounded": window.is_unbounded}
        # A question of its own: Citus takes no statement that reads a table on every node and writes one on this node.
        is_whole = connection.execute(IS_WHOLE, days).fetchone()
        connection.execute(RECORD, {"results": Jsonb(rows), "is_whole": bool(is_whole and is_whole[0]), **days})


def last_results(connection: ClientConnection) -> list[CheckResult]:
    """The last results of every check, failures first: one over all days, and one over some days.

    Failures of other days that have not been checked again are also included.
    """
    rows = connection.execute(
        """
        select
            table_name, check_name, severity, passed, first_day, last_day, rows_tested, violations, description,
            checked_at
        from monitoring.check_results
        order by passed, severity, table_name, check_name, first_day nulls first
        """
    ).fetchall()
    return [CheckResult(*row) for row in rows]


def forget_former_checks(url: str, checks: Iterable[TableCheck]) -> None:
    """Delete the results of checks that no longer exist, because they could never pass again.

    Args:
        url: a libpq URL of the owner.
        checks: all checks that exist.
    """
    names = [(check.table, check.name) for check in checks]
    with psycopg.connect(url) as connection:
        connection.execute(
            "delete from platform.check_results"
            " where (table_name, check_name) not in (select * from unnest(%s::text[], %s::text[]))",
            ([table for table, _ in names], [name for _, name in names]),
        )


def worst_by_check(results: Iterable[CheckResult]) -> dict[tuple[str, str], CheckResult]:
    """The decisive result of each check (table, name) that has several: a failure takes precedence over a pass."""
    worst: dict[tuple[str, str], CheckResult] = {}
    for result in sorted(results, key=lambda result: result.passed):
        worst.setdefault((result.table, result.check), result)
    return worst


def failing_checks(results: Sequence[CheckResult]) -> list[CheckResult]:
    """The results that failed with severity ERROR."""
    return [result for result in results if result.is_blocking]


IS_WHOLE = """
select not exists (
    select 1 from platform.slices where slice < %(start)s or slice >= %(end)s
    union all
    select 1 from production.loaded_days where partition_date < %(start)s or partition_date >= %(end)s
)
"""

RECORD = """
with given as (
    select
        new.table_name,
        new.check_name,
        case when new.is_about_now or %(is_unbounded)s then '(,)' else daterange(%(start)s, %(end)s) end as days,
        %(is_whole)s or new.is_about_now as is_whole,
        new.severity,
        new.passed,
        new.rows_tested,
        new.violations,
        new.description
    from jsonb_to_recordset(%(results)s) as new (
        table_name text, check_name text, severity text, passed boolean, rows_tested bigint, violations bigint,
        description text, is_about_now boolean
    )
),

-- What a new result says nothing of stays: of a failure the other days, of all days the last result.
gone as (
    delete from platform.check_results as old
    using given
    where
        old.table_name = given.table_name
        and old.check_name = given.check_name
        and (old.days, old.is_whole) <> (given.days, given.is_whole)
        and case
            when old.passed or old.severity = 'WARN' then not old.is_whole or given.is_whole
            when lower_inf(old.days) then given.is_whole
            else old.days && given.days
        end
    returning old.*, given.days as judged_days
),

left_over as (
    insert into platform.check_results
    select
        gone.table_name, gone.check_name, other.days, false, gone.severity, gone.passed, gone.rows_tested,
        gone.violations, gone.description, gone.checked_at
    from gone
    cross join unnest(datemultirange(gone.days) - datemultirange(gone.judged_days)) as other (days)
    where not gone.passed and gone.severity = 'ERROR' and not lower_inf(gone.days)
    on conflict do nothing
)

insert into platform.check_results (
    table_name, check_name, days, is_whole, severity, passed, rows_tested, violations, description
)
select * from given
on conflict (table_name, check_name, days, is_whole) do update set
    severity = excluded.severity,
    passed = excluded.passed,
    rows_tested = excluded.rows_tested,
    violations = excluded.violations,
    description = excluded.description,
    checked_at = clock_timestamp()
"""
