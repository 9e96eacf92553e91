"""Soak test: months of days, one run per day, through the daemon, webserver, and code server that ``up`` starts.

Time is compressed: one tick of the daily schedule finds all days missing, the daemon dequeues one run at a time, and
the default launcher starts a process for each run. The queue is polled every second instead of every five; nothing
else is changed. SOAK_DAYS sets the number of days (200); after SOAK_MINUTES (120), the test evaluates the runs so far.
"""

from __future__ import annotations

import datetime as dt
import itertools
import os
import statistics
import time
from collections import Counter
from pathlib import Path

import psutil
from dagster import DagsterRunStatus, RunsFilter

from ecommerce_platform_tests.e2e.served import QUEUE_EACH_SECOND, Served, wait_for, yesterday

DAYS = int(os.environ.get("SOAK_DAYS", "200"))
TINY_SHOP = {"ORDERS_PER_DAY": "12", "CUSTOMERS": "100", "PRODUCTS": "30", "CATCH_UP_DAYS": "366"}
MINUTES = float(os.environ.get("SOAK_MINUTES", "120"))
GROWTH = 1.15
"""Maximum memory of a process in the last quarter, relative to the second quarter."""

PROCESSES = {
    "daemon": ("dagster._daemon", "run"),
    "webserver": ("ecommerce_platform.web.webserver",),
    "code server": ("dagster", "api grpc"),
}


def succeeded(served: Served) -> list[dict]:
    """Return the schedule's successful runs; fails if any run failed."""
    runs = [run for run in served.runs() if "dagster/schedule_name" in run["tags"]]
    failed = [run for run in runs if run["status"] == "FAILURE"]
    assert not failed, failed
    return [run for run in runs if run["status"] == "SUCCESS"]


def stop_the_queue(served: Served) -> None:
    """Cancel the queued runs, newest first, and wait for the current run to finish."""
    with served.instance() as instance:
        for run in instance.get_runs(filters=RunsFilter(statuses=[DagsterRunStatus.QUEUED])):
            instance.run_coordinator.cancel_run(run.run_id)
    over = {"SUCCESS", "CANCELED", "FAILURE"}
    wait_for("the end of the last run", lambda: {run["status"] for run in served.runs()} <= over, 120, 1)


def test_days_run_one_after_another_without_a_failure_or_a_leak(tmp_path: Path) -> None:
    first = yesterday() - dt.timedelta(days=DAYS)
    served = Served(tmp_path / "platform", {**TINY_SHOP, "FIRST_DAY": first.isoformat()})
    served.set_in_instance_file(QUEUE_EACH_SECOND)
    try:
        served.leave_a_daemon_that_died(dt.datetime.now(dt.UTC) - dt.timedelta(days=2))
        served.up("--days", "1")
        processes = {name: served.process_with(*words) for name, words in PROCESSES.items()}
        begin = time.monotonic()
        samples: list[dict[str, float]] = []
        done: list[dict] = []
        while len(done) < DAYS and time.monotonic() - begin < MINUTES * 60:
            time.sleep(20)
            samples.append({name: process.memory_info().rss / 2**20 for name, process in processes.items()})
            done = succeeded(served)
            used = ", ".join(f"{name} {value:.0f} MiB" for name, value in samples[-1].items())
            print(f"{time.monotonic() - begin:6.0f} s  {len(done):4d} runs  {used}", flush=True)
        seconds = time.monotonic() - begin
        if len(done) < DAYS:
            print(f"Stopped after {MINUTES:g} minutes; {DAYS} days would take {seconds / len(done) * DAYS / 60:.0f}.")
            stop_the_queue(served)
            done = succeeded(served)
        days = Counter(run["tags"]["dagster/partition"] for run in done)
        assert days == Counter((first + dt.timedelta(days=number)).isoformat() for number in range(1, len(done) + 1))
        spans = sorted((run["startTime"], run["endTime"]) for run in done)
        assert all(start >= end for (_, end), (start, _) in itertools.pairwise(spans)), "two runs at once"
        lengths = [end - start for start, end in spans]
        quarter = len(lengths) // 4
        size = served.rows(
            "select pg_database_size('ecommerce') / 1048576, pg_database_size('ecommerce_dagster') / 1048576"
        )
        print(
            f"{len(done)} runs, none failed, {seconds:.0f} s, {seconds / len(done):.1f} s a run with its start;"
            f" a run itself {statistics.median(lengths[:quarter]):.1f} s in the first quarter,"
            f" {statistics.median(lengths[-quarter:]):.1f} s in the last; databases {size[0]} MiB"
        )
        events = served.dagster_rows("select count(*) from event_logs")[0][0]
        kilobytes = size[0][1] * 1024 / len(done)
        print(f"{events / len(done):.0f} events of Dagster per run, {kilobytes:.0f} KiB of its database")
        for name in PROCESSES:
            held = [sample[name] for sample in samples]
            part = len(held) // 4
            early, late = statistics.median(held[part : 2 * part]), statistics.median(held[-part:])
            print(f"{name}: {held[0]:.0f} MiB at first, {early:.0f} in the second quarter, {late:.0f} in the last")
            assert late < early * GROWTH, name
        assert served.failed_checks() == []
    finally:
        served.close()
        assert not [process for process in psutil.process_iter() if _works_in(process, tmp_path)]


def _works_in(process: psutil.Process, folder: Path) -> bool:
    try:
        return Path(process.cwd()).is_relative_to(folder)
    except psutil.Error:
        return False
