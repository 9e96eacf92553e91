"""Which tables a table is made from, read out of its SQL, so that lineage cannot lie."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import sqlglot
from sqlglot import exp

from ecommerce_platform.settings import SQL_DIR


@cache
def tables_read(table: str) -> tuple[str, ...]:
    """The tables that sql/transform/SCHEMA/TABLE.sql reads, views resolved, sorted, as schema.table.

    Raises:
        FileNotFoundError: the table has no transformation.
    """
    found: set[str] = set()
    for name in _names(sqlglot.parse_one(transform_path(table).read_text(encoding="utf-8"), dialect="postgres")):
        found |= _views().get(name, {name})
    return tuple(sorted(found - {table}))


def transform_path(table: str) -> Path:
    """The file whose SELECT says what a table holds."""
    schema, name = table.split(".")
    return SQL_DIR / "transform" / schema / f"{name}.sql"


def _names(tree: exp.Expr) -> set[str]:
    return {f"{table.db}.{table.name}" for table in tree.find_all(exp.Table) if table.db}


@cache
def _views() -> dict[str, set[str]]:
    text = (SQL_DIR / "ddl" / "060_rules.sql").read_text(encoding="utf-8")
    views: dict[str, set[str]] = {}
    for statement in sqlglot.parse(text, dialect="postgres"):
        if isinstance(statement, exp.Create) and statement.kind == "VIEW":
            view = f"{statement.this.db}.{statement.this.name}"
            views[view] = _names(statement) - {view}
    return views
