"""Days are loaded with their files in an object store: by one machine or two, killed in the middle, without the server.

A machine is a copy of the project with a data folder of its own. Whatever happens, the tables are those of a platform
that keeps its files in its data folder.
"""

from __future__ import annotations

import hashlib
import signal
import stat
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from ecommerce_platform.feeds.columns import FEEDS
from ecommerce_platform.postgres.embedded import EmbeddedPostgres
from ecommerce_platform_tests.conftest import TEMPLATE
from ecommerce_platform_tests.e2e.served import CLI, Served
from ecommerce_platform_tests.harness import Platform, day, table_assets
from ecommerce_platform_tests.object_store import BUCKET, Gate, S3Server

DAYS = 3
SHOP = {"FIRST_DAY": str(day(1)), "ORDERS_PER_DAY": "20", "CUSTOMERS": "80", "PRODUCTS": "30"}
ALL = ("materialize", "--start", str(day(1)), "--end", str(day(DAYS)))

Contents = dict[str, list[tuple]]


def load(machine: Served, *days: int) -> subprocess.CompletedProcess[str]:
    """Load a day, or a range of days."""
    return machine.command("materialize", "--start", str(day(days[0])), "--end", str(day(days[-1])))


def contents(url: str) -> Contents:
    """The contents of each table from staging to the aggregates."""
    platform = Platform(url, Path())
    return {table: platform.content(table) for table in (*(f"staging.{feed}" for feed in FEEDS), *table_assets())}


def require_green(machine: Served, url: str, expected: Contents) -> None:
    """``verify`` finds nothing wrong, files included, and each table has the expected rows."""
    verified = machine.command("verify")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert "0 failed" in verified.stdout + verified.stderr
    found = contents(url)
    assert [table for table, rows in expected.items() if found[table] != rows] == []


def kept_on(machine: Served) -> list[str]:
    """The folders of files in the data folder of a machine."""
    return [name for name in ("raw", "analytics", "monitoring") if (machine.data / name).exists()]


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    server = S3Server()
    yield server
    server.stop()


@pytest.fixture
def gate(server: S3Server) -> Iterator[Gate]:
    gate = Gate(server)
    yield gate
    gate.shut()


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, Contents]]:
    """A platform with its files in its data folder, and its tables after three days."""
    machine = Served(tmp_path_factory.mktemp("local") / "platform", SHOP)
    try:
        done = machine.command(*ALL)
        assert done.returncode == 0, done.stderr
        yield machine, contents(machine.server.url("ecommerce"))
    finally:
        machine.close()


class Shared:
    """A database and a prefix of a bucket, which several machines may share."""

    def __init__(self, postgres: EmbeddedPostgres, gate: Gate, folder: Path):
        self.name = f"shared_{uuid.uuid4().hex[:12]}"
        self.prefix = f"{self.name.replace('_', '-')}/shop"
        self.url = postgres.url(self.name)
        self._gate = gate
        self._folder = folder
        self._postgres = postgres
        with psycopg.connect(postgres.url(), autocommit=True) as connection:
            connection.execute(f"create database {self.name} template {TEMPLATE}")

    def machine(self, name: str, settings: Mapping[str, str] | None = None) -> Served:
        """A further machine, which prepares the database with its first run."""
        storage = {"DATABASE_URL": self.url, "STORAGE_URL": f"s3://{BUCKET}/{self.prefix}"}
        machine = Served(self._folder / name, {**SHOP, **storage, **(settings or {})})
        machine.environment.update(self._gate.environment)
        return machine

    def drop(self) -> None:
        with psycopg.connect(self._postgres.url(), autocommit=True) as connection:
            for name in (self.name, f"{self.name}_dagster"):
                connection.execute(f"drop database if exists {name} with (force)")


@pytest.fixture
def shared(postgres_server: EmbeddedPostgres, gate: Gate, tmp_path: Path) -> Iterator[Shared]:
    shared = Shared(postgres_server, gate, tmp_path)
    yield shared
    shared.drop()


def test_files_in_a_bucket_give_the_tables_and_files_of_a_data_folder(
    shared: Shared, server: S3Server, local: tuple[Served, Contents]
) -> None:
    machine = shared.machine("a")
    done = machine.command(*ALL)
    assert done.returncode == 0, done.stderr
    require_green(machine, shared.url, local[1])
    assert kept_on(machine) == []
    in_folder = {
        path.relative_to(local[0].data).as_posix(): path
        for name in ("raw", "analytics", "monitoring")
        for path in (local[0].data / name).rglob("*.*")
    }
    keys = {key.removeprefix(f"{shared.prefix}/"): key for key in server.keys(shared.prefix)}
    assert sorted(keys) == sorted(in_folder)
    for name, key in keys.items():
        content = server.content(key)
        written = server.client.head_object(Bucket=BUCKET, Key=key)["Metadata"]["sha256"]
        assert written == hashlib.sha256(content).hexdigest()
        # Reports, and analyses that begin with today, tell of the moment.
        if name.startswith("raw/"):
            assert content == in_folder[name].read_bytes(), name
    before = {key: server.client.head_object(Bucket=BUCKET, Key=key)["LastModified"] for key in keys.values()}
    again = load(machine, 2)
    assert again.returncode == 0, again.stderr
    require_green(machine, shared.url, local[1])
    raw = [key for key in keys.values() if "/raw/" in key]
    assert {key: server.client.head_object(Bucket=BUCKET, Key=key)["LastModified"] for key in raw} == {
        key: before[key] for key in raw
    }


