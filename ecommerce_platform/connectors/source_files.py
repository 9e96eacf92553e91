"""Opens a shop's export files: which kind, encoding and delimiter a file has, and its header.

Everything here is untrusted. A file ends up as plain UTF-8 CSV, Parquet or JSON lines that DuckDB reads; what has
another encoding, is compressed, or is a spreadsheet is copied, and the copy may not grow beyond a limit.
"""

from __future__ import annotations

import codecs
import csv
import datetime as dt
import gzip
import io
import json
import re
import shutil
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

from ecommerce_platform.connectors.errors import ConnectorError
from ecommerce_platform.feeds.columns import BLANKS

HEAD_BYTES = 256 * 1024
"""What is read to find out what a file is."""

CHUNK = 1024 * 1024

RATIO = 250
"""Text that was compressed more than this is taken for a bomb, once it has ``FREE_OF_RATIO`` bytes."""

FREE_OF_RATIO = 100_000_000

SPREADSHEET_BYTES = 1_500_000_000
"""The limit of a spreadsheet's content, which is held in memory."""

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
        readable: the file for DuckDB: ``path`` itself, or a copy.
    """

    path: Path
    kind: str
    header: tuple[str, ...]
    encoding: str | None
    delimiter: str
    skip: int
    readable: Path


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
    try:
        if kind == "csv":
            return _look_at_text(path, encodings)
        header = {"xlsx": _xlsx_header, "parquet": _parquet_header, "json": _json_header}[kind](path)
    except OSError as error:
        raise ConnectorError(str(path), f"cannot be read ({error.strerror or error})", "export it again") from None
    return SourceFile(path, kind, header, None, ",", 0, path)


def readable(file: SourceFile, folder: Path, encodings: tuple[str, ...], limit: int) -> SourceFile:
    """A file that DuckDB can read: itself, or a copy in ``folder``, of at most ``limit`` bytes.

    Raises:
        ConnectorError: the text has none of the encodings, or the copy would be larger.
    """
    if file.kind == "xlsx":
        copy = folder / f"{file.path.name}.csv"
        _copy_xlsx(file, copy, limit)
        return replace(file, kind="csv", delimiter=",", skip=0, readable=copy)
    if file.kind != "csv":
        return file
    known = _bom(file.path)
    for encoding in [known] if known else encodings:
        is_plain = encoding == "utf-8" and not _is_gzip(file.path)
        try:
            if is_plain:
                _check_text(file.path, encoding)
                return replace(file, encoding=encoding)
            copy = folder / f"{file.path.name}.csv"
            _copy_text(file.path, copy, encoding, limit)
            return replace(file, encoding=encoding, readable=copy)
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


def _check_text(path: Path, encoding: str) -> None:
    """Raises UnicodeDecodeError whose ``start`` is the line."""
    decoder, line = codecs.getincrementaldecoder(encoding)(), 1
    with path.open("rb") as file:
        for chunk in _chunks(file):
            line = _decoded(decoder, chunk, line)[1]
        _decoded(decoder, b"", line, final=True)


def _decoded(decoder: codecs.IncrementalDecoder, chunk: bytes, line: int, final: bool = False) -> tuple[str, int]:
    try:
        return decoder.decode(chunk, final), line + chunk.count(b"\n")
    except UnicodeDecodeError as error:
        error.start = line + error.object.count(b"\n", 0, error.start)
        raise


def _copy_text(path: Path, copy: Path, encoding: str, limit: int) -> None:
    """Write a file's text as UTF-8, without a byte order mark. Raises UnicodeDecodeError as `_check_text`."""
    decoder, line, written, is_first = codecs.getincrementaldecoder(encoding)(), 1, 0, True
    packed = path.stat().st_size
    try:
        with _open(path) as file, copy.open("wb") as target:
            for chunk in _chunks(file):
                text, line = _decoded(decoder, chunk, line)
                text, is_first = (text.removeprefix("\ufeff") if is_first else text), is_first and not text
                written += target.write(text.encode())
                if written > limit or (written > FREE_OF_RATIO and written > RATIO * packed):
                    raise _too_large(path, written, limit)
            _decoded(decoder, b"", line, final=True)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ConnectorError(str(path), f"the file is damaged ({error})", "export or download it again") from None


def _chunks(file: IO[bytes] | gzip.GzipFile) -> Iterator[bytes]:
    while chunk := file.read(CHUNK):
        yield chunk


def _too_large(path: Path, size: int, limit: int) -> ConnectorError:
    return ConnectorError(
        str(path),
        f"unpacked, the file has more than {size // 1_000_000:,} MB, from {path.stat().st_size // 1_000_000:,} MB",
        f"the limit is {limit // 1_000_000:,} MB here (half of the free disk space) and {RATIO} times the packed size:"
        " unpack it yourself if you trust it",
    )


def _workbook(path: Path, limit: int = SPREADSHEET_BYTES) -> Any:
    """The opened spreadsheet, after its parts have been unpacked once to see how large they really are."""
    import python_calamine

    limit = min(limit, SPREADSHEET_BYTES)
    try:
        with zipfile.ZipFile(path) as archive:
            size = 0
            for part in archive.infolist():
                with archive.open(part) as file:
                    for chunk in _chunks(file):
                        size += len(chunk)
                        if size > limit or (size > FREE_OF_RATIO and size > RATIO * path.stat().st_size):
                            raise _too_large(path, size, limit)
        return python_calamine.CalamineWorkbook.from_path(path)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, python_calamine.CalamineError) as error:
        raise ConnectorError(
            str(path), f"this is not a spreadsheet ({error})", "export it again as .xlsx or CSV"
        ) from None


def _xlsx_rows(path: Path, limit: int = SPREADSHEET_BYTES) -> Iterator[list[str]]:
    """The rows of all sheets that have the first one's header, as text; the header first and once."""
    book = _workbook(path, limit)
    header: list[str] | None = None
    for name in book.sheet_names:
        rows = book.get_sheet_by_name(name).iter_rows()
        first = next((row for row in ([_cell(value).strip(BLANKS) for value in row] for row in rows) if any(row)), [])
        if header is None and any(first):
            header = first
            yield header
        if first and first == header:
            yield from ([_cell(value) for value in row] for row in rows)


def _xlsx_header(path: Path) -> tuple[str, ...]:
    header = next(_xlsx_rows(path), None)
    if header is None:
        raise ConnectorError(str(path), "the spreadsheet is empty", "export it again")
    return tuple(header)


def _cell(value: object) -> str:
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, dt.datetime):
        return value.isoformat(sep=" ", timespec="seconds")
    return "" if value is None else str(value)


def _copy_xlsx(file: SourceFile, copy: Path, limit: int) -> None:
    with copy.open("w", encoding="utf-8", newline="") as target:
        writer = csv.writer(target, lineterminator="\n", quoting=csv.QUOTE_ALL)
        for row in _xlsx_rows(file.path, limit):
            writer.writerow(row)
            if target.tell() > limit:
                raise _too_large(file.path, target.tell(), limit)


def _parquet_header(path: Path) -> tuple[str, ...]:
    import pyarrow
    import pyarrow.parquet

    try:
        return tuple(pyarrow.parquet.read_schema(path).names)
    except pyarrow.ArrowException as error:
        raise ConnectorError(str(path), f"this is not Parquet ({error})", "export it again") from None


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


def free_half(folder: Path) -> int:
    """Half of the free disk space at a folder, in bytes."""
    return shutil.disk_usage(folder).free // 2
