"""What the values of settings must look like, and settings that a file may hold instead."""

from __future__ import annotations

import datetime as dt
import os
import re
from collections.abc import Callable
from pathlib import Path

from pydantic import AfterValidator, ValidationInfo

PREFIX = "ECOMMERCE_"
"""What the names of all our environment variables begin with."""


def iso_day(text: object) -> object:
    """The day that a text names; anything else as it is."""
    return dt.date.fromisoformat(text.strip()) if isinstance(text, str) else text


def listed(text: str) -> list[str]:
    """The names in a list separated by commas."""
    return [name.strip() for name in text.split(",") if name.strip()]


def host_names(text: str) -> str:
    """Validate host names separated by commas; may be blank."""
    for name in listed(text):
        if not re.fullmatch(r"[0-9A-Za-z._-]{1,253}", name):
            raise ValueError("must be host names separated by commas, without ports")
    return text


def checked(parse: Callable[[str], object]) -> AfterValidator:
    """Validate a text that may be missing by parsing it."""

    def check(text: str | None) -> str | None:
        if text:
            parse(text)
        return text or None

    return AfterValidator(check)


def file_name(path: Path | None) -> Path | None:
    """Validate the name of a file that need not exist."""
    if path is not None and any(ord(character) < 32 or ord(character) == 127 for character in str(path)):
        raise ValueError("must not contain line breaks or other control characters")
    return path


def readable_file(path: Path | None) -> Path | None:
    """Validate a file that must exist."""
    if path is not None and not (path.is_file() and os.access(path, os.R_OK)):
        raise ValueError("is not a readable file")
    return path


def or_from_file(value: object, fields: ValidationInfo) -> object:
    """Return the secret itself or, if NAME_FILE is set, the contents of that file without surrounding white space."""
    file = fields.data.get(f"{fields.field_name}_file")
    if file is None:
        return value
    if value:
        raise ValueError(f"is set, and so is {PREFIX}{str(fields.field_name).upper()}_FILE: remove one of them")
    return file.read_text(encoding="utf-8").strip()
