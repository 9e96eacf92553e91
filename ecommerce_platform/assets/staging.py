"""Staging: exact text replicas of the files. Reads raw, read by production."""

import datetime as dt
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
from dagster import AssetExecutionContext, AssetsDefinition, asset

from ecommerce_platform.checks.gate import LOADS
from ecommerce_platform.feeds.columns import FEEDS, OPTIONAL_FEEDS, ORDER_KEY, feed_columns
from ecommerce_platform.feeds.files import MissingFileError, feed_file_name
from ecommerce_platform.feeds.order_keys import keys_of_batch, keys_of_plain_rows
from ecommerce_platform.feeds.reader import feed_file_schema, stream_feed_file
from ecommerce_platform.feeds.records import PlainRows
from ecommerce_platform.io_managers import ReplaceSlice
from ecommerce_platform.io_managers.connection import ClientConnection
from ecommerce_platform.io_managers.lookup import describe
from ecommerce_platform.io_managers.modes import CsvRows, RowStream
from ecommerce_platform.partitions import window_of_run
from ecommerce_platform.resources.database import Database
from ecommerce_platform.resources.source import Source
from ecommerce_platform.resources.stored import retry_if_out_of_reach
from ecommerce_platform.storage import Location
from ecommerce_platform.tables.asset import asset_arguments, spec_of, table_key

LOADS_AT_ONCE = 100_000
"""A load of many days takes this many numbers, more than there are days in two centuries."""

STAGED = ReplaceSlice("partition_date", load="load_id", pinned_by="production.loaded_days")
"""A slice that production reads stays until the new one has passed its checks, and production has read it."""


def staging_asset(feed: str) -> AssetsDefinition:
    """The rows of one feed's files, a new load of each day's slice; a faulty file stops the run before any write."""
    spec = spec_of(
        f"staging.{feed}",
        f"Exact text replica of the {feed.replace('_', ' ')} files: one row per record, with its file and row.",
        STAGED,
        {"Asset": Path(__file__).resolve()},
        is_daily=True,
        # The columns of the file; the others tell where a row came from.
        lineage={column: ((f"raw.{feed}", column),) for column in FEEDS[feed]},
    )

    @asset(
        **asset_arguments(spec),
        deps=[table_key(f"raw.{feed}")],
        io_manager_key="io_manager",
    )
    def build(context: AssetExecutionContext, source: Source, database: Database) -> RowStream:
        days = window_of_run(context.run.tags).days
        with database.connect() as connection:
            loads = new_loads(connection, len(days))
            columns = describe(connection, "staging", feed).columns
        context.add_output_metadata({LOADS: f"{loads[0]} to {loads[-1]}"})
        moment = dt.datetime.now(dt.UTC)
        return feed_rows(source.raw_folder(), feed, dict(zip(days, loads, strict=True)), moment, columns)

    return build


def new_loads(connection: ClientConnection, count: int) -> Sequence[int]:
    """The numbers of some loads, one per day, without a gap; no other load of any feed has or will have them."""
    row = connection.execute("select nextval('platform.load_ids')").fetchone()
    first = int(row[0]) * LOADS_AT_ONCE if row else 0
    return range(first, first + count)


def feed_rows(
    folder: Location, feed: str, loads: Mapping[dt.date, int], moment: dt.datetime, columns: Collection[str] = ()
) -> RowStream:
    """The rows of some days' files as staging keeps them, one day in memory at a time.

    A missing file of an optional feed has no rows.

    Args:
        folder: FEED/YYYY-MM-DD.csv lies below it.
        feed: the feed.
        loads: the days, in order, each with the number of its load; see :func:`new_loads`.
        moment: the same for all rows.
        columns: those of the table: on a cluster, replicas of orders have the key by which they are distributed.

    Raises:
        FeedFileError: while it is read; names the file, the row and the fault.
        StorageError: an object store is out of reach; a step of Dagster's requests its retry.
    """

    has_key = ORDER_KEY in columns

    def of_file(
        windows: Iterator[pa.RecordBatch | PlainRows], day: dt.date, name: str, load: int
    ) -> Iterator[pa.RecordBatch | CsvRows]:
        for window in windows:
            if isinstance(window, PlainRows):
                keys = keys_of_plain_rows(window, feed) if has_key else None
                yield _with_lineage(window, feed, day, name, load, moment, keys)
            else:
                added = [pa.repeat(value, window.num_rows) for value in _lineage(day, name, load, moment)]
                added += [keys_of_batch(window)] if has_key else []
                yield pa.RecordBatch.from_arrays([*window.columns, *added], names=names)

    def chunks() -> Iterator[pa.RecordBatch | CsvRows]:
        for day, load in loads.items():
            path = feed_file_name(folder, feed, day)
            name = f"{feed}/{path.name}"
            try:
                with retry_if_out_of_reach():
                    windows = stream_feed_file(path, feed, day)
            except MissingFileError:
                if feed not in OPTIONAL_FEEDS:
                    raise
                continue
            yield from of_file(windows, day, name, load)
            del windows  # the file: the next one is read without it

    names = [*feed_file_schema(feed).names, *LINEAGE, *([ORDER_KEY] if has_key else [])]
    return RowStream(names, chunks())


LINEAGE = ("partition_date", "source_file", "load_id", "loaded_at")


def _lineage(day: dt.date, name: str, load: int, moment: dt.datetime) -> list[pa.Scalar]:
    types = (pa.date32(), pa.string(), pa.int64(), pa.timestamp("us", "UTC"))
    return [pa.scalar(value, type_) for value, type_ in zip((day, name, load, moment), types, strict=True)]


def _with_lineage(
    rows: PlainRows, feed: str, day: dt.date, name: str, load: int, moment: dt.datetime, keys: Sequence[bytes] | None
) -> CsvRows:
    columns = (*feed_columns(feed), "source_row", *LINEAGE)
    end = f",{day},{name},{load},{moment.isoformat()}".encode()
    if keys is None:
        text = b"".join([b"%b,%d%b\n" % (line, row, end) for row, line in rows.lines()])
        return CsvRows(columns, text, rows.num_rows, day, load)
    lines = zip(rows.lines(), keys, strict=True)
    text = b"".join([b"%b,%d%b,%b\n" % (line, row, end, key) for (row, line), key in lines])
    return CsvRows((*columns, ORDER_KEY), text, rows.num_rows, day, load)


staging_assets = [staging_asset(feed) for feed in FEEDS]
