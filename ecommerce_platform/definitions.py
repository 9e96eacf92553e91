"""Assembly only: everything that Dagster loads."""

import gc
from collections.abc import Callable, Mapping
from typing import Any

from dagster import (
    AssetKey,
    AssetsDefinition,
    AssetSpec,
    Definitions,
    FreshnessPolicy,
    InitResourceContext,
    IOManagerDefinition,
    ResourceDefinition,
    apply_freshness_policy,
    load_assets_from_modules,
)

from ecommerce_platform.assets import analytics, monitoring, production, raw, staging, warehouse
from ecommerce_platform.assets.external import external_assets, landed_assets
from ecommerce_platform.automation.daily import daily_job, every_day
from ecommerce_platform.automation.landed import landed_sensors
from ecommerce_platform.automation.lineage import lineage_sensors
from ecommerce_platform.automation.sensors import alerts
from ecommerce_platform.automation.summaries import summary_jobs, summary_schedules
from ecommerce_platform.automation.weekly import every_week, maintenance_job
from ecommerce_platform.checks import all_checks
from ecommerce_platform.instance.run_logs import log_runs_as_json
from ecommerce_platform.instance.side_by_side import side_by_side_executor
from ecommerce_platform.io_managers.postgres import postgres_io_manager
from ecommerce_platform.layers import LATE_AFTER, STALE_AFTER
from ecommerce_platform.resources.database import Database
from ecommerce_platform.resources.published import PublishingIOManager
from ecommerce_platform.resources.source import Source
from ecommerce_platform.settings import load_settings
from ecommerce_platform.tables.repository import linked

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
    loaded = load_assets_from_modules([raw, staging, production, warehouse, analytics, monitoring])
    tables_and_files = [each.map_asset_specs(_with_freshness) for each in loaded if isinstance(each, AssetsDefinition)]
    resources = {
        "database": ResourceDefinition(
            _always(database),
            config_schema={},
            description="The platform's PostgreSQL database: ECOMMERCE_DATABASE_URL, or the embedded server.",
        ),
        "io_manager": IOManagerDefinition(
            _always(tables),
            config_schema={},
            description="Writes each table in one transaction: replaces a slice, or merges by key.",
        ),
        "publisher": IOManagerDefinition(
            _always(PublishingIOManager(tables, database)),
            config_schema={},
            description="Writes a table, then publishes it as a file: analytics as CSV, monitoring as JSON.",
        ),
        "source": Source(),
    }
    return Definitions(
        assets=[*linked(tables_and_files), *external_assets, *landed_assets(load_settings())],
        asset_checks=all_checks(),
        jobs=[daily_job, maintenance_job, *summary_jobs(load_settings())],
        schedules=[every_day, every_week, *summary_schedules(load_settings())],
        sensors=[alerts, *landed_sensors(load_settings()), *lineage_sensors()],
        resources={**resources, **overrides},
        # The work is done in the database; a process per step would only cost its start.
        executor=side_by_side_executor,
    )


def _always(value: Any) -> Callable[[InitResourceContext], Any]:
    """A resource that no run configures: whoever may launch a run must not say where our password goes."""
    return lambda _: value


def _with_freshness(spec: AssetSpec) -> AssetSpec:
    if spec.key in NEVER_STALE:
        return spec
    return apply_freshness_policy(spec, FRESHNESS, overwrite_existing=False)


if load_settings().log_format == "json":
    log_runs_as_json()

defs = build_definitions()

# What was imported and defined stays; Python need not look for garbage in it, nor take it apart when the process ends.
gc.freeze()
