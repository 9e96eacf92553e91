"""Checks a folder of a user's own exports before anything is loaded, and reports what prevents a load.

What belongs here: pure functions from a folder to a report. What does not: the database, and the final decision about
a row (sql/ddl/060_rules.sql); the value rules here need only the text of a value.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute

from ecommerce_platform.feeds.columns import BLANKS, FEEDS, OPTIONAL_FEEDS
from ecommerce_platform.feeds.days import days_of_feed, spans_of, visible_names
from ecommerce_platform.feeds.files import FeedFile, FeedFileError, feed_file_name
from ecommerce_platform.feeds.reader import read_feed_file
from ecommerce_platform.feeds.values import SEVERAL, SHARE, VALUE_RULES, ValueRule

# pyarrow creates its functions at import time, so a type checker cannot see them.
pc: Any = pyarrow.compute


@dataclass(frozen=True)
class ValueHint:
    """Values of one column that production will reject, in one file or in all files of a feed."""

    column: str
    fault: str
    rows: int
    share: float
    """Share of the rows that could be split into columns, 0 to 1."""
    example: str
    """One such value, truncated to 40 characters."""
    advice: str
    """The fix for the most frequent likely cause; empty if none is known."""


@dataclass(frozen=True)
class FileCheck:
    """One file of a day: its properties, or the error that prevents its load."""

    feed: str
    day: dt.date
    path: Path
    file: FeedFile | None
    error: str | None
    hints: tuple[ValueHint, ...] = ()
    stopped_by: tuple[str, ...] = ()
    """Columns with too many invalid values for staging's check, which blocks the day; ``malformed`` for the rows."""


@dataclass(frozen=True)
class FeedCheck:
    """All files of one feed. Days are business days, in order."""

    feed: str
    is_missing: bool
    """Whether the feed's folder is missing."""
    days: tuple[dt.date, ...]
    missing_days: tuple[dt.date, ...]
    """Days without a file of this feed, between the first and the last day of any feed; none if it is optional."""
    ignored: tuple[str, ...]
    """File names that are not a day, such as ``2024-1-31.csv``; these files are not read."""
    rows: int
    malformed_rows: int
    malformed_days: tuple[dt.date, ...]
    extra_columns: tuple[str, ...]
    errors: tuple[str, ...]
    """One line per file that cannot be loaded: feed, day, file, the problem, and what to do."""
    hints: tuple[ValueHint, ...]
    stopped_days: dict[str, tuple[dt.date, ...]]
    """For each column (or ``malformed``), the days that staging's check will block because of it."""

    @property
    def prevents_a_load(self) -> bool:
        """Whether this feed prevents the load of any day of the range."""
        is_incomplete = self.is_missing or not self.days or bool(self.missing_days)
        return (is_incomplete and self.feed not in OPTIONAL_FEEDS) or bool(self.errors or self.stopped_days)

    def to_json(self) -> dict[str, object]:
        """As plain JSON."""
        return {
            "feed": self.feed,
            "prevents_a_load": self.prevents_a_load,
            "folder_is_missing": self.is_missing,
            "files": len(self.days),
            "rows": self.rows,
            "malformed_rows": self.malformed_rows,
            "malformed_days": [day.isoformat() for day in self.malformed_days],
            "first_day": self.days[0].isoformat() if self.days else None,
            "last_day": self.days[-1].isoformat() if self.days else None,
            "missing_days": [day.isoformat() for day in self.missing_days],
            "extra_columns": list(self.extra_columns),
            "ignored": list(self.ignored),
            "errors": list(self.errors),
            "hints": [asdict(hint) for hint in self.hints],
            "stopped_days": {name: [day.isoformat() for day in days] for name, days in self.stopped_days.items()},
        }


