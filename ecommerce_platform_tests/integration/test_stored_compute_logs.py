"""What a step prints on one machine is read on another, through an object store."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from dagster._core.storage.compute_log_manager import ComputeIOType, ComputeLogManager

from ecommerce_platform.instance.compute_logs import StoredComputeLogs
from ecommerce_platform.instance.storage import DataFolderComputeLogs
from ecommerce_platform.settings import PROJECT_DIR, load_settings
from ecommerce_platform.storage import objects
from ecommerce_platform_tests.object_store import BUCKET, Gate, S3Server

KEY = ["a-run", "compute_logs", "a-step"]
PRINT = """
import os
from ecommerce_platform.instance.storage import DataFolderComputeLogs
logs = DataFolderComputeLogs.from_config_value(None, {})
with logs.capture_logs(["a-run", "compute_logs", "a-step"]):
    os.write(1, b"loaded 3 days\\n")
    os.write(2, b"careful\\n")
"""


@pytest.fixture
def server() -> Iterator[S3Server]:
    server = S3Server()
    yield server
    server.stop()


@pytest.fixture
def gate(server: S3Server, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    gate = Gate(server)
    for name, value in {**gate.environment, "ECOMMERCE_STORAGE_URL": f"s3://{BUCKET}/shop"}.items():
        monkeypatch.setenv(name, value)
    load_settings.cache_clear()
    objects._client.cache_clear()
    objects._reached.clear()
    yield gate
    gate.shut()
    objects._client.cache_clear()


def print_on_another_machine(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a step in a process whose data folder is another one."""
    environment = {**os.environ, "ECOMMERCE_DATA_DIR": str(folder), "PYTHONPATH": str(PROJECT_DIR)}
    return subprocess.run([sys.executable, "-c", PRINT], env=environment, capture_output=True, text=True, timeout=60)


def read(logs: ComputeLogManager, io_type: ComputeIOType) -> bytes | None:
    return logs.get_log_data_for_type(KEY, io_type, 0, None)[0]


def test_output_is_read_where_it_was_not_printed(gate: Gate, server: S3Server, tmp_path: Path) -> None:
    logs = DataFolderComputeLogs.from_config_value(None, {})
    assert isinstance(logs, StoredComputeLogs)
    assert not logs.is_capture_complete(KEY)
    done = print_on_another_machine(tmp_path / "other")
    assert done.returncode == 0, done.stderr
    keys = [f"shop/dagster/storage/a-run/compute_logs/a-step.{end}" for end in ("err", "out")]
    assert server.keys("shop/") == keys
    assert logs.is_capture_complete(KEY)
    assert read(logs, ComputeIOType.STDOUT) == b"loaded 3 days\n"
    assert read(logs, ComputeIOType.STDERR) == b"careful\n"
    assert logs.get_log_metadata(KEY).stdout_location == f"s3://{BUCKET}/{keys[1]}"
    assert not list((tmp_path / "other" / "dagster").rglob("a-step.out"))


def test_output_of_a_step_that_runs_is_read_as_far_as_it_is(gate: Gate, data_dir: Path, tmp_path: Path) -> None:
    logs = DataFolderComputeLogs.from_config_value(None, {})
    assert isinstance(logs, StoredComputeLogs)
    other = StoredComputeLogs(logs._folder, DataFolderComputeLogs(str(tmp_path / "other")))
    path = Path(other.local_manager.get_captured_local_path(KEY, "out"))
    path.parent.mkdir(parents=True)
    path.write_bytes(b"half\n")
    other.on_progress(KEY)
    assert not logs.is_capture_complete(KEY)
    assert read(logs, ComputeIOType.STDOUT) == b"half\n"


def test_output_that_cannot_be_uploaded_stays_and_fails_nothing(gate: Gate, tmp_path: Path) -> None:
    gate.shut()
    done = print_on_another_machine(tmp_path / "other")
    assert done.returncode == 0, done.stderr
    assert "The output of a-run/compute_logs/a-step stays on this machine: s3://files/shop/dagster" in done.stderr
    (kept,) = (tmp_path / "other" / "dagster").rglob("a-step.out")
    assert kept.read_bytes() == b"loaded 3 days\n"
    gate.open()


def test_an_instance_without_a_storage_url_keeps_output_in_its_data_folder(data_dir: Path) -> None:
    logs = DataFolderComputeLogs.from_config_value(None, {})
    assert isinstance(logs, DataFolderComputeLogs)
    assert logs.get_captured_local_path(KEY, "out").startswith(f"{data_dir}/dagster/storage/")
