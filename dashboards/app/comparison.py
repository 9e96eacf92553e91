"""What a date range is compared with: its window of days, and the values of that window beside the current ones."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

import numpy as np

from dashboards.app.chart_data import Answer, Cell, Column, measure_column, money
from dashboards.app.filters import Filters, a_year_before, period_days
from dashboards.app.formats import days_label
from dashboards.app.notes import joined
from dashboards.app.selection import Selection
from dashboards.app.snapshot import number_of
from dashboards.spec.metrics import metric

Window = tuple[dt.date, dt.date]
"""The first and the last day."""

LABELS: Mapping[str, str] = {
    "prior": "Prior period",
    "year": "Last year",
    "weekdays": "Same weekdays",
    "none": "Nothing",
}
"""The comparisons, as the URL and the page name them."""

LEAP_DAY = "29 Feb of last year is in the totals, but has no day beside it."
A_WEEK, A_YEAR_OF_WEEKS = 7, 364
DAY = dt.timedelta(days=1)


def span_of(filters: Filters, history: Window) -> Window:
    """The days that filters select, including ``period``; the last is before the first if there are none."""
    low, high = filters.days(*history)
    if filters.period is None:
        return low, high
    first, last = period_days(filters.period)
    return max(low, first), min(high, last)


def compared_window(comparison: str, span: Window, history: Window) -> Window | None:
    """The days that some days are compared with; None if there are none, or not all of them are in the history.

    Args:
        comparison: a key of ``LABELS``. The prior period has as many days and ends on the day before; that of a single
            day is the same weekday of the week before. A year before, the days have the same date, and February 29
            becomes February 28. The same weekdays are 364 days before, or, of more than 364 days, the nearest
            ones before them.
        span: the days to compare.
        history: the days with data.
    """
    start, end = span
    if end < start or comparison == "none":
        return None
    if comparison == "year":
        window = a_year_before(start), a_year_before(end)
    else:
        shift = _shift(comparison, (end - start).days + 1)
        window = start - shift, end - shift
    return window if window[0] >= history[0] else None


def _shift(comparison: str, days: int) -> dt.timedelta:
    if comparison == "prior":
        return dt.timedelta(days=A_WEEK if days == 1 else days)
    weeks = -(-days // A_WEEK) * A_WEEK
    return dt.timedelta(days=max(A_YEAR_OF_WEEKS, weeks))


def compared_parts(comparison: str, parts: Sequence[Window], window: Window) -> list[Window | None]:
    """The days of a compared window that belong to each of the consecutive parts of a date range.

    A part is compared with as many days, and all parts together with the whole window. A year before, that holds for
    the months of a leap year, too, but a single February 29 has no day beside it.
    """
    start = parts[0][0]
    if comparison != "year":
        shift = start - window[0]
        return [(first - shift, last - shift) for first, last in parts]
    if all(first == last for first, last in parts):
        return [_same_date(day, is_first=day == start) for day, _ in parts]
    nexts = [first for first, _ in parts[1:]]
    ends = [*(a_year_before(first) - DAY for first in nexts), window[1]]
    return [(a_year_before(first), end) for (first, _), end in zip(parts, ends, strict=True)]


def _same_date(day: dt.date, is_first: bool) -> Window | None:
    before = a_year_before(day)
    is_leap_day = not is_first and before == a_year_before(day - DAY)
    return None if is_leap_day else (before, before)


def change(now: Cell, before: Cell, is_percent: bool) -> Decimal | None:
    """The change between two values: in percent, or in percentage points if they are percentages themselves."""
    if not isinstance(now, int | Decimal) or not isinstance(before, int | Decimal):
        return None
    difference = Decimal(now) - Decimal(before)
    return difference if is_percent else metric("share")(difference, Decimal(before))


def with_compared(answer: Answer, before: Sequence[Cell], comparison: str, window: Window) -> Answer:
    """The answer with two more columns: what its first measure was in the compared window, and the change."""
    column = answer.columns[1]
    is_percent = column.format == "percent"
    columns = (
        Column(f"compared_{column.id}", LABELS[comparison], column.format),
        Column(f"{column.id}_change", "Change (points)" if is_percent else "Change", "percent"),
    )
    rows = tuple(
        (*row, value, change(row[1], value, is_percent)) for row, value in zip(answer.rows, before, strict=True)
    )
    compared = f"{LABELS[comparison]}: {days_label(*window)}"
    return replace(answer, columns=(*answer.columns, *columns), rows=rows, compared=compared)


def with_compared_days(
    answer: Answer, parts: Sequence[Window], selection: Selection, comparison: str, window: Window
) -> Answer:
    """A trend with the revenue of the compared window beside its own, and the days that each value is of.

    Args:
        answer: the trend; its first measure is the revenue.
        parts: the days of each of its rows.
        selection: the order lines of the compared window.
        comparison: a key of ``LABELS``.
        window: the compared window.
    """
    running = np.concatenate([[0.0], np.cumsum(selection.by_day("revenue"))])
    origin = number_of(window[0])
    others = compared_parts(comparison, parts, window)
    sums = [
        money(running[number_of(other[1]) + 1 - origin] - running[number_of(other[0]) - origin]) if other else None
        for other in others
    ]
    days = Column("compared_days", "Compared with", "text")
    rows = tuple(
        (*row, days_label(*other) if other else "no such day") for row, other in zip(answer.rows, others, strict=True)
    )
    covered = sum((other[1] - other[0]).days + 1 for other in others if other)
    note = LEAP_DAY if covered <= (window[1] - window[0]).days else ""
    named = replace(answer, columns=(*answer.columns, days), rows=rows, note=joined(answer.note, note))
    assert named.columns[1] == measure_column("revenue")
    return with_compared(named, sums, comparison, window)
