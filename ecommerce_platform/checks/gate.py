"""The gate between staging and production, for a run that does not bring staging's own checks with it."""

from __future__ import annotations

import datetime as dt

from dagster import AssetCheckKey, AssetExecutionContext, AssetKey, Failure
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus

from ecommerce_platform.checks.contract import contract
from ecommerce_platform.checks.outcome import as_sql
from ecommerce_platform.io_managers.connection import ClientConnection
from ecommerce_platform.io_managers.writes import Window
from ecommerce_platform.source.feeds import FEEDS

FIRST_LOADED_AT = "first_loaded_at"
"""Metadata of a staging materialization: ``loaded_at`` of its first slice; each further one is a microsecond later."""


def refuse_failing_staging(context: AssetExecutionContext, connection: ClientConnection, window: Window) -> None:
    """Ask the contracts of the four staging slices again, unless this very run has just done so.

    A blocking check stops what is downstream in its own run only: somebody who materializes production alone would
    walk past it.

    Raises:
        Failure: a slice breaks its contract; names the slice and the rule. Trying again does not help.
    """
    for feed in FEEDS:
        if _judged_by_this_run(context, connection, feed, window):
            continue
        outcome = contract(f"staging.{feed}").run(connection, window)
        if not outcome.passed:
            raise Failure(f"staging.{feed} must not enter production: {outcome.description}", allow_retries=False)


def _judged_by_this_run(
    context: AssetExecutionContext, connection: ClientConnection, feed: str, window: Window
) -> bool:
    """Whether the contract passed in this run, and the slices are still those that this run has loaded."""
    key = AssetKey(["staging", feed])
    records = context.instance.event_log_storage.get_asset_check_execution_history(
        AssetCheckKey(key, "contract"), limit=1
    )
    loaded = context.instance.get_latest_materialization_event(key)
    if (
        not records
        or records[0].run_id != context.run_id
        or records[0].status != AssetCheckExecutionRecordStatus.SUCCEEDED
        or loaded is None
        or loaded.run_id != context.run_id
        or loaded.asset_materialization is None
        or FIRST_LOADED_AT not in loaded.asset_materialization.metadata
    ):
        return False
    first = dt.datetime.fromisoformat(str(loaded.asset_materialization.metadata[FIRST_LOADED_AT].value))
    after = first + (window.end - window.start).days * dt.timedelta(microseconds=1)
    row = connection.execute(
        as_sql(
            f"select bool_and(loaded_at >= %s and loaded_at < %s) from staging.{feed}"
            " where partition_date >= %s and partition_date < %s"
        ),
        (first, after, window.start, window.end),
    ).fetchone()
    return bool(row and row[0])
