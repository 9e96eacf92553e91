"""The landing folder: whether a file in it is complete, and whether it has changed since it was loaded.

A file is complete when one of these is true:

- ``DAY.csv.done`` or ``DAY.done`` is beside it and is not older;
- it was renamed into place, which changes the file's ctime but not its mtime, whereas a write changes both;
- neither its size nor its modification time has changed for some seconds.

A file that is nevertheless read too early is not lost: it differs from what was loaded, so its day is loaded again.
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
from ecommerce_platform.storage import Location

LOOK_EVERY = 0.5
"""Seconds between two checks of a file that may still be being written."""


@dataclass(frozen=True)
class Taken:
    """A file as it was last loaded: its SHA-256 (hex), size in bytes, and modification time in nanoseconds."""

    sha256: str
    bytes: int
    modified_ns: int

    def is_of(self, path: Path) -> bool:
        """Whether the file at ``path`` is the one that was loaded; read only if the modification time differs."""
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
    """Return once the file is complete, after ``rest`` seconds at the latest.

    Args:
        path: the file; a missing file is left to its reader to report.
        feed: the feed, for the error.
        day: the file's day, for the error.
        rest: seconds for which the file must not change.
        now: the clock, in seconds since 1970.
        sleep: waits for a number of seconds.

    Raises:
        FeedFileError: the file changed while waiting.
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
                    f"the file is still being written: it grew from {first.st_size:,} to {status.st_size:,} bytes",
                    f"load the day again once it is complete (rename it into place, or add {path.name}.done beside it)",
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
    landing: Path, raw: Location, taken: Mapping[tuple[str, dt.date], Taken], days: Iterable[tuple[str, dt.date]]
) -> set[dt.date]:
    """The days whose landed file differs from the one that was last loaded.

    Args:
        landing: the landing folder.
        raw: the raw folder; its file is compared if ``taken`` has no entry.
        taken: the files that were last loaded, by feed and day.
        days: the feeds and days to check. A missing file counts as unchanged.
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


def _as_taken(path: Location) -> Taken | None:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    return Taken(hashlib.sha256(content).hexdigest(), len(content), 0)
