"""The SQL files of a table, and which tables they read."""

from __future__ import annotations

from pathlib import Path

from ecommerce_platform.settings import SQL_DIR
from ecommerce_platform.tables.manifest import entry, manifest


def tables_read(table: str) -> tuple[str, ...]:
    """The tables that the SELECT and the scope of ``schema.table`` read, views resolved, sorted, as schema.table.

    Raises:
        FileNotFoundError: the table has no transformation.
    """
    reads = entry(table).reads
    if reads is None:
        raise FileNotFoundError(transform_path(table))
    return reads


def transformed_tables() -> tuple[str, ...]:
    """Every table that has a transformation, as schema.table."""
    return tuple(sorted(table for table, entry in manifest().items() if entry.reads is not None))


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
