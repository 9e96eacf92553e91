"""Which days a run is about, and which are missing."""

from __future__ import annotations

import datetime as dt
import socket
import uuid
from pathlib import Path

import pytest
from dagster import (
    DagsterInstance,
    DagsterRun,
    DagsterRunStatus,
    DailyPartitionsDefinition,
    build_schedule_context,
    partition_loading_context,
)
from dagster._core.definitions.partitions.snap import PartitionsSnap
from dagster._core.definitions.partitions.subset.time_window import TimeWindowPartitionsSubset
from dagster._serdes import deserialize_value, serialize_value

from ecommerce_platform.automation.daily import DAILY_JOB, every_day, missing_days
from ecommerce_platform.automation.runner import PROCESS_TAG
from ecommerce_platform.partitions import Days, days_of_run, range_tags

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


def test_the_days_can_be_told_to_other_processes() -> None:
    days = Days(start_date="2024-02-27", timezone="UTC")
    with partition_loading_context(dt.datetime(2024, 3, 5, tzinfo=dt.UTC)):
        told = PartitionsSnap.from_def(days).get_partitions_definition()
        assert told.get_partition_keys() == days.get_partition_keys()
        some = days.subset_with_partition_keys(["2024-02-28", "2024-02-29"])
        back = deserialize_value(serialize_value(some.to_serializable_subset()), TimeWindowPartitionsSubset)
        assert list(back.get_partition_keys()) == ["2024-02-28", "2024-02-29"]


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


def test_the_schedule_does_not_ask_again_for_a_day_that_is_under_way(tmp_path: Path) -> None:
    """A tick that asks for two weeks may find them half done a day later, when the next one looks."""
    with DagsterInstance.local_temp(str(tmp_path)) as instance:
        for status, tags in (
            (DagsterRunStatus.STARTING, {"dagster/partition": "2024-01-02"}),
            (DagsterRunStatus.STARTED, range_tags(dt.date(2024, 1, 3), dt.date(2024, 1, 4))),
            (DagsterRunStatus.FAILURE, {"dagster/partition": "2024-01-05"}),
            # Of a terminal that was closed: no worker that the daemon could miss, so it would hold the queue for ever.
            (DagsterRunStatus.STARTED, {"dagster/partition": "2024-01-06", PROCESS_TAG: f"{socket.gethostname()} 0 0"}),
        ):
            instance.add_run(DagsterRun(job_name=DAILY_JOB, run_id=str(uuid.uuid4()), status=status, tags=tags))
        moment = dt.datetime(2024, 1, 7, 0, 30, tzinfo=dt.UTC)
        asked = every_day(build_schedule_context(instance, moment))
    assert [request.partition_key for request in asked] == ["2024-01-01", "2024-01-05", "2024-01-06"]
