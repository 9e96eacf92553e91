"""The Tableau extract: the warehouse's star schema as one ``.hyper`` file, with the same tables and keys as PostgreSQL.

Requires the optional dependency tableauhyperapi (300 MB). Its engine runs locally and sends no telemetry.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from psycopg import sql

from dashboards.spec.powerbi_model import model_columns
from ecommerce_platform.io_managers.connection import PostgresConnection

TABLES = ("fact_sales", "fact_returns", "dim_date", "dim_customer", "customer_profile", "dim_product", "dim_payment")
ROWS_AT_ONCE = 50_000


class TableauError(RuntimeError):
    """The extract cannot be written. The message is one line that says what to do."""


def write_extract(connection: PostgresConnection, path: Path) -> dict[str, int]:
    """Write the extract. An existing file is replaced only when the new one is complete.

    Args:
        connection: a connection that can read the warehouse.
        path: where to write the extract.

    Returns:
        The number of rows written, by table.

    Raises:
        TableauError: tableauhyperapi is not installed.
    """
    try:
        import tableauhyperapi as hyper  # ty: ignore[import-not-found]
    except ImportError:
        raise TableauError(
            "tableauhyperapi is not installed. To install it, run: .venv/bin/pip install '.[tableau]'"
        ) from None
    types = {
        "bigint": hyper.SqlType.big_int(),
        "integer": hyper.SqlType.int(),
        "smallint": hyper.SqlType.small_int(),
        "numeric": hyper.SqlType.numeric(18, 2),
        "text": hyper.SqlType.text(),
        "boolean": hyper.SqlType.bool(),
        "date": hyper.SqlType.date(),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    counts: dict[str, int] = {}
    # An empty log_config stops Hyper from writing a log file to the working directory.
    with (
        hyper.HyperProcess(hyper.Telemetry.DO_NOT_SEND_USAGE_DATA_TO_TABLEAU, parameters={"log_config": ""}) as process,
        hyper.Connection(process.endpoint, unfinished, hyper.CreateMode.CREATE_AND_REPLACE) as extract,
        connection.connect() as source,
        source.transaction(),
    ):
        source.execute("set transaction isolation level repeatable read read only")
        extract.catalog.create_schema("warehouse")
        for table in TABLES:
            counts[table] = _copy_table(hyper, extract, source, table, types)
    unfinished.replace(path)
    return counts


def _copy_table(hyper: Any, extract: Any, source: Any, table: str, types: dict[str, Any]) -> int:
    columns = model_columns(table)
    definition = hyper.TableDefinition(
        hyper.TableName("warehouse", table),
        [hyper.TableDefinition.Column(name, types[type_], hyper.NULLABLE) for name, type_, _ in columns],
    )
    extract.catalog.create_table(definition)
    query = sql.SQL("select {} from {}").format(
        sql.SQL(", ").join(sql.Identifier(name) for name, _, _ in columns), sql.Identifier("warehouse", table)
    )
    count = 0
    with hyper.Inserter(extract, definition) as inserter, source.cursor() as cursor:
        cursor.execute(query)
        while rows := cursor.fetchmany(ROWS_AT_ONCE):
            inserter.add_rows(rows)
            count += len(rows)
        inserter.execute()
    return count
