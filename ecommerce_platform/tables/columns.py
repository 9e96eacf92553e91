"""The columns of a table as sql/ddl declares them, for what must be known before there is a database."""

from __future__ import annotations

from dagster import TableColumn, TableColumnConstraints, TableSchema

from ecommerce_platform.postgres.facts import Column
from ecommerce_platform.tables.manifest import entry


def columns_of(table: str) -> tuple[Column, ...]:
    """The columns of ``schema.table``, in order.

    Raises:
        ManifestError: sql/ddl creates no such table.
    """
    return entry(table).columns


def table_schema(table: str) -> TableSchema:
    """The columns of a table as Dagster shows them."""
    return TableSchema(
        columns=[
            TableColumn(
                column.name,
                column.type,
                column.comment,
                constraints=TableColumnConstraints(nullable=column.nullable),
            )
            for column in columns_of(table)
        ]
    )
