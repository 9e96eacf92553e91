"""Raw: the exported files, one a feed a day. Written by the source, read by staging."""

import datetime as dt
from pathlib import Path

from dagster import AssetExecutionContext, AssetsDefinition, MaterializeResult, asset

from ecommerce_platform.assets.tables import code_references, table_key
from ecommerce_platform.layers import LAYERS
from ecommerce_platform.partitions import daily, one_run, window_of_run
from ecommerce_platform.resources.source import Source
from ecommerce_platform.source.feed_files import feed_file_name
from ecommerce_platform.source.feeds import FEEDS

DESCRIPTIONS = {
    "customers": "One file per day: the full image of each customer created or changed that day.",
    "products": "One file per day: the full image of each product created or changed that day.",
    "transactions": "One file per day: one row per order.",
    "transaction_items": "One file per day: one row per order line.",
}


def raw_asset(feed: str) -> AssetsDefinition:
    """The files of one feed, replaced atomically; SHA-256, bytes and rows are each day's metadata.

    Columns that the feed does not know, and malformed rows, are there too where a file has some.
    """
    layer = LAYERS["raw"]

    @asset(
        key=table_key(f"raw.{feed}"),
        description=DESCRIPTIONS[feed],
        group_name=layer.name,
        owners=list(layer.owners),
        kinds=set(layer.kinds),
        partitions_def=daily,
        backfill_policy=one_run,
        metadata={"columns": ", ".join(FEEDS[feed]), **code_references(Path(__file__))},
        pool=f"raw.{feed}",
    )
    def build(context: AssetExecutionContext, source: Source) -> MaterializeResult:
        days = window_of_run(context.run.tags).days
        total_rows = total_bytes = 0
        unknown: dict[str, dt.date] = {}
        for day in days:
            written = source.export(feed, day)
            total_rows += written.rows
            total_bytes += written.bytes
            metadata: dict[str, str | int] = {"sha256": written.sha256, "bytes": written.bytes, "rows": written.rows}
            if written.extra_columns:
                metadata["unknown_columns"] = ", ".join(written.extra_columns)
            if written.malformed_rows:
                metadata["malformed_rows"] = written.malformed_rows
            context.add_asset_metadata(metadata, partition_key=day.isoformat())
            for column in written.extra_columns:
                unknown.setdefault(column, day)
        for column, day in unknown.items():
            context.log.warning(
                f"raw.{feed}: column {column!r} is not one of the feed's (first on {day}): kept in"
                f" staging.{feed}.extra_columns, used by nothing"
            )
        return MaterializeResult(
            metadata={
                "files": len(days),
                "total_rows": total_rows,
                "total_bytes": total_bytes,
                "path": str(feed_file_name(source.raw_folder(), feed, days[-1])),
                **({"unknown_columns": ", ".join(unknown)} if unknown else {}),
            }
        )

    return build


raw_assets = [raw_asset(feed) for feed in FEEDS]
