"""A PostgreSQL IO manager for Dagster. It knows nothing about shops and could be published on its own."""

from typing import TYPE_CHECKING, Any

from ecommerce_platform.io_managers.connection import PostgresConnection
from ecommerce_platform.io_managers.modes import Merge, Query, ReplaceSlice, Window, WriteError

if TYPE_CHECKING:
    from ecommerce_platform.io_managers.postgres import PostgresIOManager, TableReference

__all__ = [
    "Merge",
    "PostgresConnection",
    "PostgresIOManager",
    "Query",
    "ReplaceSlice",
    "TableReference",
    "Window",
    "WriteError",
]


def __getattr__(name: str) -> Any:
    """Import the IO manager lazily: code that only connects, such as the command line, does not load pandas."""
    if name in ("PostgresIOManager", "TableReference"):
        from ecommerce_platform.io_managers import postgres

        return getattr(postgres, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
