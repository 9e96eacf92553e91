"""Which tables a table is made from, read out of its SQL, so that lineage cannot lie."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from ecommerce_platform.io_managers.change_log import relation_of
from ecommerce_platform.settings import SQL_DIR
from ecommerce_platform.tables.remembered import remembered

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlglot import exp

RULES = SQL_DIR / "ddl" / "060_rules.sql"
BOOKKEEPING = "platform"
"""The schema of what the platform notes of itself: no asset lies in it."""


def tables_read(table: str) -> tuple[str, ...]:
    """The tables that the SELECT and the scope of ``schema.table`` read, views resolved, sorted, as schema.table.

    Raises:
        FileNotFoundError: the table has no transformation.
    """
    lineage = _lineage()
    if table not in lineage:
        raise FileNotFoundError(transform_path(table))
    return lineage[table]


def transformed_tables() -> tuple[str, ...]:
    """Every table that has a transformation, as schema.table."""
    return tuple(_lineage())


def transform_path(table: str) -> Path:
    """The file whose SELECT says what a table holds."""
    return _path("transform", table)


def scope_path(table: str) -> Path | None:
    """The file whose SELECT says which keys some changes concern; None for a table that is computed as a whole."""
    path = _path("scope", table)
    return path if path.exists() else None


def _path(folder: str, table: str) -> Path:
    schema, name = table.split(".")
    return SQL_DIR / folder / schema / f"{name}.sql"


@cache
def _lineage() -> dict[str, tuple[str, ...]]:
    tables = [f"{path.parent.name}.{path.stem}" for path in sorted((SQL_DIR / "transform").glob("*/*.sql"))]
    files = {table: [transform_path(table), *filter(None, [scope_path(table)])] for table in tables}
    sources = [RULES, *(path for paths in files.values() for path in paths), Path(__file__)]
    held = remembered("lineage", sources, lambda: _parsed(files))
    return {table: tuple(reads) for table, reads in held.items()}


def _parsed(files: Mapping[str, list[Path]]) -> dict[str, list[str]]:
    import sqlglot
    from sqlglot import exp

    views: dict[str, set[str]] = {}
    for statement in sqlglot.parse(RULES.read_text(encoding="utf-8"), dialect="postgres"):
        if isinstance(statement, exp.Create) and statement.kind == "VIEW":
            view = f"{statement.this.db}.{statement.this.name}"
            found = _names(statement) - {view}
            # A view may stand on one that comes before it.
            views[view] = set[str]().union(*(views.get(name, {name}) for name in found))
    relations = {relation_of(table): table for table in files}
    reads: dict[str, list[str]] = {}
    for table, paths in files.items():
        names: set[str] = set()
        for path in paths:
            for name in _names(sqlglot.parse_one(path.read_text(encoding="utf-8"), dialect="postgres"), relations):
                names |= views.get(name, {name})
        reads[table] = sorted(name for name in names - {table} if not name.startswith(f"{BOOKKEEPING}."))
    return reads


def _names(tree: exp.Expr, relations: Mapping[str, str] | None = None) -> set[str]:
    from sqlglot import exp

    tables = list(tree.find_all(exp.Table))
    named = {f"{table.db}.{table.name}" for table in tables if table.db}
    known = relations or {}
    return named | {known[table.name] for table in tables if not table.db and table.name in known}
