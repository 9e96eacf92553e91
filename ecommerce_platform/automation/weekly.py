"""The weekly job: forget what ``ECOMMERCE_RETENTION_DAYS`` says. The same as ``ecommerce-platform maintenance``."""

import datetime as dt

from dagster import (
    DefaultScheduleStatus,
    MetadataValue,
    OpExecutionContext,
    ScheduleDefinition,
    TableRecord,
    TableSchema,
    job,
    op,
)
from dagster import TableColumn as Column

from ecommerce_platform.instance.retention import plan
from ecommerce_platform.resources.database import Database
from ecommerce_platform.settings import load_settings


@op(description="Deletes old runs, events, ticks, logs and left-over files; never what says which days are loaded.")
def forget(context: OpExecutionContext, database: Database) -> None:
    """Do all that is planned, and say what it was."""
    done = []
    for task in plan(context.instance, database, load_settings(), dt.datetime.now(dt.UTC)):
        task.delete()
        done.append(TableRecord({"what": task.name, "count": task.count, "bytes": task.size}))
        context.log.info(f"Deleted {task.count:,} {task.name}, {task.size:,} bytes")
    columns = [Column("what"), Column("count", "int"), Column("bytes", "int")]
    context.add_output_metadata({"deleted": MetadataValue.table(done, TableSchema(columns))})


@job(name="maintenance", description="Forgets what is older than ECOMMERCE_RETENTION_DAYS and is not needed.")
def maintenance_job() -> None:
    """One step."""
    forget()


every_week = ScheduleDefinition(
    name="every_week",
    job=maintenance_job,
    cron_schedule="30 3 * * 0",
    execution_timezone="UTC",
    default_status=DefaultScheduleStatus.RUNNING,
    description="Sundays at half past three UTC.",
)
