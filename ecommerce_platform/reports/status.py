"""The state of each table, for ``ecommerce-platform status`` and ``monitoring.pipeline_report``."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from dagster import AssetKey, DagsterInstance, EventLogRecord, FloatMetadataValue
from psycopg import sql

from ecommerce_platform.checks.results import CheckResult, failing_checks, last_results
from ecommerce_platform.io_managers.cluster import estimated_rows, is_cluster, total_bytes
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
    is_spread = is_cluster(connection)
    sizes = _sizes(connection, keys, is_spread=is_spread)
    selects = [_select(key, estimate) for key, (_, estimate) in zip(keys, sizes, strict=True)]
    # One question for all tables. A cluster is asked for each: it has them in different places.
    asked = selects if is_spread else [sql.SQL(" union all ").join(selects)] if selects else []
    found = {row[0]: row[1:] for select in asked for row in connection.execute(select).fetchall()}
    states = []
    for key, (size, _) in zip(keys, sizes, strict=True):
        record, name = records.get(key), ".".join(key.path)
        stored = record.last_materialization_record if record else None
        states.append(
            TableState(
                name,
                found[name][0],
                size,
                found[name][1],
                dt.datetime.fromtimestamp(stored.timestamp, dt.UTC) if stored else None,
                record.last_run_id if record else None,
                _write_seconds(stored),
            )
        )
    return states


def _sizes(connection: ClientConnection, keys: list[AssetKey], *, is_spread: bool) -> list[tuple[int, int]]:
    """The bytes of each table, and its rows as the server estimates them; -1 without statistics."""
    if is_spread:
        places = [describe(connection, *key.path) for key in keys]
        return [(total_bytes(connection, place), int(estimated_rows(connection, place))) for place in places]
    return connection.execute(
        "select pg_total_relation_size(oid), reltuples::bigint"
        " from unnest(%s::regclass[]) with ordinality as given (oid, number)"
        " inner join pg_catalog.pg_class using (oid) order by number",
        ([".".join(key.path) for key in keys],),
    ).fetchall()


def _select(key: AssetKey, estimate: int) -> sql.Composed:
    """A SELECT of a table's name, rows and latest day."""
    name, table = ".".join(key.path), sql.Identifier(*key.path)
    column = min((column.name for column in entry(name).columns if column.name in DAY_COLUMNS), default=None)
    count = sql.SQL("(select count(*) from {})").format(table) if estimate <= COUNTED_ROWS else sql.Literal(estimate)
    latest: sql.Composable = sql.SQL("null::date")
    if column is not None:
        latest = sql.SQL("(select max({}) from {})").format(sql.Identifier(column), table)
    return sql.SQL("select {}, {}, {}").format(sql.Literal(name), count, latest)


def _write_seconds(stored: EventLogRecord | None) -> float | None:
    metadata = stored.asset_materialization.metadata if stored and stored.asset_materialization else {}
    seconds = metadata.get("seconds")
    return float(seconds.value) if isinstance(seconds, FloatMetadataValue) and seconds.value is not None else None
