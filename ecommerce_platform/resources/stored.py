"""What a Dagster step does while the storage of its files is out of reach: it requests a retry, as for the database."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from dagster import DagsterInvariantViolationError, OpExecutionContext, RetryRequested

from ecommerce_platform.io_managers.failures import PATIENCE
from ecommerce_platform.storage import StorageError


@contextmanager
def retry_if_out_of_reach() -> Generator[None]:
    """Run the body; after a transient error of the storage, request a retry as :func:`retry_later` does."""
    try:
        yield
    except StorageError as error:
        retry_later(error)
        raise


def retry_later(error: StorageError) -> None:
    """Inside a Dagster step, request a retry after a transient error of the storage; otherwise do nothing.

    Files are replaced as a whole, so a step can always start over.

    Raises:
        RetryRequested: Dagster retries the step after a delay.
    """
    if not error.is_transient:
        return
    try:
        attempt = OpExecutionContext.get().retry_number + 1
    except DagsterInvariantViolationError:
        return  # not in a step
    raise RetryRequested(PATIENCE.max_retries, PATIENCE.calculate_delay(attempt)) from error
