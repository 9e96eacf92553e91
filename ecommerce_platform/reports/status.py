"""The state of each table, for ``ecommerce-platform status`` and ``monitoring.pipeline_report``."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from dagster import AssetKey, DagsterInstance, FloatMetadataValue
from psycopg import sql

from ecommerce_platform.checks.results import CheckResult, failing_checks, last_results
from ecommerce_platform.io_managers.cluster import estimated_rows, total_bytes
from ecommerce_platform.io_managers.connection import ClientConnection
from ecommerce_platform.io_managers.lookup import describe
from ecommerce_platform.resources.database import Database
from ecommerce_platform.tables.manifest import entry, tables

DAY_COLUMNS = ("partition_date", "sale_date")
COUNTED_ROWS = 100_000
"""Tables with more rows by the server's estimate are not counted; the estimate is reported."""


@dataclass(frozen=True)
class TableState:
    """A table: its rows, bytes including indexes, latest day, and Dagster's last materialization."""

    table: str
    rows: int
    total_bytes: int
    latest_day: dt.date | None
    materialized_at: dt.datetime | None
    run_id: str | None
    write_seconds: float | None

    def to_json(self) -> dict[str, object]:
        """As plain JSON."""
        return {
            "table": self.table,
            "rows": self.rows,
            "total_bytes": self.total_bytes,
            "latest_day": self.latest_day and self.latest_day.isoformat(),
            "materialized_at": self.materialized_at and self.materialized_at.isoformat(),
            "run_id": self.run_id,
            "write_seconds": self.write_seconds,
        }


def table_keys() -> list[AssetKey]:
    """The assets that are tables, ordered by name: every table of the layers is an asset."""
    return sorted(AssetKey(table.split(".")) for table in tables())


def table_states(instance: DagsterInstance) -> list[TableState]:
    """The state of every table, from the platform's database and Dagster's records."""
    with Database(role="loader").connect() as connection:
        return states_of(instance, connection, table_keys())


def failing_checks_now() -> list[CheckResult]:
    """The last check results that failed with severity ERROR, from the platform's database."""
    with Database(role="loader").connect() as connection:
        return failing_checks(last_results(connection))


def states_of(instance: DagsterInstance, connection: ClientConnection, keys: list[AssetKey]) -> list[TableState]:
    """The state of the given tables."""
    records = {record.asset_entry.asset_key: record.asset_entry for record in instance.get_asset_records(keys)}
    return [_state(connection, key, records.get(key)) for key in keys]


def _state(connection: ClientConnection, key: AssetKey, record) -> TableState:
    table = sql.Identifier(*key.path)
    name = ".".join(key.path)
    place = describe(connection, *key.path)
    size, estimate = total_bytes(connection, place), int(estimated_rows(connection, place))
    column = min((column.name for column in entry(name).columns if column.name in DAY_COLUMNS), default=None)
    rows = estimate
    if estimate <= COUNTED_ROWS:
        (rows,) = connection.execute(sql.SQL("select count(*) from {}").format(table)).fetchone() or (0,)
    latest = None
    if column is not None:
        query = sql.SQL("select max({}) from {}").format(sql.Identifier(column), table)
        (latest,) = connection.execute(query).fetchone() or (None,)
    stored = record.last_materialization_record if record else None
    metadata = stored.asset_materialization.metadata if stored and stored.asset_materialization else {}
    seconds = metadata.get("seconds")
    return TableState(
        name,
        rows,
        size,
        latest,
        dt.datetime.fromtimestamp(stored.timestamp, dt.UTC) if stored else None,
        record.last_run_id if record else None,
        float(seconds.value) if isinstance(seconds, FloatMetadataValue) and seconds.value is not None else None,
    )
