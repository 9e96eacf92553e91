"""What a run prints where it is launched: what people have to read, and no event of every step."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from ecommerce_platform.settings import PROJECT_DIR

ONE_STEP = """
import sys
from dagster import DagsterInstance, RunsFilter, job, op
from ecommerce_platform.settings import load_settings

load_settings().dagster_home.mkdir(parents=True)

@op
def say(context):
    context.log.info("an info line")
    context.log.warning("a warning line")

@job
def small():
    say()

with DagsterInstance.from_config(sys.argv[1]) as instance:
    # As the daemon's runs: nobody configures a logger.
    result = small.execute_in_process(instance=instance)
    print(sorted({entry.level for entry in instance.all_logs(result.run_id)}))
"""


def test_a_run_prints_no_debug_lines_and_keeps_its_events(database_url: str, tmp_path: Path) -> None:
    """The terminal of `make up` filled with DEBUG lines whenever the schedule ran a day."""
    done = subprocess.run(
        [sys.executable, "-c", ONE_STEP, str(PROJECT_DIR)],
        cwd=PROJECT_DIR,
        env={
            "ECOMMERCE_DATABASE_URL": database_url,
            "ECOMMERCE_DATA_DIR": str(tmp_path / "data"),
            "DAGSTER_DISABLE_TELEMETRY": "1",
            # Dagster copies the output of a step to the terminal with tail, and ends that with the step.
            "DAGSTER_COMPUTE_LOG_TAIL_WAIT_AFTER_FINISH": "3",
        },
        capture_output=True,
        text=True,
        check=True,
    )
    assert "DEBUG" not in done.stderr
    assert "an info line" in done.stderr
    assert "a warning line" in done.stderr
    assert done.stdout == "[10, 20, 30]\n"
