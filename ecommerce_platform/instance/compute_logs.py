"""The output of steps in an object store, so that every webserver shows what any machine's run has printed.

It is captured in a local folder and uploaded when the step ends, and every half minute until then. A log is never worth
a run: if it cannot be uploaded, it stays in the local folder, and a warning says so.
"""

from __future__ import annotations

import logging
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from dagster._core.storage.cloud_storage_compute_log_manager import TruncatingCloudStorageComputeLogManager
from dagster._core.storage.compute_log_manager import CapturedLogContext, ComputeIOType
from dagster._core.storage.local_compute_log_manager import IO_TYPE_EXTENSION, LocalComputeLogManager

from ecommerce_platform.files import write_atomically
from ecommerce_platform.storage import ObjectPath, StorageError

UPLOAD_EACH = 30
"""Seconds between two uploads of the output of a step that still runs."""

logger = logging.getLogger("dagster.compute_log_manager")


class StoredComputeLogs(TruncatingCloudStorageComputeLogManager):
    """Captures output in a folder of this machine, and stores it in an object store.

    Args:
        folder: where to store it.
        local: captures it.
    """

    def __init__(self, folder: ObjectPath, local: LocalComputeLogManager):
        super().__init__()
        self._folder = folder
        self._local = local
        self.is_captured = True

    @property
    def local_manager(self) -> LocalComputeLogManager:
        """What captures the output."""
        return self._local

    @property
    def upload_interval(self) -> int:
        """Seconds between two uploads."""
        return UPLOAD_EACH

    @contextmanager
    def capture_logs(self, log_key: Sequence[str]) -> Generator[CapturedLogContext]:
        """Same as the base, if capturing is on; see ``DataFolderComputeLogs``."""
        if self.is_captured:
            with super().capture_logs(log_key) as captured:
                yield captured
        else:
            yield CapturedLogContext(log_key)

    def on_progress(self, log_key: Sequence[str]) -> None:
        """Upload what there is so far."""
        try:
            super().on_progress(log_key)
        except StorageError as error:
            logger.warning("The output of %s was not uploaded: %s", "/".join(log_key), error)

    def _on_capture_complete(self, log_key: Sequence[str]) -> None:
        try:
            super()._on_capture_complete(log_key)
        except StorageError as error:
            logger.warning("The output of %s stays on this machine: %s", "/".join(log_key), error)

    def cloud_storage_has_logs(self, log_key: Sequence[str], io_type: ComputeIOType, partial: bool = False) -> bool:
        """Whether the output is stored; not while the store is out of reach."""
        try:
            return self._object(log_key, io_type, partial).exists()
        except StorageError:
            return False

    def download_from_cloud_storage(
        self, log_key: Sequence[str], io_type: ComputeIOType, partial: bool = False
    ) -> None:
        """Copy the output to where the local manager looks for it."""
        path = self._local.get_captured_local_path(log_key, IO_TYPE_EXTENSION[io_type], partial=partial)
        write_atomically(Path(path), self._object(log_key, io_type, partial).read_bytes())

    def download_url_for_type(self, log_key: Sequence[str], io_type: ComputeIOType) -> None:
        """None: Dagster's page shows the output itself, and a signed URL would be a secret."""

    def display_path_for_type(self, log_key: Sequence[str], io_type: ComputeIOType) -> str:
        """The URL of the object."""
        return str(self._object(log_key, io_type))

    def delete_logs(self, log_key: Sequence[str] | None = None, prefix: Sequence[str] | None = None) -> None:
        """Delete local copies. Stored output is deleted by a lifecycle rule of the bucket (docs/deployment.md)."""
        self._local.delete_logs(log_key=log_key, prefix=prefix)  # type: ignore[arg-type]

    def _upload_file_obj(
        self, data: IO[bytes], log_key: Sequence[str], io_type: ComputeIOType, partial: bool = False
    ) -> None:
        write_atomically(self._object(log_key, io_type, partial), data.read())

    def _object(self, log_key: Sequence[str], io_type: ComputeIOType, partial: bool = False) -> ObjectPath:
        folder = self._folder
        for part in log_key[:-1]:
            folder = folder / part
        return folder / f"{log_key[-1]}.{IO_TYPE_EXTENSION[io_type]}{'.partial' if partial else ''}"
