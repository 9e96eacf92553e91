"""What the source gave last for each feed and day: the platform's book of its raw files."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping

from ecommerce_platform.feeds.columns import FEEDS
from ecommerce_platform.feeds.days import days_of_feed
from ecommerce_platform.feeds.landing import Taken, days_landed_again
from ecommerce_platform.io_managers.connection import ClientConnection
from ecommerce_platform.settings import Settings


def taken_files(
    connection: ClientConnection, feed: str, days: list[dt.date]
) -> dict[dt.date, tuple[Taken, str | None]]:
    """What the source gave last for some days of a feed, and the SHA-256 of what it gave before.

    A day of which nothing is known is left out.
    """
    rows = connection.execute(
        "select partition_date, sha256, bytes, modified_ns, previous_sha256 from platform.raw_files"
        " where feed = %s and partition_date = any (%s)",
        (feed, days),
    )
    return {day: (Taken(*known), previous) for day, *known, previous in rows}


def record_taken_files(connection: ClientConnection, feed: str, files: Mapping[dt.date, Taken]) -> None:
    """Note what the source has given for some days of a feed, or is about to."""
    parameters = {
        "feed": feed,
        "days": list(files),
        "sha256": [file.sha256 for file in files.values()],
        "bytes": [file.bytes for file in files.values()],
        "modified_ns": [file.modified_ns for file in files.values()],
    }
    connection.execute(
        """
        with taken as (
            insert into platform.raw_files as known (feed, partition_date, sha256, bytes, modified_ns)
            select %(feed)s, *
            from unnest(%(days)s::date[], %(sha256)s::text[], %(bytes)s::bigint[], %(modified_ns)s::bigint[])
            on conflict (feed, partition_date) do update set
                sha256 = excluded.sha256,
                previous_sha256 =
                    case when known.sha256 <> excluded.sha256 then known.sha256 else known.previous_sha256 end,
                bytes = excluded.bytes,
                modified_ns = excluded.modified_ns
        )

        delete from platform.refused_files where feed = %(feed)s and partition_date = any (%(days)s::date[])
        """,
        parameters,
    )


def record_refused_files(connection: ClientConnection, feed: str, days: Collection[dt.date]) -> None:
    """Note that the files of some days could not be taken, until they are."""
    connection.execute(
        "insert into platform.refused_files select %s, unnest(%s::date[]) on conflict do nothing", (feed, list(days))
    )


def days_with_a_new_file(connection: ClientConnection, settings: Settings) -> set[dt.date]:
    """The days whose landed files are others than those that were taken; none for the synthetic shop."""
    if settings.source == "synthetic":
        return set()
    rows = connection.execute("select feed, partition_date, sha256, bytes, modified_ns from platform.raw_files")
    taken = {(feed, day): Taken(*known) for feed, day, *known in rows}
    landed = [(feed, day) for feed in FEEDS for day in days_of_feed(settings.feed_files, feed)[0]]
    return days_landed_again(settings.feed_files, settings.raw, taken, landed)


def days_taken(connection: ClientConnection) -> set[dt.date]:
    """The days of which the source has given any file so far."""
    return {day for (day,) in connection.execute("select distinct partition_date from platform.raw_files")}


def days_refused(connection: ClientConnection) -> set[dt.date]:
    """The days of which a file could not be taken the last time."""
    return {day for (day,) in connection.execute("select distinct partition_date from platform.refused_files")}


def hashes_taken(connection: ClientConnection, first: dt.date, last: dt.date) -> list[str]:
    """The SHA-256 of what the source gave last for a range of days, by feed and day."""
    rows = connection.execute(
        "select sha256 from platform.raw_files where partition_date between %s and %s order by feed, partition_date",
        (first, last),
    )
    return [sha256 for (sha256,) in rows]


def last_day_to_load(settings: Settings, end: dt.date) -> dt.date:
    """The last day up to ``end`` that can be loaded: with a connector, the last one that it has converted."""
    converted = last_converted_day(settings)
    return end if converted is None else min(end, converted)


def last_converted_day(settings: Settings) -> dt.date | None:
    """The last day that a connector has converted; None without a connector, or where its files are out of reach."""
    if settings.connector_dir is None:
        return None
    return max(days_of_feed(settings.feed_files, "transactions")[0], default=None)
