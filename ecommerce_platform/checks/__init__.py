"""Checks: what must hold of each table, and how Dagster and ``ecommerce-platform verify`` ask.

- ``contract``: every row keeps the pandera schema of its table;
- ``reconciliation``: every row is accounted for, and the numbers of all layers agree;
- ``integrity``: histories without gaps, keys that exist, parents that are still missing;
- ``volume`` and ``freshness``: warnings about today.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecommerce_platform.checks.contract import contract
from ecommerce_platform.checks.freshness import freshness_checks
from ecommerce_platform.checks.integrity import integrity_checks
from ecommerce_platform.checks.outcome import CheckOutcome, TableCheck
from ecommerce_platform.checks.reconciliation import reconciliation_checks
from ecommerce_platform.checks.volume import volume_checks
from ecommerce_platform.schemas import SCHEMAS

if TYPE_CHECKING:
    from dagster import AssetChecksDefinition

__all__ = ["CheckOutcome", "TableCheck", "all_checks", "table_checks"]


def table_checks() -> list[TableCheck]:
    """Every check of every table, free of Dagster, in the order of the DDL."""
    tables = list(SCHEMAS)
    checks = [
        *(contract(table) for table in tables),
        *reconciliation_checks(),
        *integrity_checks(),
        *volume_checks(),
        *freshness_checks(),
    ]
    return sorted(checks, key=lambda check: tables.index(check.table))


def all_checks() -> list[AssetChecksDefinition]:
    """Every check as a blocking Dagster asset check. They need the resource ``database``."""
    from ecommerce_platform.checks.dagster_checks import asset_checks

    return asset_checks(table_checks())
