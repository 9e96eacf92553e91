"""Which days a run covers, and which days are missing."""

from __future__ import annotations

import datetime as dt

import pytest
from dagster import DailyPartitionsDefinition, partition_loading_context
from dagster._core.definitions.partitions.snap import PartitionsSnap
from dagster._core.definitions.partitions.subset.time_window import TimeWindowPartitionsSubset
from dagster._serdes import deserialize_value, serialize_value

from ecommerce_platform.automation.daily import days_to_request
from ecommerce_platform.partitions import Days, days_of_run, range_tags
from ecommerce_platform.tables.loaded_days import Loaded

TODAY = dt.date(2024, 3, 10)


def test_the_days_are_dagsters_own_at_every_moment() -> None:
    ours, theirs = (of(start_date="2024-02-27", timezone="UTC") for of in (Days, DailyPartitionsDefinition))
    end_of_leap_day = dt.datetime(2024, 2, 29, 23, 59, 59, tzinfo=dt.UTC)
    moments = [end_of_leap_day + dt.timedelta(seconds=seconds) for seconds in (0, 1, 2, 86_400, -86_400 * 9, 0)]
    listed = [ours.get_partition_keys(moment) for moment in moments]
    assert listed == [theirs.get_partition_keys(moment) for moment in moments]
    assert [len(keys) for keys in listed] == [2, 3, 3, 3, 0, 2]
    listed[0].clear()
    assert ours.get_partition_keys(moments[0]) == ["2024-02-27", "2024-02-28"]


def test_the_days_can_be_passed_to_other_processes() -> None:
    days = Days(start_date="2024-02-27", timezone="UTC")
    with partition_loading_context(dt.datetime(2024, 3, 5, tzinfo=dt.UTC)):
        told = PartitionsSnap.from_def(days).get_partitions_definition()
        assert told.get_partition_keys() == days.get_partition_keys()
        some = days.subset_with_partition_keys(["2024-02-28", "2024-02-29"])
        back = deserialize_value(serialize_value(some.to_serializable_subset()), TimeWindowPartitionsSubset)
        assert list(back.get_partition_keys()) == ["2024-02-28", "2024-02-29"]


def loaded(*days: dt.date, waiting: bool = False) -> Loaded:
    """A state in which these days passed their checks and, unless pending, are in every table."""
    passed = frozenset(days)
    return Loaded(frozenset() if waiting else passed, passed, ["warehouse.fact_sales"] if waiting else [])


def test_three_days_without_a_daemon_are_asked_for_oldest_first() -> None:
    held = loaded(*(dt.date(2024, 3, day) for day in range(1, 7)))
    asked = days_to_request(TODAY, held, (), dt.date(2024, 3, 1), 14)
    assert asked == [dt.date(2024, 3, day) for day in (7, 8, 9)]


def test_today_is_never_asked_for_because_it_is_not_over() -> None:
    assert TODAY not in days_to_request(TODAY, loaded(), (), dt.date(2024, 1, 1), 14)


def test_days_before_the_first_day_or_too_long_ago_are_not_asked_for() -> None:
    two = [dt.date(2024, 3, 8), dt.date(2024, 3, 9)]
    assert days_to_request(TODAY, loaded(), (), dt.date(2024, 3, 8), 14) == two
    assert days_to_request(TODAY, loaded(), (), dt.date(2024, 1, 1), 1) == two[1:]
    assert days_to_request(TODAY, loaded(), (), TODAY, 14) == []


def test_a_day_that_is_under_way_is_not_asked_for() -> None:
    assert days_to_request(TODAY, loaded(), {"2024-03-08"}, dt.date(2024, 3, 8), 14) == [dt.date(2024, 3, 9)]


def test_days_that_have_passed_are_taken_in_by_one_run_and_their_files_are_not_read_again() -> None:
    held = loaded(dt.date(2024, 3, 7), dt.date(2024, 3, 8), dt.date(2024, 3, 9), waiting=True)
    assert held.missing(dt.date(2024, 3, 7), dt.date(2024, 3, 9)) == [(dt.date(2024, 3, 7), dt.date(2024, 3, 9))]
    assert held.to_run(dt.date(2024, 3, 7), dt.date(2024, 3, 9)) == [(dt.date(2024, 3, 9), dt.date(2024, 3, 9))]
    # A day whose file is rejected repeatedly does not hold back the other days.
    assert held.to_run(dt.date(2024, 3, 6), dt.date(2024, 3, 9)) == [
        (dt.date(2024, 3, 6), dt.date(2024, 3, 6)),
        (dt.date(2024, 3, 9), dt.date(2024, 3, 9)),
    ]
    assert held.to_run(dt.date(2024, 3, 9), dt.date(2024, 3, 10)) == [(dt.date(2024, 3, 10), dt.date(2024, 3, 10))]


def test_missing_days_are_reported_as_ranges() -> None:
    held = loaded(dt.date(2024, 3, 3))
    assert held.missing(dt.date(2024, 3, 1), dt.date(2024, 3, 4)) == [
        (dt.date(2024, 3, 1), dt.date(2024, 3, 2)),
        (dt.date(2024, 3, 4), dt.date(2024, 3, 4)),
    ]


def test_an_asset_without_partitions_learns_the_days_of_its_run_from_the_tags() -> None:
    start, end = dt.date(2024, 1, 1), dt.date(2024, 1, 31)
    assert days_of_run(range_tags(start, end)) == (start, end)
    assert days_of_run({"dagster/partition": "2024-01-05"}) == (dt.date(2024, 1, 5), dt.date(2024, 1, 5))
    assert days_of_run({}) is None


def test_a_tag_that_is_no_day_is_an_error_and_not_the_whole_history() -> None:
    with pytest.raises(ValueError, match="Invalid isoformat"):
        days_of_run({"dagster/partition": "latest"})
