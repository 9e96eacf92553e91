"""The weekly job: delete what is older than ``ECOMMERCE_RETENTION_DAYS``. See ``ecommerce-platform maintenance``."""

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

from ecommerce_platform.resources.database import Database
from ecommerce_platform.settings import load_settings


@op(description="Deletes old runs, events, ticks, logs and leftover files. The record of which days are loaded stays.")
def forget(context: OpExecutionContext, database: Database) -> None:
    """Carry out the plan, and report what was deleted."""
    # Its imports take a fifth of the definitions' time, and only this step needs them.
    from ecommerce_platform.instance.retention import plan

    done = []
    for task in plan(context.instance, database, load_settings(), dt.datetime.now(dt.UTC)):
        task.delete()
        done.append(TableRecord({"what": task.name, "count": task.count, "bytes": task.size}))
        context.log.info(f"Deleted {task.count:,} {task.name}, {task.size:,} bytes")
    columns = [Column("what"), Column("count", "int"), Column("bytes", "int")]
    context.add_output_metadata({"deleted": MetadataValue.table(done, TableSchema(columns))})


@job(name="maintenance", description="Deletes old Dagster records, logs and leftover files (ECOMMERCE_RETENTION_DAYS).")
def maintenance_job() -> None:
    """One step."""
    forget()


every_week = ScheduleDefinition(
    name="every_week",
    job=maintenance_job,
    cron_schedule="30 3 * * 0",
    execution_timezone="UTC",
    default_status=DefaultScheduleStatus.RUNNING,
    description="Runs the maintenance job on Sundays at 03:30 UTC.",
)
