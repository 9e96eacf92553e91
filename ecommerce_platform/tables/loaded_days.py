"""Which days are loaded, and whether every table is up to date: the one answer, from the database.

A day is loaded when its five slices have passed their checks and every table has taken them in. What a slice has
changed travels through the logs of the tables (:mod:`.io_managers.change_log`); until the last of them has been read,
the days of these slices do not count as loaded.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

import psycopg

from ecommerce_platform.feeds.days import spans_of
from ecommerce_platform.io_managers.change_log import EVERYTHING, behind, forget_other_readers
from ecommerce_platform.io_managers.connection import ClientConnection
from ecommerce_platform.io_managers.modes import Window
from ecommerce_platform.settings import Settings, SettingsError
from ecommerce_platform.tables.lineage import tables_read, transformed_tables

Span = tuple[dt.date, dt.date]
"""First and last day of a range, both included."""


@dataclass(frozen=True)
class Loaded:
    """What is loaded.

    Attributes:
        days: the days whose five slices have passed and are in every table.
        passed: the days whose five slices have passed: a run over any of them brings all into every table.
        behind: the tables (schema.table) that have not taken in every change.
    """

    days: frozenset[dt.date]
    passed: frozenset[dt.date]
    behind: Sequence[str]

    def without(self, days: Collection[dt.date]) -> Loaded:
        """As if some days were not there, because they are to be read again."""
        return replace(self, days=self.days.difference(days), passed=self.passed.difference(days))

    def missing(self, start: dt.date, end: dt.date) -> list[Span]:
        """The ranges of days from ``start`` to ``end`` that are not loaded, oldest first."""
        return spans_of(day for day in _days(start, end) if day not in self.days)

    def to_run(self, start: dt.date, end: dt.date) -> list[Span]:
        """The runs that load the days from ``start`` to ``end``, oldest first.

        Days that have passed are not read from their files again. Where they wait to be taken in, a run over the last
        day does that.
        """
        spans = spans_of(day for day in _days(start, end) if day not in self.passed)
        # A file of these may be refused: what waits must not wait for it.
        is_last_there = any(first <= end <= last for first, last in spans)
        return spans if is_last_there or not self.behind else [*spans, (end, end)]


def _days(start: dt.date, end: dt.date) -> Iterator[dt.date]:
    return (start + dt.timedelta(days=number) for number in range((end - start).days + 1))


def what_is_loaded(connection: ClientConnection) -> Loaded:
    """The days that are loaded, and the tables that are behind.

    Args:
        connection: as a role that may read production and the platform's books.
    """
    # What passes while this looks is behind, not loaded: so the days come first.
    rows = connection.execute("select partition_date from platform.passed_days").fetchall()
    passed = frozenset(day for (day,) in rows)
    late = behind(connection, {table: tables_read(table) for table in transformed_tables()})
    days = passed
    if any(late.values()):
        # A table that has never read a source holds none of its days.
        days = frozenset()
    elif late:
        waiting = connection.execute(
            "select distinct operation, partition_date from change_log.production_loaded_days"
        ).fetchall()
        says_everything = any(operation == EVERYTHING for operation, _ in waiting)
        days = frozenset() if says_everything else passed - {day for _, day in waiting}
    return Loaded(days, passed, [table for table in transformed_tables() if table in late])


def require_the_same_shop(url: str, settings: Settings) -> None:
    """Refuse to load a shop into the database of the synthetic shop, or the other way round: sales would be added up.

    Only what is known counts: the synthetic shop notes its first day, and a connector leaves converted files.

    Args:
        url: a libpq URL of the owner.
        settings: those of the load.

    Raises:
        SettingsError: the database has days of the other.
    """
    with psycopg.connect(url) as connection:
        if connection.execute("select to_regclass('platform.slices')").fetchone() == (None,):
            return
        has_days, is_synthetic = connection.execute(
            "select exists (select from platform.slices), exists (select from platform.first_day)"
        ).fetchone() or (False, False)
    was_converted = not is_synthetic and settings.converted.exists()
    held = "the synthetic shop" if is_synthetic else "the exports that a connector converted"
    if has_days and (was_converted if settings.source == "synthetic" else is_synthetic):
        raise SettingsError(
            f"ECOMMERCE_SOURCE is {settings.source}, but the database holds days of {held}, and the two would be added"
            " up. To keep them, set ECOMMERCE_DATA_DIR to another folder (and ECOMMERCE_DATABASE_URL, if you use it, to"
            " another database); to delete them, run: make clean-data"
        )


def note_what_is_expected(url: str, first_day: dt.date | None) -> None:
    """Note which tables read which, and from which day on there must be files, for those who see only the database.

    No log waits any longer for a table without a transformation, or whose transformation reads something else now.

    Args:
        url: a libpq URL of the owner.
        first_day: the first day that must be loaded; None where the files that land say so.
    """
    reads = {table: tables_read(table) for table in transformed_tables()}
    pairs = [(reader, source) for reader, sources in reads.items() for source in sources]
    with psycopg.connect(url, cursor_factory=psycopg.ClientCursor) as connection:
        forget_other_readers(connection, {table: (*sources, table) for table, sources in reads.items()})
        connection.execute("delete from platform.expected_reads")
        connection.execute(
            "insert into platform.expected_reads select * from unnest(%s::text[], %s::text[]) on conflict do nothing",
            ([reader for reader, _ in pairs], [source for _, source in pairs]),
        )
        connection.execute("delete from platform.first_day")
        connection.execute(
            "insert into platform.first_day select %s::date where %s is not null", (first_day, first_day)
        )


def note_reporting_currency(url: str, currency: str) -> None:
    """Note which currency amounts are in. If it was another one, the next run judges the rows of all days again.

    Args:
        url: a libpq URL of the owner or a loader; a reader notes nothing.
        currency: ISO 4217.
    """
    with psycopg.connect(url, cursor_factory=psycopg.ClientCursor) as connection:
        if connection.execute("select has_schema_privilege('platform', 'usage')").fetchone() != (True,):
            return
        changed = connection.execute(
            "update platform.reporting_currency set currency = %s where currency <> %s", (currency, currency)
        )
        if changed.rowcount:
            connection.execute("delete from platform.watermarks where source = 'production.loaded_days'")


def covers_all_days(connection: ClientConnection, window: Window) -> bool:
    """Whether a window holds every day that production has, so that no key need be looked for."""
    if window.is_unbounded:
        return True
    row = connection.execute(
        "select not exists (select 1 from production.loaded_days where partition_date < %s or partition_date >= %s)",
        (window.start, window.end),
    ).fetchone()
    return bool(row and row[0])
