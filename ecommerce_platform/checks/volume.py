"""Volume: the last day of a run has about as many rows as is usual for its weekday. A warning."""

from __future__ import annotations

import datetime as dt
import math
import statistics

from ecommerce_platform.checks.outcome import CheckOutcome, TableCheck
from ecommerce_platform.feeds.columns import FEEDS
from ecommerce_platform.io_managers.connection import ClientConnection
from ecommerce_platform.io_managers.modes import Window

WEEKS = 8
"""The number of previous same weekdays that form a day's recent history."""

ENOUGH = 4
"""With fewer days of history, a day is not evaluated."""

DEVIATIONS = 3


def volume_checks() -> list[TableCheck]:
    """One check per feed: the rows of the run's last day are within the usual range for its weekday."""
    return [_volume(feed) for feed in FEEDS]


def _volume(feed: str) -> TableCheck:
    table = f"staging.{feed}"

    def evaluate(connection: ClientConnection, window: Window) -> CheckOutcome:
        row = connection.execute(
            """
            select slice, row_count
            from platform.slices
            where table_name = %s and slice >= %s and slice < %s
            order by slice desc
            limit 1
            """,
            (table, window.start, window.end),
        ).fetchone()
        if row is None:
            return CheckOutcome(True, 0, 0, "Not evaluated: no day is loaded")
        day, rows = row
        history = recent_rows(connection, feed, day)
        if len(history) < ENOUGH:
            known = f"only {len(history)} earlier days of the same weekday are loaded"
            note = f"Not evaluated: {day} has {rows:,} rows, and {known}"
            return CheckOutcome(True, rows, 0, note, metadata={"rows": rows})
        low, high = usual_range(history)
        usual = f"{day} has {rows:,} rows; {low:,} to {high:,} are usual for its weekday"
        metadata = {"rows": rows, "least_expected": low, "most_expected": high}
        if low <= rows <= high:
            return CheckOutcome(True, rows, 0, usual, metadata=metadata)
        sample = {"partition_date": str(day), "rows": str(rows), "expected": f"{low} to {high}"}
        return CheckOutcome(False, rows, 1, usual, [sample], metadata)

    return TableCheck(
        "volume",
        table,
        f"The last day of the run has a usual number of rows for its weekday: the mean of the last {WEEKS} plus or"
        f" minus {DEVIATIONS} standard deviations.",
        evaluate,
        "WARN",
        is_about_now=True,
    )


def recent_rows(connection: ClientConnection, feed: str, day: dt.date) -> list[int]:
    """The rows in a feed's files of the last eight same weekdays before ``day``, latest first.

    A day whose file has no rows counts, with 0, if it lies between days with rows: nothing is known of the others.
    """
    return [
        int(count)
        for (count,) in connection.execute(
            """
            select row_count
            from (
                select partition_date, rows_in_file as row_count
                from production.loaded_days
                where feed = %s
                union all
                select slice, 0
                from platform.slices
                where table_name = %s and row_count = 0
                    and slice < (select max(partition_date) from production.loaded_days where feed = %s)
                    and slice > (select min(partition_date) from production.loaded_days where feed = %s)
            ) as days
            where partition_date < %s and (%s - partition_date) %% 7 = 0
            order by partition_date desc
            limit %s
            """,
            (feed, f"staging.{feed}", feed, feed, day, day, WEEKS),
        )
    ]


def usual_range(history: list[int]) -> tuple[int, int]:
    """The least and most rows within three standard deviations of the mean of a day's history.

    The deviation is at least the square root of the mean, as for a Poisson count, and at least 1: eight days that
    happen to be alike, or empty, must not make every other day unusual.
    """
    mean = statistics.fmean(history)
    deviation = max(statistics.stdev(history), math.sqrt(max(mean, 1)))
    return max(0, math.floor(mean - DEVIATIONS * deviation)), math.ceil(mean + DEVIATIONS * deviation)
