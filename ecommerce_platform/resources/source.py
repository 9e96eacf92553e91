"""Where a day's files come from, as a Dagster resource: the synthetic shop, or a folder with a user's own exports."""

import datetime as dt
import hashlib
from pathlib import Path

from dagster import ConfigurableResource

from ecommerce_platform.settings import Settings, load_settings
from ecommerce_platform.source.feed_files import (
    FeedFile,
    FeedFileError,
    check_feed_file,
    feed_file_name,
    write_feed_file,
)
from ecommerce_platform.source.shop import ShopSettings, feed_table, table_csv


def shop_settings(settings: Settings) -> ShopSettings:
    """The synthetic shop that the settings describe."""
    return ShopSettings(
        first_day=settings.first_day,
        orders_per_day=settings.orders_per_day,
        customers=settings.customers,
        products=settings.products,
        seed=settings.seed,
        defect_rate=settings.defect_rate,
    )


class Source(ConfigurableResource):
    """Puts a day's file of a feed into the raw folder."""

    def raw_folder(self) -> Path:
        """Where the raw files lie: FEED/YYYY-MM-DD.csv below it."""
        return load_settings().raw

    def export(self, feed: str, day: dt.date) -> FeedFile:
        """Write one file atomically, and say what it holds.

        Raises:
            FeedFileError: a landed file is missing or has a fault; what the raw folder held stays.
        """
        settings = load_settings()
        path = feed_file_name(settings.raw, feed, day)
        if settings.source == "landing":
            landed = feed_file_name(settings.landing, feed, day)
            checked = check_feed_file(landed, feed, day)
            content = landed.read_bytes()
            if hashlib.sha256(content).hexdigest() != checked.sha256:
                raise FeedFileError(
                    feed, day, landed, "the file changed while it was read", "try again once it is whole"
                )
            write_feed_file(path, content)
            return checked
        rows = feed_table(shop_settings(settings), feed, day)
        sha256, size = write_feed_file(path, table_csv(feed, rows))
        return FeedFile(feed, day, path, sha256, size, rows.num_rows, (), 0)
