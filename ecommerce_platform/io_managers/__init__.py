"""A PostgreSQL IO manager for Dagster. Knows nothing of shops: it could be lifted out and published."""

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
    """Whoever only connects, as the command line does, does not wait for pandas."""
    if name in ("PostgresIOManager", "TableReference"):
        from ecommerce_platform.io_managers import postgres

        return getattr(postgres, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
