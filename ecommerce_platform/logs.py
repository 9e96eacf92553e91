"""Logs as JSON: one object per line on stderr, with the field names that Dagster's ``--log-format json`` has.

They are ``event`` (the message), ``level``, ``logger``, ``timestamp`` (UTC) and, where they are known, ``job``,
``run_id``, ``step`` (``warehouse__fact_sales`` for that table) and ``exception`` with its traceback.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import MutableMapping
from types import TracebackType
from typing import Any

import structlog

RUN_FIELDS = {"job_name": "job", "run_id": "run_id", "step_key": "step"}
"""What Dagster knows of a message in a run, and what it is called in the log."""


def json_formatter() -> logging.Formatter:
    """A formatter that writes a record as one line of JSON."""
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            structlog.stdlib.add_logger_name,
            structlog.stdlib.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _add_run,
            structlog.processors.format_exc_info,
        ],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, structlog.processors.JSONRenderer()],
    )


def log_as_json() -> None:
    """Write what this process logs, its warnings, and errors that end it or a thread, as JSON to stderr."""
    handler = logging.StreamHandler()
    handler.setFormatter(json_formatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.captureWarnings(True)

    def log_the_end(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        logging.getLogger("ecommerce_platform").critical("The process failed", exc_info=(kind, error, trace))

    def log_the_end_of_a_thread(ended: threading.ExceptHookArgs) -> None:
        if ended.exc_type is SystemExit:
            return  # a thread may end itself so, as in Python's own hook
        name = ended.thread.name if ended.thread is not None else "unknown"
        error = ended.exc_value or ended.exc_type()
        logging.getLogger("ecommerce_platform").critical(
            "The thread %s failed", name, exc_info=(ended.exc_type, error, ended.exc_traceback)
        )

    sys.excepthook = log_the_end
    threading.excepthook = log_the_end_of_a_thread


def _add_run(_: Any, __: str, fields: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    known = getattr(fields.get("_record"), "dagster_meta", None)
    if known is None:
        return fields
    fields["event"] = known["orig_message"]
    fields.update({ours: known[name] for name, ours in RUN_FIELDS.items() if known[name]})
    error = getattr(getattr(known["dagster_event"], "event_specific_data", None), "error", None)
    if error is not None:
        fields["exception"] = error.to_string()
    return fields
