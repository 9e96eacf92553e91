"""Which tables the SQL files of a table read, so that lineage cannot lie. Used where the manifest is written."""

from __future__ import annotations

from collections.abc import Mapping

import sqlglot
from sqlglot import exp

from ecommerce_platform.io_managers.change_log import relation_of
from ecommerce_platform.settings import SQL_DIR
from ecommerce_platform.tables.lineage import scope_path, transform_path

VIEWS = (SQL_DIR / "ddl" / "060_rules.sql", SQL_DIR / "ddl" / "241_customer_rfm.sql")
"""The files with the views that transformations may read."""

BOOKKEEPING = "platform"
"""The schema of what the platform notes of itself: no asset lies in it."""


def reads_of_files() -> dict[str, tuple[str, ...]]:
    """The tables that the SELECT and the scope of each transformed table read, views resolved, sorted."""
    tables = [f"{path.parent.name}.{path.stem}" for path in sorted((SQL_DIR / "transform").glob("*/*.sql"))]
    files = {table: [transform_path(table), *filter(None, [scope_path(table)])] for table in tables}
    views: dict[str, set[str]] = {}
    for statement in sqlglot.parse(text_of_views(), dialect="postgres"):
        if isinstance(statement, exp.Create) and statement.kind == "VIEW":
            view = f"{statement.this.db}.{statement.this.name}"
            found = _names(statement) - {view}
            # A view may stand on one that comes before it.
            views[view] = set[str]().union(*(views.get(name, {name}) for name in found))
    relations = {relation_of(table): table for table in files}
    reads: dict[str, tuple[str, ...]] = {}
    for table, paths in files.items():
        names: set[str] = set()
        for path in paths:
            for name in _names(sqlglot.parse_one(path.read_text(encoding="utf-8"), dialect="postgres"), relations):
                names |= views.get(name, {name})
        reads[table] = tuple(sorted(name for name in names - {table} if not name.startswith(f"{BOOKKEEPING}.")))
    return reads


def text_of_views() -> str:
    """The SQL that creates the views."""
    return "\n".join(path.read_text(encoding="utf-8") for path in VIEWS)


def _names(tree: exp.Expr, relations: Mapping[str, str] | None = None) -> set[str]:
    tables = list(tree.find_all(exp.Table))
    named = {f"{table.db}.{table.name}" for table in tables if table.db}
    known = relations or {}
    return named | {known[table.name] for table in tables if not table.db and table.name in known}
