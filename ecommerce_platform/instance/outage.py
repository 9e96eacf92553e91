"""Dagster's records through an outage: a server that died is started again, and an operation that it cut is repeated.

Dagster itself tries for ten seconds to connect, but an operation whose connection breaks under it fails, and with it
the run that wanted to note down a step.
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
"""Seconds before an operation is repeated: a server that recovers may cut the first new connection, too."""

READS = ("get_", "has_", "fetch_", "check_")
REPEATABLE = {
    "store_event",
    "store_event_batch",
    "handle_run_event",
    "add_run_tags",
    "add_daemon_heartbeat",
    "claim_concurrency_slot",  # looks first whether the step has one
    "free_concurrency_slot_for_step",
    "initialize_concurrency_limit_to_default",
    "update_tick",
    "update_instigator_state",
}
"""Writes that may be done twice: where the answer was lost after the commit, an event is there twice at worst."""


def survives_an_outage(store: Store) -> Store:
    """Class decorator of a store: reads, and writes that may be repeated, are repeated on a new connection."""
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
    """Where a new connection is refused, call ``start`` and try once more.

    Args:
        engine: whose connections.
        start: brings the server up, if it is one that we start; does nothing where it runs.
    """

    def connect(dialect: Any, record: Any, arguments: list[Any], named: dict[str, Any]) -> Any:
        try:
            return dialect.connect(*arguments, **named)
        except dialect.loaded_dbapi.OperationalError:
            start()
            return dialect.connect(*arguments, **named)

    sqlalchemy_event.listen(engine, "do_connect", connect)
