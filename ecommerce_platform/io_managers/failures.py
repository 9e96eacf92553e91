"""Which failures a second attempt can cure, and how a Dagster step asks for one.

A RetryPolicy on the assets would also repeat a bad file, a failed contract and a run that somebody cancelled. So no
step has one: where the connection fails in a way that passes by itself, the step asks for its own retry, and everything
else fails at once.
"""

from __future__ import annotations

import psycopg
from dagster import Backoff, DagsterInvariantViolationError, Jitter, OpExecutionContext, RetryPolicy, RetryRequested

PATIENCE = RetryPolicy(max_retries=5, delay=1, backoff=Backoff.EXPONENTIAL, jitter=Jitter.PLUS_MINUS)
"""Waits of about 1, 3, 7, 15 and 31 seconds: a minute in all, as a crash recovery may take."""

TRANSIENT = {
    "40001",  # serialization failure
    "40003",  # the connection broke before the answer: whether it was committed is not known, and does not matter
    "40P01",  # deadlock
    "53300",  # too many connections
    "55P03",  # a lock was not to be had in time
    "57P01",  # the server shuts down, or somebody ended this connection
    "57P02",  # another session crashed
    "57P03",  # the server is starting up
    "57P05",  # the session was idle for too long
}
CONNECTION_EXCEPTIONS = "08"
PROTOCOL_VIOLATION = "08P01"


def is_transient(error: BaseException) -> bool:
    """Whether the same statements may succeed in a moment.

    Judged by SQLSTATE (PostgreSQL manual, appendix A). An error without one comes from the client: the server was
    not reached, or went away under a statement. A cancelled statement, a full disk, a broken constraint and a value
    that does not fit stay as they are.
    """
    if not isinstance(error, psycopg.OperationalError):
        return False
    if error.sqlstate is None:
        return True
    if error.sqlstate.startswith(CONNECTION_EXCEPTIONS):
        return error.sqlstate != PROTOCOL_VIOLATION
    return error.sqlstate in TRANSIENT


def retry_if_transient(error: BaseException) -> None:
    """Inside a Dagster step, ask for another attempt of it; otherwise, and for what is not curable, do nothing.

    Writes are transactions that leave the same content whenever they run, so a step may always begin again.

    Raises:
        RetryRequested: Dagster runs the step again after a while, up to ``PATIENCE.max_retries`` times.
    """
    if not is_transient(error):
        return
    try:
        attempt = OpExecutionContext.get().retry_number + 1
    except DagsterInvariantViolationError:
        return  # not in a step: a terminal, a sensor
    raise RetryRequested(PATIENCE.max_retries, PATIENCE.calculate_delay(attempt)) from error
