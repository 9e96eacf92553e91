"""The source of a day's files, as a Dagster resource: the synthetic shop, or a user's own exports."""

import datetime as dt
import hashlib
from collections.abc import Callable, Collection
from dataclasses import dataclass

from dagster import ConfigurableResource

from ecommerce_platform.feeds.columns import OPTIONAL_FEEDS, feed_columns
from ecommerce_platform.feeds.files import FeedFile, FeedFileError, feed_file_name
from ecommerce_platform.feeds.landing import Taken, wait_until_whole
from ecommerce_platform.feeds.reader import check_feed_file
from ecommerce_platform.files import write_atomically
from ecommerce_platform.settings import Settings, load_settings
from ecommerce_platform.shop.settings import ShopSettings
from ecommerce_platform.storage import Location, sha256_of


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


@dataclass(frozen=True)
class Export:
    """The result of exporting one file.

    Attributes:
        file: the file that is now in the raw folder.
        taken: the file that the source provided.
        is_edited: whether the raw folder's file was edited by hand; it is then left unchanged.
    """

    file: FeedFile
    taken: Taken
    is_edited: bool


class Source(ConfigurableResource):
    """Writes a day's file of a feed to the raw folder: from the synthetic shop, or from the shop's own files."""

    def raw_folder(self) -> Location:
        """The folder of the raw files, which are FEED/YYYY-MM-DD.csv below it."""
        return load_settings().raw

    def export(
        self,
        feed: str,
        day: dt.date,
        known: Collection[str | None] = (),
        replacing: Callable[[Taken], None] = lambda _: None,
    ) -> Export:
        """Write one file atomically, and describe it.

        A raw file that matches neither the source's recent files nor its current one was edited by hand, and is left
        unchanged. If no recent files of a landing folder are known, the landed file replaces the raw one. A day without
        a landed file of an optional feed has no rows, or those that it had before: to withdraw them, land a file with
        only a header.

        Args:
            feed: the feed.
            day: the day.
            known: the SHA-256 of the files that the source recently provided.
            replacing: called before a file replaces another one.

        Raises:
            FeedFileError: a landed file is missing, still being written, or faulty; the raw folder is left unchanged.
        """
        settings = load_settings()
        path = feed_file_name(settings.raw, feed, day)
        file, content, modified_ns = (
            self._made(settings, feed, day, path)
            if settings.source == "synthetic"
            else self._landed(settings, feed, day, path)
        )
        taken = Taken(file.sha256, file.bytes, modified_ns)
        held = sha256_of(path)
        if held == taken.sha256:
            return Export(file, taken, is_edited=False)
        if held is not None:
            if held not in known and (known or settings.source == "synthetic"):
                return Export(check_feed_file(path, feed, day), taken, is_edited=True)
            replacing(taken)
        write_atomically(path, content, 0o666)
        return Export(file, taken, is_edited=False)

    @staticmethod
    def _landed(settings: Settings, feed: str, day: dt.date, path: Location) -> tuple[FeedFile, bytes, int]:
        landed = feed_file_name(settings.feed_files, feed, day)
        if feed in OPTIONAL_FEEDS and not landed.exists():
            if path.exists():
                return check_feed_file(path, feed, day), path.read_bytes(), 0
            header = (",".join(feed_columns(feed)) + "\n").encode()
            return FeedFile(feed, day, path, hashlib.sha256(header).hexdigest(), len(header), 0, (), 0), header, 0
        wait_until_whole(landed, feed, day, settings.landing_rest_seconds)
        checked = check_feed_file(landed, feed, day)
        status = landed.stat()
        content = landed.read_bytes()
        if hashlib.sha256(content).hexdigest() != checked.sha256:
            raise FeedFileError(
                feed, day, landed, "the file changed while it was read", "try again once it is complete"
            )
        return checked, content, status.st_mtime_ns

    @staticmethod
    def _made(settings: Settings, feed: str, day: dt.date, path: Location) -> tuple[FeedFile, bytes, int]:
        # Faker is slow to import, and only a day of the synthetic shop needs it.
        from ecommerce_platform.shop.exports import feed_table, table_csv

        rows = feed_table(shop_settings(settings), feed, day)
        content = table_csv(feed, rows)
        sha256 = hashlib.sha256(content).hexdigest()
        return FeedFile(feed, day, path, sha256, len(content), rows.num_rows, (), 0), content, 0
