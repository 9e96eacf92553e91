"""The health of the database and its disk, for ``monitoring.database_health``. Reads only catalogs and counters."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg

from ecommerce_platform.io_managers.cluster import is_cluster, on_every_node
from ecommerce_platform.io_managers.connection import ClientConnection


@dataclass(frozen=True)
class Metric:
    """One measurement.

    Attributes:
        metric: its name.
        value: in ``unit``: bytes, count, percent or seconds.
        unit: see ``value``.
        least: the lowest healthy value, if any.
        most: the highest healthy value, if any.
        description: what it means, and what to do.
    """

    metric: str
    value: Decimal
    unit: str
    least: Decimal | None
    most: Decimal | None
    description: str

    @property
    def is_healthy(self) -> bool:
        """Whether the value lies within the limits."""
        return (self.least is None or self.value >= self.least) and (self.most is None or self.value <= self.most)


# name, unit, least, most, description
DATABASE = (
    ("database_bytes", "bytes", None, None, "Size of the platform's database on disk."),
    (
        "connections_percent",
        "percent",
        None,
        80,
        "Open connections as a share of max_connections. If above the limit, end idle clients or raise the maximum.",
    ),
    (
        "cache_hit_percent",
        "percent",
        80,
        None,
        "Blocks found in shared_buffers since the last statistics reset. If below the limit, increase shared_buffers.",
    ),
    (
        "dead_rows_percent",
        "percent",
        None,
        20,
        "Dead rows in the platform's tables. If above the limit, look for old transactions, then run VACUUM.",
    ),
    (
        "longest_transaction_seconds",
        "seconds",
        None,
        3600,
        "Age of the oldest other transaction. If above the limit, end it: it prevents VACUUM from removing rows.",
    ),
    (
        "waiting_locks",
        "count",
        None,
        10,
        "Locks that sessions wait for. If above the limit, run sql/queries/who_waits_for_whom.sql to see which ones.",
    ),
    ("deadlocks", "count", None, None, "Deadlocks since the last statistics reset. Each was retried."),
    (
        "temporary_bytes",
        "bytes",
        None,
        None,
        "Written to temporary files since the last statistics reset. If large, increase work_mem.",
    ),
    (
        "transaction_ids_percent",
        "percent",
        None,
        50,
        "Transaction IDs used before wraparound. If above the limit, run VACUUM FREEZE: autovacuum cannot keep up.",
    ),
)

MEASURE = """
select jsonb_build_array(
    pg_database_size(current_database()),
    (select 100.0 * sum(numbackends) / current_setting('max_connections')::int from pg_stat_database),
    coalesce(round(100.0 * stats.blks_hit / nullif(stats.blks_hit + stats.blks_read, 0), 2), 100),
    (
        select coalesce(round(100.0 * sum(n_dead_tup) / nullif(sum(n_live_tup + n_dead_tup), 0), 2), 0)
        from pg_stat_user_tables
    ),
    platform.longest_transaction_seconds(),
    (select count(*) from pg_locks where not granted),
    stats.deadlocks,
    stats.temp_bytes,
    (select round(100.0 * age(datfrozenxid) / 2 ^ 31::numeric, 2) from pg_database where datname = current_database())
)
from pg_stat_database as stats
where stats.datname = current_database()
"""


def database_health(connection: ClientConnection, folder: Path) -> list[Metric]:
    """Measure the current health.

    Args:
        connection: to the platform's database, as any role that may use the schema platform.
        folder: the data folder, whose disk is measured.

    Raises:
        psycopg.Error: the query fails.
    """
    values = _measured(connection)
    metrics = [
        Metric(name, round(Decimal(str(value)), 2), unit, _decimal(least), _decimal(most), description)
        for (name, unit, least, most, description), value in zip(DATABASE, values, strict=True)
    ]
    disk = shutil.disk_usage(folder)
    free = round(Decimal(100 * disk.free) / disk.total, 2)
    text = (
        "Free space on the data folder's disk. If below the limit, run ecommerce-platform maintenance, or enlarge the"
        " disk."
    )
    return [*metrics, Metric("disk_free_percent", free, "percent", Decimal(10), None, text)]


def _measured(connection: ClientConnection) -> list[Any]:
    """A value for each of ``DATABASE``. Of the nodes of a cluster: the sum of bytes and counts, else the worst.

    Raises:
        psycopg.OperationalError: a node does not answer.
    """
    if not is_cluster(connection):
        row = connection.execute(MEASURE).fetchone()
        return row[0] if row else []
    nodes = on_every_node(connection, MEASURE)
    answers = [answer for answer in nodes if answer is not None]
    if len(answers) < len(nodes):
        raise psycopg.OperationalError(
            f"{len(nodes) - len(answers)} of {len(nodes)} nodes of the cluster do not answer"
        )
    return [
        (sum if unit in ("bytes", "count") else min if least is not None else max)(of_nodes)
        for (_, unit, least, _, _), of_nodes in zip(DATABASE, zip(*answers, strict=True), strict=True)
    ]


def _decimal(limit: int | None) -> Decimal | None:
    return None if limit is None else Decimal(limit)
