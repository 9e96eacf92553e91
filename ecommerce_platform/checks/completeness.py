"""Compares files with staging: every row of a file is in staging, exactly as exported."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.compute

from ecommerce_platform.checks.outcome import (
    IS_LATEST_LOAD,
    SAMPLES,
    CheckOutcome,
    TableCheck,
    as_sql,
    show,
)
from ecommerce_platform.feeds.columns import FEEDS
from ecommerce_platform.feeds.files import FeedFileError, MissingFileError, feed_file_name
from ecommerce_platform.feeds.reader import lines_of_feed_file, read_feed_file
from ecommerce_platform.io_managers.connection import ClientConnection
from ecommerce_platform.io_managers.modes import Window
from ecommerce_platform.storage import Location

# pyarrow creates its functions at import time, so a type checker cannot see them.
pc: Any = pyarrow.compute

# The text of a whole day is joined the same way here and on the server, so that only one MD5 per day is compared. No
# export seen so far contains the separators in a field; such a row would still be compared, only less strictly.
# Columns that are not part of the feed are JSON in staging, and are not compared.
LAST_OF_FIELD, LAST_OF_ROW = "chr(31)", "chr(30)"


def file_is_complete(feed: str, raw_folder: Callable[[], Location]) -> TableCheck:
    """The check that staging has every row of a feed's files, exactly as exported."""
    table = f"staging.{feed}"
    digest_of_rows = f"md5(string_agg({_text_of_a_row(feed)}, {LAST_OF_ROW} order by source_row))"

    def evaluate(connection: ClientConnection, window: Window) -> CheckOutcome:
        # A run over a long history has just read all its files, so it only counts their rows; verify reads them.
        is_deep = window.is_unbounded or (window.end - window.start).days <= DAYS_READ_AGAIN
        staged: dict[dt.date, tuple[int, str | None]] = {
            day: (rows, digest)
            for day, rows, digest in connection.execute(
                as_sql(f"""
                select partition_date, found, digest
                from (
                    select
                        partition_date,
                        load_id,
                        count(*) as found,
                        {digest_of_rows if is_deep else "null"} as digest
                    from {table}
                    where partition_date >= %s and partition_date < %s
                    group by partition_date, load_id
                ) as loads
                where {IS_LATEST_LOAD}
                """),
                (window.start, window.end),
            )
        }
        days = _loaded_days(connection, table) if window.is_unbounded else window.days
        wrong: list[dict[str, str | None]] = []
        gone = compared = rows_in_files = 0
        for day in days:
            path = feed_file_name(raw_folder(), feed, day)
            rows, digest = staged.get(day, (0, EMPTY))
            try:
                rows_in_file, fault = _compare(path, feed, day, rows, digest if is_deep else None)
            except MissingFileError:
                gone += rows > 0
                continue
            compared += 1
            rows_in_files += rows_in_file
            if fault is not None:
                wrong.append({"partition_date": str(day), "file": path.name, "fault": fault})
        note = f"; {gone:,} days were not compared because their files are gone" if gone else ""
        text = f"{compared:,} files compared with {table}{note}"
        if wrong:
            text += f"; {len(wrong):,} differ: materialize their days. First: {show(wrong)}"
        metadata = {"rows_in_files": rows_in_files, "files_gone": gone}
        return CheckOutcome(
            not wrong, sum(rows for rows, _ in staged.values()), len(wrong), text, wrong[:SAMPLES], metadata
        )

    return TableCheck(
        "file_is_complete",
        table,
        "Staging matches each day's file: the same number of rows, and the same text in every field of the feed. A run"
        f" over more than {DAYS_READ_AGAIN} days compares only the header and the number of lines.",
        evaluate,
    )


DAYS_READ_AGAIN = 31


def _loaded_days(connection: ClientConnection, table: str) -> list[dt.date]:
    """The days that a staging table was loaded for, those without rows among them."""
    rows = connection.execute("select slice from platform.slices where table_name = %s order by 1", (table,)).fetchall()
    return [day for (day,) in rows]


EMPTY = hashlib.md5(b"", usedforsecurity=False).hexdigest()


def _compare(path: Location, feed: str, day: dt.date, rows: int, digest: str | None) -> tuple[int, str | None]:
    """Compare a file with the number of its staged rows and, if given, their digest.

    Returns:
        The number of rows in the file, 0 if it cannot be read, and how the file differs; None if it does not.

    Raises:
        MissingFileError: there is no file.
    """
    try:
        if digest is None and lines_of_feed_file(path, feed, day) == rows:
            return rows, None
        file, content = read_feed_file(path, feed, day)
    except MissingFileError:
        raise
    except FeedFileError as error:
        return 0, error.problem
    if file.rows != rows:
        return file.rows, f"the file has {file.rows:,} rows, staging {rows:,}"
    if digest is not None and _digest(feed, content) != digest:
        return file.rows, "the values differ: the file or staging was changed after the load"
    return file.rows, None


def _text_of_a_row(feed: str) -> str:
    fields = [f"coalesce({name}, '')" for name in (*FEEDS[feed], "malformed")]
    return f"concat_ws({LAST_OF_FIELD}, {', '.join(fields)})"


def _digest(feed: str, content: pa.Table) -> str:
    """The MD5 of a file's rows, as the statement of the check computes it."""
    digest = hashlib.md5(usedforsecurity=False)
    for number, batch in enumerate(content.to_batches()):
        columns = [pc.fill_null(batch.column(name), "") for name in (*FEEDS[feed], "malformed")]
        rows = pc.binary_join_element_wise(*columns, "\x1f")
        text = pc.binary_join(pa.ListArray.from_arrays([0, len(rows)], rows), "\x1e")[0].as_buffer()
        if number:
            digest.update(b"\x1e")
        digest.update(text)
    return digest.hexdigest()
