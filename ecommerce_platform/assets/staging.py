"""Staging: exact text replicas of the files. Reads raw, read by production."""

import datetime as dt
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
from dagster import AssetExecutionContext, AssetsDefinition, asset

from ecommerce_platform.assets.raw import days_of
from ecommerce_platform.assets.tables import spec_of, table_key
from ecommerce_platform.checks.gate import FIRST_LOADED_AT
from ecommerce_platform.io_managers import ReplaceSlice
from ecommerce_platform.partitions import one_run
from ecommerce_platform.resources.source import Source
from ecommerce_platform.source.feed_files import feed_file_name, feed_file_schema, read_feed_file
from ecommerce_platform.source.feeds import FEEDS


def staging_asset(feed: str) -> AssetsDefinition:
    """The rows of one feed's files, the day's slice replaced; a file with a fault stops the run before any write."""
    spec = spec_of(
        f"staging.{feed}",
        f"Exact text replica of the {feed.replace('_', ' ')} files: one row a row, with its file and row number.",
        ReplaceSlice("partition_date"),
        Path(__file__),
        is_daily=True,
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
        deps=[table_key(f"raw.{feed}")],
        io_manager_key="io_manager",
        pool=f"staging.{feed}",
    )
    def build(context: AssetExecutionContext, source: Source) -> pa.RecordBatchReader:
        moment = dt.datetime.now(dt.UTC)
        context.add_output_metadata({FIRST_LOADED_AT: moment.isoformat()})
        return feed_reader(source.raw_folder(), feed, days_of(context), moment)

    return build


def feed_reader(folder: Path, feed: str, days: Sequence[dt.date], moment: dt.datetime) -> pa.RecordBatchReader:
    """The rows of some days' files as staging keeps them, one day in memory at a time.

    ``loaded_at`` is ``moment`` plus a microsecond a day, so that it names one slice.

    Raises:
        FeedFileError: while it is read; names the file, the row and the fault.
    """
    lineage = pa.schema(
        [
            ("partition_date", pa.date32()),
            ("source_file", pa.string()),
            ("loaded_at", pa.timestamp("us", "UTC")),
        ]
    )
    schema = pa.schema([*feed_file_schema(feed), *lineage])

    def batches() -> Iterator[pa.RecordBatch]:
        for number, day in enumerate(days):
            path = feed_file_name(folder, feed, day)
            _, rows = read_feed_file(path, feed, day)
            name = path.relative_to(folder).as_posix()
            for batch in rows.to_batches():
                values = (day, name, moment + number * dt.timedelta(microseconds=1))
                columns = [
                    pa.repeat(pa.scalar(value, field.type), batch.num_rows)
                    for value, field in zip(values, lineage, strict=True)
                ]
                yield pa.RecordBatch.from_arrays([*batch.columns, *columns], schema=schema)

    return pa.RecordBatchReader.from_batches(schema, batches())


staging_assets = [staging_asset(feed) for feed in FEEDS]
