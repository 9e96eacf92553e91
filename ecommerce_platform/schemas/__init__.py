"""Table contracts: one pandera schema per table, which defines the valid values.

There is one module per layer; ``FactSales`` in ``schemas/warehouse.py`` describes ``warehouse.fact_sales``.
Columns, types, and constraints live in the DDL; ``ecommerce_platform_tests/integration/test_contracts.py``
verifies that the two agree.

A run does not need these modules: everything derived from them is in ``sql/manifest.json``. Importing pandera takes
longer than importing the rest of the code location, so schemas are imported on demand.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pandera.ibis import DataFrameSchema


def schema_name(table: str) -> str:
    """Return the schema name of a table: ``FactSales`` for ``warehouse.fact_sales``."""
    return "".join(word.capitalize() for word in table.split(".")[1].split("_"))


def schema_of(table: str) -> DataFrameSchema:
    """Return the pandera schema of ``schema.table``. Imports pandera.

    Raises:
        KeyError: The table has no schema.
    """
    module = f"{__name__}.{table.split('.')[0]}"
    try:
        schemas = import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        raise KeyError(table) from None
    schema = getattr(schemas, schema_name(table), None)
    if schema is None:
        raise KeyError(table)
    return schema
