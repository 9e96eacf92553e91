"""What a Citus cluster tells of its nodes. Without Citus, the catalog of this server tells all."""

from __future__ import annotations

import json
from typing import Any

from psycopg import sql

from ecommerce_platform.io_managers.connection import ClientConnection
from ecommerce_platform.io_managers.modes import Table, trusted


def is_cluster(connection: ClientConnection) -> bool:
    """Whether the database has the extension citus."""
    row = connection.execute("select to_regclass('pg_catalog.pg_dist_partition') is not null").fetchone()
    return bool(row and row[0])


ESTIMATE = {
    "here": "select reltuples from pg_catalog.pg_class where oid = {table}::regclass",
    # The table itself is empty on each node: its rows are in a table with the number of a shard behind the name.
    "coordinator": """
        select reltuples
        from pg_catalog.pg_dist_shard as shard
        inner join pg_catalog.pg_class as class on class.oid = shard_name(shard.logicalrelid, shard.shardid)::regclass
        where shard.logicalrelid = {table}::regclass
    """,
}
ESTIMATE["everywhere"] = ESTIMATE["coordinator"]


COUNTED_ROWS = 100_000
"""A distributed table of fewer rows is counted: without statistics, the planner takes each shard for ten pages long."""


def estimated_rows(connection: ClientConnection, table: Table) -> float:
    """The planner's estimate of the table's rows, or their count if there are no statistics or few rows."""
    if table.placement == "spread":
        estimate = _estimated_by_a_node(connection, table)
        if estimate > COUNTED_ROWS:
            return estimate
    else:
        row = connection.execute(
            trusted(ESTIMATE[table.placement]).format(table=sql.Literal(table.full_name))
        ).fetchone()
        if row is not None and row[0] is not None and row[0] > 0:
            return row[0]
    counted = connection.execute(sql.SQL("select count(*) from {}").format(table.identifier)).fetchone()
    return counted[0] if counted else 0


def _estimated_by_a_node(connection: ClientConnection, table: Table) -> float:
    """One shard as its node estimates it, times the shards. To ask all nodes would take a new connection to each."""
    row = connection.execute(sql.SQL("explain (format json) select 1 from {}").format(table.identifier)).fetchone()
    job = row[0][0]["Plan"]["Distributed Query"]["Job"] if row else {}
    estimates = [task["Remote Plan"][0][0]["Plan"]["Plan Rows"] for task in job["Tasks"]]
    return sum(estimates) / len(estimates) * job["Task Count"]


def total_bytes(connection: ClientConnection, table: Table) -> int:
    """The bytes of a table on all nodes, with its indexes."""
    size = "pg_total_relation_size(%s::regclass)"
    if table.placement != "here":
        size = "citus_total_relation_size(%s::regclass, fail_on_error => false)"
    row = connection.execute(sql.SQL("select " + size), (table.full_name,)).fetchone()  # type: ignore[arg-type]
    return int(row[0]) if row and row[0] is not None else 0


def on_every_node(connection: ClientConnection, select: str) -> list[list[Any] | None]:
    """Run a SELECT of one row with one JSON array on each node, the coordinator first; None for one that fails."""
    rows = connection.execute(
        "select case when success then result end from run_command_on_all_nodes(%s) order by nodeid", (select,)
    ).fetchall()
    return [None if text is None else json.loads(text) for (text,) in rows]
