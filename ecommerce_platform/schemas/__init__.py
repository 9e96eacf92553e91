"""The contract of each table: a pandera schema that says what good values are.

One module a layer; ``warehouse.fact_sales`` is described by ``FactSales`` in ``schemas/warehouse.py``.
Columns, types and constraints live in the DDL; ``ecommerce_platform_tests/integration/test_contracts.py``
holds the two together.

A run needs none of them: what follows from them lies in ``sql/manifest.json``. Importing pandera costs more than all
the rest of a code location, so a schema is loaded when it is asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pandera.ibis import DataFrameSchema


def schema_name(table: str) -> str:
    """``warehouse.fact_sales`` as ``FactSales``."""
    return "".join(word.capitalize() for word in table.split(".")[1].split("_"))


def schema_of(table: str) -> DataFrameSchema:
    """The schema of ``schema.table``. Imports pandera.

    Raises:
        KeyError: there is none.
    """
    try:
        return getattr(import_module(f"{__name__}.{table.split('.')[0]}"), schema_name(table))
    except (ImportError, AttributeError):
        raise KeyError(table) from None
