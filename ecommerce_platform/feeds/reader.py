"""Reads feed files: one day's CSV export of one feed, as exact text.

What belongs here: bytes on disk to an Arrow table of text. What does not: types, trimming and the validity of values
(production), and the location of files (settings).

A file is untrusted until parsed. The grammar is RFC 4180, interpreted as follows:

- The text is UTF-8, with or without a byte order mark. The delimiter is a comma, the quote is ``"``.
- Every row, including the last, ends at LF or CRLF outside quotes. Line ends and lone CRs inside quotes are
  preserved; a lone CR outside quotes is an ordinary character of its value.
- A quote opens a quoted field only as the first character of the field, and is written ``""`` inside.
  Elsewhere in an unquoted field, it is an ordinary character (``24" screen``).
- A row is malformed, and stored as one piece of text, if text follows a closing quote, if its number of fields differs
  from the header's (as in a blank line), if it contains a NUL byte, or if a value is longer than
  ``MAX_FIELD_BYTES``. It ends where it would end without the fault, so the values and numbers of other rows are
  unaffected.
- Blank lines at the end of the file are not rows.
- The whole file is refused if its rows cannot be separated or trusted: see ``FeedFileError``.

Three readers share the work, window by window. A window whose rows are all plain need not be split into values at all:
COPY takes its lines as they are. pyarrow reads a window that is proven regular; everything else goes through a careful
splitter, which defines the grammar. Property tests check that the three agree.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from ecommerce_platform.feeds.columns import BLANKS, FEEDS, OPTIONAL_COLUMNS, feed_columns
from ecommerce_platform.feeds.contents import content_of
from ecommerce_platform.feeds.files import FeedFile, FeedFileError
from ecommerce_platform.feeds.records import (
    BOM,
    CR,
    MAX_FIELD_BYTES,
    PlainRows,
    TruncatedError,
    kept_text,
    plain_rows,
    regular_length,
    split_record,
)
from ecommerce_platform.storage import Location

MAX_FILE_BYTES = 1_000_000_000
"""A larger file is refused: the whole file is held in memory, and Arrow's text offsets have 32 bits."""


WINDOW_BYTES = 500_000
"""The bytes read at a time: enough for speed, but few enough that an irregular row slows few others, and that three
times as many rows per day take no more memory (20 MB less than with 4 MB)."""

MAX_COLUMNS = 1_000
"""A header with more names is refused: it cannot be the header of a feed."""

_WIDE_BOMS = {b"\xff\xfe": "UTF-16 or UTF-32", b"\xfe\xff": "UTF-16", b"\x00\x00\xfe\xff": "UTF-32"}


def feed_file_schema(feed: str) -> pa.Schema:
    """Return the schema of ``read_feed_file``: the feed's columns as text, then three added columns.

    ``source_row`` is the 1-based data row; ``extra_columns`` is a JSON object of unknown columns' values, null
    if the file has none; ``malformed`` is the text of a row that could not be split, null for a good row. In a
    malformed row, all columns but ``source_row`` and ``malformed`` are null; in a good row, no feed column is null.
    """
    columns = [pa.field(name, pa.string()) for name in feed_columns(feed)]
    columns += [
        pa.field("source_row", pa.int64(), nullable=False),
        pa.field("extra_columns", pa.string()),
        pa.field("malformed", pa.string()),
    ]
    return pa.schema(columns)


def read_feed_file(path: Location, feed: str, day: dt.date) -> tuple[FeedFile, pa.Table]:
    """Read one file into an exact text replica: one table row per data row, in file order.

    The table has ``feed_file_schema(feed)``, in chunks of some megabytes: ``table.to_batches()`` streams it.
    Nothing is stripped, typed or turned into null: an empty field is ``''`` and ``NA`` is ``NA``.

    Raises FeedFileError if the file is missing, not a regular file, empty, too large, not UTF-8, or
    truncated, or if its header is wrong.
    """
    text = _FeedText(feed, day, path, _read_bytes(path, feed, day))
    batches = list(text.batches())
    return text.summary(batches), pa.Table.from_batches(batches, schema=feed_file_schema(feed))


