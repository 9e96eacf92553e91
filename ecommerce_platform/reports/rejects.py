"""Rejected rows: the exported rows that production does not accept, the reasons, and their original text.

What belongs here: reading ``production.rejected_rows`` for a person. What does not: deciding what is rejected
(sql/ddl/060_rules.sql and sql/transform/production/rejected_rows.sql).
"""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd
from psycopg.rows import class_row

from ecommerce_platform.feeds.columns import BLANKS
from ecommerce_platform.files import spreadsheet_csv
from ecommerce_platform.io_managers.connection import ClientConnection

EXPORT_COLUMNS = ("feed", "partition_date", "source_file", "source_row", "reasons", "original")


@dataclass(frozen=True)
class RejectFilter:
    """Which rejected rows to read; None means all.

    ``start`` and ``end`` are business days, inclusive; ``reason`` is part of a reason, case-insensitive.
    """

    feed: str | None = None
    start: dt.date | None = None
    end: dt.date | None = None
    reason: str | None = None


@dataclass(frozen=True)
class RejectedRow:
    """One row of a file that production does not accept."""

    feed: str
    partition_date: dt.date
    source_file: str
    """Path relative to the raw folder."""
    source_row: int
    """1-based data row of the file, not counting the header."""
    reasons: list[str]
    """Every reason, as ``column: fault``."""
    original: dict[str, Any]
    """The fields as exported; ``malformed`` holds the text of a row that could not be split."""
    missing_customer_id: int | None
    missing_transaction_id: int | None
    missing_product_id: int | None
    missing_item_id: int | None

    def waits_for(self) -> str:
        """The parents that a row without a fault of its own is waiting for, such as ``customer 7``; else empty."""
        parents = {
            "customer": (self.missing_customer_id, "customer_id"),
            "order": (self.missing_transaction_id, "transaction_id"),
            "product": (self.missing_product_id, "product_id"),
            "order line": (self.missing_item_id, "item_id"),
        }
        waited_for = {
            name: str(self.original[column]).strip(BLANKS) for name, (key, column) in parents.items() if key is not None
        }
        return ", ".join(f"{name} {_unquoted(text)}" for name, text in waited_for.items())

    def explained_reasons(self, limit: int = 40) -> list[str]:
        """Each reason with its value, truncated to ``limit`` characters and safe for a terminal."""
        return [f"{reason} ({_shown(self._value_of(reason), limit)})" for reason in self.reasons]

    def _value_of(self, reason: str) -> str:
        column = reason.partition(":")[0]
        return str(self.original.get("malformed" if column == "row" else column, ""))

    def to_json(self) -> dict[str, object]:
        """As plain JSON."""
        return {**asdict(self), "partition_date": self.partition_date.isoformat()}


@dataclass(frozen=True)
class ReasonCount:
    """The number of rows of a feed rejected for a reason; a row with two reasons counts for both."""

    feed: str
    reason: str
    rows: int
    first_day: dt.date
    last_day: dt.date

    def to_json(self) -> dict[str, object]:
        """As plain JSON."""
        return {**asdict(self), "first_day": self.first_day.isoformat(), "last_day": self.last_day.isoformat()}


def list_rejects(connection: ClientConnection, wanted: RejectFilter, limit: int | None = None) -> list[RejectedRow]:
    """The rejected rows, newest day first, then by feed and row; at most ``limit`` of them, or all if None."""
    with connection.cursor(row_factory=class_row(RejectedRow)) as cursor:
        return cursor.execute(
            """
            select
                feed,
                partition_date,
                source_file,
                source_row,
                reasons,
                original,
                missing_customer_id,
                missing_transaction_id,
                missing_product_id,
                missing_item_id
            from production.rejected_rows as rejected
            where
                (%(feed)s::text is null or feed = %(feed)s::text)
                and (%(start)s::date is null or partition_date >= %(start)s::date)
                and (%(end)s::date is null or partition_date <= %(end)s::date)
                and (
                    %(reason)s::text is null
                    or exists (
                        select from unnest(rejected.reasons) as item (reason)
                        where strpos(lower(item.reason), lower(%(reason)s::text)) > 0
                    )
                )
            order by partition_date desc, feed, source_row
            limit %(limit)s::bigint
            """,
            {**asdict(wanted), "limit": limit},
        ).fetchall()


def count_rejects(connection: ClientConnection, wanted: RejectFilter) -> list[ReasonCount]:
    """Counts of rejected rows by feed and reason, most frequent first; only reasons that contain ``reason``."""
    with connection.cursor(row_factory=class_row(ReasonCount)) as cursor:
        return cursor.execute(
            """
            select
                rejected.feed,
                item.reason,
                count(*) as rows,
                min(rejected.partition_date) as first_day,
                max(rejected.partition_date) as last_day
            from production.rejected_rows as rejected
            cross join unnest(rejected.reasons) as item (reason)
            where
                (%(feed)s::text is null or rejected.feed = %(feed)s::text)
                and (%(start)s::date is null or rejected.partition_date >= %(start)s::date)
                and (%(end)s::date is null or rejected.partition_date <= %(end)s::date)
                and (%(reason)s::text is null or strpos(lower(item.reason), lower(%(reason)s::text)) > 0)
            group by rejected.feed, item.reason
            order by rows desc, rejected.feed, item.reason
            """,
            asdict(wanted),
        ).fetchall()


def rejects_csv(rows: list[RejectedRow]) -> bytes:
    """Rejected rows as UTF-8 CSV with the columns ``EXPORT_COLUMNS``, safe to open in a spreadsheet.

    ``reasons`` are joined by "; "; ``original`` is a JSON object of the fields as exported.
    """
    records = [
        (
            row.feed,
            row.partition_date.isoformat(),
            row.source_file,
            row.source_row,
            "; ".join(row.reasons),
            json.dumps(row.original, ensure_ascii=False),
        )
        for row in rows
    ]
    return spreadsheet_csv(pd.DataFrame(records, columns=pd.Index(EXPORT_COLUMNS)))


def _unquoted(text: str) -> str:
    """An identifier as it is, or as a quoted literal if a terminal would not show it as it is."""
    return text if text.isprintable() else repr(text)


def _shown(text: str, limit: int) -> str:
    """Untrusted text as a quoted literal: letters of any script are preserved, control characters are escaped."""
    return repr(text if len(text) <= limit else text[:limit] + "…")
