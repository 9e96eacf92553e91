"""Which errors are transient, and how a Dagster step requests a retry.

A RetryPolicy on the assets would also retry a bad file, a failed contract and a cancelled run. So no step has one: a
step requests its own retry after a transient connection error, and fails immediately after any other error.
"""

from __future__ import annotations

import psycopg
from dagster import Backoff, DagsterInvariantViolationError, Jitter, OpExecutionContext, RetryPolicy, RetryRequested

PATIENCE = RetryPolicy(max_retries=5, delay=1, backoff=Backoff.EXPONENTIAL, jitter=Jitter.PLUS_MINUS)
"""Waits of about 1, 3, 7, 15 and 31 seconds: a minute in all, which a crash recovery may take."""

TRANSIENT = {
    "40001",  # serialization failure
    "40003",  # the connection broke before the answer: whether the commit succeeded is unknown, and does not matter
    "40P01",  # deadlock
    "53300",  # too many connections
    "55P03",  # a lock was not available in time
    "57P01",  # the server is shutting down, or an administrator ended this connection
    "57P02",  # another session crashed
    "57P03",  # the server is starting up
    "57P05",  # the session was idle for too long
}
CONNECTION_EXCEPTIONS = "08"
PROTOCOL_VIOLATION = "08P01"


def is_transient(error: BaseException) -> bool:
    """Whether the same statements may succeed if retried.

    Judged by SQLSTATE (PostgreSQL manual, appendix A). An error without one comes from the client: the server was
    unreachable, or disappeared during a statement. A cancelled statement, a full disk, a violated constraint and a
    value out of range are permanent.
    """
    if not isinstance(error, psycopg.OperationalError):
        return False
    if error.sqlstate is None:
        return True
    if error.sqlstate.startswith(CONNECTION_EXCEPTIONS):
        return error.sqlstate != PROTOCOL_VIOLATION
    return error.sqlstate in TRANSIENT


def retry_if_transient(error: BaseException) -> None:
    """Inside a Dagster step, request a retry after a transient error; otherwise do nothing.

    Writes are idempotent transactions, so a step can always start over.

    Raises:
        RetryRequested: Dagster retries the step after a delay, up to ``PATIENCE.max_retries`` times.
    """
    if not is_transient(error):
        return
    try:
        attempt = OpExecutionContext.get().retry_number + 1
    except DagsterInvariantViolationError:
        return  # not in a step, but in a terminal or a sensor
    raise RetryRequested(PATIENCE.max_retries, PATIENCE.calculate_delay(attempt)) from error
