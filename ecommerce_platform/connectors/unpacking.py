"""How much a stranger's file may unpack to."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from ecommerce_platform.connectors.errors import ConnectorError

CHUNK = 1024 * 1024

RATIO = 250
"""Text that was compressed more than this is taken for a bomb, once it has ``FREE_OF_RATIO`` bytes."""

FREE_OF_RATIO = 100_000_000


def check_size(path: Path, size: int, limit: int) -> None:
    """Raises ConnectorError if a file unpacks to more than a limit, or to so much more than its own size."""
    packed = path.stat().st_size
    if size > limit or (size > FREE_OF_RATIO and size > RATIO * packed):
        raise ConnectorError(
            str(path),
            f"unpacked, the file has more than {size // 1_000_000:,} MB, from {packed // 1_000_000:,} MB",
            f"the limit is {limit // 1_000_000:,} MB here (half of the free disk space) and {RATIO} times the packed"
            " size: unpack it yourself if you trust it",
        )


def chunks(file: IO[bytes] | gzip.GzipFile) -> Iterator[bytes]:
    """The bytes of an open file, a part at a time."""
    while chunk := file.read(CHUNK):
        yield chunk


def free_half(folder: Path) -> int:
    """Half of the free disk space at a folder, in bytes."""
    return shutil.disk_usage(folder).free // 2
