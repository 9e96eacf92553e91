"""The daily partitions: one per business day (UTC), from the first day in the settings to yesterday."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from dagster import BackfillPolicy, DailyPartitionsDefinition, partition_loading_context

from ecommerce_platform.io_managers.modes import Window
from ecommerce_platform.settings import load_settings

RANGE_START_TAG = "dagster/asset_partition_range_start"
RANGE_END_TAG = "dagster/asset_partition_range_end"
PARTITION_TAG = "dagster/partition"
DAYS_TAG = "ecommerce/days"


class Days(DailyPartitionsDefinition):
    """Daily partitions whose keys are cached until a new day begins.

    Dagster lists them again for every input of an unpartitioned table: after three years, 5 ms each, or 0.2 s per run.
    """

    def get_partition_keys(
        self, current_time: dt.datetime | None = None, dynamic_partitions_store: Any = None
    ) -> list[str]:
        """Same as Dagster's, but cached."""
        with partition_loading_context(current_time, dynamic_partitions_store):
            return list(_keys(self, self.get_last_partition_key()))


@lru_cache(maxsize=8)
def _keys(days: Days, _last: str | None) -> tuple[str, ...]:
    return tuple(super(Days, days).get_partition_keys())


daily = Days(start_date=load_settings().first_day.isoformat(), timezone="UTC")

one_run = BackfillPolicy.single_run()
"""A backfill of many days is one run: the work is set-based, and starting a run costs more than loading a day."""


def range_tags(start: dt.date, end: dt.date) -> dict[str, str]:
    """Tags of a run over the days from ``start`` to ``end``, inclusive."""
    return {RANGE_START_TAG: start.isoformat(), RANGE_END_TAG: end.isoformat(), **days_tag(start, end)}


def days_tag(start: dt.date, end: dt.date) -> dict[str, str]:
    """The tag by which the list of runs says what a run is about; Dagster hides its own."""
    return {DAYS_TAG: " to ".join(dict.fromkeys([start.isoformat(), end.isoformat()]))}


def days_of_run(tags: Mapping[str, str]) -> tuple[dt.date, dt.date] | None:
    """The first and last day of a run, from its tags; None for a run without partitions."""
    start = tags.get(RANGE_START_TAG) or tags.get(PARTITION_TAG)
    end = tags.get(RANGE_END_TAG) or tags.get(PARTITION_TAG)
    if not start or not end:
        return None
    return dt.date.fromisoformat(start), dt.date.fromisoformat(end)


def window_of_run(tags: Mapping[str, str]) -> Window:
    """The days of a run, from its tags; all days for a run without partitions, such as from the UI's Execute button."""
    days = days_of_run(tags)
    return Window() if days is None else Window(days[0], days[1] + dt.timedelta(days=1))
