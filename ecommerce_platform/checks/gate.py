"""The gate between staging and production, for a run that does not bring staging's own checks with it."""

from __future__ import annotations

from dagster import Failure

from ecommerce_platform.checks.contract import contract
from ecommerce_platform.io_managers.connection import ClientConnection
from ecommerce_platform.io_managers.writes import Window
from ecommerce_platform.source.feeds import FEEDS


def refuse_failing_staging(connection: ClientConnection, window: Window) -> None:
    """Ask the contracts of the four staging slices again.

    A blocking check stops what is downstream in its own run only: somebody who materializes production alone would
    walk past it.

    Raises:
        Failure: a slice breaks its contract; names the slice and the rule. Trying again does not help.
    """
    for feed in FEEDS:
        outcome = contract(f"staging.{feed}").run(connection, window)
        if not outcome.passed:
            raise Failure(f"staging.{feed} must not enter production: {outcome.description}", allow_retries=False)
