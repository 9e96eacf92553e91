"""Opens a shop's export files: which kind, encoding and delimiter a file has, and its header.

Everything here is untrusted. A file ends up as plain UTF-8 CSV, Parquet or JSON lines that DuckDB reads; what has
another encoding, is compressed, or is a spreadsheet is copied, and the copy may not grow beyond a limit.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import json
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import IO

from ecommerce_platform.connectors.errors import ConnectorError, reading, shown
from ecommerce_platform.connectors.spreadsheets import sheets
from ecommerce_platform.connectors.unpacking import check_size, chunks
from ecommerce_platform.feeds.columns import BLANKS

HEAD_BYTES = 256 * 1024
"""What is read to find out what a file is."""

DELIMITERS = (",", ";", "\t", "|")

_KINDS = {".csv": "csv", ".txt": "csv", ".tsv": "csv", ".xlsx": "xlsx", ".parquet": "parquet"}
_KINDS |= dict.fromkeys((".jsonl", ".ndjson"), "json")
_ARCHIVES = (".zip", ".7z", ".rar", ".tar", ".tgz", ".gz")
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))


@dataclass(frozen=True)
class SourceFile:
    """A file of a shop, opened.

    Attributes:
        path: the file as the shop exported it.
        kind: csv, xlsx, parquet or json (lines).
        header: the names of its columns, as they are written.
        encoding: the encoding of its text; None where the kind fixes it.
        delimiter: what stands between the columns of a CSV file.
        skip: lines before the header: blank ones, and Excel's ``sep=``.
        readable: the file for DuckDB, under a name of our own: a link to ``path``, or a copy.
        sheet: the sheet of a spreadsheet that was copied.
        skipped: sheets that are not read, because their header is another one than the first sheet's.
    """

    path: Path
    kind: str
    header: tuple[str, ...]
    encoding: str | None
    delimiter: str
    skip: int
    readable: Path
    sheet: str | None = None
    skipped: tuple[str, ...] = ()

    @property
    def place(self) -> str:
        """The file, and the sheet of a spreadsheet, for messages."""
        return str(self.path) if self.sheet is None else f"{self.path}, sheet {shown(self.sheet)}"


def normal(name: str) -> str:
    """A column's name for comparison: its letters and digits in lower case."""
    return re.sub(r"[\W_]+", "", name.casefold())


def is_export(path: Path) -> bool:
    """Whether a file's name says that it may be an export."""
    return _kind(path) is not None


def is_archive(path: Path) -> bool:
    """Whether a file's name says that it must be unpacked first."""
    return not is_export(path) and path.name.lower().endswith(_ARCHIVES)


def visible_files(folder: Path) -> list[Path]:
    """The files of a folder, except hidden ones, by name.

    Raises:
        ConnectorError: there is no such folder.
    """
    if not folder.is_dir():
        raise ConnectorError(str(folder), "there is no such folder", "create it and put the shop's exports there")
    return sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))


def look_at(path: Path, encodings: tuple[str, ...] = ("utf-8", "cp1252")) -> SourceFile:
    """What a file is, from its first bytes.

    Raises:
        ConnectorError: it is not a file that can be read.
    """
    kind = _kind(path)
    if is_archive(path):
        raise ConnectorError(str(path), "this is an archive", "unpack it")
    if kind is None:
        raise ConnectorError(
            str(path), "this kind of file is not known", "export CSV (.csv, .csv.gz), .xlsx, .parquet or .jsonl"
        )
    with reading(path):
        state = path.stat()
        return _looked_at(path, kind, encodings, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=256)
def _looked_at(path: Path, kind: str, encodings: tuple[str, ...], size: int, changed: int) -> SourceFile:
    # Each kind of file of each connector asks again; a spreadsheet would be parsed for all of them.
    if kind == "csv":
        return _look_at_text(path, encodings)
    if kind == "xlsx":
        return _look_at_sheets(path)
    header = {"parquet": _parquet_header, "json": _json_header}[kind](path)
    return SourceFile(path, kind, header, None, ",", 0, path)


