"""The gate between staging and production, for runs that do not include staging's own checks."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

from dagster import AssetExecutionContext, AssetKey, Failure

from ecommerce_platform.checks.contract import contract
from ecommerce_platform.feeds.columns import FEEDS
from ecommerce_platform.instance.records import has_passed_in_run
from ecommerce_platform.io_managers.connection import ClientConnection
from ecommerce_platform.io_managers.modes import Window

LOADS = "loads"
"""Metadata of a staging materialization: the range of its load numbers, ``FIRST to LAST``."""


def judged_slices(context: AssetExecutionContext, connection: ClientConnection, window: Window) -> Mapping[str, object]:
    """The slices that production may read: the latest of each feed and day, if all of them conform to their contracts.

    A blocking check stops downstream assets only in its own run; a run that materializes only production would bypass
    it. So the contracts are evaluated again, unless the same run has just done so.

    Returns:
        ``judged``, the parameter of sql/transform/production/loaded_days.sql: when these slices were written.

    Raises:
        Failure: a slice breaks its contract; the message names the slice and the rule. A retry does not help.
    """
    # Read before the checks: a slice that is still the latest when production reads it was so when it was checked.
    written_at = latest_slices(connection, window)
    for feed in FEEDS:
        if _judged_by_this_run(context, connection, feed, window):
            continue
        outcome = contract(f"staging.{feed}").run(connection, window)
        if not outcome.passed:
            raise Failure(f"staging.{feed} must not enter production: {outcome.description}", allow_retries=False)
    return {"judged": written_at}


def latest_slices(connection: ClientConnection, window: Window) -> list[dt.datetime]:
    """The times at which the latest staging slices of some days were written; slices of one write share one."""
    moments = connection.execute(
        "select distinct written_at from platform.slices where slice >= %s and slice < %s", (window.start, window.end)
    ).fetchall()
    return [moment for (moment,) in moments]


def _judged_by_this_run(
    context: AssetExecutionContext, connection: ClientConnection, feed: str, window: Window
) -> bool:
    """Whether the contract passed in this run, and the slices are still those that this run loaded."""
    key = AssetKey(["staging", feed])
    loaded = context.instance.get_latest_materialization_event(key)
    if (
        loaded is None
        or loaded.run_id != context.run.run_id
        or loaded.asset_materialization is None
        or LOADS not in loaded.asset_materialization.metadata
    ):
        return False
    if not has_passed_in_run(context.instance, key, "contract", context.run.run_id):
        return False
    first, last = str(loaded.asset_materialization.metadata[LOADS].value).split(" to ")
    # A slice without rows needs no check.
    row = connection.execute(
        "select coalesce(bool_and(load_id between %s and %s), true) from platform.slices"
        " where table_name = %s and slice >= %s and slice < %s",
        (int(first), int(last), f"staging.{feed}", window.start, window.end),
    ).fetchone()
    return bool(row and row[0])
