"""The contract of each table: a pandera schema that says what good values are.

One module a layer; ``warehouse.fact_sales`` is described by ``FactSales`` in ``schemas/warehouse.py``.
Columns, types and constraints live in the DDL; ``ecommerce_platform_tests/integration/test_contracts.py``
holds the two together.

The names of the tables are known without importing pandera, whose import costs more than all the rest of a
code location. A schema is loaded when it is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

from ecommerce_platform.settings import SQL_DIR

if TYPE_CHECKING:
    from pandera.ibis import DataFrameSchema

_CREATE_TABLE = re.compile(r"^create table (?:if not exists )?(\w+)\.(\w+)", re.MULTILINE)


@cache
def tables_of_ddl() -> tuple[str, ...]:
    """Every table of the layers, as schema.table, in the order of the DDL; bookkeeping tables are none."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in sorted((SQL_DIR / "ddl").glob("*.sql")))
    found = (f"{schema}.{name}" for schema, name in _CREATE_TABLE.findall(text) if schema != "platform")
    return tuple(dict.fromkeys(found))


def schema_name(table: str) -> str:
    """``warehouse.fact_sales`` as ``FactSales``."""
    return "".join(word.capitalize() for word in table.split(".")[1].split("_"))


class _Schemas(Mapping[str, "DataFrameSchema"]):
    """The schemas by schema.table. Iterating costs nothing, a look-up imports pandera."""

    def __getitem__(self, table: str) -> DataFrameSchema:
        if table not in tables_of_ddl():
            raise KeyError(table)
        return getattr(import_module(f"{__name__}.{table.split('.')[0]}"), schema_name(table))

    def __iter__(self) -> Iterator[str]:
        return iter(tables_of_ddl())

    def __len__(self) -> int:
        return len(tables_of_ddl())


SCHEMAS: Mapping[str, DataFrameSchema] = _Schemas()
