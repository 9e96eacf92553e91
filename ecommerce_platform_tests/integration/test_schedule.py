"""The schedule reads loaded days from the database, and days in progress from Dagster."""

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
    """The database in the settings."""
    monkeypatch.setenv("ECOMMERCE_DATABASE_URL", platform.url)
    load_settings.cache_clear()
    yield platform
    load_settings.cache_clear()


def test_the_schedule_does_not_ask_again_for_a_day_that_is_under_way(shop: Platform, tmp_path: Path) -> None:
    """Two weeks that one tick requests may be half loaded a day later, at the next tick."""
    with DagsterInstance.local_temp(str(tmp_path)) as instance:
        for status, tags in (
            (DagsterRunStatus.STARTING, {"dagster/partition": "2024-01-02"}),
            (DagsterRunStatus.STARTED, range_tags(dt.date(2024, 1, 3), dt.date(2024, 1, 4))),
            (DagsterRunStatus.FAILURE, {"dagster/partition": "2024-01-05"}),
            # The run of a closed terminal: it has no worker for the daemon to monitor, so it would block the queue.
            (DagsterRunStatus.STARTED, {"dagster/partition": "2024-01-06", PROCESS_TAG: f"{socket.gethostname()} 0 0"}),
        ):
            instance.add_run(DagsterRun(job_name=DAILY_JOB, run_id=str(uuid.uuid4()), status=status, tags=tags))
        moment = dt.datetime(2024, 1, 7, 0, 30, tzinfo=dt.UTC)
        asked = every_day(build_schedule_context(instance, moment))
    assert [request.partition_key for request in asked] == ["2024-01-01", "2024-01-05", "2024-01-06"]


def test_the_schedule_asks_for_a_day_whose_latest_load_has_not_passed(shop: Platform, tmp_path: Path) -> None:
    """The day's sales were stored, so Dagster's records showed it as loaded."""
    shop.load(1, customers=[customer(1)])
    shop.load(2)
    shop.load(3)
    shop.export(2, customers=[customer(1, on=2)])
    shop.run(2, only=["staging.customers"])
    with DagsterInstance.local_temp(str(tmp_path)) as instance:
        asked = every_day(build_schedule_context(instance, dt.datetime(2024, 1, 4, 0, 30, tzinfo=dt.UTC)))
    # The harness does not load the extracts: they are behind, so the last day is requested to catch up.
    assert [request.partition_key for request in asked] == ["2024-01-02", "2024-01-03"]


def test_a_run_that_the_daemon_tries_again_repeats_an_asset_whose_check_failed() -> None:
    tags = build_definitions().resolve_job_def(DAILY_JOB).run_tags
    assert tags["dagster/retry_strategy"] == "FROM_ASSET_FAILURE"
