"""A PostgreSQL IO manager for Dagster. Knows nothing of shops: it could be lifted out and published."""

from ecommerce_platform.io_managers.connection import PostgresConnection
from ecommerce_platform.io_managers.modes import Merge, Query, ReplaceSlice, Window, WriteError
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
