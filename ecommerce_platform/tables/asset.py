"""One builder for every table that is filled by a SELECT: key, files, lineage and metadata follow from its name."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dagster import (
    AssetExecutionContext,
    AssetKey,
    AssetsDefinition,
    AssetSpec,
    CodeReferencesMetadataValue,
    LocalFileCodeReference,
    TableColumnDep,
    TableColumnLineage,
    asset,
)

from ecommerce_platform.io_managers import Merge, Query, ReplaceSlice, Window
from ecommerce_platform.io_managers.connection import ClientConnection
from ecommerce_platform.layers import LAYERS, Layer
from ecommerce_platform.partitions import daily, one_run, window_of_run
from ecommerce_platform.resources.database import Database
from ecommerce_platform.settings import PROJECT_DIR
from ecommerce_platform.tables.columns import table_schema
from ecommerce_platform.tables.lineage import scope_path, tables_read, transform_path
from ecommerce_platform.tables.loaded_days import covers_all_days
from ecommerce_platform.tables.manifest import Lineage, entry


def table_key(table: str) -> AssetKey:
    """``warehouse.fact_sales`` as the asset key ``["warehouse", "fact_sales"]``."""
    return AssetKey(table.split("."))


def spec_of(
    table: str,
    description: str,
    write: Merge | ReplaceSlice,
    files: Mapping[str, Path],
    *,
    is_daily: bool,
    lineage: Lineage | None = None,
) -> AssetSpec:
    """Everything that Dagster shows of a table, except its dependencies.

    Args:
        table: schema.table.
        description: one sentence: the grain and what the table is for.
        write: how the rows are written.
        files: the files that make it, by what each is: Transform, Scope or Asset. SQL among them is its code version.
        is_daily: whether it has daily partitions.
        lineage: the sources of its columns; those of its transformation where it is left out.
    """
    layer = LAYERS[table.split(".")[0]]
    grain = write.key if isinstance(write, Merge) else (write.column, "source_row")
    lineage = entry(table).lineage if lineage is None else lineage
    metadata = {
        "write": write.to_metadata(),
        "dagster/column_schema": table_schema(table),
        "dagster/table_name": table,
        **({"partition_expr": "partition_date"} if is_daily else {}),
        **({"dagster/column_lineage": table_column_lineage(lineage)} if lineage is not None else {}),
        **code_references(files),
    }
    return AssetSpec(
        key=table_key(table),
        description=description,
        group_name=layer.name,
        tags=tags_of(layer, grain),
        code_version=code_version([path for path in files.values() if path.suffix == ".sql"]),
        owners=list(layer.owners),
        kinds=set(layer.kinds),
        metadata=metadata,
        partitions_def=daily if is_daily else None,
    )


def tags_of(layer: Layer, grain: Sequence[str]) -> dict[str, str]:
    """What assets can be searched and selected by: their layer, what one row or file is, and personal data."""
    return {
        "ecommerce/layer": layer.name,
        "ecommerce/grain": ".".join(grain),
        "ecommerce/personal_data": "yes" if layer.holds_personal_data else "no",
    }


def code_version(files: Sequence[Path]) -> str | None:
    """A short digest of some text files, the same on every platform; None for no file."""
    if not files:
        return None
    texts = [path.read_bytes().replace(b"\r\n", b"\n") for path in files]
    return hashlib.sha256(b"\0".join(texts)).hexdigest()[:12]


def table_column_lineage(lineage: Lineage) -> TableColumnLineage:
    """The sources of a table's columns as Dagster understands them."""
    return TableColumnLineage(
        {
            column: [TableColumnDep(table_key(source), name) for source, name in sources]
            for column, sources in lineage.items()
        }
    )


def code_references(files: Mapping[str, Path]) -> dict[str, CodeReferencesMetadataValue]:
    """The files that make an asset, by what each is, as links in the UI."""
    return {
        "dagster/code_references": CodeReferencesMetadataValue(
            code_references=[
                LocalFileCodeReference(file_path=str(path), line_number=1, label=f"{what}: {path.name}")
                for what, path in files.items()
            ]
        )
    }


ASSETS = PROJECT_DIR / "ecommerce_platform" / "assets"
"""One module per layer."""


