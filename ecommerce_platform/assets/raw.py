"""Raw: the exported files, one per feed and day. Written by the source, read by staging."""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from dagster import AssetExecutionContext, AssetsDefinition, Failure, MaterializeResult, MetadataValue, asset

from ecommerce_platform.assets.external import upstream_of
from ecommerce_platform.feeds.columns import FEEDS
from ecommerce_platform.feeds.files import FeedFileError, feed_file_name
from ecommerce_platform.feeds.landing import Taken
from ecommerce_platform.files import printable
from ecommerce_platform.io_managers.partition_metadata import add_partition_metadata
from ecommerce_platform.layers import LAYERS
from ecommerce_platform.partitions import daily, one_run, window_of_run
from ecommerce_platform.resources.database import Database
from ecommerce_platform.resources.source import Export, Source
from ecommerce_platform.resources.stored import retry_if_out_of_reach
from ecommerce_platform.settings import load_settings
from ecommerce_platform.storage import Location
from ecommerce_platform.tables.asset import code_references, table_key, tags_of
from ecommerce_platform.tables.raw_files import record_refused_files, record_taken_files, taken_files

REFUSED_DAYS = "refused_days"
"""The metadata entry of a failure that lists the days whose files were refused."""

SHOWN = 5
"""Maximum number of files that an error or a warning names."""

DESCRIPTIONS = {
    "customers": "One file per day, one row per customer created or changed that day.",
    "products": "One file per day, one row per product created or changed that day.",
    "transactions": "One file per day, one row per order.",
    "transaction_items": "One file per day, one row per order line.",
    "returns": "At most one file per day, one row per returned or refunded order line.",
}


def raw_asset(feed: str) -> AssetsDefinition:
    """The files of one feed, replaced atomically; SHA-256, bytes and rows are each day's metadata.

    The metadata also names a file's unknown columns and counts its malformed rows, if it has any.
    """
    layer = LAYERS["raw"]

    @asset(
        key=table_key(f"raw.{feed}"),
        description=DESCRIPTIONS[feed],
        group_name=layer.name,
        tags=tags_of(layer, ("partition_date",)),
        owners=list(layer.owners),
        kinds=set(layer.kinds),
        partitions_def=daily,
        backfill_policy=one_run,
        deps=upstream_of(feed, load_settings()),
        metadata={"columns": ", ".join(FEEDS[feed]), **code_references({"Asset": Path(__file__).resolve()})},
        pool=f"raw.{feed}",
    )
    def build(context: AssetExecutionContext, source: Source, database: Database) -> MaterializeResult:
        days = window_of_run(context.run.tags).days
        with retry_if_out_of_reach():
            exports, refused = _export(feed, days, source, database)
        folder = source.raw_folder()
        by_day = {
            day.isoformat(): _metadata(export, feed_file_name(folder, feed, day)) for day, export in exports.items()
        }
        of_all = {
            "files": len(days),
            "total_rows": sum(export.file.rows for export in exports.values()),
            "total_bytes": sum(export.file.bytes for export in exports.values()),
        }
        by_day[days[-1].isoformat()] = {**by_day.get(days[-1].isoformat(), {}), **of_all}
        add_partition_metadata(context.get_step_execution_context(), context.asset_key, by_day)
        for note in _notes(feed, exports):
            context.log.warning(note)
        if refused:
            raise refusal(refused)
        return MaterializeResult()

    return build


def _export(
    feed: str, days: list[dt.date], source: Source, database: Database
) -> tuple[dict[dt.date, Export], dict[dt.date, FeedFileError]]:
    """Write the raw files of some days, and record them; return the files and, by day, why one was refused."""
    with database.connect() as connection:
        last = taken_files(connection, feed, days)

    def replacing(day: dt.date, taken: Taken) -> None:
        # A run that dies between this and the end has left either file, and both are known.
        with database.connect() as connection:
            record_taken_files(connection, feed, {day: taken})

    exports: dict[dt.date, Export] = {}
    refused: dict[dt.date, FeedFileError] = {}
    try:
        for day in days:
            try:
                given, before = last.get(day, (None, None))
                known = {given.sha256, before} if given is not None else ()
                exports[day] = source.export(feed, day, known, partial(replacing, day))
            except FeedFileError as error:
                refused[day] = error
    finally:
        with database.connect() as connection:
            record_taken_files(connection, feed, {day: export.taken for day, export in exports.items()})
            record_refused_files(connection, feed, refused)
    return exports, refused


def _metadata(export: Export, path: Location) -> dict[str, str | int | bool]:
    file = export.file
    return {
        "sha256": file.sha256,
        "bytes": file.bytes,
        "dagster/partition_row_count": file.rows,
        "dagster/uri": path.as_uri(),
        **({"unknown_columns": _listed(file.extra_columns)} if file.extra_columns else {}),
        **({"malformed_rows": file.malformed_rows} if file.malformed_rows else {}),
        **({"not_overwritten": "the file was changed by hand; it is used as it is"} if export.is_edited else {}),
    }


def _notes(feed: str, exports: Mapping[dt.date, Export]) -> Iterator[str]:
    """Warnings about the files of a run, one sentence or two each."""
    unknown: dict[str, dt.date] = {}
    for day, export in exports.items():
        for column in export.file.extra_columns:
            unknown.setdefault(column, day)
    if unknown:
        yield (
            f"raw.{feed}: unknown columns since {min(unknown.values())}, stored in staging.{feed}.extra_columns but not"
            f" used: {_listed(list(unknown))}"
        )
    edited = [day for day, export in exports.items() if export.is_edited]
    if edited:
        files = "1 file was" if len(edited) == 1 else f"{len(edited)} files were"
        yield (
            f"raw.{feed}: {files} changed by hand and not overwritten ({_shown(edited)}). To export a file again,"
            " delete it and materialize its day."
        )


def _listed(columns: Sequence[str]) -> str:
    """Column names from a file, made safe to print on one line."""
    names = [printable(name[:60]) for name in columns[:20]]
    more = f" and {len(columns) - 20} more" if len(columns) > 20 else ""
    return ", ".join(names) + more


def _shown(days: Sequence[dt.date]) -> str:
    more = f" and {len(days) - SHOWN} more" if len(days) > SHOWN else ""
    return ", ".join(map(str, days[:SHOWN])) + more


def refusal(refused: Mapping[dt.date, FeedFileError]) -> Failure:
    """The failure of a run that has refused files; its metadata names their days."""
    errors = [str(error) for error in list(refused.values())[:SHOWN]]
    more = f" And {len(refused) - SHOWN} more files." if len(refused) > SHOWN else ""
    return Failure(
        " ".join(errors) + more,
        metadata={REFUSED_DAYS: MetadataValue.json([day.isoformat() for day in refused])},
        allow_retries=False,
    )


raw_assets = [raw_asset(feed) for feed in FEEDS]
