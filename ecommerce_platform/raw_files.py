"""What the source gave last for each feed and day: the platform's book of its raw files."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

from ecommerce_platform.io_managers.connection import ClientConnection
from ecommerce_platform.settings import Settings
from ecommerce_platform.source.feeds import FEEDS
from ecommerce_platform.source.folder_check import days_of_feed
from ecommerce_platform.source.landing import Taken, days_landed_again


def taken_files(connection: ClientConnection, feed: str, days: list[dt.date]) -> dict[dt.date, Taken]:
    """What the source gave last for some days of a feed; a day of which nothing is known is left out."""
    rows = connection.execute(
        "select partition_date, sha256, bytes, modified_ns from platform.raw_files"
        " where feed = %s and partition_date = any (%s)",
        (feed, days),
    )
    return {day: Taken(*known) for day, *known in rows}


def record_taken_files(connection: ClientConnection, feed: str, files: Mapping[dt.date, Taken]) -> None:
    """Note what the source has given for some days of a feed."""
    connection.execute(
        """
        insert into platform.raw_files (feed, partition_date, sha256, bytes, modified_ns)
        select %s, * from unnest(%s::date[], %s::text[], %s::bigint[], %s::bigint[])
        on conflict (feed, partition_date) do update set
            sha256 = excluded.sha256,
            bytes = excluded.bytes,
            modified_ns = excluded.modified_ns
        """,
        (
            feed,
            list(files),
            [file.sha256 for file in files.values()],
            [file.bytes for file in files.values()],
            [file.modified_ns for file in files.values()],
        ),
    )


def days_with_a_new_file(connection: ClientConnection, settings: Settings) -> set[dt.date]:
    """The days whose landed files are others than those that were taken; none for the synthetic shop."""
    if settings.source != "landing":
        return set()
    rows = connection.execute("select feed, partition_date, sha256, bytes, modified_ns from platform.raw_files")
    taken = {(feed, day): Taken(*known) for feed, day, *known in rows}
    landed = [(feed, day) for feed in FEEDS for day in days_of_feed(settings.landing, feed)[0]]
    return days_landed_again(settings.landing, settings.raw, taken, landed)
