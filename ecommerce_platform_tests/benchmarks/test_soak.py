"""Months of days, one run a day, through the daemon, the webserver and the code server that ``up`` starts.

Days are compressed: one tick of the daily schedule finds that many days missing, the daemon queues them one run at a
time, and the default launcher gives each run a process. The queue is looked at each second instead of every five, and
nothing else is changed. SOAK_DAYS says how many days (200).
"""

from __future__ import annotations

import datetime as dt
import os
import statistics
import time
from collections import Counter
from pathlib import Path

import psutil

from ecommerce_platform_tests.e2e.served import Served, yesterday

DAYS = int(os.environ.get("SOAK_DAYS", "200"))
TINY_SHOP = {"ORDERS_PER_DAY": "12", "CUSTOMERS": "100", "PRODUCTS": "30", "CATCH_UP_DAYS": "366"}
SECONDS_A_RUN = 60
"""More than this on average, and the test gives up."""
GROWTH = 1.15
"""What a process may hold in the last quarter, as a share of what it held in the second."""

PROCESSES = {
    "daemon": ("dagster._daemon", "run"),
    "webserver": ("dagster_webserver",),
    "code server": ("dagster", "api grpc"),
}


def memory(served: Served) -> dict[str, float]:
    """Resident memory by process, in MiB."""
    return {name: served.process_with(*words).memory_info().rss / 2**20 for name, words in PROCESSES.items()}


def test_days_run_one_after_another_without_a_failure_or_a_leak(tmp_path: Path) -> None:
    first = yesterday() - dt.timedelta(days=DAYS)
    served = Served(tmp_path / "platform", {**TINY_SHOP, "FIRST_DAY": first.isoformat()})
    instance_file = served.project / "dagster.yaml"
    text = instance_file.read_text()
    quick = text.replace("QueuedRunCoordinator\n  config: {}", "QueuedRunCoordinator\n  config: {dequeue_interval_seconds: 1}")
    assert quick != text
    instance_file.write_text(quick)
    try:
        served.leave_a_daemon_that_died(dt.datetime.now(dt.UTC) - dt.timedelta(days=2))
        served.up("--days", "1")
        begin = time.monotonic()
        samples: list[dict[str, float]] = []
        done = 0
        while done < DAYS:
            assert time.monotonic() - begin < DAYS * SECONDS_A_RUN, f"{done} of {DAYS} runs"
            time.sleep(20)
            samples.append(memory(served))
            runs = [run for run in served.runs() if "dagster/schedule_name" in run["tags"]]
            ended = Counter(run["status"] for run in runs)
            assert not ended["FAILURE"] + ended["CANCELED"], [run for run in runs if run["status"] == "FAILURE"]
            done = ended["SUCCESS"]
            used = ", ".join(f"{name} {value:.0f} MiB" for name, value in samples[-1].items())
            print(f"{time.monotonic() - begin:6.0f} s  {done:4d} runs  {used}", flush=True)
        seconds = time.monotonic() - begin
        days = Counter(run["tags"]["dagster/partition"] for run in runs)
        assert days == Counter((first + dt.timedelta(days=number)).isoformat() for number in range(1, DAYS + 1))
        spans = sorted((run["startTime"], run["endTime"]) for run in runs)
        assert all(start >= end for (_, end), (start, _) in zip(spans, spans[1:], strict=False)), "two runs at once"
        lengths = [end - start for start, end in spans]
        quarter = len(lengths) // 4
        size = served.rows("select pg_database_size('ecommerce') / 1048576, pg_database_size('ecommerce_dagster') / 1048576")
        print(
            f"{len(runs)} runs, none failed, {seconds:.0f} s, {seconds / len(runs):.1f} s a run with its start;"
            f" a run itself {statistics.median(lengths[:quarter]):.1f} s in the first quarter,"
            f" {statistics.median(lengths[-quarter:]):.1f} s in the last; databases {size[0]} MiB"
        )
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
