"""Data quality checks of each table, run by Dagster and by ``ecommerce-platform verify``.

- ``contract``: every row conforms to the pandera schema of its table;
- ``reconciliation``: every row is accounted for, and the numbers of all layers agree;
- ``customers``: what customers do over time agrees with their purchases;
- ``outlook``: stock cover, unusual days and the forecast agree with the sales that they follow from;
- ``integrity``: histories have no gaps, keys exist, and rejected rows wait only for missing parents;
- ``returns``: returns agree with production, stand beside their sales, and fit them;
- ``volume`` and ``freshness``: warnings about the present day.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ecommerce_platform.checks.contract import contract
from ecommerce_platform.checks.customers import customers_checks
from ecommerce_platform.checks.freshness import Clock, freshness_checks, utc_now
from ecommerce_platform.checks.integrity import integrity_checks
from ecommerce_platform.checks.outcome import CheckOutcome, TableCheck
from ecommerce_platform.checks.outlook import outlook_checks
from ecommerce_platform.checks.reconciliation import raw_folder_of_settings, reconciliation_checks
from ecommerce_platform.checks.returns import returns_checks
from ecommerce_platform.checks.volume import volume_checks
from ecommerce_platform.storage import Location
from ecommerce_platform.tables import manifest as committed

if TYPE_CHECKING:
    from dagster import AssetChecksDefinition

__all__ = ["CheckOutcome", "TableCheck", "all_checks", "table_checks"]


def table_checks(
    *, raw_folder: Callable[[], Location] = raw_folder_of_settings, clock: Clock = utc_now
) -> list[TableCheck]:
    """Every check of every table, independent of Dagster, in the order of the DDL.

    Args:
        raw_folder: returns the folder of the files that staging is compared with.
        clock: returns the current time.
    """
    tables = committed.tables()
    checks = [
        *(contract(table) for table in tables),
        *reconciliation_checks(raw_folder),
        *customers_checks(),
        *outlook_checks(),
        *integrity_checks(),
        *returns_checks(),
        *volume_checks(),
        *freshness_checks(clock),
    ]
    return sorted(checks, key=lambda check: tables.index(check.table))


def all_checks() -> list[AssetChecksDefinition]:
    """Every check as a blocking Dagster asset check. They need the resource ``database``."""
    from ecommerce_platform.checks.dagster_checks import asset_checks

    return asset_checks(table_checks())
