"""The columns of a table as sql/ddl declares them, for what must be known before there is a database."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import sqlglot
from sqlglot import exp

from ecommerce_platform.settings import SQL_DIR


@dataclass(frozen=True)
class Column:
    """A column: its type as PostgreSQL names it, without a size, and whether null is allowed."""

    name: str
    type: str
    nullable: bool


@cache
def columns_of(table: str) -> tuple[Column, ...]:
    """The columns of ``schema.table``, in order.

    Raises:
        KeyError: sql/ddl creates no such table.
    """
    return _tables(table.split(".")[0])[table]


@cache
def _tables(schema: str) -> dict[str, tuple[Column, ...]]:
    tables: dict[str, tuple[Column, ...]] = {}
    for path in sorted((SQL_DIR / "ddl").glob(f"*_{schema}.sql")):
        for statement in sqlglot.parse(path.read_text(encoding="utf-8"), dialect="postgres"):
            if isinstance(statement, exp.Create) and statement.kind == "TABLE":
                table = statement.this.this
                tables[f"{table.db}.{table.name}"] = _columns(statement)
    return tables


def _columns(statement: exp.Create) -> tuple[Column, ...]:
    keys = {name.name for key in statement.find_all(exp.PrimaryKey) for name in key.find_all(exp.Identifier)}
    return tuple(
        Column(
            column.name,
            column.kind.this.value.lower(),
            nullable=column.name not in keys
            and column.find(exp.NotNullColumnConstraint) is None
            and column.find(exp.PrimaryKeyColumnConstraint) is None,
        )
        for column in statement.this.find_all(exp.ColumnDef)
    )
