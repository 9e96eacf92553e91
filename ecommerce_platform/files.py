"""Files that other people read: written whole or not at all, and safe to open."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

import pandas as pd

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""The last four are the full-width forms of the first four, which some spreadsheets take for them."""


def write_atomically(path: Path, content: bytes) -> None:
    """Replace a file: a reader sees the old content or the new, and a crash leaves one of them.

    Only its owner may read it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def spreadsheet_csv(frame: pd.DataFrame) -> bytes:
    """A DataFrame as UTF-8 CSV. Text that a spreadsheet would run as a formula gets a leading apostrophe.

    Source: OWASP, CSV Injection.
    """
    return frame.map(lambda value: f"'{value}" if _is_formula(value) else value).to_csv(index=False).encode()


def _is_formula(value: object) -> bool:
    return isinstance(value, str) and value.startswith(FORMULA_STARTS)


def json_rows(frame: pd.DataFrame) -> bytes:
    """A DataFrame as JSON: a list of one object a row; dates and moments as ISO 8601 text, decimals as numbers."""
    text = frame.to_json(orient="records", date_format="iso", default_handler=str)
    rows = json.loads(text or "[]")
    return (json.dumps(rows, indent=2, ensure_ascii=False) + "\n").encode()