def stream_feed_file(path: Location, feed: str, day: dt.date) -> Iterator[pa.RecordBatch | PlainRows]:
    """Read one file as ``read_feed_file`` does, window by window; rows that are plain are not split into values.

    Raises the same as ``read_feed_file``: about the file at once, about its rows while they are read.
    """
    return _FeedText(feed, day, path, _read_bytes(path, feed, day)).windows()


def check_feed_file(path: Location, feed: str, day: dt.date) -> FeedFile:
    """Read all of one file and describe it without storing its rows. Raises the same as ``read_feed_file``."""
    text = _FeedText(feed, day, path, _read_bytes(path, feed, day))
    return text.summary(text.windows())


def lines_of_feed_file(path: Location, feed: str, day: dt.date) -> int:
    """Count the line ends after a file's header: the number of rows if no field contains a line break.

    Raises FeedFileError if the file is missing, not a regular file, empty, or too large, or if its header is wrong.
    """
    text = _FeedText(feed, day, path, _read_bytes(path, feed, day))
    return text.data.count(b"\n", text.first_record)


def _read_bytes(path: Location, feed: str, day: dt.date) -> bytes:
    return content_of(path, feed, day, MAX_FILE_BYTES)


def _shown(text: str, limit: int = 60) -> str:
    """Return untrusted text in a form that is safe for one line of a message."""
    return ascii(text if len(text) <= limit else text[:limit] + "…")


def _shown_all(texts: Sequence[str], limit: int = 30) -> str:
    shown = ", ".join(_shown(text) for text in texts[:limit])
    return shown if len(texts) <= limit else f"{shown} and {len(texts) - limit} more"


_NAME = re.compile(r"[a-z_][a-z0-9_]*")
_KNOWN = frozenset(name for columns in FEEDS.values() for name in columns)


def _shown_names(header: Sequence[str], names: Sequence[str]) -> str:
    """Return the names that look like column names if the header looks like one; others may be personal data."""
    is_header = 2 * len(_KNOWN.intersection(header)) >= len(header)
    fit = [name for name in names if name in _KNOWN or (is_header and _NAME.fullmatch(name))]
    hidden = len(names) - len(fit)
    shown = [_shown_all(fit)] if fit else []
    shown += [f"{hidden:,} {'other ' if fit else ''}name{'s' * (hidden != 1)} (not shown)"] if hidden else []
    return " and ".join(shown)


