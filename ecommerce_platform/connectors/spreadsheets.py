"""Reads spreadsheets, ``.xlsx``: a stranger's archives of XML, which are looked through before they are parsed."""

from __future__ import annotations

import datetime as dt
import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ecommerce_platform.connectors.errors import ConnectorError
from ecommerce_platform.connectors.unpacking import check_size, chunks
from ecommerce_platform.feeds.columns import BLANKS

SPREADSHEET_BYTES = 1_500_000_000
"""The limit of a spreadsheet's content, which is held in memory."""

CELLS = 30_000_000
"""The limit of a sheet's rows times columns: the parser holds all of them, also those that are blank."""

PLACE = re.compile(rb"""["'\s]r\s*=\s*["']([A-Za-z]{0,30})([0-9]{0,30})""")
"""Where a cell, or without letters a row, says that it is."""

ROW = re.compile(rb"<(?:[\w.-]+:)?row\b|</(?:[\w.-]+:)?sheetData")
"""Where a row begins, or the last one ends."""

OVERLAP = 128
"""A place may be cut in two by the end of a part."""


@dataclass(frozen=True)
class Sheet:
    """A sheet that is not empty.

    Attributes:
        name: its name.
        header: its first row that is not blank.
        rows: the rows after it, as text.
    """

    name: str
    header: tuple[str, ...]
    rows: Iterator[list[str]]


def sheets(path: Path, limit: int | None = None) -> Iterator[Sheet]:
    """The sheets of a spreadsheet, one at a time: the rows of one must be read before the next.

    Raises:
        ConnectorError: it is not a spreadsheet, or too large.
    """
    book = _workbook(path, limit)
    for name in book.sheet_names:
        rows = book.get_sheet_by_name(name).iter_rows()
        first = next((row for row in ([_cell(value).strip(BLANKS) for value in row] for row in rows) if any(row)), None)
        if first is not None:
            yield Sheet(name, tuple(first), ([_cell(value) for value in row] for row in rows))


def _workbook(path: Path, limit: int | None) -> Any:
    """The opened spreadsheet, after its parts have been unpacked once to see how large they really are."""
    import python_calamine

    limit = min(limit or SPREADSHEET_BYTES, SPREADSHEET_BYTES)
    try:
        with zipfile.ZipFile(path) as archive:
            size = 0
            for part in archive.infolist():
                extent = _Extent()
                with archive.open(part) as file:
                    for chunk in chunks(file):
                        size += len(chunk)
                        check_size(path, size, limit)
                        extent.add(chunk)
                _check_cells(path, part.filename, extent)
        return python_calamine.CalamineWorkbook.from_path(path)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, python_calamine.CalamineError) as error:
        raise ConnectorError(
            str(path), f"this is not a spreadsheet ({error})", "export it again as .xlsx or CSV"
        ) from None


class _Extent:
    """How many rows and columns the XML of a sheet names, whatever it holds; of other parts it is not asked."""

    def __init__(self) -> None:
        self.rows = 0
        self.columns = 0
        self.is_sheet = False
        self.has_declarations = False
        self._before = b""
        self._in_row = 0

    def add(self, chunk: bytes) -> None:
        """Look at the next part of the XML."""
        # UTF-16 has a zero beside each letter; blanks could tear a place apart.
        text = self._before + re.sub(rb"\s{2,}", b" ", chunk.replace(b"\0", b""))
        self._before = text[-OVERLAP:]
        self.is_sheet |= b"sheetData" in text
        self.has_declarations |= b"<!" in text
        for letters, digits in set(PLACE.findall(text)):
            self.columns = max(self.columns, _number(letters))
            self.rows = max(self.rows, int(digits or 0), 10 ** len(digits) if len(digits) > 12 else 0)
        # A cell need not say where it is: then it is beside the one before.
        first, *others = [row.count(b"<c") + row.count(b":c") for row in ROW.split(text)]
        cells = [self._in_row + first, *others]
        self.columns = max(self.columns, *cells)
        self._in_row = cells[-1]


def _number(letters: bytes) -> int:
    """The number of a column: 1 for A, 27 for AA."""
    number = 0
    for letter in letters.upper():
        number = number * 26 + letter - ord("A") + 1
    return number


def _check_cells(path: Path, part: str, extent: _Extent) -> None:
    if extent.is_sheet and extent.has_declarations:
        raise ConnectorError(
            f"{path}, {part}", "the sheet has comments or declarations, which no spreadsheet has", "export it again"
        )
    if extent.is_sheet and extent.rows * extent.columns > CELLS:
        raise ConnectorError(
            f"{path}, {part}",
            f"the sheet has {extent.rows:,} rows and {extent.columns:,} columns; one stray cell is enough for that",
            f"delete what is outside of the table, or export it as CSV; the limit is {CELLS:,} cells",
        )


def _cell(value: object) -> str:
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, dt.datetime):
        return value.isoformat(sep=" ", timespec="seconds")
    return "" if value is None else str(value)
