"""The columns of a table as sql/ddl declares them, for what must be known before there is a database."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from dagster import TableColumn, TableColumnConstraints, TableSchema

from ecommerce_platform.layers import LAYERS
from ecommerce_platform.settings import SQL_DIR
from ecommerce_platform.tables.remembered import remembered

if TYPE_CHECKING:
    from sqlglot import exp

TYPE_NAMES = {"decimal": "numeric", "int": "integer"}
"""PostgreSQL's names for what sqlglot calls otherwise."""

# It warns of each DO block, which it does not parse and we do not need.
logging.getLogger("sqlglot").setLevel(logging.ERROR)


@dataclass(frozen=True)
class Column:
    """A column: its type as PostgreSQL names it, without a size, whether null is allowed, and its comment."""

    name: str
    type: str
    nullable: bool
    comment: str | None


def columns_of(table: str) -> tuple[Column, ...]:
    """The columns of ``schema.table``, in order.

    Raises:
        KeyError: sql/ddl creates no such table.
    """
    return _tables()[table]


def tables_of_ddl() -> list[str]:
    """The tables of all layers, as schema.table."""
    return [table for table in _tables() if table.split(".")[0] in LAYERS]


@cache
def _tables() -> dict[str, tuple[Column, ...]]:
    files = [path for layer in LAYERS for path in sorted((SQL_DIR / "ddl").glob(f"*_{layer}.sql"))]
    held = remembered("ddl_columns", [*files, Path(__file__)], lambda: _parsed(files))
    return {table: tuple(Column(*column) for column in columns) for table, columns in held.items()}


def _parsed(files: Sequence[Path]) -> dict[str, list[tuple[str, str, bool, str | None]]]:
    import sqlglot
    from sqlglot import exp

    created: dict[str, exp.Create] = {}
    added: dict[str, list[exp.ColumnDef]] = {}
    comments: dict[str, str] = {}
    for path in files:
        for statement in sqlglot.parse(path.read_text(encoding="utf-8"), dialect="postgres"):
            if isinstance(statement, exp.Create) and statement.kind == "TABLE":
                table = statement.this.this
                created[f"{table.db}.{table.name}"] = statement
            elif isinstance(statement, exp.Alter) and isinstance(statement.this, exp.Table):
                table = f"{statement.this.db}.{statement.this.name}"
                columns = [action for action in statement.args["actions"] if isinstance(action, exp.ColumnDef)]
                added.setdefault(table, []).extend(columns)
            elif isinstance(statement, exp.Comment):
                comments[statement.this.sql("postgres")] = statement.expression.name
    return {
        table: [
            _column(column, statement, comments.get(f"{table}.{column.name}"))
            for column in [*_columns(statement), *added.get(table, ())]
        ]
        for table, statement in created.items()
    }


def _columns(statement: exp.Create) -> list[exp.ColumnDef]:
    from sqlglot import exp

    return [part for part in statement.this.expressions if isinstance(part, exp.ColumnDef)]


def _column(column: exp.ColumnDef, statement: exp.Create, comment: str | None) -> tuple[str, str, bool, str | None]:
    from sqlglot import exp

    keys = {name.name for key in statement.find_all(exp.PrimaryKey) for name in key.find_all(exp.Identifier)}
    required = (
        column.name in keys
        or column.find(exp.NotNullColumnConstraint) is not None
        or column.find(exp.PrimaryKeyColumnConstraint) is not None
    )
    assert column.kind is not None, f"{column.name}: a column without a type"
    type_ = column.kind.sql("postgres").lower().split("(")[0]
    return column.name, TYPE_NAMES.get(type_, type_), not required, comment


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
