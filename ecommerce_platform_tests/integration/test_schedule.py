"""The schedule asks the database which days are loaded, and Dagster which are under way."""

from __future__ import annotations

import datetime as dt
import socket
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from dagster import DagsterInstance, DagsterRun, DagsterRunStatus, build_schedule_context

from ecommerce_platform.automation.daily import DAILY_JOB, every_day
from ecommerce_platform.definitions import build_definitions
from ecommerce_platform.instance.orphaned_runs import PROCESS_TAG
from ecommerce_platform.partitions import range_tags
from ecommerce_platform.settings import load_settings
from ecommerce_platform_tests.harness import Platform, customer


@pytest.fixture
def shop(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> Iterator[Platform]:
    """The database that the settings name."""
    monkeypatch.setenv("ECOMMERCE_DATABASE_URL", platform.url)
    load_settings.cache_clear()
    yield platform
    load_settings.cache_clear()


def test_the_schedule_does_not_ask_again_for_a_day_that_is_under_way(shop: Platform, tmp_path: Path) -> None:
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


def test_the_schedule_asks_for_a_day_whose_latest_load_has_not_passed(shop: Platform, tmp_path: Path) -> None:
    """Its sales were stored, so that Dagster's records said that it was loaded."""
    shop.load(1, customers=[customer(1)])
    shop.load(2)
    shop.load(3)
    shop.export(2, customers=[customer(1, on=2)])
    shop.run(2, only=["staging.customers"])
    with DagsterInstance.local_temp(str(tmp_path)) as instance:
        asked = every_day(build_schedule_context(instance, dt.datetime(2024, 1, 4, 0, 30, tzinfo=dt.UTC)))
    # The harness fills no extracts: they are behind, and the last day is asked for to take everything in.
    assert [request.partition_key for request in asked] == ["2024-01-02", "2024-01-03"]


def test_a_run_that_the_daemon_tries_again_repeats_an_asset_whose_check_failed() -> None:
    tags = build_definitions().resolve_job_def(DAILY_JOB).run_tags
    assert tags["dagster/retry_strategy"] == "FROM_ASSET_FAILURE"
