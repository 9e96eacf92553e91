"""Checks independent of Dagster: Dagster's checks and ``ecommerce-platform verify`` run the same objects.

A check returns a :class:`CheckOutcome`. It raises ``psycopg.Error`` if a query fails: an outage is never a verdict
about the data.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from string import Template
from typing import Any, Literal, LiteralString, cast

from psycopg import sql

from ecommerce_platform.io_managers.connection import ClientConnection
from ecommerce_platform.io_managers.modes import Window
from ecommerce_platform.tables.loaded_days import covers_all_days

SAMPLES = 5
"""The maximum number of failing rows that a check shows."""

Severity = Literal["ERROR", "WARN"]
Value = str | int | float | bool
ALL_DAYS = Window()
IN_WINDOW = "partition_date >= %(start)s and partition_date < %(end)s"
"""The condition that a row is from the files of a window's days; uses :func:`window_parameters`."""

IS_LATEST_LOAD = "load_id in (select load_id from platform.slices)"
"""The condition that a staging row is from the latest load of its slice, whether that passed its checks or not."""


@dataclass(frozen=True)
class CheckOutcome:
    """The result of one check.

    Attributes:
        passed: whether the check passed.
        rows_tested: the number of rows (or keys, or days) that were checked.
        violations: the number of violations, summed over the rules.
        description: one sentence; for a failure, the rule, the count and the first failing key.
        samples: up to ``SAMPLES`` failing rows, identified by their keys, as text by column.
        metadata: further numbers and texts, for example the totals that were compared.
        is_judged: False if the check could not be evaluated; then it counts neither as passed nor as failed.
    """

    passed: bool
    rows_tested: int
    violations: int
    description: str
    samples: Sequence[Mapping[str, str | None]] = ()
    metadata: Mapping[str, Value] = field(default_factory=dict)
    is_judged: bool = True


Evaluate = Callable[[ClientConnection, Window], CheckOutcome]


@dataclass(frozen=True)
class TableCheck:
    """One check of one table.

    Attributes:
        name: unique among the checks of the table.
        table: schema.table.
        description: the condition that holds if it passes.
        evaluate: checks the days of a window, given an autocommit connection; see :meth:`run`.
        severity: ERROR blocks downstream assets, WARN does not.
        reads: other tables that must be written before the check runs, if lineage does not imply it.
        is_about_now: whether it is about the current time, not the data; such checks are not part of ``verify``.
    """

    name: str
    table: str
    description: str
    evaluate: Evaluate
    severity: Severity = "ERROR"
    reads: tuple[str, ...] = ()
    is_about_now: bool = False

    def run(self, connection: ClientConnection, window: Window | None = None) -> CheckOutcome:
        """Check the rows of the window, or the whole table if there is none.

        Raises:
            psycopg.Error: a query fails.
        """
        return self.evaluate(connection, window or ALL_DAYS)


def sql_check(
    name: str,
    table: str,
    description: str,
    *,
    broken: str,
    tested: str,
    severity: Severity = "ERROR",
    reads: tuple[str, ...] = (),
    values: Mapping[str, object] | None = None,
    concerned: Mapping[str, str] | None = None,
    keys: Mapping[str, str] | None = None,
) -> TableCheck:
    """A check defined by a SELECT of the violations.

    Both SQL texts may use the dates ``%(start)s`` (included) and ``%(end)s`` (excluded).

    Args:
        name: see :class:`TableCheck`.
        table: see :class:`TableCheck`.
        description: see :class:`TableCheck`.
        broken: one row per violation. Its columns are shown, so they are keys and numbers, never personal data.
        tested: one row: ``rows_tested``, and further numbers to show. If a column ``suspects`` is 0, there are no
            violations and ``broken`` is not run.
        severity: see :class:`TableCheck`.
        reads: see :class:`TableCheck`.
        values: further bound parameters of both texts.
        concerned: conditions, by name, on the rows that the days of a run affect. A text refers to one as ``$NAME``,
            which becomes ``true`` for all days, so that PostgreSQL does not scan an index for it.
        keys: SELECTs of few values, by name, for the texts and these conditions. They are read first and bound as
            arrays, such as ``%(days)s``: otherwise, PostgreSQL expects so many that it reads a whole table.
    """

    def evaluate(connection: ClientConnection, window: Window) -> CheckOutcome:
        parameters = {**window_parameters(window), **(values or {})}
        is_whole = not concerned or covers_all_days(connection, window)
        conditions = {name: "true" if is_whole else f"({text})" for name, text in (concerned or {}).items()}
        for name, select in (keys or {}).items():
            # Those of conditions that became true are not asked for.
            if f"%({name})s" in broken + tested + "".join(conditions.values()):
                text = Template(select).substitute(conditions)
                parameters[name] = [value for (value,) in connection.execute(as_sql(text), parameters)]
        looked_for, counted = (Template(text).substitute(conditions) for text in (broken, tested))
        cursor = connection.execute(as_sql(counted), parameters)
        row: tuple[Any, ...] = cursor.fetchone() or ()
        numbers = {column.name: value for column, value in zip(cursor.description or (), row, strict=False)}
        rows_tested = int(numbers.pop("rows_tested", 0) or 0)
        is_suspect = bool(numbers.pop("suspects", True))
        metadata = {name: plain(value) for name, value in numbers.items() if value is not None}
        violations, samples = count_and_samples(connection, looked_for, parameters) if is_suspect else (0, [])
        text = (
            description
            if not violations
            else f"{_found(violations, rows_tested)}: {description} First: {show(samples)}"
        )
        return CheckOutcome(not violations, rows_tested, violations, text, samples, metadata)

    return TableCheck(name, table, description, evaluate, severity, reads)


def _found(violations: int, rows_tested: int) -> str:
    return f"{violations:,} of {rows_tested:,} rows {'break' if violations > 1 else 'breaks'} this rule"


def count_and_samples(
    connection: ClientConnection, select: str | sql.Composable, parameters: Mapping[str, object] | None = None
) -> tuple[int, list[dict[str, str | None]]]:
    """Run a SELECT once; return the number of its rows, and the first of them as text."""
    body = select if isinstance(select, sql.Composable) else as_sql(select)
    cursor = connection.execute(
        sql.SQL("select count(*) over () as violations, found.* from ({}) as found limit {}").format(
            body, sql.Literal(SAMPLES)
        ),
        parameters,
    )
    rows = cursor.fetchall()
    names = [column.name for column in cursor.description or ()][1:]
    samples = [{name: as_text(value) for name, value in zip(names, row[1:], strict=True)} for row in rows]
    return (int(rows[0][0]) if rows else 0), samples


def as_sql(text: str) -> sql.SQL:
    """Mark a text from this package, from sql/ or from Ibis as SQL. Values are bound, never part of the text."""
    return sql.SQL(cast("LiteralString", text))


def window_parameters(window: Window) -> dict[str, object]:
    """The bound parameters of a window."""
    return {"start": window.start, "end": window.end}


def as_text(value: object) -> str | None:
    """A value of a sample as text."""
    return None if value is None else str(value)


def plain(value: object) -> Value:
    """A value as a number or text for Dagster's metadata."""
    if isinstance(value, Decimal):
        return int(value) if value.as_tuple().exponent == 0 else float(value)
    if isinstance(value, dt.date):
        return value.isoformat()
    return value if isinstance(value, (bool, int, float)) else str(value)


def show(samples: Sequence[Mapping[str, str | None]]) -> str:
    """The first failing row in one line."""
    if not samples:
        return "none could be fetched."
    return ", ".join(f"{name} = {value}" for name, value in samples[0].items()) + "."
