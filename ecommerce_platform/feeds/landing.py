"""The landing folder: when a file that somebody puts there is whole, and whether it is another one than before.

A file counts once

- ``DAY.csv.done`` or ``DAY.done`` lies beside it, and is not older than it;
- or it was renamed into place: a rename changes the file's entry, not its content, and a write changes both;
- or neither its size nor its time of change has moved for some seconds.

A file that was read too early all the same is not lost: it differs from what was taken, and its day is due again.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ecommerce_platform.feeds.files import FeedFileError, feed_file_name

LOOK_EVERY = 0.5
"""Seconds between two looks at a file that may still be written."""


@dataclass(frozen=True)
class Taken:
    """A file as it was when it was taken last: its SHA-256 (hex), its bytes, its time of change in nanoseconds."""

    sha256: str
    bytes: int
    modified_ns: int

    def is_of(self, path: Path) -> bool:
        """Whether the file at ``path`` is the one that was taken. It is read only where size or time have changed."""
        status = path.stat()
        if (status.st_size, status.st_mtime_ns) == (self.bytes, self.modified_ns):
            return True
        return status.st_size == self.bytes and hashlib.sha256(path.read_bytes()).hexdigest() == self.sha256


def wait_until_whole(
    path: Path,
    feed: str,
    day: dt.date,
    rest: float,
    *,
    now: Callable[[], float] = time.time,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Return once the file is whole, after ``rest`` seconds at the latest.

    Args:
        path: the file; one that is not there is left to whoever reads it.
        feed: the feed, for the error.
        day: its day.
        rest: seconds for which a file must lie still.
        now: the clock, in seconds since 1970.
        sleep: waits for some seconds.

    Raises:
        FeedFileError: it changed meanwhile.
    """
    try:
        first = path.stat()
        waited = 0.0
        while not _is_whole(path, first, now() - rest) and waited < rest:
            sleep(min(LOOK_EVERY, rest - waited))
            waited += LOOK_EVERY
            status = path.stat()
            if (status.st_size, status.st_mtime_ns) != (first.st_size, first.st_mtime_ns):
                raise FeedFileError(
                    feed,
                    day,
                    path,
                    f"the file is still being written: it went from {first.st_size:,} to {status.st_size:,} bytes",
                    f"load the day again once it is whole (rename it into place, or put {path.name}.done beside it)",
                )
    except OSError:
        return


def _is_whole(path: Path, status: os.stat_result, resting_since: float) -> bool:
    if status.st_ctime_ns > status.st_mtime_ns or status.st_mtime <= resting_since:
        return True
    for marker in (path.with_name(f"{path.name}.done"), path.with_suffix(".done")):
        try:
            if marker.stat().st_mtime_ns >= status.st_mtime_ns:
                return True
        except OSError:
            continue
    return False


def days_landed_again(
    landing: Path, raw: Path, taken: Mapping[tuple[str, dt.date], Taken], days: Iterable[tuple[str, dt.date]]
) -> set[dt.date]:
    """The days whose landed file is another one than was taken last.

    Args:
        landing: the landing folder.
        raw: the raw folder; where nothing is known of a file, the raw one is what was taken.
        taken: what is known, by feed and day.
        days: the feeds and days to look at. A file that is not there is not another one.
    """
    changed = set()
    for feed, day in days:
        landed = feed_file_name(landing, feed, day)
        try:
            known = taken.get((feed, day)) or _as_taken(feed_file_name(raw, feed, day))
            if known is not None and not known.is_of(landed):
                changed.add(day)
        except OSError:
            continue
    return changed


def _as_taken(path: Path) -> Taken | None:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    return Taken(hashlib.sha256(content).hexdigest(), len(content), 0)
