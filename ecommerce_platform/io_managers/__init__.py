"""A PostgreSQL IO manager for Dagster. Knows nothing of shops: it could be lifted out and published."""

from ecommerce_platform.io_managers.connection import PostgresConnection
from ecommerce_platform.io_managers.postgres import PostgresIOManager, TableReference
from ecommerce_platform.io_managers.writes import Merge, Query, ReplaceSlice, WriteError

__all__ = [
    "Merge",
    "PostgresConnection",
    "PostgresIOManager",
    "Query",
    "ReplaceSlice",
    "TableReference",
    "WriteError",
]
