"""Where raw files, extracts and reports are: a folder of this machine, or an object store that all machines reach.

A :data:`Location` is a file or folder of either. For a local one it is a ``pathlib.Path``; for an object store, an
:class:`ObjectPath` with the few methods of ``Path`` that the platform uses. What both promise:

- a file is replaced as a whole (:func:`ecommerce_platform.files.write_atomically`): a reader finds the old or the new
  content, whoever dies, and of two writers at once one wins;
- a file that was written here is read as it was written, or not at all.
"""

from ecommerce_platform.storage.objects import Location, ObjectPath, StorageError, sha256_of
from ecommerce_platform.storage.urls import StorageUrl, parse_storage_url

__all__ = ["Location", "ObjectPath", "StorageError", "StorageUrl", "located", "parse_storage_url", "sha256_of"]


def located(url: str) -> Location:
    """The folder that a storage URL names.

    Raises:
        ValueError: the URL is invalid; see :func:`parse_storage_url`.
    """
    parsed = parse_storage_url(url)
    return parsed.folder if parsed.folder is not None else ObjectPath(parsed.root, parsed.prefix)
