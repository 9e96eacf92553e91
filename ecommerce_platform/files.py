"""Files that other people read: written whole or not at all, and safe to open."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""The last four are the full-width forms of the first four, which some spreadsheets take for them."""


def write_atomically(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Replace a file, making its parent folders. ``mode`` says who may read it, as far as the umask lets them.

    A reader, and a crash at any moment, finds the old content or the new, never a part. (A power cut may bring the old
    one back: the folder is not synced, which would double the time that a thousand small files take.)

    Raises:
        OSError: it cannot be written; no temporary file stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # A hidden name with another ending: *.csv never shows half a file. A sibling: a rename is atomic within one file
    # system only.
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


def spreadsheet_csv(frame: pd.DataFrame) -> bytes:
    """A DataFrame as UTF-8 CSV, safe to open in a spreadsheet."""
    return frame.map(without_formula).to_csv(index=False).encode()


def without_formula(value: Any) -> Any:
    """The value; text that a spreadsheet would run as a formula gets a leading apostrophe.

    Source: OWASP, CSV Injection.
    """
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA_STARTS) else value


def json_rows(frame: pd.DataFrame) -> bytes:
    """A DataFrame as JSON: a list of one object per row; dates and moments as ISO 8601 text, decimals as numbers."""
    text = frame.to_json(orient="records", date_format="iso", default_handler=str)
    rows = json.loads(text or "[]")
    return (json.dumps(rows, indent=2, ensure_ascii=False) + "\n").encode()
