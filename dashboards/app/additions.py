"""What a shop adds to its numbers: targets per month, notes on days, and public holidays. Two CSV files and a setting.

A file is read again when it changes. One that cannot be understood is reported on every page, and nothing of it shows.
"""

from __future__ import annotations

import csv
import io
import logging
import os
import stat
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from dashboards.app.annotations import NOTE_COLUMNS, Notes, read_notes
from dashboards.app.targets import TARGET_COLUMNS, Targets, read_targets
from ecommerce_platform.settings import Settings

MOST_BYTES = 1_000_000
"""Largest file that is read: a note on each day of thirty years."""

Content = TypeVar("Content")
Row = Mapping[str, str]


@dataclass(frozen=True)
class Additions:
    """What a shop adds to its numbers, and what is wrong with the files that hold it."""

    targets: Targets = field(default_factory=Targets)
    notes: Notes = field(default_factory=Notes)
    faults: tuple[str, ...] = ()
    version: tuple = ()
    """Identifies the contents of the files."""


class AdditionFiles:
    """The files and the setting that hold a shop's additions."""

    def __init__(self, targets: Path, notes: Path, holidays: str = "", *, required: Sequence[Path] = ()):
        """``required`` are the files that a setting names, so that their absence is a mistake."""
        self._targets = WatchedFile(targets, TARGET_COLUMNS, read_targets, Targets(), targets in required)
        self._notes = WatchedFile(notes, NOTE_COLUMNS, read_notes, (), notes in required)
        self._holidays = holidays

    @classmethod
    def of(cls, settings: Settings) -> AdditionFiles:
        """Those that the settings name."""
        files = {settings.targets: settings.targets_file, settings.notes: settings.notes_file}
        required = [path for path, given in files.items() if given is not None]
        return cls(settings.targets, settings.notes, settings.holidays, required=required)

    def current(self) -> Additions:
        """The additions as the files say now; as long as no file changes, this costs two calls of stat."""
        files = (self._targets, self._notes)
        for file in files:
            file.look()
        return Additions(
            self._targets.content,
            Notes(self._notes.content, self._holidays),
            tuple(file.fault for file in files if file.fault),
            (*(file.version for file in files), self._holidays),
        )


class WatchedFile(Generic[Content]):
    """A CSV file that is read again when its time, its size, or its inode changes."""

    def __init__(
        self,
        path: Path,
        columns: Sequence[str],
        parse: Callable[[Sequence[tuple[int, Row]]], Content],
        nothing: Content,
        is_required: bool,
    ):
        self.path = path
        self.columns = columns
        self.content = nothing
        self.fault = ""
        self.version: tuple = ("unread",)
        self._parse = parse
        self._nothing = nothing
        self._is_required = is_required

    def look(self) -> None:
        """Read the file if it has changed."""
        version = self._seen()
        if version == self.version:
            return
        try:
            self.content, self.fault = self._read(version), ""
        except (OSError, ValueError) as error:
            text = f": {error.strerror}" if isinstance(error, OSError) else str(error)
            self.content, self.fault = self._nothing, f"{self.path.name}{text}"
            logging.getLogger(__name__).warning("%s: %s", self.path, self.fault)
        self.version = version

    def _seen(self) -> tuple:
        try:
            found = os.stat(self.path)  # noqa: PTH116
        except FileNotFoundError:
            return ()
        except OSError as error:
            return (error.errno,)
        return found.st_mtime_ns, found.st_size, found.st_ino, found.st_mode

    def _read(self, version: tuple) -> Content:
        if not version and not self._is_required:
            return self._nothing
        # A pipe would block, and a device never end.
        if len(version) > 1 and not stat.S_ISREG(version[3]):
            raise ValueError(": is not a file")
        with self.path.open("rb") as opened:
            data = opened.read(MOST_BYTES + 1)
        if len(data) > MOST_BYTES:
            raise ValueError(f": is larger than {MOST_BYTES:,} bytes")
        return self._parse(rows(data, self.columns))


def rows(data: bytes, columns: Sequence[str]) -> list[tuple[int, Row]]:
    """The rows of a CSV file with their line numbers, without blank ones.

    Raises:
        ValueError: it is not such a CSV file. The message begins with the line.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise ValueError(f", line {line}: is not UTF-8 text") from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    found: list[tuple[int, Row]] = []
    heading: list[str] | None = None
    try:
        for cells in reader:
            if heading is None:
                heading = [cell.strip() for cell in cells]
                if sorted(heading) != sorted(columns):
                    raise ValueError(f", line 1: must name the columns {', '.join(columns)}")
            elif len(cells) > 1 or (cells and cells[0].strip()):
                if len(cells) != len(columns):
                    count = f"{len(cells)} value{'' if len(cells) == 1 else 's'}"
                    raise ValueError(f", line {reader.line_num}: has {count} instead of {len(columns)}")
                row = {name: cell.strip() for name, cell in zip(heading, cells, strict=True)}
                found.append((reader.line_num, row))
    except csv.Error as error:
        raise ValueError(f", line {reader.line_num}: {error}") from None
    return found