class _FeedText:
    """The bytes of one file with its header parsed; its rows are read once, in windows."""

    def __init__(self, feed: str, day: dt.date, path: Location, data: bytes) -> None:
        columns = feed_columns(feed)
        self.feed = feed
        self.day = day
        self.path = path
        self.whole = data
        end = len(data)
        # No quoted field can close after trailing blank lines, so removing them never changes a row.
        while data.endswith((b"\n\n", b"\n\r\n"), 0, end):
            end -= 2 if data[end - 2] == CR else 1
        self.data = data[:end]
        header, self.first_record = self._read_header()
        self.width = len(header)
        self.feed_positions = self._feed_positions(header, columns)
        self.extra_positions = [index for index, name in enumerate(header) if name not in columns]
        self.extra_columns = tuple(header[index] for index in self.extra_positions)
        self.schema = feed_file_schema(feed)

    def summary(self, windows: Iterable[pa.RecordBatch | PlainRows]) -> FeedFile:
        """Count the rows of all windows and describe the file."""
        rows = malformed = 0
        for window in windows:
            rows += window.num_rows
            if isinstance(window, pa.RecordBatch):
                malformed += window.num_rows - window.column("malformed").null_count
        return FeedFile(
            feed=self.feed,
            day=self.day,
            path=self.path,
            sha256=hashlib.sha256(self.whole).hexdigest(),
            bytes=len(self.whole),
            rows=rows,
            extra_columns=tuple(name for name in self.extra_columns if name not in OPTIONAL_COLUMNS.get(self.feed, ())),
            malformed_rows=malformed,
        )

    def batches(self, *, window_bytes: int = WINDOW_BYTES, fast: bool = True) -> Iterator[pa.RecordBatch]:
        """Yield all rows in file order, one batch per window. Raises FeedFileError at the first unreadable row."""
        for window in self.windows(window_bytes=window_bytes, fast=fast, plain=False):
            assert isinstance(window, pa.RecordBatch)
            yield window

    def windows(
        self, *, window_bytes: int = WINDOW_BYTES, fast: bool = True, plain: bool = True
    ) -> Iterator[pa.RecordBatch | PlainRows]:
        """Yield all rows in file order, window by window. Raises FeedFileError at the first unreadable row."""
        position = self.first_record
        rows = 0
        plain = plain and self.feed_positions == list(range(self.width))
        while position < len(self.data):
            stop = min(position + window_bytes, len(self.data))
            length = regular_length(self.data, position, stop) if fast else 0
            bounds = plain_rows(self.data, position, length, self.width) if length and plain else None
            if bounds is not None:
                yield PlainRows(self.data, *bounds, first_row=rows + 1)
                position += length
                rows += len(bounds[0])
                continue
            columns = self._read_regular(position, length) if length else None
            if columns is not None:
                count = len(columns[0])
                malformed = pa.nulls(count, pa.string())
                position += length
            else:
                columns, malformed, position = self._read_carefully(position, stop, rows)
                count = len(malformed)
            yield self._batch(columns, malformed, first_row=rows + 1, count=count)
            rows += count

    def _error(self, problem: str, remedy: str, row: int | None = None) -> FeedFileError:
        return FeedFileError(self.feed, self.day, self.path, problem, remedy, row)

    def _read_header(self) -> tuple[list[str], int]:
        """Return the header's names, stripped and lower-cased, and where the first record begins."""
        for mark, encoding in _WIDE_BOMS.items():
            if self.data.startswith(mark):
                raise self._error(f"the file is {encoding}, not UTF-8", "export it as UTF-8")
        start = len(BOM) if self.data.startswith(BOM) else 0
        try:
            values, text_end, first_record = split_record(self.data, start, MAX_COLUMNS)
        except TruncatedError as truncated:
            if b"\r" in self.data and b"\n" not in self.data:
                raise self._error(
                    "the lines end with a lone carriage return (CR)", "export with LF or CRLF line ends"
                ) from None
            raise self._error(f"in the header: {truncated.problem}", truncated.remedy) from None
        raw = self.data[start:text_end]
        self._check_utf8(raw, None)
        text = raw.decode("utf-8")
        if not text.strip(BLANKS):
            raise self._error("the first line is blank, not a header", "export the day again, header first")
        if "\0" in text:
            raise self._error("the header contains a NUL byte", "export the file as UTF-8 text")
        if values is None:
            raise self._error("in the header, text follows a closing quote", "export the day again")
        if len(values) > MAX_COLUMNS:
            raise self._error(f"the header has more than {MAX_COLUMNS:,} columns", "export the day again")
        return [value.decode("utf-8").strip(BLANKS).lower() for value in values], first_record

    def _feed_positions(self, header: list[str], columns: tuple[str, ...]) -> list[int]:
        """Return the position in the header of each column of the feed. Raises FeedFileError."""
        position_of = {name: index for index, name in enumerate(header)}
        missing = [name for name in columns if name not in position_of]
        if missing:
            hint = ""
            joined = "".join(header)
            for character, name in (
                (";", "semicolons"),
                ("\t", "tabs"),
                ("|", "vertical bars"),
                ("\r", "lone CRs"),
            ):
                if character in joined:
                    hint = f" (it holds {name}: commas must stand between columns, LF or CRLF between rows)"
                    break
            raise self._error(
                f"the header lacks {_shown_all(missing)}{hint}; found {_shown_names(header, header)}",
                f"export with the columns {', '.join(columns)}",
            )
        unnamed = [str(index) for index, name in enumerate(header, start=1) if not name]
        if unnamed:
            raise self._error(
                f"the header has no name at position {', '.join(unnamed[:30])}",
                "name the column or leave it out",
            )
        if len(position_of) < len(header):
            twice = [name for index, name in enumerate(header) if position_of[name] != index]
            names = _shown_names(header, twice)
            raise self._error(f"the header repeats {names}", "export each column once")
        return [position_of[name] for name in columns]

    def _check_utf8(self, raw: bytes, row: int | None) -> None:
        try:
            raw.decode("utf-8")
        except UnicodeDecodeError as bad:
            where = "the header" if row is None else "the row"
            raise self._error(
                f"byte {bad.start + 1} of {where}, 0x{raw[bad.start]:02x}, is not UTF-8",
                "export the file as UTF-8",
                row,
            ) from None

    def _read_regular(self, start: int, length: int) -> list[pa.Array] | None:
        """Return the columns in header order as pyarrow reads them, or None if any row is irregular."""
        names = [str(index) for index in range(self.width)]
        try:
            table = pyarrow.csv.read_csv(
                pa.BufferReader(pa.py_buffer(self.data).slice(start, length)),
                # One block for the whole window: no record straddles two.
                pyarrow.csv.ReadOptions(use_threads=False, block_size=length + 1, column_names=names),
                # No invalid_row_handler: pyarrow fails to call it with a row that is not UTF-8.
                pyarrow.csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
                pyarrow.csv.ConvertOptions(
                    column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False, check_utf8=True
                ),
            )
        except pa.ArrowInvalid:
            # A row with a different number of fields, or not UTF-8: the careful reader determines which.
            return None
        columns = [_one_chunk(column) for column in table.columns]
        if length > MAX_FIELD_BYTES:
            for column in columns:
                longest = pc.call_function("max", [pc.call_function("binary_length", [column])]).as_py()
                if longest is not None and longest > MAX_FIELD_BYTES:
                    return None
        return columns

    def _read_carefully(self, start: int, stop: int, rows_before: int) -> tuple[list[pa.Array], pa.Array, int]:
        """Split the records that begin in [start, stop): columns in header order, malformed texts, end."""
        nulls: list[bytes | None] = [None] * self.width
        rows: list[Sequence[bytes | None]] = []
        malformed: list[str | None] = []
        position = start
        while position < stop:
            row = rows_before + len(rows) + 1
            try:
                values, text_end, following = split_record(self.data, position, self.width)
            except TruncatedError as truncated:
                raise self._error(truncated.problem, truncated.remedy, row) from None
            raw = self.data[position:text_end]
            self._check_utf8(raw, row)
            if (
                values is None
                or len(values) != self.width
                or b"\0" in raw
                or (len(raw) > MAX_FIELD_BYTES and max(map(len, values)) > MAX_FIELD_BYTES)
            ):
                rows.append(nulls)
                malformed.append(kept_text(raw))
            else:
                rows.append(values)
                malformed.append(None)
            position = following
        columns = [pa.array(column, pa.string()) for column in zip(*rows, strict=True)]
        return columns, pa.array(malformed, pa.string()), position

    def _batch(self, columns: list[pa.Array], malformed: pa.Array, first_row: int, count: int) -> pa.RecordBatch:
        """Reorder the columns from header order to the feed's order, and add the three added columns."""
        source_row = pa.array(np.arange(first_row, first_row + count, dtype=np.int64))
        extra = self._extra_json([columns[index] for index in self.extra_positions], malformed, count)
        feed_columns = [columns[index] for index in self.feed_positions]
        return pa.RecordBatch.from_arrays([*feed_columns, source_row, extra, malformed], schema=self.schema)

    def _extra_json(self, columns: list[pa.Array], malformed: pa.Array, count: int) -> pa.Array:
        if not columns:
            return pa.nulls(count, pa.string())
        good = malformed.is_null().to_pylist()
        rows = zip(*(column.to_pylist() for column in columns), strict=True)
        objects = (dict(zip(self.extra_columns, row, strict=True)) for row in rows)
        texts = (json.dumps(value, ensure_ascii=False) if ok else None for value, ok in zip(objects, good, strict=True))
        return pa.array(texts, pa.string(), size=count)


def _one_chunk(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else pa.concat_arrays(column.chunks)