@pytest.mark.parametrize(
    ("method", "name"),
    [
        ("PUT", f"raw/transactions/{day(2)}.csv"),
        ("GET", f"raw/transactions/{day(2)}.csv"),
        ("PUT", "analytics/geography.csv"),
    ],
    ids=["writing a raw file", "reading a raw file", "writing an extract"],
)
def test_a_run_killed_in_a_transfer_is_made_good_by_the_next_one(
    shared: Shared, gate: Gate, server: S3Server, local: tuple[Served, Contents], method: str, name: str
) -> None:
    machine = shared.machine("a")
    gate.hold(method, f"{shared.prefix}/{name}")
    process = subprocess.Popen(
        [sys.executable, "-c", CLI, *ALL],
        cwd=machine.project,
        env=machine.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    assert gate.held.wait(120)
    assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.wait()
    gate.cut()
    key = f"{shared.prefix}/{name}"
    assert (key in server.keys(shared.prefix)) is (method == "GET")
    again = machine.command(*ALL)
    assert again.returncode == 0, again.stderr
    require_green(machine, shared.url, local[1])


def test_two_machines_with_one_bucket_and_one_database_load_different_days(
    shared: Shared, local: tuple[Served, Contents]
) -> None:
    machines = [shared.machine(name) for name in ("a", "b")]
    first = load(machines[0], 1)
    assert first.returncode == 0, first.stderr
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(load, machines, (2, 3)))
    assert [done.returncode for done in both] == [0, 0], [done.stderr for done in both]
    for machine in machines:
        require_green(machine, shared.url, local[1])
        assert kept_on(machine) == []
    # Either machine goes on with what the other has loaded.
    again = load(machines[1], 1)
    assert again.returncode == 0, again.stderr
    require_green(machines[0], shared.url, local[1])


def test_without_the_server_there_is_one_clear_error_and_the_next_run_makes_good(
    shared: Shared, gate: Gate, local: tuple[Served, Contents]
) -> None:
    machine = shared.machine("a")
    first = load(machine, 1)
    assert first.returncode == 0, first.stderr
    held = contents(shared.url)
    gate.shut()
    verified = machine.command("verify")
    assert verified.returncode == 1
    assert "Traceback" not in verified.stderr
    said = " ".join(verified.stderr.split())
    assert said.count(f"s3://{BUCKET}/{shared.prefix}/raw/") == 1
    assert "error sending request" in said
    assert contents(shared.url) == held
    # A run asks for a retry of its step, as when the database is away, and goes on once the server answers.
    process = subprocess.Popen(
        [sys.executable, "-c", CLI, *ALL],
        cwd=machine.project,
        env=machine.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    with psycopg.connect(shared.url, dbname=f"{shared.name}_dagster", autocommit=True) as connection:
        while not connection.execute(
            "select exists (select from event_logs where dagster_event_type = 'STEP_UP_FOR_RETRY')"
        ).fetchone()[0]:  # type: ignore[index]
            assert process.poll() is None, process.stderr
            time.sleep(0.1)
    gate.open()
    _, error = process.communicate(timeout=180)
    assert process.returncode == 0, error
    require_green(machine, shared.url, local[1])


def test_a_bucket_that_does_not_exist_fails_a_run_at_once_with_its_name(shared: Shared) -> None:
    machine = shared.machine("a", {"STORAGE_URL": "s3://no-such-bucket/shop"})
    done = load(machine, 1)
    assert done.returncode == 1
    assert "s3://no-such-bucket/shop/raw/" in done.stderr
    assert "NoSuchBucket; see ECOMMERCE_STORAGE_URL" in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_up_keeps_its_files_in_the_folder_of_a_file_url(tmp_path: Path, local: tuple[Served, Contents]) -> None:
    elsewhere = tmp_path / "else where"
    machine = Served(tmp_path / "platform", {**SHOP, "STORAGE_URL": elsewhere.as_uri()})
    try:
        done = machine.command("up", "--no-serve", "--days", str(DAYS))
        assert done.returncode == 0, done.stderr
        require_green(machine, machine.server.url("ecommerce"), local[1])
        assert kept_on(machine) == []
        assert sorted(path.name for path in elsewhere.iterdir()) == ["analytics", "dagster", "monitoring", "raw"]
        assert stat.S_IMODE(elsewhere.stat().st_mode) == 0o700
        cleaned = machine.command("clean-data", "--yes")
        assert cleaned.returncode == 0, cleaned.stderr
        assert f"The files in {elsewhere} (ECOMMERCE_STORAGE_URL) are left." in " ".join(cleaned.stderr.split())
        assert (elsewhere / "raw").is_dir()
    finally:
        machine.close()
