"""The command line: one module per group of commands, and the supervisor behind ``up``.

Dagster, pandas and psycopg are imported inside the commands: ``--help`` should answer at once.
"""

from __future__ import annotations

import os

import click
import dotenv

from ecommerce_platform.cli import checking, database, development, exporting, loading, rejected, serving, upkeep
from ecommerce_platform.settings import PROJECT_DIR


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
      ecommerce-platform dashboard          the dashboards alone
      ecommerce-platform db psql            a prompt on the database

    Settings are environment variables, or lines of a file .env in the project: see .env.example. Everything that the
    platform writes lies under ECOMMERCE_DATA_DIR (data/): deleting that folder is a clean start.
    """
    # Dagster lets .env override the shell; so do we, or the two would look at different databases.
    dotenv.load_dotenv(PROJECT_DIR / ".env", override=True)
    # Exports, dumps and rejected rows name people: what we and our children write is for nobody else.
    os.umask(0o077)


for command in (
    serving.up,
    serving.dashboard,
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
    exporting.source,
):
    main.add_command(command)
