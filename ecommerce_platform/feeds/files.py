"""Feed files: their paths, their properties, and how to write one."""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from ecommerce_platform.feeds.columns import feed_columns
from ecommerce_platform.files import write_atomically
from ecommerce_platform.storage import Location, ObjectPath

AnyLocation = TypeVar("AnyLocation", Path, ObjectPath, Location)


class FeedFileError(ValueError):
    """A feed file that cannot be read; a retry does not help until the file changes.

    ``str()`` is one line: feed, day, file, row if known, the problem, and what to do next.
    ``row`` is the 1-based data row, or None for the header and for the file as a whole.
    """

    def __init__(
        self, feed: str, day: dt.date, path: Location, problem: str, remedy: str, row: int | None = None
    ) -> None:
        # All arguments go to the base class, so that the error survives pickling between processes.
        super().__init__(feed, day, path, problem, remedy, row)
        self.feed = feed
        self.day = day
        self.path = path
        self.problem = problem
        self.remedy = remedy
        self.row = row

    def __str__(self) -> str:
        where = f"feed {self.feed}, day {self.day}, file {self.path}"
        if self.row is not None:
            where += f", row {self.row}"
        return " ".join(f"{where}: {self.problem}; {self.remedy}".splitlines())


class MissingFileError(FeedFileError):
    """There is no such feed file."""


@dataclass(frozen=True)
class FeedFile:
    """The properties of a file as it was read; ``sha256`` and ``bytes`` describe exactly the bytes that were parsed."""

    feed: str
    day: dt.date
    path: Location
    sha256: str
    bytes: int
    rows: int
    """Data rows, including malformed ones: ``source_row`` runs from 1 to this number."""
    extra_columns: tuple[str, ...]
    """Header columns that are not part of the feed, stripped and lower-cased, in file order."""
    malformed_rows: int


def feed_file_name(root: AnyLocation, feed: str, day: dt.date) -> AnyLocation:
    """Return the path of a feed's file for a day: ``root/feed/YYYY-MM-DD.csv``."""
    feed_columns(feed)
    return root / feed / f"{day:%Y-%m-%d}.csv"


def write_feed_file(path: Location, content: bytes) -> tuple[str, int]:
    """Write ``content`` to ``path`` atomically, creating parent folders; return its SHA-256 (hex) and size in bytes.

    A file with the same content is left unchanged, including its modification time. See :func:`write_atomically`.
    """
    digest = hashlib.sha256(content).hexdigest()
    if not _holds(path, content, digest):
        write_atomically(path, content, 0o666)
    return digest, len(content)


def _holds(path: Location, content: bytes, digest: str) -> bool:
    if isinstance(path, ObjectPath):
        return path.sha256() == digest
    try:
        return path.stat().st_size == len(content) and path.read_bytes() == content
    except FileNotFoundError:
        return False
