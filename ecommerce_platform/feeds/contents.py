"""The bytes of a feed file, from a folder or an object store, if it is one that may be read."""

from __future__ import annotations

import datetime as dt
import errno
import os
import stat
from pathlib import Path

from ecommerce_platform.feeds.files import FeedFileError, MissingFileError
from ecommerce_platform.storage import Location, ObjectPath
from ecommerce_platform.storage.objects import TooLargeError


def content_of(path: Location, feed: str, day: dt.date, most: int) -> bytes:
    """Return a feed file's bytes.

    Args:
        path: the file.
        feed: its feed, for an error.
        day: its day, for an error.
        most: the number of bytes that it may have.

    Raises:
        FeedFileError: it is missing, not a regular file, empty, or too large.
        OSError: the disk failed, perhaps for a moment.
        StorageError: the object store failed, perhaps for a moment.
    """

    def error(problem: str, remedy: str) -> FeedFileError:
        return FeedFileError(feed, day, path, problem, remedy)

    try:
        if isinstance(path, ObjectPath):
            data = path.read_bytes(most)
        else:
            folder = path.parent.parent
            # A link could point to any file that this user may read, and an error message would quote its content.
            if not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder)):
                raise error(
                    f"a symbolic link points outside {folder}",
                    f"put the file itself there, or link the whole of {folder}",
                )
            status = path.stat()
            # Checked before opening, because opening a pipe would wait for its writer.
            if not stat.S_ISREG(status.st_mode):
                raise error("this is not a regular file", "put the day's CSV file there")
            if status.st_size > most:
                raise TooLargeError(status.st_size)
            data = path.read_bytes()
    except TooLargeError as large:
        raise error(
            f"the file has {large.size:,} bytes; the limit for one day is {most:,}",
            "check that it contains only one day",
        ) from None
    except (FileNotFoundError, NotADirectoryError) as missing:
        remedy = "export the day again to this path"
        raise MissingFileError(feed, day, path, "the file is missing", remedy) from missing
    except PermissionError as denied:
        raise error("permission to read the file is denied", "give this user read permission") from denied
    except OSError as failed:
        if failed.errno != errno.ELOOP:
            raise
        raise error("symbolic links form a loop", "put the file itself there") from failed
    if not data:
        raise error("the file is empty, without even a header", "export the day again")
    return data
