"""Which days a run is about, and which are missing."""

from __future__ import annotations

import datetime as dt

import pytest

from ecommerce_platform.automation.daily import missing_days
from ecommerce_platform.partitions import days_of_run, range_tags

TODAY = dt.date(2024, 3, 10)


def test_three_days_without_a_daemon_are_asked_for_oldest_first() -> None:
    loaded = {f"2024-03-0{day}" for day in range(1, 7)}
    assert missing_days(TODAY, loaded, dt.date(2024, 3, 1), 14) == [dt.date(2024, 3, day) for day in (7, 8, 9)]


def test_today_is_never_asked_for_because_it_is_not_over() -> None:
    assert TODAY not in missing_days(TODAY, set(), dt.date(2024, 1, 1), 14)


def test_days_before_the_first_day_or_too_long_ago_are_not_asked_for() -> None:
    assert missing_days(TODAY, set(), dt.date(2024, 3, 8), 14) == [dt.date(2024, 3, 8), dt.date(2024, 3, 9)]
    assert missing_days(TODAY, set(), dt.date(2024, 1, 1), 1) == [dt.date(2024, 3, 9)]


def test_an_asset_without_partitions_learns_the_days_of_its_run_from_the_tags() -> None:
    start, end = dt.date(2024, 1, 1), dt.date(2024, 1, 31)
    assert days_of_run(range_tags(start, end)) == (start, end)
    assert days_of_run({"dagster/partition": "2024-01-05"}) == (dt.date(2024, 1, 5), dt.date(2024, 1, 5))
    assert days_of_run({}) is None


def test_a_tag_that_is_no_day_is_an_error_and_not_the_whole_history() -> None:
    with pytest.raises(ValueError, match="Invalid isoformat"):
        days_of_run({"dagster/partition": "latest"})
