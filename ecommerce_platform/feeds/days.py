"""Days of a folder of feed files: which there are, and as ranges."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from pathlib import Path

_DAY_FILE = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})\.csv")


def days_of_feed(folder: Path, feed: str) -> tuple[list[dt.date], list[str]]:
    """The days that have a file in ``folder/feed``, in order, and the other names in it, except hidden ones.

    Raises:
        OSError: the folder cannot be read; a missing folder has no days.
    """
    days, others = [], []
    for name in visible_names(folder / feed):
        day = _day_of(name)
        if day is None:
            others.append(name)
        else:
            days.append(day)
    return days, others


def spans_of(days: Iterable[dt.date]) -> list[tuple[dt.date, dt.date]]:
    """Sorted days as contiguous ranges, each with its first and last day."""
    spans: list[tuple[dt.date, dt.date]] = []
    for day in days:
        if spans and day - spans[-1][1] == dt.timedelta(days=1):
            spans[-1] = (spans[-1][0], day)
        else:
            spans.append((day, day))
    return spans


def visible_names(folder: Path) -> list[str]:
    """The sorted names in a folder, except hidden ones; empty if there is no folder."""
    if not folder.is_dir():
        return []
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


def _day_of(name: str) -> dt.date | None:
    match = _DAY_FILE.fullmatch(name)
    try:
        return dt.date.fromisoformat(match.group(1)) if match else None
    except ValueError:
        return None