PRIORITY = "dagster/priority"
PRIORITIES = {
    "staging.transaction_items": 1,
    "production.products": 1,
    "warehouse.dim_customer": 1,
    "warehouse.mart_daily_breakdown": 1,
    "warehouse.fact_returns": -1,
    "analytics": -2,
}
"""Which of the tables that can be filled at a time is begun first, by table or layer; 0 is usual.

The longest, and those that others wait for, come first. A table that waits for readers of others (see
:func:`.locks.lock_definitions`) comes after the marts, and the extracts, which nothing waits for, come last.
"""


def asset_arguments(spec: AssetSpec) -> dict[str, Any]:
    """What ``@asset`` takes from a spec; a range of days is one run for every asset."""
    priority = PRIORITIES.get(".".join(spec.key.path), PRIORITIES.get(spec.key.path[0], 0))
    return {
        "key": spec.key,
        "description": spec.description,
        "group_name": spec.group_name,
        "tags": spec.tags,
        "code_version": spec.code_version,
        "owners": spec.owners,
        "kinds": spec.kinds,
        "metadata": spec.metadata,
        "partitions_def": spec.partitions_def,
        "backfill_policy": one_run,
        "op_tags": {PRIORITY: str(priority)} if priority else None,
    }


SCOPE_FILE = "sql/scope/SCHEMA/TABLE.sql"

ExtraParameters = Callable[[AssetExecutionContext, ClientConnection, Window], Mapping[str, object]]


def table_asset(
    table: str,
    *,
    write: Merge,
    description: str,
    is_daily: bool = True,
    extra_parameters: ExtraParameters | None = None,
) -> AssetsDefinition:
    """An asset that is filled by sql/transform/SCHEMA/TABLE.sql.

    If there is a sql/scope/SCHEMA/TABLE.sql, it selects the keys that must be recomputed after a change.

    Args:
        table: schema.table.
        write: how the rows are written.
        description: one sentence: the grain and what the table is for.
        is_daily: whether it has daily partitions. A table without them still receives the days of its run.
        extra_parameters: called before the table is filled; returns further parameters of the SELECT, or raises if
            the table must not be filled.

    Raises:
        ValueError: ``write`` and the scope file do not match.
    """
    scope = scope_path(table)
    if bool(write.scope) != (scope is not None):
        problem = f"write= has scope columns, but there is no {SCOPE_FILE}"
        if scope is not None:
            problem = f"there is a {SCOPE_FILE}, but write= has no scope columns"
        raise ValueError(f"{table}: {problem}")
    files = {
        "Transform": transform_path(table),
        **({"Scope": scope} if scope is not None else {}),
        "Asset": ASSETS / f"{table.split('.')[0]}.py",
    }
    spec = spec_of(table, description, write, files, is_daily=is_daily)

    @asset(
        **asset_arguments(spec),
        deps=[table_key(name) for name in tables_read(table)],
        io_manager_key="io_manager",
        output_required=True,
    )
    def build(context: AssetExecutionContext, database: Database) -> Query:
        window = window_of_run(context.run.tags)
        with database.connect() as connection:
            extra = extra_parameters(context, connection, window) if extra_parameters is not None else {}
            is_full_refresh = bool(write.scope) and covers_all_days(connection, window)
            return table_query(table, window, extra, is_full_refresh=is_full_refresh)

    return build


def table_query(
    table: str, window: Window, extra: Mapping[str, object] | None = None, *, is_full_refresh: bool = False
) -> Query:
    """What the asset of a table returns for some days: its files of sql/transform and sql/scope.

    Args:
        table: schema.table.
        window: the days of the run.
        extra: parameters of the SELECT beside the days.
        is_full_refresh: compute all rows again; a run over every loaded day is faster so.
    """
    scope = scope_path(table)
    return Query(
        transform_path(table).read_text(encoding="utf-8"),
        {"window_start": window.start, "window_end": window.end, **(extra or {})},
        scope=scope.read_text(encoding="utf-8") if scope is not None else None,
        reads=tables_read(table),
        window=window,
        is_full_refresh=is_full_refresh and scope is not None,
    )
