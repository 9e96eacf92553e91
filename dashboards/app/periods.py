"""Years, months, and days of a date range: their bounds, their names, and which ones are incomplete."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from dashboards.app.formats import period_label
from dashboards.spec.fields import HIERARCHIES
from dashboards.spec.page_types import Visual

MOST_DAYS = 93
"""The longest date range, in days, whose trend starts at the day level instead of the month level."""


def first_level(visual: Visual, window: tuple[dt.date, dt.date]) -> str:
    """The initial level of a chart with a hierarchy; time starts at days for up to a quarter, otherwise at months."""
    assert visual.hierarchy is not None
    if visual.hierarchy != "time":
        return HIERARCHIES[visual.hierarchy].levels[0]
    return "day" if (window[1] - window[0]).days < MOST_DAYS else "month"


def periods_of(level: str, start: dt.date, end: dt.date) -> list[tuple[dt.date, dt.date]]:
    """First and last day of each year, month, or day that overlaps a date range."""
    periods = []
    first = {"year": start.replace(month=1, day=1), "month": start.replace(day=1), "day": start}[level]
    while first <= end:
        if level == "year":
            after = first.replace(year=first.year + 1) if first.year < dt.MAXYEAR else dt.date.max
        elif level == "month":
            after = (first.replace(day=28) + dt.timedelta(days=4)).replace(day=1)
        else:
            after = first + dt.timedelta(days=1)
        periods.append((first, after - dt.timedelta(days=1)))
        first = after
    return periods


def period_name(level: str, first: dt.date) -> str:
    """The URL value of a period: 2026, 2026-03, or 2026-03-14."""
    return first.isoformat()[: {"year": 4, "month": 7, "day": 10}[level]]


Periods = Sequence[tuple[dt.date, dt.date]]
"""The first and the last day of each period."""


def partial_periods(level: str, periods: Periods, start: dt.date, end: dt.date) -> tuple[int, ...]:
    """Positions of the periods that are only partly within a date range."""
    if level == "day":
        return ()
    return tuple(place for place, (first, last) in enumerate(periods) if first < start or last > end)


def partial_note(level: str, periods: Periods, partial: Sequence[int], where: str = "") -> str:
    """A sentence that names the periods that are incomplete, and where; empty if there are none."""
    if not partial:
        return ""
    names = [period_label(period_name(level, periods[place][0])) for place in partial]
    return f"{' and '.join(names)} {'is' if len(names) == 1 else 'are'} incomplete{where}."


def weekday_counts(start: dt.date, end: dt.date) -> list[int]:
    """How often each day of the week, starting with Monday, occurs in a date range."""
    days = (end - start).days + 1
    return [max(0, (days - (weekday - start.weekday()) % 7 + 6) // 7) for weekday in range(7)]
