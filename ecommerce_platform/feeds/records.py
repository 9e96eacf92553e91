"""Splits a feed file into records, byte by byte, and each record into fields if possible."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

BOM = b"\xef\xbb\xbf"
COMMA, LF, CR, QUOTE = b',\n\r"'

MAX_FIELD_BYTES = 1_000_000
"""A row with a longer value (in UTF-8 bytes, quotes removed) is malformed."""


MAX_MALFORMED_CHARACTERS = 10_000
"""The text of a malformed row is truncated to this length, and a note is appended."""

_FIELD_END = re.compile(rb"[,\n]")


class TruncatedError(Exception):
    """The text ended inside a record."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(problem, remedy)
        self.problem = problem
        self.remedy = remedy


def split_record(data: bytes, start: int, width: int) -> tuple[list[bytes] | None, int, int]:
    """Split the record that begins at ``start``: return its values, the end of its text, and the start of the next.

    The values are None if text follows a closing quote. If there are more than ``width`` values, not all are
    returned, but more than ``width`` are. Raises TruncatedError if the text ends before the record does.
    """
    line_end = data.find(b"\n", start)
    if line_end >= 0 and data.find(b'"', start, line_end) < 0:
        text_end = _before_carriage_return(data, start, line_end)
        return data[start:text_end].split(b",", width), text_end, line_end + 1

    values: list[bytes] = []
    certain = True
    position = start
    while True:
        field_start = position
        if data[position : position + 1] == b'"':
            close = _closing_quote(data, position + 1)
            position = close + 1
            line_end = position + 1 if data[position : position + 2] == b"\r\n" else position
            follower = data[line_end : line_end + 1]
            if follower in (b",", b"\n"):
                if len(values) <= width:
                    values.append(data[field_start + 1 : close].replace(b'""', b'"'))
                if follower == b"\n":
                    return values if certain else None, position, line_end + 1
                position += 1
                continue
            # Text after the closing quote: continue as in an unquoted field, so that the record ends where it
            # should.
            certain = False
        field_end = _FIELD_END.search(data, position)
        if field_end is None:
            raise TruncatedError(
                "the last line has no line end, so the file looks truncated",
                "export the day again, or add a newline at its end if the file is complete",
            )
        position = field_end.end()
        is_last = field_end.group() == b"\n"
        text_end = field_end.start()
        if is_last:
            text_end = _before_carriage_return(data, field_start, text_end)
        if len(values) <= width:
            values.append(data[field_start:text_end])
        if is_last:
            return values if certain else None, text_end, position


def _before_carriage_return(data: bytes, start: int, line_end: int) -> int:
    """Return the end of the text of a line whose LF is at ``line_end``: the CR of a CRLF is not text."""
    return line_end - 1 if line_end > start and data[line_end - 1] == CR else line_end


def _closing_quote(data: bytes, position: int) -> int:
    """Return the closing quote of the field whose text begins at ``position``; a doubled quote does not close it."""
    while True:
        quote = data.find(b'"', position)
        if quote < 0:
            raise TruncatedError(
                "a quote opens here and never closes, so the file is truncated or the quote is stray",
                "export the day again, or close the quote",
            )
        if data[quote + 1 : quote + 2] != b'"':
            return quote
        position = quote + 2


