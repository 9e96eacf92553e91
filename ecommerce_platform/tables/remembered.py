"""What a parser reads out of the files of sql/, kept from one process to the next.

Parsing them takes a quarter of a second at every start of every process of Dagster.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ecommerce_platform.files import write_atomically
from ecommerce_platform.settings import load_settings


def remembered(name: str, files: Iterable[Path], parse: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What ``parse`` gives, from Dagster's home if it lies there and nothing that it depends on has changed since.

    Args:
        name: of the file that keeps it.
        files: all that it is read from, the parsing code included.
        parse: gives what JSON can hold.
    """
    digest = hashlib.sha256(version("sqlglot").encode())
    for path in files:
        digest.update(f"\0{path}\0".encode())
        digest.update(path.read_bytes())
    wanted = digest.hexdigest()
    home = load_settings().dagster_home
    kept = home / f"{name}.json"
    with suppress(OSError, ValueError, KeyError, TypeError):
        held = json.loads(kept.read_bytes())
        if held["digest"] == wanted:
            return held["value"]
    value = parse()
    if home.is_dir():
        # Whoever may not write there parses again.
        with suppress(OSError):
            write_atomically(kept, json.dumps({"digest": wanted, "value": value}).encode())
    return value
