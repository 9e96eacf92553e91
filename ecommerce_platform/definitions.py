"""Assembly only: everything that Dagster loads."""

import gc
from collections.abc import Callable, Mapping
from typing import Any

from dagster import (
    AssetKey,
    AssetSpec,
    Definitions,
    FreshnessPolicy,
    InitResourceContext,
    IOManagerDefinition,
    ResourceDefinition,
    apply_freshness_policy,
    in_process_executor,
    load_assets_from_modules,
)

from ecommerce_platform.assets import analytics, monitoring, production, raw, staging, warehouse
from ecommerce_platform.automation.daily import daily_job, every_day
from ecommerce_platform.automation.sensors import alerts
from ecommerce_platform.automation.weekly import every_week, maintenance_job
from ecommerce_platform.checks import all_checks
from ecommerce_platform.io_managers.postgres import postgres_io_manager
from ecommerce_platform.layers import LATE_AFTER, STALE_AFTER
from ecommerce_platform.resources.database import Database
from ecommerce_platform.resources.published import PublishingIOManager
from ecommerce_platform.resources.source import Source

FRESHNESS = FreshnessPolicy.time_window(warn_window=LATE_AFTER, fail_window=STALE_AFTER)
NEVER_STALE = {AssetKey(["warehouse", "dim_date"])}
"""Assets that do not change from day to day."""


def build_definitions(overrides: Mapping[str, Any] | None = None) -> Definitions:
    """The platform as Dagster sees it.

    Args:
        overrides: resources by key that replace the default ones, for tests.
    """
    overrides = dict(overrides or {})
    database = overrides.pop("database", None) or Database(role="loader")
    tables = postgres_io_manager(database)
    resources = {
        "database": ResourceDefinition(_always(database), config_schema={}),
        "io_manager": IOManagerDefinition(_always(tables), config_schema={}),
        "publisher": IOManagerDefinition(_always(PublishingIOManager(tables, database)), config_schema={}),
        "source": Source(),
    }
    return Definitions(
        assets=load_assets_from_modules([raw, staging, production, warehouse, analytics, monitoring]),
        asset_checks=all_checks(),
        jobs=[daily_job, maintenance_job],
        schedules=[every_day, every_week],
        sensors=[alerts],
        resources={**resources, **overrides},
        # The work is done in the database; a process a step would only cost its start.
        executor=in_process_executor,
    ).map_asset_specs(func=_with_freshness)


def _always(value: Any) -> Callable[[InitResourceContext], Any]:
    """A resource that no run configures: whoever may launch a run must not say where our password goes."""
    return lambda _: value


def _with_freshness(spec: AssetSpec) -> AssetSpec:
    if spec.key in NEVER_STALE:
        return spec
    return apply_freshness_policy(spec, FRESHNESS, overwrite_existing=False)


defs = build_definitions()

# What was imported and defined stays; Python need not look for garbage in it, nor take it apart when the process ends.
gc.freeze()
