"""Prepares what commands need: the server, the tables and Dagster's instance."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ecommerce_platform.cli.terminal import console
from ecommerce_platform.settings import Settings

if TYPE_CHECKING:
    from dagster import DagsterInstance


def prepare(settings: Settings) -> None:
    """Prepare everything for a run: folders, Dagster's home, server, tables.

    For a login that does not own the tables, such as a service's, only check that the tables exist.
    """
    from ecommerce_platform.checks import table_checks
    from ecommerce_platform.checks.results import forget_former_checks
    from ecommerce_platform.checks.verify import all_verification_checks
    from ecommerce_platform.instance.home import prepare_dagster_home
    from ecommerce_platform.postgres.citus import spread
    from ecommerce_platform.postgres.ddl import apply_ddl
    from ecommerce_platform.resources.database import database_url, owns_tables, require_database, require_tables
    from ecommerce_platform.tables.loaded_days import (
        note_reporting_currency,
        note_what_is_expected,
        require_the_same_shop,
    )

    os.environ.update(prepare_dagster_home(settings))
    with console.status("Starting PostgreSQL"):
        url = database_url(settings)
        require_database(url)
        if settings.database_url is not None and not owns_tables(url):
            require_tables(url)
            note_reporting_currency(url, settings.currency)
            return
        apply_ddl(url)
        spread(url, settings.citus_shards)
        require_the_same_shop(url, settings)
        note_what_is_expected(url, settings.first_day if settings.source == "synthetic" else None)
        note_reporting_currency(url, settings.currency)
        forget_former_checks(url, [*table_checks(), *all_verification_checks(url)])


def require_running(settings: Settings) -> None:
    """Prepare a read-only command: start the embedded server if it is down, but leave the tables unchanged."""
    from ecommerce_platform.instance.home import prepare_dagster_home
    from ecommerce_platform.resources.database import database_url, require_database, require_tables

    os.environ.update(prepare_dagster_home(settings))
    url = database_url(settings)
    require_database(url)
    require_tables(url)


@contextmanager
def dagster_instance() -> Generator[DagsterInstance]:
    """Open the platform's Dagster instance."""
    from dagster import DagsterInstance

    with DagsterInstance.get() as instance:
        yield instance
