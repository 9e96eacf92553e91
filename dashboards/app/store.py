"""Keeps the snapshot of the order lines up to date with the database."""

from __future__ import annotations

import logging
import threading
import time

from dashboards.app.snapshot import DatabaseError, Snapshot
from dashboards.app.snapshot_reader import data_version, read_snapshot, reading
from ecommerce_platform.io_managers.connection import PostgresConnection


class Store:
    """Caches the snapshot and reads it again when the data version changes.

    The first read blocks. Later reads run in the background while the old snapshot stays in use. With ``in_background``
    False, which tests use, every read blocks.
    """

    def __init__(self, connection: PostgresConnection, *, look_every: float = 2.0, in_background: bool = True):
        self.connection = connection
        self._look_every = look_every
        self._in_background = in_background
        self._snapshot: Snapshot | None = None
        self._looked_at = float("-inf")
        self._fault: DatabaseError | None = None
        self._reader: threading.Thread | None = None
        self._lock = threading.Lock()

    @property
    def is_reading(self) -> bool:
        """Whether a newer snapshot is being read in the background."""
        return self._reader is not None and self._reader.is_alive()

    def current(self) -> Snapshot:
        """The current snapshot.

        Raises:
            DatabaseError: the database cannot be read.
        """
        with self._lock:
            if self._snapshot is None:
                self._snapshot = read_snapshot(self.connection)
                self._looked_at = time.monotonic()
                return self._snapshot
            if time.monotonic() - self._looked_at >= self._look_every:
                with reading(self.connection) as connection:
                    version = data_version(connection)
                self._looked_at = time.monotonic()
                if version != self._snapshot.version and not self.is_reading:
                    if self._in_background:
                        self._reader = threading.Thread(target=self._read_again, daemon=True)
                        self._reader.start()
                    else:
                        self._snapshot = read_snapshot(self.connection, self._snapshot)
            if self._fault is not None and not self.is_reading:
                fault, self._fault = self._fault, None
                raise fault
            return self._snapshot

    def _read_again(self) -> None:
        try:
            self._snapshot = read_snapshot(self.connection, self._snapshot)
        except DatabaseError as error:
            self._fault = error
        except Exception as error:
            # For example, rows with unknown values, or too little memory. Report it on the page and in the log.
            logging.getLogger(__name__).exception("cannot read the order lines")
            self._fault = DatabaseError(
                f"Cannot read the order lines: {type(error).__name__}. See the log for details."
            )
