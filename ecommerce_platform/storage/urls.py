"""Storage URLs, parsed strictly: ``file:///folder``, ``s3://bucket/prefix``, ``gs://bucket/prefix``, ``az://container/prefix``.

Credentials never come from a URL, which is shown in logs and pages, but from the environment of each service's clients.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote, urlsplit

EXTRAS = {"s3": "s3", "gs": "gcs", "az": "azure"}
"""The optional dependencies of the project by the scheme that needs them."""

_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]")
_SEGMENT = re.compile(r"[0-9A-Za-z._=+-]{1,100}")
MOST_SEGMENTS = 8


@dataclass(frozen=True)
class StorageUrl:
    """A parsed URL.

    Attributes:
        folder: the absolute folder of a ``file:`` URL; None for an object store.
        root: scheme and bucket of an object store, such as ``s3://bucket``; otherwise empty.
        prefix: the key in it below which all files are, without a slash at either end; may be empty.
    """

    folder: Path | None
    root: str = ""
    prefix: str = ""


def parse_storage_url(url: str) -> StorageUrl:
    """Parse a URL.

    Raises:
        ValueError: what is wrong with it. The message does not quote the URL, which may contain a secret.
    """
    if any(ord(character) <= 32 or ord(character) == 127 for character in url):
        raise ValueError("must not contain blanks or control characters")
    try:
        parts = urlsplit(url)
    except ValueError:
        raise ValueError("is not a valid URL") from None
    if parts.scheme != "file" and parts.scheme not in EXTRAS:
        raise ValueError("must begin with file:, s3:, gs: or az:")
    if "@" in parts.netloc or "?" in url or "#" in url:
        raise ValueError("must not contain credentials or options: set AWS_, GOOGLE_ or AZURE_ variables instead")
    return _folder(parts.netloc, parts.path) if parts.scheme == "file" else _bucket(*parts[:3])


def _folder(host: str, path: str) -> StorageUrl:
    folder = Path(unquote(path))
    if host not in ("", "localhost") or not folder.is_absolute() or folder == Path("/"):
        raise ValueError("must name an absolute folder of this machine after file://")
    if ".." in folder.parts or any(ord(character) < 32 or ord(character) == 127 for character in str(folder)):
        raise ValueError("must not contain .. or control characters")
    if folder.exists() and not folder.is_dir():
        raise ValueError("must be a folder, but is a file")
    return StorageUrl(folder)


def _bucket(scheme: str, bucket: str, path: str) -> StorageUrl:
    kind = "container" if scheme == "az" else "bucket"
    if not bucket:
        raise ValueError(f"names no {kind}")
    if not _BUCKET.fullmatch(bucket) or ".." in bucket or (scheme == "az" and ("." in bucket or "_" in bucket)):
        raise ValueError(f"does not name a valid {kind}: lower-case letters, digits and hyphens, without a port")
    segments = path.strip("/").split("/") if path.strip("/") else []
    if len(segments) > MOST_SEGMENTS or not all(_SEGMENT.fullmatch(name) and name.strip(".") for name in segments):
        raise ValueError(
            f"must have at most {MOST_SEGMENTS} names after the {kind}, of letters, digits and the characters . _ = + -"
        )
    if find_spec("obstore") is None:
        raise ValueError(f"needs an optional package: pip install '.[{EXTRAS[scheme]}]'")
    return StorageUrl(None, f"{scheme}://{bucket}", "/".join(segments))
