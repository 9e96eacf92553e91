"""The command line: one module per group of commands, and the supervisor behind ``up``.

Dagster, pandas and psycopg are imported inside the commands, so that ``--help`` responds immediately.
"""

from __future__ import annotations

import os
from contextlib import suppress

import click
import dotenv

from ecommerce_platform.cli import (
    checking,
    database,
    development,
    exporting,
    loading,
    metrics,
    rejected,
    reporting,
    serving,
    source,
    terminal,
    upkeep,
)
from ecommerce_platform.settings import PROJECT_DIR, SettingsError, load_settings


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
def main() -> None:
    """An e-commerce data platform on Dagster and PostgreSQL.

    \b
    Start here:
      ecommerce-platform up                 everything: database, history, Dagster UI, dashboards
      ecommerce-platform status             what is loaded, what is missing
      ecommerce-platform verify             proves that all numbers agree

    \b
    Day by day:
      ecommerce-platform materialize --start yesterday --end yesterday
      ecommerce-platform materialize --start yesterday --end yesterday --select 'key:"warehouse/fact_sales"+'
      ecommerce-platform dashboard          only the dashboards
      ecommerce-platform db psql            a psql prompt on the database

    Settings are environment variables, or lines of the file .env in the project: see .env.example. Everything that the
    platform writes is under ECOMMERCE_DATA_DIR (data/): delete that folder to start over.
    """
    # Dagster lets .env override the shell. Do the same, or the two would use different databases.
    dotenv.load_dotenv(PROJECT_DIR / ".env", override=True)
    with suppress(SettingsError):  # the command reports it, unless it only prints its help
        if load_settings().log_format == "json":
            from ecommerce_platform.logs import log_as_json

            log_as_json()
            terminal.console.is_logged = True
    # Exports, dumps and rejected rows contain personal data: files of this process and its children are private.
    os.umask(0o077)


for command in (
    serving.up,
    serving.dashboard,
    metrics.metrics,
    loading.materialize,
    checking.status,
    checking.verify,
    upkeep.maintenance,
    upkeep.watch,
    upkeep.alert_test,
    upkeep.clean_data,
    development.bench,
    development.write_manifest,
    database.db,
    rejected.rejects,
    exporting.export,
    reporting.report,
    source.source,
):
    main.add_command(command)
