"""Checks of a rate: some rows of every real shop are odd, and a warning that always burns is soon read by nobody."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import replace

from ecommerce_platform.checks.outcome import CheckOutcome, TableCheck, show
from ecommerce_platform.io_managers.connection import ClientConnection
from ecommerce_platform.io_managers.modes import Window

MOST = 0.05
"""Above this share of the rows, by more than chance, a check warns whatever the days before were like."""

HISTORY = dt.timedelta(days=14)
"""The days before those that are judged that say what is usual."""

DEVIATIONS = 3


def rate_check(check: TableCheck, rows: str) -> TableCheck:
    """The check, passed as long as no more of its rows are violations than usual, and never more than ``MOST``.

    Args:
        check: finds the violations of some days.
        rows: the end of "3 of 500 ...": what the violations are.
    """

    def evaluate(connection: ClientConnection, window: Window) -> CheckOutcome:
        found = check.evaluate(connection, window)
        if not found.violations:
            return found
        most = most_usual(found.rows_tested, *_history(connection, window))
        share = f"{found.violations:,} of {found.rows_tested:,} {rows}"
        limits = {"most_expected": most}
        if found.violations > most:
            text = f"{share}; up to {most:,} is usual. First: {show(found.samples)}"
            return replace(found, description=text, metadata={**found.metadata, **limits})
        text = f"{share}, within the usual range (up to {most:,})"
        return replace(found, passed=True, description=text, metadata={**found.metadata, **limits})

    def _history(connection: ClientConnection, window: Window) -> tuple[int, int]:
        if window.is_unbounded:
            return 0, 0
        before = check.evaluate(connection, Window(window.start - HISTORY, window.start))
        return before.rows_tested, before.violations

    return replace(
        check,
        description=f"{check.description} Warns above {MOST:.0%}, or above the usual rate: that of the"
        f" previous {HISTORY.days} days plus {DEVIATIONS} standard deviations.",
        evaluate=evaluate,
        severity="WARN",
    )


def most_usual(rows: int, rows_before: int, violations_before: int) -> int:
    """The most violations in ``rows`` that are not worth a warning.

    The binomial mean plus three standard deviations: for the rate of the days before, as long as they hold at least as
    many rows as are judged, and at most for ``MOST``. Three violations are no news for a rate that small.
    """
    above = _upper(rows, MOST)
    if rows_before < max(rows, 1):
        return above
    return min(above, max(DEVIATIONS, _upper(rows, min(1.0, violations_before / rows_before))))


def _upper(rows: int, rate: float) -> int:
    return math.floor(rows * rate + DEVIATIONS * math.sqrt(rows * rate * (1 - rate)))
