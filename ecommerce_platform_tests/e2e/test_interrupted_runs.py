"""The next load completes a load that was killed."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import psycopg
import pytest
from dagster import DagsterInstance, DagsterRunStatus
from dagster._core.storage.tags import GRPC_INFO_TAG

from ecommerce_platform.automation.daily import what_is_loaded_now
from ecommerce_platform.automation.runner import run_days
from ecommerce_platform.definitions import defs
from ecommerce_platform.instance import orphaned_runs
from ecommerce_platform.instance.orphaned_runs import code_server_folder, fail_orphaned_runs
from ecommerce_platform.postgres.ddl import apply_ddl
from ecommerce_platform.resources.database import database_url, embedded_server
from ecommerce_platform.settings import PROJECT_DIR, load_settings
from ecommerce_platform_tests.harness import day

LOAD = """
import datetime as dt
from dagster import DagsterInstance, DagsterRunStatus
from dagster._core.storage.tags import GRPC_INFO_TAG
from ecommerce_platform.automation.runner import run_days
from ecommerce_platform.definitions import defs
with DagsterInstance.from_config({project!r}) as instance:
    run_days(defs, instance, dt.date(2024, 1, 1), dt.date(2024, 1, 2))
"""


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DagsterInstance]:
    """The instance of an empty platform, whose settings are ours."""
    settings = {
        "DATA_DIR": str(tmp_path_factory.mktemp("interrupted") / "data"),
        "ORDERS_PER_DAY": "30",
        "CUSTOMERS": "100",
        "PRODUCTS": "40",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(f"ECOMMERCE_{name}", value)
        load_settings.cache_clear()
        apply_ddl(database_url(load_settings()))
        with DagsterInstance.from_config(str(PROJECT_DIR)) as instance:
            yield instance
        embedded_server(load_settings()).stop("immediate")
    load_settings.cache_clear()


@pytest.fixture
def instance(platform: DagsterInstance) -> Iterator[DagsterInstance]:
    """The instance of the platform, without the runs of another test."""
    yield platform
    for run in platform.get_runs():
        platform.event_log_storage.free_concurrency_slots_for_run(run.run_id)
        platform.delete_run(run.run_id)


def kill_a_load_once(table: str) -> None:
    """Start a load in another process and kill it with SIGKILL when ``table`` contains rows."""
    url = database_url(load_settings())
    child = subprocess.Popen(
        [sys.executable, "-c", LOAD.format(project=str(PROJECT_DIR))],
        cwd=PROJECT_DIR,
        env={**os.environ, "PYTHONPATH": str(PROJECT_DIR)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 120
    with psycopg.connect(url, autocommit=True) as connection:
        while not connection.execute(f"select exists (select from {table})").fetchone()[0]:  # type: ignore[index]
            assert child.poll() is None, "the load ended before it could be killed"
            assert time.monotonic() < deadline
            time.sleep(0.005)
    child.send_signal(signal.SIGKILL)
    child.wait()


def test_a_load_killed_after_the_sales_is_taken_up_again(instance: DagsterInstance) -> None:
    """The days had sales but no aggregates, `up` reported all days as loaded, and the dead run held its pools."""
    kill_a_load_once("warehouse.fact_sales")
    assert len(fail_orphaned_runs(instance)) == 1
    assert what_is_loaded_now().missing(day(1), day(2)) == [(day(1), day(2))]
    assert what_is_loaded_now().to_run(day(1), day(2)) == [(day(2), day(2))]
    outcome = run_days(defs, instance, day(2), day(2))
    assert outcome.failures == []
    assert what_is_loaded_now().missing(day(1), day(2)) == []
    with psycopg.connect(database_url(load_settings())) as connection:
        facts, days, extract = connection.execute(
            "select (select sum(revenue) from warehouse.fact_sales),"
            " (select sum(revenue) from warehouse.agg_daily_sales),"
            " (select sum(revenue) from analytics.geography)"
        ).fetchone() or (0, 1, 2)
    assert facts == days == extract
    assert not instance.event_log_storage.get_concurrency_run_ids()


def test_a_run_that_is_alive_is_left_alone(instance: DagsterInstance) -> None:
    run = instance.create_run_for_job(_daily_job(), tags={orphaned_runs.PROCESS_TAG: orphaned_runs.this_process()})
    assert fail_orphaned_runs(instance) == []
    assert instance.get_run_by_id(run.run_id).is_finished is False  # type: ignore[union-attr]


@pytest.mark.parametrize(("folder", "is_orphaned"), [("ours", True), ("ecommerce-00000000-x", False), (None, False)])
def test_a_launched_run_is_failed_where_its_code_server_was_ours_and_is_gone(
    instance: DagsterInstance, folder: str | None, is_orphaned: bool
) -> None:
    with code_server_folder() as made:
        path = made if folder == "ours" else f"/tmp/{folder}"
    launched_by = {"host": "localhost", **({"port": 4000} if folder is None else {"socket": f"{path}/code"})}
    run = instance.create_run_for_job(
        _daily_job(), tags={GRPC_INFO_TAG: json.dumps(launched_by)}, status=DagsterRunStatus.STARTED
    )
    instance.event_log_storage.initialize_concurrency_limit_to_default("warehouse.fact_sales")
    instance.event_log_storage.claim_concurrency_slot("warehouse.fact_sales", run.run_id, "warehouse__fact_sales")
    assert fail_orphaned_runs(instance) == [run.run_id] * is_orphaned
    assert bool(instance.event_log_storage.get_concurrency_run_ids()) is not is_orphaned


@pytest.mark.parametrize("answer", ["listens", "is not ours to enter"])
def test_a_launched_run_is_left_alone_where_its_code_server_may_be_at_work(
    instance: DagsterInstance, answer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with code_server_folder() as folder, socket.socket(socket.AF_UNIX) as server:
        server.bind(f"{folder}/code")
        if answer == "listens":
            server.listen()
        else:

            def refuse(*_: object) -> None:
                raise PermissionError

            monkeypatch.setattr(socket.socket, "connect", refuse)
        tags = {GRPC_INFO_TAG: json.dumps({"host": "localhost", "socket": f"{folder}/code"})}
        assert (
            orphaned_runs._has_lost_its_worker(
                instance.create_run_for_job(_daily_job(), tags=tags, status=DagsterRunStatus.STARTED)
            )
            is False
        )


def _daily_job():
    from ecommerce_platform.definitions import defs

    return defs.resolve_job_def("daily")
