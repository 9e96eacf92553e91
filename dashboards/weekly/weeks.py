"""Seven days in a row: an ISO week, or the week that ends on any day."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from dashboards.app.formats import days_label

DAYS = 7
YEAR = 52
"""Weeks in a year: so many weeks before, the days of the week are the same."""

_WEEK = re.compile(r"(\d{4})-W(\d{2})", re.ASCII)


@dataclass(frozen=True)
class Week:
    """Seven days, the last of which is ``last``."""

    last: dt.date

    @classmethod
    def named(cls, text: str) -> Week:
        """The ISO week of a name like 2026-W47.

        Raises:
            ValueError: there is no such week.
        """
        match = _WEEK.fullmatch(text)
        if match is None:
            raise ValueError(f"{text!r} is not a week; for example 2026-W47")
        try:
            return cls(dt.date.fromisocalendar(int(match[1]), int(match[2]), DAYS))
        except ValueError:
            raise ValueError(f"{text!r}: there is no such week") from None

    @classmethod
    def before_day(cls, day: dt.date) -> Week:
        """The last complete ISO week before a day."""
        return cls(day - dt.timedelta(days=day.isoweekday()))

    @property
    def first(self) -> dt.date:
        """The first day."""
        return self.last - dt.timedelta(days=DAYS - 1)

    @property
    def span(self) -> tuple[dt.date, dt.date]:
        """The first and the last day."""
        return self.first, self.last

    @property
    def days(self) -> Sequence[dt.date]:
        """Its days, in order."""
        return [self.first + dt.timedelta(days=number) for number in range(DAYS)]

    @property
    def name(self) -> str:
        """The name of an ISO week, such as 2026-W47; for other weeks, the first and the last day."""
        if self.last.isoweekday() != DAYS:
            return f"{self.first} to {self.last}"
        year, number, _ = self.last.isocalendar()
        return f"{year}-W{number:02d}"

    @property
    def is_iso(self) -> bool:
        """Whether it is from Monday to Sunday."""
        return self.last.isoweekday() == DAYS

    @property
    def title(self) -> str:
        """What a headline calls it: Week 2026-W47, or Seven days to 25 Nov 2026."""
        return f"Week {self.name}" if self.is_iso else f"Seven days to {days_label(self.last, self.last)}"

    @property
    def label(self) -> str:
        """Its days in words: 16 Nov – 22 Nov 2026."""
        return days_label(*self.span)

    def before(self, weeks: int) -> Week:
        """The week that is some weeks earlier.

        Raises:
            OverflowError: there are no such days.
        """
        return Week(self.last - dt.timedelta(weeks=weeks))

    def missing(self, loaded: Collection[dt.date]) -> Sequence[dt.date]:
        """Its days that are not among some days."""
        return [day for day in self.days if day not in loaded]


def last_loaded_week(loaded: Collection[dt.date], today: dt.date) -> Week | None:
    """The last ISO week before today of which all days are loaded; None if there is none."""
    ends = (day for day in loaded if day.isoweekday() == DAYS and day < today)
    return next((week for week in map(Week, sorted(ends, reverse=True)) if not week.missing(loaded)), None)
