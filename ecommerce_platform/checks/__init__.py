"""Checks: what must hold of each table, and how Dagster and ``ecommerce-platform verify`` ask.

- ``contract``: every row keeps the pandera schema of its table;
- ``reconciliation``: every row is accounted for, and the numbers of all layers agree;
- ``integrity``: histories without gaps, keys that exist, parents that are still missing;
- ``volume`` and ``freshness``: warnings about today.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ecommerce_platform.checks.contract import contract
from ecommerce_platform.checks.freshness import Clock, freshness_checks, utc_now
from ecommerce_platform.checks.integrity import integrity_checks
from ecommerce_platform.checks.outcome import CheckOutcome, TableCheck
from ecommerce_platform.checks.reconciliation import raw_folder_of_settings, reconciliation_checks
from ecommerce_platform.checks.volume import volume_checks
from ecommerce_platform.tables import manifest as committed

if TYPE_CHECKING:
    from dagster import AssetChecksDefinition

__all__ = ["CheckOutcome", "TableCheck", "all_checks", "table_checks"]


def table_checks(
    *, raw_folder: Callable[[], Path] = raw_folder_of_settings, clock: Clock = utc_now
) -> list[TableCheck]:
    """Every check of every table, free of Dagster, in the order of the DDL.

    Args:
        raw_folder: where the files lie that staging is compared with.
        clock: what time it is.
    """
    tables = committed.tables()
    checks = [
        *(contract(table) for table in tables),
        *reconciliation_checks(raw_folder),
        *integrity_checks(),
        *volume_checks(),
        *freshness_checks(clock),
    ]
    return sorted(checks, key=lambda check: tables.index(check.table))


def all_checks() -> list[AssetChecksDefinition]:
    """Every check as a blocking Dagster asset check. They need the resource ``database``."""
    from ecommerce_platform.checks.dagster_checks import asset_checks

    return asset_checks(table_checks())
