"""Which tables a table is made from, read out of its SQL, so that lineage cannot lie."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from ecommerce_platform.assets.remembered import remembered
from ecommerce_platform.settings import SQL_DIR

if TYPE_CHECKING:
    from sqlglot import exp

RULES = SQL_DIR / "ddl" / "060_rules.sql"


def tables_read(table: str) -> tuple[str, ...]:
    """The tables that sql/transform/SCHEMA/TABLE.sql reads, views resolved, sorted, as schema.table.

    Raises:
        FileNotFoundError: the table has no transformation.
    """
    lineage = _lineage()
    if table not in lineage:
        raise FileNotFoundError(transform_path(table))
    return lineage[table]


def transform_path(table: str) -> Path:
    """The file whose SELECT says what a table holds."""
    schema, name = table.split(".")
    return SQL_DIR / "transform" / schema / f"{name}.sql"


@cache
def _lineage() -> dict[str, tuple[str, ...]]:
    files = {f"{path.parent.name}.{path.stem}": path for path in sorted((SQL_DIR / "transform").glob("*/*.sql"))}
    held = remembered("lineage", [RULES, *files.values(), Path(__file__)], lambda: _parsed(files))
    return {table: tuple(reads) for table, reads in held.items()}


def _parsed(files: dict[str, Path]) -> dict[str, list[str]]:
    import sqlglot
    from sqlglot import exp

    views: dict[str, set[str]] = {}
    for statement in sqlglot.parse(RULES.read_text(encoding="utf-8"), dialect="postgres"):
        if isinstance(statement, exp.Create) and statement.kind == "VIEW":
            view = f"{statement.this.db}.{statement.this.name}"
            views[view] = _names(statement) - {view}
    reads: dict[str, list[str]] = {}
    for table, path in files.items():
        names = _names(sqlglot.parse_one(path.read_text(encoding="utf-8"), dialect="postgres"))
        found = set[str]().union(*(views.get(name, {name}) for name in names))
        reads[table] = sorted(found - {table})
    return reads


def _names(tree: exp.Expr) -> set[str]:
    from sqlglot import exp

    return {f"{table.db}.{table.name}" for table in tree.find_all(exp.Table) if table.db}
