"""Files of an object store, written and read through obstore, which is imported on first use.

One PUT replaces an object, so no temporary file is needed. Its SHA-256 is stored with it as metadata and compared with
what is read. An object without that metadata was put there by somebody else, and is taken as it is.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import re
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from obstore.store import ObjectStore

SHA256 = "sha256"
"""The name of the metadata that holds an object's SHA-256, in hexadecimal."""

PART_BYTES = 64 * 1024 * 1024
"""A larger file is uploaded in parts of this size; they become visible together, when the last one has arrived."""

PATIENCE: Any = {"max_retries": 3, "retry_timeout": dt.timedelta(seconds=30)}
"""How often a request is repeated after an error of the server or the network. Then a Dagster step requests a retry."""

CLIENT: Any = {"connect_timeout": "5 seconds", "read_timeout": "30 seconds", "timeout": "10 minutes"}


class StorageError(RuntimeError):
    """The object store did not do what it was asked for. The message names the object and the problem.

    ``is_transient`` says whether the same request may succeed later: the network or the server failed.
    """

    def __init__(self, message: str, is_transient: bool = False) -> None:
        super().__init__(message, is_transient)
        self.is_transient = is_transient

    def __str__(self) -> str:
        return str(self.args[0])


class TooLargeError(ValueError):
    """An object is larger than its reader takes; ``size`` is in bytes."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.size = size


@dataclass(frozen=True)
class ObjectPath:
    """An object, or what would be a folder of objects; the methods do what those of ``pathlib.Path`` do.

    Attributes:
        root: scheme and bucket, such as ``s3://bucket``.
        key: the rest, without a slash at either end.
    """

    root: str
    key: str

    def __truediv__(self, name: str) -> ObjectPath:
        return ObjectPath(self.root, f"{self.key}/{name}" if self.key else name)

    def __str__(self) -> str:
        return f"{self.root}/{self.key}"

    @property
    def name(self) -> str:
        """The last part of the key."""
        return self.key.rpartition("/")[2]

    @property
    def suffix(self) -> str:
        """The end of the name, from its last dot on."""
        return PurePosixPath(self.name).suffix

    def as_uri(self) -> str:
        """The URL of the object."""
        return str(self)

    def exists(self) -> bool:
        """Whether there is an object of this name."""
        return self._about() is not None

    def is_dir(self) -> bool:
        """Whether there is any object below this name."""
        import obstore

        with _explained(self, "cannot be listed"):
            return any(obstore.list(_store(self), f"{self.key}/" if self.key else None, chunk_size=1))

    def read_bytes(self, most: int | None = None) -> bytes:
        """The object's content.

        Raises:
            FileNotFoundError: there is no such object.
            TooLargeError: it has more than ``most`` bytes.
            StorageError: it cannot be read, or is not what was written.
        """
        import obstore

        with _explained(self, "cannot be read"):
            found = obstore.get(_store(self), self.key)
            if most is not None and found.meta["size"] > most:
                raise TooLargeError(found.meta["size"])
            content = found.bytes().to_bytes()
        written = found.attributes.get(SHA256)
        if written is not None and hashlib.sha256(content).hexdigest() != written:
            raise StorageError(f"{self} is damaged, because its SHA-256 is another; delete it and materialize it again")
        return content

    def replace_content(self, content: bytes) -> None:
        """Replace the object, or create it.

        Raises:
            StorageError: the object is unchanged, or has the new content although the answer was lost.
        """
        import obstore

        with _explained(self, "cannot be written"):
            try:
                obstore.put(
                    _store(self),
                    self.key,
                    content,
                    attributes={SHA256: hashlib.sha256(content).hexdigest()},
                    use_multipart=len(content) > PART_BYTES,
                    chunk_size=PART_BYTES,
                    max_concurrency=2,
                )
            except FileNotFoundError as error:
                raise _failure(self, "cannot be written", error) from None

    def sha256(self) -> str | None:
        """The SHA-256 of the object's content, from its metadata if it was written here; None if there is no object."""
        about = self._about()
        if about is None:
            return None
        return about.get(SHA256) or hashlib.sha256(self.read_bytes()).hexdigest()

    def _about(self) -> Any:
        """The object's metadata; None if there is no object."""
        import obstore

        try:
            with _explained(self, "cannot be looked up"):
                return obstore.get(_store(self), self.key, options={"head": True}).attributes
        except FileNotFoundError:
            return None


Location: TypeAlias = Path | ObjectPath
"""A file or a folder, on this machine or in an object store."""


def sha256_of(path: Location) -> str | None:
    """The SHA-256 (hex) of a file's content; None if there is no file."""
    if isinstance(path, ObjectPath):
        return path.sha256()
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except FileNotFoundError:
        return None


_reached: set[str] = set()
"""The buckets that have answered in this process."""


def _store(path: ObjectPath) -> ObjectStore:
    """The client of a path's bucket.

    Each process first asks for a list, so that its first error says what is wrong with the bucket or the credentials.
    """
    store = _client(path.root)
    if path.root not in _reached:
        _list(path)
        _reached.add(path.root)
    return store


def _list(path: ObjectPath) -> None:
    """Ask for a list, below this path only, as the credentials may be limited to a prefix."""
    import obstore

    next(iter(obstore.list(_client(path.root), path.key or None, chunk_size=1)), None)


@cache
def _client(root: str) -> ObjectStore:
    """A client with the credentials and the endpoint of the environment."""
    from obstore.store import AzureStore, GCSStore, S3Store

    scheme, _, bucket = root.partition("://")
    if scheme == "gs":
        return GCSStore(bucket, client_options=CLIENT, retry_config=PATIENCE)
    if scheme == "az":
        return AzureStore(bucket, client_options=CLIENT, retry_config=PATIENCE)
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL", "")
    client = {**CLIENT, "allow_http": True} if endpoint.startswith("http://") else CLIENT
    return S3Store(bucket, client_options=client, retry_config=PATIENCE)


@contextmanager
def _explained(path: ObjectPath, problem: str) -> Generator[None]:
    """Turn the library's errors into a StorageError that names the object; a missing one stays FileNotFoundError."""
    from obstore.exceptions import BaseError

    try:
        yield
    except FileNotFoundError:
        # A missing bucket looks like a missing file, but it cannot be listed.
        try:
            _list(path)
        except (BaseError, OSError) as error:
            raise _failure(path, problem, error) from None
        raise FileNotFoundError(f"{path} does not exist") from None
    except (BaseError, OSError) as error:
        raise _failure(path, problem, error) from None


def _failure(path: ObjectPath, problem: str, error: Exception) -> StorageError:
    told = _told(error)
    status = re.search(r"status code: (\d+)", told)
    is_refused = status is not None and status[1][0] == "4" and status[1] not in ("408", "429")
    is_transient = not is_refused and (status is not None or "HTTP error" in told)
    remedy = "" if is_transient else "; see ECOMMERCE_STORAGE_URL and the credentials in the environment"
    return StorageError(f"{path} {problem}: {told}{remedy}", is_transient)


def _told(error: Exception) -> str:
    """The library's message on one line, without the server's XML and the queries of URLs, which hold signatures."""
    text = str(error).partition("\n\nDebug source")[0]
    code = re.search(r"<Code>([A-Za-z0-9]+)</Code>", text)
    text = text.partition("<")[0] + (code.group(1) if code else "")
    text = re.sub(r" in [^\s,]+, after \d+ retries, max_retries: \d+, retry_timeout: \w+", "", text)
    return re.sub(r"(https?://[^\s?]*)\?[^\s)]*", r"\1", " ".join(text.split())).rstrip(": ")
