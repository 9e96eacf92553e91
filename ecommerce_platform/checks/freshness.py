"""Freshness: the latest expected day is loaded. Only a warning, because a backfill must not fail because of it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from ecommerce_platform.checks.outcome import CheckOutcome, TableCheck, as_sql
from ecommerce_platform.io_managers.connection import ClientConnection
from ecommerce_platform.io_managers.modes import Window
from ecommerce_platform.settings import load_settings
from ecommerce_platform.tables.raw_files import last_day_to_load

DUE = dt.time(6, 0)
"""The time (UTC) by which the previous day must be loaded."""

Clock = Callable[[], dt.datetime]


def utc_now() -> dt.datetime:
    """The current time: the only clock of the checks."""
    return dt.datetime.now(dt.UTC)


def latest_expected_day(now: dt.datetime) -> dt.date:
    """The latest business day (UTC) that must be loaded: yesterday, or until ``DUE`` the day before."""
    moment = now.astimezone(dt.UTC)
    return moment.date() - dt.timedelta(days=1 if moment.time() >= DUE else 2)


def freshness_checks(clock: Clock = utc_now) -> list[TableCheck]:
    """The checks that the latest expected day is in production's loaded days and in the fact table.

    A day whose files have no rows is loaded once they have passed; one whose files have no order lines has no sales.
    """
    return [_latest_day(table, clock) for table in ("production.loaded_days", "warehouse.fact_sales")]


# Days that need no row in the table: their files have passed, and hold nothing for it.
EMPTY_DAYS = {
    "production.loaded_days": "select 1 from platform.passed_days where partition_date = %(day)s",
    "warehouse.fact_sales": """
        select 1 from platform.passed_days
        where
            partition_date = %(day)s
            and not exists (
                select 1 from production.loaded_days where feed = 'transaction_items' and partition_date = %(day)s
            )
    """,
}


def _latest_day(table: str, clock: Clock) -> TableCheck:
    def evaluate(connection: ClientConnection, window: Window) -> CheckOutcome:
        # The exports that a connector converts may end earlier.
        expected = last_day_to_load(load_settings(), latest_expected_day(clock()))
        row = connection.execute(
            as_sql(f"select max(partition_date), bool_or(partition_date = %s) from {table} where partition_date >= %s"),
            (expected, expected),
        ).fetchone()
        if row and row[1]:
            return CheckOutcome(True, 1, 0, f"{expected} is loaded", metadata={"latest_expected_day": str(expected)})
        if connection.execute(as_sql(EMPTY_DAYS[table]), {"day": expected}).fetchone():
            text = f"{expected} is loaded and has no rows for {table}"
            return CheckOutcome(True, 1, 0, text, metadata={"latest_expected_day": str(expected)})
        latest = connection.execute(as_sql(f"select max(partition_date) from {table}")).fetchone()
        held = str(latest[0]) if latest and latest[0] else "nothing"
        text = f"The latest day in {table} is {held}, but {expected} was due: materialize the days in between"
        return CheckOutcome(
            False,
            1,
            1,
            text,
            [{"missing_day": str(expected), "latest_day": held}],
            {"latest_expected_day": str(expected), "latest_day": held},
        )

    return TableCheck(
        "latest_day_is_loaded",
        table,
        f"The latest expected business day is loaded; it is due at {DUE:%H:%M} UTC on the following day.",
        evaluate,
        "WARN",
        is_about_now=True,
    )
