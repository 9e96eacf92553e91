"""One builder for every table that is filled by a SELECT: key, files, lineage and metadata follow from its name."""

import datetime as dt
from collections.abc import Callable
from pathlib import Path

from dagster import (
    AssetExecutionContext,
    AssetKey,
    AssetsDefinition,
    AssetSpec,
    CodeReferencesMetadataValue,
    LocalFileCodeReference,
    asset,
)

from ecommerce_platform.assets.ddl_columns import table_schema
from ecommerce_platform.assets.lineage import tables_read, transform_path
from ecommerce_platform.io_managers import Merge, Query, ReplaceSlice
from ecommerce_platform.io_managers.connection import ClientConnection
from ecommerce_platform.io_managers.writes import Window
from ecommerce_platform.layers import LAYERS
from ecommerce_platform.partitions import daily, days_of_run, one_run
from ecommerce_platform.resources.database import Database
from ecommerce_platform.settings import SQL_DIR

REVISITS = "platform.revisits"
COVERS_ALL_DAYS = """
select not exists (
    select 1 from production.loaded_days
    where partition_date < %(window_start)s or partition_date >= %(window_end)s
)
"""


def table_key(table: str) -> AssetKey:
    """``warehouse.fact_sales`` as the asset key ``["warehouse", "fact_sales"]``."""
    return AssetKey(table.split("."))


def spec_of(table: str, description: str, write: Merge | ReplaceSlice, *files: Path, is_daily: bool) -> AssetSpec:
    """Everything that Dagster shows of a table, but its dependencies."""
    layer = LAYERS[table.split(".")[0]]
    metadata = {
        "write": write.to_metadata(),
        "dagster/column_schema": table_schema(table),
        "dagster/table_name": table,
        **({"partition_expr": "partition_date"} if is_daily else {}),
        **code_references(*files),
    }
    return AssetSpec(
        key=table_key(table),
        description=description,
        group_name=layer.name,
        owners=list(layer.owners),
        kinds=set(layer.kinds),
        metadata=metadata,
        partitions_def=daily if is_daily else None,
    )


def code_references(*files: Path) -> dict[str, CodeReferencesMetadataValue]:
    """The files that make an asset, as links in the UI."""
    return {
        "dagster/code_references": CodeReferencesMetadataValue(
            code_references=[LocalFileCodeReference(file_path=str(path), line_number=1) for path in files]
        )
    }


Guard = Callable[[AssetExecutionContext, ClientConnection, Window], None]


def table_asset(
    table: str, *, write: Merge, description: str, is_daily: bool = True, guard: Guard | None = None
) -> AssetsDefinition:
    """An asset that is filled by sql/transform/SCHEMA/TABLE.sql.

    sql/scope/SCHEMA/TABLE.sql, where there is one, says which keys a run concerns, and sql/effects/SCHEMA/TABLE.sql
    which keys of other tables a change concerns.

    Args:
        table: schema.table.
        write: how the rows are written.
        description: one sentence: the grain and what the table is for.
        is_daily: whether it has daily partitions. One without still looks at the days of its run.
        guard: called before the table is filled; raises where it must not be.
    """
    select = transform_path(table)
    others = [path for path in _companions(table).values() if path.exists()]
    spec = spec_of(
        table,
        description,
        write,
        select,
        *others,
        is_daily=is_daily,
    )

    @asset(
        key=spec.key,
        description=spec.description,
        group_name=spec.group_name,
        owners=spec.owners,
        kinds=spec.kinds,
        metadata=spec.metadata,
        partitions_def=spec.partitions_def,
        backfill_policy=one_run,
        deps=[table_key(name) for name in tables_read(table)],
        io_manager_key="io_manager",
        pool=table,
        output_required=True,
    )
    def build(context: AssetExecutionContext, database: Database) -> Query:
        window = window_of_run(context)
        if guard is not None:
            with database.connect() as connection:
                guard(context, connection, window)
        return table_query(table, window)

    return build


def table_query(table: str, window: Window) -> Query:
    """What the asset of a table returns for some days: its files of sql/transform, sql/scope and sql/effects."""
    texts = {folder: path.read_text(encoding="utf-8") for folder, path in _companions(table).items() if path.exists()}
    return Query(
        transform_path(table).read_text(encoding="utf-8"),
        {"window_start": window.start, "window_end": window.end},
        scope=texts.get("scope"),
        covers_everything=COVERS_ALL_DAYS,
        effects=texts.get("effects"),
        revisits=REVISITS if "scope" in texts else None,
        window=window,
    )


def _companions(table: str) -> dict[str, Path]:
    name = transform_path(table).relative_to(SQL_DIR / "transform")
    return {folder: SQL_DIR / folder / name for folder in ("scope", "effects")}


def window_of_run(context: AssetExecutionContext) -> Window:
    """The days that a run is about; every day for a run without days."""
    days = days_of_run(context.run.tags)
    if days is None:
        return Window()
    return Window(days[0], days[1] + dt.timedelta(days=1))