def readable(file: SourceFile, stem: Path, encodings: tuple[str, ...], limit: int) -> Sequence[SourceFile]:
    """A file in a form and under a name that DuckDB can read: a link or a copy; one for each sheet of a spreadsheet.

    Args:
        stem: the beginning of the new files' paths: the name that a stranger chose may be a pattern for DuckDB.
        limit: how many bytes a copy may have.

    Raises:
        ConnectorError: the text has none of the encodings, or a copy would be larger.
    """
    with reading(file.path):
        if file.kind == "xlsx":
            return _copy_sheets(file, stem, limit)
        link = Path(f"{stem}.{file.kind}")
        if file.kind == "csv":
            return [_readable_text(file, link, encodings, limit)]
        if file.kind == "parquet":
            _check_parquet(file.path, limit)
        link.symlink_to(file.path.resolve())
        return [replace(file, readable=link)]


def _readable_text(file: SourceFile, link: Path, encodings: tuple[str, ...], limit: int) -> SourceFile:
    known = _bom(file.path)
    for encoding in [known] if known else encodings:
        try:
            if encoding == "utf-8" and not _is_gzip(file.path) and _is_plain(file.path):
                link.symlink_to(file.path.resolve())
            else:
                _copy_text(file.path, link, encoding, limit)
            return replace(file, encoding=encoding, readable=link)
        except UnicodeDecodeError as error:
            fault = error
    raise ConnectorError(
        f"{file.path}, line {fault.start}",
        f"the text is not {' or '.join([known] if known else encodings)}",
        "export it as UTF-8",
    )


def _kind(path: Path) -> str | None:
    name = path.name.lower().removesuffix(".gz")
    kind = _KINDS.get(Path(name).suffix)
    return kind if kind == "csv" or not path.name.lower().endswith(".gz") else None


def _is_gzip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"\x1f\x8b"


def _open(path: Path) -> IO[bytes] | gzip.GzipFile:
    return gzip.open(path) if _is_gzip(path) else path.open("rb")


def _head(path: Path) -> bytes:
    try:
        with _open(path) as file:
            return file.read(HEAD_BYTES)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ConnectorError(str(path), f"the file is damaged ({error})", "export or download it again") from None


def _bom(path: Path) -> str | None:
    head = _head(path)
    return next((encoding for mark, encoding in _BOMS if head.startswith(mark)), None)


def _look_at_text(path: Path, encodings: tuple[str, ...]) -> SourceFile:
    head = _head(path)
    if not head:
        raise ConnectorError(str(path), "the file is empty", "export it again")
    found = next(((mark, encoding) for mark, encoding in _BOMS if head.startswith(mark)), None)
    mark, tried = (found[0], (found[1],)) if found else (b"", encodings)
    for encoding in tried:
        try:
            # The last character may be cut in two.
            text = codecs.getincrementaldecoder(encoding)().decode(head[len(mark) :])
        except UnicodeDecodeError:
            continue
        if "\0" in text:
            continue
        return _with_header(path, text, encoding)
    raise ConnectorError(str(path), f"the text is not {' or '.join(tried)}", "export it as UTF-8")


def _with_header(path: Path, text: str, encoding: str) -> SourceFile:
    skip, delimiter = 0, None
    rest = text
    while True:
        line, end, after = rest.partition("\n")
        mark = re.fullmatch(r'\s*"?sep=(.)"?\s*', line)
        if not end or (line.strip(BLANKS) and not mark):
            break
        delimiter = mark.group(1) if mark else delimiter
        skip, rest = skip + 1, after
    if not rest.strip(BLANKS):
        raise ConnectorError(
            str(path), "the file has no header", "export it again, with the names of the columns first"
        )
    headers = {mark: _first_row(rest, mark) for mark in ([delimiter] if delimiter else DELIMITERS)}
    best = max(headers, key=lambda mark: len(headers[mark]))
    header = tuple(name.strip(BLANKS) for name in headers[best])
    return SourceFile(path, "csv", header, encoding, best, skip, path)


def _first_row(text: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), [])
    except csv.Error:
        return []


def _is_plain(path: Path) -> bool:
    """Whether all lines of a text end alike. Raises UnicodeDecodeError whose ``start`` is the line."""
    decoder, line, windows, last = codecs.getincrementaldecoder("utf-8")(), 1, 0, b""
    with path.open("rb") as file:
        for chunk in chunks(file):
            line = _decoded(decoder, chunk, line)[1]
            windows += chunk.count(b"\r\n") + (last == b"\r" and chunk.startswith(b"\n"))
            last = chunk[-1:]
        _decoded(decoder, b"", line, final=True)
    return windows in (0, line - 1)