@dataclass(frozen=True)
class FolderCheck:
    """A folder of exports."""

    folder: Path
    feeds: tuple[FeedCheck, ...]
    """The feeds, in flow order."""
    ignored: tuple[str, ...]
    """Entries of the folder that are not a feed."""

    @property
    def prevents_a_load(self) -> bool:
        """Whether any day of the range cannot be loaded."""
        return any(feed.prevents_a_load for feed in self.feeds)

    @property
    def days(self) -> tuple[dt.date, ...]:
        """Every day from the first to the last day of any feed."""
        return _range_of(day for feed in self.feeds for day in feed.days)

    def lines(self) -> list[str]:
        """The report as text for a terminal."""
        lines = [line for feed in self.feeds for line in _lines_of(feed)]
        lines += [f"{name!r} in the folder is not a feed and is ignored" for name in self.ignored]
        if self.prevents_a_load:
            return [*lines, "The folder cannot be loaded as it is: fix the lines marked with !"]
        first = self.days[0]
        settings = f"ECOMMERCE_SOURCE=landing ECOMMERCE_LANDING_DIR={self.folder} ECOMMERCE_FIRST_DAY={first}"
        return [*lines, f"The folder can be loaded. Settings: {settings}"]

    def to_json(self) -> dict[str, object]:
        """As plain JSON."""
        return {
            "folder": str(self.folder),
            "prevents_a_load": self.prevents_a_load,
            "ignored": list(self.ignored),
            "feeds": [feed.to_json() for feed in self.feeds],
        }


def check_day(folder: Path, feed: str, day: dt.date) -> FileCheck:
    """Read one file and check its values."""
    path = feed_file_name(folder, feed, day)
    try:
        file, rows = read_feed_file(path, feed, day)
    except FeedFileError as error:
        return FileCheck(feed, day, path, None, str(error))
    return FileCheck(feed, day, path, file, None, tuple(_hints_of(rows, feed)), tuple(_stopped_by(rows, feed)))


def check_folder(folder: Path, follow: Callable[[FileCheck], None] = lambda _: None) -> FolderCheck:
    """Check the files of the feeds below ``folder``; call ``follow`` after each, in flow order.

    Only one file at a time is in memory.

    Raises:
        OSError: a folder or a file cannot be read at the moment.
    """
    listed = {feed: days_of_feed(folder, feed) for feed in FEEDS}
    span = _range_of(day for days, _ in listed.values() for day in days)
    feeds = []
    for feed, (days, ignored) in listed.items():
        checks = []
        for day in days:
            checks.append(check_day(folder, feed, day))
            follow(checks[-1])
        missing = [] if feed in OPTIONAL_FEEDS else sorted(set(span) - set(days))
        feeds.append(_summary(folder, feed, checks, ignored, missing))
    others = tuple(name for name in visible_names(folder) if name not in FEEDS)
    return FolderCheck(folder, tuple(feeds), others)


def _range_of(days: Iterable[dt.date]) -> tuple[dt.date, ...]:
    known = set(days)
    if not known:
        return ()
    first = min(known)
    return tuple(first + dt.timedelta(days=number) for number in range((max(known) - first).days + 1))


def _stopped_by(rows: pa.Table, feed: str) -> Iterable[str]:
    """The columns that violate staging's contract. Duplicate keys are not checked."""
    unfit = {"malformed": len(rows) - rows["malformed"].null_count}
    for column, rule in VALUE_RULES[feed].items():
        if rule.of_most is not None:
            fits = pc.match_substring_regex(rows[column], rule.of_most.pattern)
            # A malformed row has nulls, which fit nothing.
            unfit[column] = len(rows) - (pc.sum(fits).as_py() or 0)
    return (name for name, count in unfit.items() if count >= SEVERAL and count > SHARE * len(rows))


def _hints_of(rows: pa.Table, feed: str) -> Iterable[ValueHint]:
    good = rows.filter(pc.is_null(rows["malformed"])) if rows["malformed"].null_count < len(rows) else rows
    if not len(good):
        return
    for column, rule in VALUE_RULES[feed].items():
        unfit = unfit_values(good[column], rule)
        count = len(unfit)
        if not count:
            continue
        example = str(unfit[0].as_py())
        yield ValueHint(
            column=column,
            fault=rule.fault,
            rows=count,
            share=count / len(good),
            example=example if len(example) <= 40 else example[:40] + "…",
            advice=_advice(unfit, rule),
        )


def unfit_values(values: pa.ChunkedArray, rule: ValueRule) -> pa.ChunkedArray:
    """Return the values that production will reject because of their text, trimmed."""
    values = pc.utf8_trim(values, characters=BLANKS)
    fits = pc.match_substring_regex(values, rf"\A(?:{rule.pattern})\z")
    if rule.may_be_blank:
        fits = pc.or_(fits, pc.equal(values, ""))
    return values.filter(pc.invert(fits))


