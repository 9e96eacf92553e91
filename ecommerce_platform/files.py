"""Files for other people and programs: written completely or not at all, and safe to open."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecommerce_platform.storage import Location, ObjectPath

if TYPE_CHECKING:
    import pandas as pd


FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""The last four are the full-width forms of the first four, which some spreadsheets also treat as formulas."""


def write_atomically(path: Location, content: bytes, mode: int = 0o600) -> None:
    """Replace a file, creating its parent folders. ``mode`` sets its permissions, subject to the umask.

    A reader, or a crash at any moment, finds either the old or the new content, never a part. A power failure may
    restore the old file: the folder is not synced, because that would double the time for a thousand small files.
    An object store replaces an object as a whole; access to it is set there, not by ``mode``.

    Raises:
        OSError: the file cannot be written; no temporary file remains.
        StorageError: the object store did not confirm the write.
    """
    if isinstance(path, ObjectPath):
        path.replace_content(content)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    # The name is hidden and has another suffix, so *.csv never matches a partial file. It is in the same folder
    # because a rename is atomic only within one file system.
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def printable(text: str, *, keep: str = "") -> str:
    """Untrusted text with a question mark for each character that would format a terminal or end a line.

    Args:
        keep: characters to leave as they are, such as a line break.
    """
    return "".join(letter if letter.isprintable() or letter in keep else "?" for letter in text)


def states_of(paths: Iterable[Path]) -> list[list[object]]:
    """What tells without opening it whether a file is still the same: its path, size and modification time.

    A file that has just gone is left out.
    """
    found: list[list[object]] = []
    for path in paths:
        try:
            status = path.stat()
        except FileNotFoundError:
            continue
        found.append([str(path), status.st_size, status.st_mtime_ns])
    return found


def spreadsheet_csv(frame: pd.DataFrame) -> bytes:
    """A DataFrame as UTF-8 CSV, safe to open in a spreadsheet."""
    # DataFrame.map would turn a column of nullable integers into floating-point numbers.
    texts = {str(name): frame[name].map(without_formula) for name in frame if frame[name].dtype.kind == "O"}
    return frame.assign(**texts).to_csv(index=False).encode()


def without_formula(value: Any) -> Any:
    """The value, with a leading apostrophe if it is text that a spreadsheet would run as a formula.

    Source: OWASP, CSV Injection.
    """
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA_STARTS) else value


def json_rows(frame: pd.DataFrame) -> bytes:
    """A DataFrame as a JSON list of one object per row; dates and timestamps as ISO 8601 text, decimals as numbers."""
    text = frame.to_json(orient="records", date_format="iso", default_handler=str)
    rows = json.loads(text or "[]")
    return (json.dumps(rows, indent=2, ensure_ascii=False) + "\n").encode()
