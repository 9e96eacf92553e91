"""Checks of a rate: every real shop has some faulty rows, and a warning that never clears is soon ignored."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import replace

from ecommerce_platform.checks.outcome import CheckOutcome, TableCheck, show
from ecommerce_platform.io_managers.connection import ClientConnection
from ecommerce_platform.io_managers.modes import Window

MOST = 0.05
"""Above this share of the rows, by more than chance, a check warns regardless of the previous days."""

HISTORY = dt.timedelta(days=14)
"""The period before the checked days that determines the usual rate."""

DEVIATIONS = 3


def rate_check(check: TableCheck, rows: str) -> TableCheck:
    """The check, changed to pass unless it finds more violations than usual, or a share above ``MOST``.

    Args:
        check: finds the violations of some days.
        rows: the end of "3 of 500 ...", which describes the violations.
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
    """The most violations in ``rows`` that do not cause a warning.

    It is the binomial mean plus three standard deviations, for the rate of the previous days if they have at least as
    many rows, and at most for ``MOST``. Up to three violations never cause a warning.
    """
    above = _upper(rows, MOST)
    if rows_before < max(rows, 1):
        return above
    return min(above, max(DEVIATIONS, _upper(rows, min(1.0, violations_before / rows_before))))


def _upper(rows: int, rate: float) -> int:
    return math.floor(rows * rate + DEVIATIONS * math.sqrt(rows * rate * (1 - rate)))