def _advice(unfit: pa.ChunkedArray, rule: ValueRule) -> str:
    """The advice for the most frequent cause, if it applies to at least half of the values."""
    found = Counter(
        {
            advice: pc.sum(pc.match_substring_regex(unfit, rf"\A(?:{pattern})\z")).as_py()
            for pattern, advice in rule.causes
        }
    )
    advice, count = found.most_common(1)[0] if found else ("", 0)
    return advice if 2 * count >= len(unfit) else ""


def _summary(
    folder: Path, feed: str, checks: list[FileCheck], ignored: list[str], missing_days: list[dt.date]
) -> FeedCheck:
    files = [check.file for check in checks if check.file is not None]
    malformed = sum(file.malformed_rows for file in files)
    rows = sum(file.rows for file in files)
    return FeedCheck(
        feed=feed,
        is_missing=not (folder / feed).is_dir(),
        days=tuple(check.day for check in checks),
        missing_days=tuple(missing_days),
        ignored=tuple(ignored),
        rows=rows,
        malformed_rows=malformed,
        malformed_days=tuple(file.day for file in files if file.malformed_rows),
        extra_columns=tuple(dict.fromkeys(name for file in files for name in file.extra_columns)),
        errors=tuple(check.error for check in checks if check.error is not None),
        hints=tuple(_over_all_days(feed, checks, rows - malformed)),
        stopped_days={
            name: tuple(check.day for check in checks if name in check.stopped_by)
            for name in ("malformed", *VALUE_RULES[feed])
            if any(name in check.stopped_by for check in checks)
        },
    )


def _over_all_days(feed: str, checks: list[FileCheck], good_rows: int) -> Iterable[ValueHint]:
    for column, rule in VALUE_RULES[feed].items():
        hints = [hint for check in checks for hint in check.hints if hint.column == column]
        if not hints:
            continue
        count = sum(hint.rows for hint in hints)
        largest = max(hints, key=lambda hint: hint.rows)
        yield ValueHint(
            column=column,
            fault=rule.fault,
            rows=count,
            share=count / good_rows,
            example=largest.example,
            advice=largest.advice,
        )


def _lines_of(feed: FeedCheck) -> Iterable[str]:
    if feed.is_missing:
        fault = (
            "no folder, so there are none" if feed.feed in OPTIONAL_FEEDS else f"! the folder {feed.feed}/ is missing"
        )
        yield f"{feed.feed}: {fault}"
        return
    span = f", {feed.days[0]} to {feed.days[-1]}" if feed.days else ""
    yield f"{feed.feed}: {len(feed.days):,} files, {feed.rows:,} rows, {feed.malformed_rows:,} malformed{span}"
    if not feed.days and feed.feed not in OPTIONAL_FEEDS:
        yield "  ! there is no file named YYYY-MM-DD.csv"
    if feed.missing_days:
        yield f"  ! days without a file: {_shown_days(feed.missing_days)}"
    yield from (f"  ! {error}" for error in feed.errors)
    for name, days in feed.stopped_days.items():
        yield f"  ! {name}: too many invalid values; staging's check will block {_shown_days(days)}"
    if feed.malformed_days:
        yield f"  days with malformed rows, which will be rejected: {_shown_days(feed.malformed_days)}"
    if feed.extra_columns:
        names = ", ".join(repr(name) for name in feed.extra_columns)
        yield f"  extra columns, stored in staging.{feed.feed}.extra_columns: {names}"
    if feed.ignored:
        yield f"  ignored, because the name is not a day: {', '.join(repr(name) for name in feed.ignored)}"
    for hint in feed.hints:
        advice = f"; {hint.advice}" if hint.advice else ""
        yield f"  {hint.column}: {hint.rows:,} rows ({hint.share:.1%}) {hint.fault}, such as {hint.example!r}{advice}"


def _shown_days(days: Iterable[dt.date], limit: int = 10) -> str:
    spans = [str(first) if first == last else f"{first} to {last}" for first, last in spans_of(days)]
    return ", ".join(spans[:limit]) + (f" and {len(spans) - limit} more" if len(spans) > limit else "")