def _decoded(decoder: codecs.IncrementalDecoder, chunk: bytes, line: int, final: bool = False) -> tuple[str, int]:
    try:
        return decoder.decode(chunk, final), line + chunk.count(b"\n")
    except UnicodeDecodeError as error:
        error.start = line + error.object.count(b"\n", 0, error.start)
        raise


def _copy_text(path: Path, copy: Path, encoding: str, limit: int) -> None:
    """Write a file's text as UTF-8, without a byte order mark, all lines ending alike.

    Raises UnicodeDecodeError as `_is_plain`.
    """
    decoder, line, written, is_first = codecs.getincrementaldecoder(encoding)(), 1, 0, True
    ends = io.IncrementalNewlineDecoder(None, translate=False)
    try:
        with _open(path) as file, copy.open("wb") as target:
            for chunk in chunks(file):
                text, line = _decoded(decoder, chunk, line)
                text, is_first = (text.removeprefix("\ufeff") if is_first else text), is_first and not text
                # This decoder keeps a carriage return back until it knows what follows.
                written += target.write(ends.decode(text).replace("\r\n", "\n").encode())
                check_size(path, written, limit)
            _decoded(decoder, b"", line, final=True)
            target.write(ends.decode("", final=True).encode())
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ConnectorError(str(path), f"the file is damaged ({error})", "export or download it again") from None


def _look_at_sheets(path: Path) -> SourceFile:
    found = [(sheet.name, sheet.header) for sheet in sheets(path)]
    if not found:
        raise ConnectorError(str(path), "no sheet of the spreadsheet has a row that can be read", "export it again")
    header = found[0][1]
    skipped = tuple(name for name, other in found if list(map(normal, other)) != list(map(normal, header)))
    return SourceFile(path, "xlsx", header, None, ",", 0, path, skipped=skipped)


def _copy_sheets(file: SourceFile, stem: Path, limit: int) -> list[SourceFile]:
    """Write each sheet that is read into a CSV file of its own: a later one may replace rows of an earlier."""
    copies, size = [], 0
    for sheet in sheets(file.path, limit):
        if sheet.name in file.skipped:
            continue
        copy = Path(f"{stem}.{len(copies)}.csv")
        with copy.open("w", encoding="utf-8", newline="") as target:
            writer = csv.writer(target, lineterminator="\n", quoting=csv.QUOTE_ALL)
            writer.writerow(sheet.header)
            for row in sheet.rows:
                writer.writerow(row)
                check_size(file.path, size + target.tell(), limit)
        size += copy.stat().st_size
        copies.append(replace(file, kind="csv", readable=copy, sheet=sheet.name))
    return copies


def _parquet_header(path: Path) -> tuple[str, ...]:
    import pyarrow
    import pyarrow.parquet

    try:
        return tuple(pyarrow.parquet.read_schema(path).names)
    except pyarrow.ArrowException as error:
        raise ConnectorError(str(path), f"this is not Parquet ({error})", "export it again") from None


def _check_parquet(path: Path, limit: int) -> None:
    """Refuse a file whose footer says that it unpacks to too much: each value takes a byte at least."""
    import pyarrow.parquet

    footer = pyarrow.parquet.read_metadata(path)
    size = sum(footer.row_group(number).total_byte_size for number in range(footer.num_row_groups))
    check_size(path, max(size, footer.num_rows * footer.num_columns), limit)


def _json_header(path: Path) -> tuple[str, ...]:
    """The names in the first hundred objects."""
    names: dict[str, None] = {}
    try:
        with path.open(encoding="utf-8") as file:
            for number in range(100):
                line = file.readline(HEAD_BYTES)
                row = json.loads(line) if line.strip() else {}
                if not isinstance(row, dict):
                    raise ValueError(f"line {number + 1} is not an object")
                names |= dict.fromkeys(row)
    except ValueError as error:
        raise ConnectorError(str(path), f"this is not JSON lines ({error})", "write one object per line") from None
    if not names:
        raise ConnectorError(str(path), "the file is empty", "export it again")
    return tuple(names)