def regular_length(data: bytes, start: int, stop: int) -> int:
    """Return the number of bytes from ``start`` that pyarrow certainly splits as this module does, or 0.

    ``start`` is the beginning of a record, and the length ends with a record. The number of fields, UTF-8 and the
    size of values are not checked.
    """
    # pyarrow drops a byte order mark, which is part of the first value here, and treats a blank line as a row of
    # empty values.
    if data.startswith((BOM, b"\n", b"\r\n"), start):
        return 0
    if any(data.find(oddity, start, stop) >= 0 for oddity in (b"\0", b"\n\n", b"\n\r\n")):
        return 0
    window = np.frombuffer(data, np.uint8, stop - start, start)
    quotes = np.flatnonzero(window == QUOTE)
    # If every quote opens or closes a field, or is part of a doubled quote, then those at even indexes open, and text
    # after an even number of quotes is outside quotes.
    if len(quotes):
        line_ends = np.flatnonzero(window == LF)
        outside = line_ends[np.searchsorted(quotes, line_ends) % 2 == 0]
        line_end = int(outside[-1]) if len(outside) else -1
        quotes = quotes[: np.searchsorted(quotes, line_end)]
    else:
        line_end = data.rfind(b"\n", start, stop) - start
    if line_end < 0:
        return 0

    opening, closing = quotes[::2], quotes[1::2]
    before = window[opening - 1]
    if not ((opening == 0) | (before == COMMA) | (before == LF) | (before == QUOTE)).all():
        return 0
    # The last quote closes before the line end, so no index is out of bounds. A CR that is not part of a CRLF is
    # found below.
    behind = window[closing + 1]
    if not ((behind == COMMA) | (behind == LF) | (behind == CR) | (behind == QUOTE)).all():
        return 0

    # pyarrow ends a row at a lone CR outside quotes.
    if data.find(b"\r", start, start + line_end) >= 0:
        returns = np.flatnonzero(window[:line_end] == CR)
        lone = returns[window[returns + 1] != LF]
        if (np.searchsorted(quotes, lone) % 2 == 0).any():
            return 0
    return line_end + 1


@dataclass(frozen=True)
class PlainRows:
    """Consecutive rows that are valid CSV with exactly the feed's columns, in order, and mean the same to COPY.

    Attributes:
        data: the bytes of the file.
        starts: where each row's text begins.
        ends: where it ends, without its line end.
        first_row: the number of the first row, from 1.
    """

    data: bytes
    starts: np.ndarray
    ends: np.ndarray
    first_row: int

    @property
    def num_rows(self) -> int:
        """The number of rows."""
        return len(self.starts)

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Each row's number and text."""
        bounds = zip(self.starts.tolist(), self.ends.tolist(), strict=True)
        return ((row, self.data[start:end]) for row, (start, end) in enumerate(bounds, start=self.first_row))


def plain_rows(data: bytes, start: int, length: int, width: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Return where each row's text begins and ends, if every row is plain, else None.

    A plain row has ``width`` fields, is valid UTF-8, has no value longer than ``MAX_FIELD_BYTES``, and means to
    PostgreSQL's COPY what it means here. The text from ``start`` must be regular; see :func:`regular_length`.
    """
    text = data[start : start + length]
    # An unquoted \N is COPY's null, and \. ends its input.
    if b"\\N" in text or b"\\." in text or not _is_utf8(text):
        return None
    window = np.frombuffer(text, np.uint8)
    commas, line_ends = np.flatnonzero(window == COMMA), np.flatnonzero(window == LF)
    quotes = np.flatnonzero(window == QUOTE)
    if len(quotes):
        commas, line_ends = (each[np.searchsorted(quotes, each) % 2 == 0] for each in (commas, line_ends))
    starts = np.concatenate([[0], line_ends[:-1] + 1])
    if len(commas) != (width - 1) * len(line_ends) or (line_ends - starts).max() > MAX_FIELD_BYTES:
        return None
    if width > 1:
        by_row = commas.reshape(-1, width - 1)
        if not ((by_row[:, 0] >= starts) & (by_row[:, -1] < line_ends)).all():
            return None
    ends = line_ends - (window[line_ends - 1] == CR) * (line_ends > starts)
    return start + starts, start + ends


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def kept_text(raw: bytes) -> str:
    """Return the text of a malformed row (valid UTF-8) as PostgreSQL can store it: without NUL, and not too long."""
    # A character has at most four bytes: this never decodes a huge row, and drops a character that was cut in two.
    text = raw[: 4 * MAX_MALFORMED_CHARACTERS + 4].decode("utf-8", errors="ignore").replace("\0", "\ufffd")
    if len(text) <= MAX_MALFORMED_CHARACTERS:
        return text
    return f"{text[:MAX_MALFORMED_CHARACTERS]}… [cut: the row has {len(raw):,} bytes]"
