"""``ECOMMERCE_LOG_FORMAT=json``: every line on stderr is one JSON object, and an error keeps its traceback."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

from ecommerce_platform.settings import PROJECT_DIR

NO_FILE = "import dotenv; dotenv.load_dotenv = lambda *_, **__: None"
COMMAND = f"{NO_FILE}; from ecommerce_platform.cli import main; main()"

RUN = """
import sys
from dagster import DagsterInstance, job, op
from ecommerce_platform.settings import load_settings
import ecommerce_platform.definitions

load_settings().dagster_home.mkdir(parents=True, exist_ok=True)

@op
def fail(context):
    context.log.info("about to fail")
    raise ValueError("a reason\\nin two lines")

@job
def small():
    fail()

with DagsterInstance.from_config(sys.argv[1]) as instance:
    print(small.execute_in_process(instance=instance, raise_on_error=False).run_id)
"""


def run(code: str, *arguments: str, **settings: str) -> tuple[list[dict[str, Any]], subprocess.CompletedProcess]:
    """Run Python code; return the parsed lines of its stderr, and the process."""
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=PROJECT_DIR,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(PROJECT_DIR),
            "DAGSTER_DISABLE_TELEMETRY": "1",
            "ECOMMERCE_LOG_FORMAT": "json",
            **settings,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    return [json.loads(line) for line in done.stderr.splitlines()], done


def test_a_run_logs_its_job_run_and_step(database_url: str, tmp_path: Path) -> None:
    where = {
        "ECOMMERCE_DATABASE_URL": database_url,
        "ECOMMERCE_DATA_DIR": str(tmp_path / "data"),
        # Dagster copies the output of a step to the terminal with tail, and ends that with the step.
        "DAGSTER_COMPUTE_LOG_TAIL_WAIT_AFTER_FINISH": "3",
    }
    lines, done = run(RUN, str(PROJECT_DIR), **where)
    (said,) = [line for line in lines if line["event"] == "about to fail"]
    assert {"job": "small", "run_id": done.stdout.strip(), "step": "fail", "level": "info"}.items() <= said.items()
    assert said["logger"] == "dagster"
    assert said["timestamp"].endswith("Z")
    (failed,) = [line for line in lines if line["event"].startswith('Execution of step "fail" failed')]
    assert failed["level"] == "error"
    assert failed["step"] == "fail"
    assert "ValueError: a reason\nin two lines" in failed["exception"]
    assert "Traceback" in failed["exception"] or "Stack Trace" in failed["exception"]


def test_a_command_tells_a_person_in_the_log_and_its_result_on_stdout(tmp_path: Path) -> None:
    where = {"ECOMMERCE_DATA_DIR": str(tmp_path / "data")}
    lines, done = run(COMMAND, "status", ECOMMERCE_DATABASE_URL="postgresql://nobody@127.0.0.1:1/none", **where)
    assert done.returncode == 1
    (line,) = lines
    assert line["level"] == "error"
    assert line["logger"] == "ecommerce_platform"
    assert line["event"].startswith("PostgreSQL does not answer at 127.0.0.1:1/none")


def test_a_setting_that_is_wrong_is_reported_as_before(tmp_path: Path) -> None:
    bad = {"ECOMMERCE_LOG_FORMAT": "xml", "ECOMMERCE_DATA_DIR": str(tmp_path)}
    code = f"import sys; sys.argv[1:] = ['status']; {COMMAND}"
    told = subprocess.run(
        [sys.executable, "-c", code],
        cwd=PROJECT_DIR,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(PROJECT_DIR), **bad},
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 2
    assert "ECOMMERCE_LOG_FORMAT" in told.stderr


def test_an_error_that_ends_a_process_is_one_line_with_its_traceback() -> None:
    code = "from ecommerce_platform.logs import log_as_json; log_as_json(); import warnings; warnings.warn('old'); 1/0"
    (warned, ended), done = run(code)
    assert done.returncode == 1
    assert warned["level"] == "warning"
    assert ended["level"] == "critical"
    assert "ZeroDivisionError" in ended["exception"]
    assert "line 1" in ended["exception"]


def test_a_progress_bar_on_a_terminal_is_not_logged(database_url: str, tmp_path: Path) -> None:
    """Rich repaints a bar ten times a second; each repainting was a record with the bar in it."""
    ours, theirs = pty.openpty()
    code = """
import time
from ecommerce_platform.cli import main
from ecommerce_platform.cli.terminal import console, progress_bar
main(["status"], standalone_mode=False)
assert console.is_terminal and console.is_logged
console.print("begin")
with progress_bar() as progress:
    task = progress.add_task("verifying", total=2)
    time.sleep(0.3)
    progress.advance(task)
with console.status("Reading the sales"):
    time.sleep(0.3)
    print("the result")
console.print("done")
"""
    where = {"ECOMMERCE_DATABASE_URL": database_url, "ECOMMERCE_DATA_DIR": str(tmp_path / "data")}
    with os.fdopen(ours, "rb", buffering=0) as screen:
        done = subprocess.run(
            [sys.executable, "-c", f"{NO_FILE}; {code}"],
            cwd=PROJECT_DIR,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(PROJECT_DIR), "ECOMMERCE_LOG_FORMAT": "json", **where},
            stdout=subprocess.PIPE,
            stderr=theirs,
            text=True,
            check=False,
        )
        os.close(theirs)
        told = screen.read(100_000).decode()
    assert done.returncode == 0, told
    assert done.stdout.endswith("the result\n")
    events = [json.loads(line)["event"] for line in told.splitlines()]
    assert events[events.index("begin") :] == ["begin", "done"]


def test_an_error_that_ends_a_thread_is_one_line_with_its_traceback() -> None:
    code = """
import threading
from ecommerce_platform.logs import log_as_json

log_as_json()
for error in (ValueError("in a thread"), SystemExit()):
    def fail(error=error):
        raise error
    thread = threading.Thread(target=fail, name="worker")
    thread.start()
    thread.join()
"""
    (ended,), done = run(code)
    assert done.returncode == 0
    assert ended["level"] == "critical"
    assert "worker" in ended["event"]
    assert "ValueError: in a thread" in ended["exception"]
