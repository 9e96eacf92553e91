"""Makes Dagster's storage survive an outage: restarts a dead server, and repeats operations that it interrupted.

Dagster itself retries connecting for ten seconds, but an operation whose connection breaks fails, and so does the run
that was recording a step.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from sqlalchemy import Engine
from sqlalchemy import event as sqlalchemy_event
from sqlalchemy.exc import DBAPIError

Store = TypeVar("Store", bound=type)

WAITS = (0.1, 1.0)
"""Seconds before each retry of an operation: a recovering server may cut the first new connection, too."""

READS = ("all_", "get_", "has_", "fetch_", "check_")
REPEATABLE = {
    "store_event",
    "store_event_batch",
    "handle_run_event",
    "add_run_tags",
    "add_daemon_heartbeat",
    "update_tick",
    "update_instigator_state",
}
"""Writes that may be repeated: if the answer was lost after the commit, the worst outcome is duplicate events."""


def survives_an_outage(store: Store) -> Store:
    """Decorate a store class so that reads and repeatable writes are retried on a new connection."""
    for name in dir(store):
        function = inspect.getattr_static(store, name, None)
        is_wanted = name.startswith(READS) or name in REPEATABLE
        if is_wanted and inspect.isfunction(function) and not inspect.isgeneratorfunction(function):
            setattr(store, name, _repeated(function))
    return store


def _repeated(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def repeated(*arguments: Any, **named: Any) -> Any:
        for wait in WAITS:
            try:
                return function(*arguments, **named)
            except DBAPIError as error:
                if not error.connection_invalidated:
                    raise
            time.sleep(wait)
        return function(*arguments, **named)

    return repeated


def start_before_connecting(engine: Engine, start: Callable[[], object]) -> None:
    """If a new connection is refused, call ``start`` and try once more.

    Args:
        engine: the engine that opens the connections.
        start: starts the server if it is embedded and not running.
    """

    def connect(dialect: Any, record: Any, arguments: list[Any], named: dict[str, Any]) -> Any:
        try:
            return dialect.connect(*arguments, **named)
        except dialect.loaded_dbapi.OperationalError:
            start()
            return dialect.connect(*arguments, **named)

    sqlalchemy_event.listen(engine, "do_connect", connect)
