"""If anything dies in the middle of a write, the table has its old rows or its new rows, and the next load repairs it.

The writer is another process. The database holds it at an exact point (by a trigger that waits for a lock, or by the
lock that writers take); then the writer, its connection, or the server is killed.
"""

from __future__ import annotations

import itertools
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import uuid
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import psycopg
import pytest

from ecommerce_platform.checks import table_checks
from ecommerce_platform.checks.verify import verify, whole_database_checks
from ecommerce_platform.feeds.columns import FEEDS
from ecommerce_platform.feeds.files import feed_file_name, write_feed_file
from ecommerce_platform.io_managers import PostgresConnection
from ecommerce_platform.io_managers.connection import close_idle_connections
from ecommerce_platform.io_managers.modes import Window
from ecommerce_platform.postgres.ddl import apply_ddl
from ecommerce_platform.postgres.embedded import EmbeddedPostgres
from ecommerce_platform_tests.conftest import TEMPLATE
from ecommerce_platform_tests.harness import Platform, csv_bytes, customer, day, line, order, product, table_assets
from ecommerce_platform_tests.waiting import wait_for

GATE = 4711
LOADS = itertools.count(1)
HOLD = f"""
create schema fault;
grant usage on schema fault to public;
create function fault.hold() returns trigger language plpgsql as
$$ begin perform pg_advisory_lock_shared({GATE}); perform pg_advisory_unlock_shared({GATE});
   if tg_op = 'DELETE' then return old; end if; return new; end $$;
"""
STATEMENT = "create trigger hold before {} on {} for each statement execute function fault.hold()"
ROW = "create trigger hold before {} on {} for each row {} execute function fault.hold()"
COMMIT = (
    "create constraint trigger hold after {} on {} deferrable initially deferred for each row"
    " execute function fault.hold()"
)

MOMENTS = {
    "between the delete and the copy of a slice": STATEMENT.format("insert", "staging.transaction_items"),
    "in the middle of a copy": ROW.format("insert", "staging.transaction_items", "when (new.source_row = 3)"),
    "after a copy, before its commit": COMMIT.format("insert", "staging.transaction_items"),
    "while a merge deletes": ROW.format("delete", "production.transaction_items", ""),
    "while a merge updates": ROW.format("update", "warehouse.dim_customer", ""),
    "while a merge inserts": ROW.format("insert", "warehouse.fact_sales", ""),
    "after a merge, before its commit": COMMIT.format("insert", "warehouse.fact_sales"),
}
BETWEEN = ("production.transactions", "warehouse.fact_sales", "warehouse.agg_daily_sales")
"""Tables before which a load is stopped; the preceding tables are committed."""


def export(platform: Platform) -> None:
    """Export two days. The second moves a customer, changes a price, and resends an order with fewer lines."""
    platform.export(
        1,
        customers=[customer(number) for number in range(1, 6)],
        products=[product(number) for number in range(1, 4)],
        transactions=[order(number, number % 5 + 1) for number in range(100, 120)],
        transaction_items=[line(number, number * 10 + item) for number in range(100, 120) for item in (1, 2)],
    )
    platform.export(
        2,
        customers=[customer(1, on=2, city="Fresno", state="CA"), customer(9, on=2)],
        products=[product(1, on=2, price="12.00")],
        transactions=[order(100, 1, on=2), *(order(number, number % 5 + 1, on=2) for number in range(200, 210))],
        transaction_items=[line(100, 1001), *(line(number, number * 10) for number in range(200, 210))],
    )


def contents(platform: Platform) -> dict[str, list[tuple]]:
    """Return the contents of each table from staging to the aggregates."""
    return {table: platform.content(table) for table in (*(f"staging.{feed}" for feed in FEEDS), *table_assets())}


def failed_checks(platform: Platform) -> list[str]:
    """Return the failures that ``verify`` finds in these tables."""
    checks = [
        check
        for check in whole_database_checks(lambda: platform.raw)
        if check.table.split(".")[0] in ("staging", "production", "warehouse")
    ]
    with PostgresConnection(url=platform.url, role="loader").connect() as connection:
        return [
            f"{verdict.table} {verdict.name}: {verdict.description}"
            for verdict in verify(connection, checks)
            if not verdict.passed and verdict.severity == "ERROR"
        ]


class Story:
    """A database with the first day, and the contents of all tables before and after the second day."""

    def __init__(self, platform: Platform, before: dict[str, list[tuple]], after: dict[str, list[tuple]]):
        self.platform = platform
        self.before = before
        self.after = after

    def require_old_or_new(self) -> None:
        """Verify that each table has either its old or its new contents."""
        for table, rows in contents(self.platform).items():
            assert rows in (self.before[table], self.after[table]), table

    def require_new(self) -> None:
        """Verify that the tables have the contents after two clean loads, which ``verify`` has accepted."""
        for table, rows in contents(self.platform).items():
            assert rows == self.after[table], table

    def require_healed_by_the_next_load(self) -> None:
        as_of_now(self.platform).run(2)
        self.require_new()


@pytest.fixture(scope="module")
def first_day(postgres_server: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple]:
    """A database with the first day (to copy), the files, and the contents after two clean loads."""
    name = f"first_day_{uuid.uuid4().hex}"
    clean = f"clean_{uuid.uuid4().hex}"
    raw = tmp_path_factory.mktemp("faults") / "raw"
    with psycopg.connect(postgres_server.url(), autocommit=True) as connection:
        connection.execute(f"create database {name} template {TEMPLATE}")
        platform = Platform(postgres_server.url(name), raw)
        export(platform)
        as_of_now(platform).run(1)
        before = contents(platform)
        platform.execute(HOLD)
        close_idle_connections()
        connection.execute(f"create database {clean} template {name}")
        both = Platform(postgres_server.url(clean), raw)
        as_of_now(both).run(2)
        assert failed_checks(both) == []
        yield name, raw, before, contents(both)
        for database in (name, clean):
            connection.execute(f"drop database {database} with (force)")


@pytest.fixture
def story(postgres_server: EmbeddedPostgres, first_day: tuple) -> Iterator[Story]:
    template, raw, before, after = first_day
    name = f"story_{uuid.uuid4().hex}"
    with psycopg.connect(postgres_server.url(), autocommit=True) as connection:
        connection.execute(f"create database {name} template {template}")
        yield Story(Platform(postgres_server.url(name), raw), before, after)
        connection.execute(f"drop database {name} with (force)")


def as_of_now(platform: Platform) -> Platform:
    """Give the next load a unique timestamp, because the timestamp identifies the load."""
    platform._loads = next(LOADS)
    return platform


def _load(platform: Platform, number: int) -> None:
    sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115 - a load that fails is meant to, and its process ends
    platform.run(number)


@contextmanager
def loading(platform: Platform, number: int = 2) -> Generator[multiprocessing.Process]:
    """Run a load in a separate process."""
    process = multiprocessing.get_context("fork").Process(target=_load, args=(as_of_now(platform), number))
    process.start()
    try:
        yield process  # type: ignore[misc]
    finally:
        process.kill()
        process.join()


@contextmanager
def gate(url: str, key: str = str(GATE)) -> Generator[psycopg.Connection]:
    """Block all sessions that request this lock."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"select pg_advisory_lock({key})")
        yield connection


wait_until = partial(wait_for, seconds=30, pause=0.02)


def held(connection: psycopg.Connection) -> list[int]:
    """Return the backends that wait at the gate."""
    rows = connection.execute(
        "select pid from pg_locks join pg_database on pg_database.oid = pg_locks.database"
        " where locktype = 'advisory' and not granted and datname = current_database()"
    ).fetchall()
    return [pid for (pid,) in rows]


def wait_until_held(connection: psycopg.Connection, process: multiprocessing.Process) -> int:
    """Wait until the load's backend waits at the gate, and return it."""

    def look() -> bool:
        assert process.exitcode is None, f"the load ended with {process.exitcode} before it reached the gate"
        return bool(held(connection))

    wait_until("a load that is held", look)
    return held(connection)[0]


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_worker_killed_in_a_write_leaves_the_old_rows(story: Story, moment: str) -> None:
    """The server detects within a second that the worker is dead, although the statement still waits for a lock."""
    story.platform.execute(MOMENTS[moment])
    table = MOMENTS[moment].split(" on ")[1].split()[0]
    with gate(story.platform.url) as connection, loading(story.platform) as process:
        wait_until_held(connection, process)
        process.kill()
        process.join()
        wait_until("the end of the dead worker's statement", lambda: not held(connection), seconds=5)
        assert contents(story.platform)[table] == story.before[table]
        story.require_old_or_new()
    story.require_healed_by_the_next_load()


@pytest.mark.parametrize("table", BETWEEN)
def test_a_worker_killed_between_two_tables_leaves_each_whole(story: Story, table: str) -> None:
    lock = f"hashtextextended('write {table}', 0)"
    with gate(story.platform.url, lock) as connection, loading(story.platform) as process:
        wait_until_held(connection, process)
        process.kill()
        process.join()
        wait_until("the end of the dead worker's statement", lambda: not held(connection), seconds=5)
        story.require_old_or_new()
        assert contents(story.platform)["staging.transactions"] == story.after["staging.transactions"]
        assert contents(story.platform)[table] == story.before[table]
    story.require_healed_by_the_next_load()


def test_a_later_day_keeps_its_checks_although_the_day_before_died_half_way(story: Story, tmp_path: Path) -> None:
    """A worker was killed before fact_sales, and the next day in the queue ran before the dead day's retry. It failed,
    because dim_customer had counted purchases that were not in fact_sales yet, and was never retried."""
    story.platform.raw = Path(shutil.copytree(story.platform.raw, tmp_path / "raw"))
    story.platform.export(
        2,
        transactions=[order(number, 3, on=2) for number in range(300, 306)],
        transaction_items=[line(number, number * 10, price="2000.00") for number in range(300, 306)],
    )
    story.platform.export(3, transactions=[order(400, 3, on=3)], transaction_items=[line(400, 4000)])
    story.platform.execute(MOMENTS["while a merge inserts"])
    with gate(story.platform.url) as connection, loading(story.platform) as process:
        wait_until_held(connection, process)
        process.kill()
        process.join()
        wait_until("the end of the dead worker's statement", lambda: not held(connection), seconds=5)
    as_of_now(story.platform).run(3)
    with PostgresConnection(url=story.platform.url, role="loader").connect() as connection:
        window = Window(day(3), day(4))
        outcomes = {
            f"{check.table} {check.name}": check.run(connection, window)
            for check in table_checks(raw_folder=lambda: story.platform.raw)
            if check.table.split(".")[0] in ("staging", "production", "warehouse") and check.severity == "ERROR"
        }
    assert {name: found.description for name, found in outcomes.items() if not found.passed} == {}
    as_of_now(story.platform).run(2)
    assert failed_checks(story.platform) == []


def test_a_worker_killed_in_a_first_load_leaves_every_key_and_index(database_url: str, tmp_path: Path) -> None:
    """A first load drops keys and indexes inside its transaction and rebuilds them at the end."""
    platform = Platform(database_url, tmp_path / "raw")
    export(platform)
    definitions = (
        "select conname, pg_get_constraintdef(oid) from pg_constraint"
        " union all select indexname, indexdef from pg_indexes order by 1, 2"
    )
    before = platform.rows(definitions)
    platform.execute(HOLD)
    platform.execute(MOMENTS["while a merge inserts"])
    with gate(database_url) as connection, loading(platform, 1) as process:
        wait_until_held(connection, process)
        process.kill()
        process.join()
        wait_until("the end of the dead worker's statement", lambda: not held(connection), seconds=5)
    assert platform.rows(definitions) == before
    assert platform.content("warehouse.fact_sales") == []
    as_of_now(platform).run(1)
    assert platform.rows(definitions) == before
    assert len(platform.content("warehouse.fact_sales")) == 40


@pytest.mark.parametrize("moment", ["in the middle of a copy", "while a merge updates"])
def test_a_connection_that_is_cut_leaves_the_old_rows(story: Story, moment: str) -> None:
    story.platform.execute(MOMENTS[moment])
    with gate(story.platform.url) as connection, loading(story.platform) as process:
        backend = wait_until_held(connection, process)
        connection.execute("select pg_terminate_backend(%s, 5000)", (backend,))
        process.join(10)
        assert process.exitcode == 1
        story.require_old_or_new()
    story.require_healed_by_the_next_load()


def test_two_loads_of_one_day_at_once_end_as_one(story: Story) -> None:
    """The first load is held in the middle of a copy until the second waits for the table; then both continue."""
    story.platform.execute(MOMENTS["in the middle of a copy"])
    with ExitStack() as stack:
        with gate(story.platform.url) as connection:
            loads = [stack.enter_context(loading(story.platform)) for _ in range(2)]
            wait_until("two loads that wait", lambda: len(held(connection)) == 2)
        for process in loads:
            process.join(60)
            assert process.exitcode == 0
    story.require_new()
    assert failed_checks(story.platform) == []


@pytest.mark.parametrize("moment", ["in the middle of a copy", "after a merge, before its commit"])
def test_a_server_killed_under_a_load_comes_back_with_whole_tables(
    first_day: tuple, tmp_path: Path, moment: str
) -> None:
    """Committed rows survive, because commits are synchronous; only fsync, which guards against power loss, is off."""
    _, raw, before, after = first_day
    server = EmbeddedPostgres(tmp_path / "postgres", {"fsync": "off", "full_page_writes": "off"})
    try:
        server.start()
        platform = Platform(server.url(), raw)
        apply_ddl(server.url())
        as_of_now(platform).run(1)
        platform.execute(HOLD)
        platform.execute(MOMENTS[moment])
        postmaster = int((server.cluster / "postmaster.pid").read_text().split()[0])
        with gate(server.url()) as connection, loading(platform) as process:
            wait_until_held(connection, process)
            os.kill(abs(postmaster), signal.SIGKILL)
            process.join(10)
            assert process.exitcode == 1
        server.start()
        story = Story(platform, before, after)
        story.require_old_or_new()
        story.require_healed_by_the_next_load()
        assert failed_checks(platform) == []
    finally:
        server.stop("immediate")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 150 MB, which requires root."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount")
    if os.geteuid() != 0 or mount is None:
        pytest.skip("only root can mount a small file system")
    made = subprocess.run([mount, "-t", "tmpfs", "-o", "size=150m", "tmpfs", folder], capture_output=True, text=True)
    if made.returncode:
        pytest.skip(f"cannot mount a small file system: {made.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def fill(folder: Path, leave: int) -> Path:
    """Fill a disk except for the given number of bytes."""
    filler = folder / "filler"
    with filler.open("wb") as file:
        free = os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize - leave
        for _ in range(max(free, 0) // 2**16):
            file.write(bytes(2**16))
    return filler


def test_a_full_disk_stops_a_load_and_loses_nothing(first_day: tuple, small_disk: Path) -> None:
    """Rows, files, and the server's own log share the disk. When there is space again, the next load fixes the day."""
    _, raw, before, after = first_day
    server = EmbeddedPostgres(small_disk / "postgres", {"fsync": "off", "max_wal_size": "32MB", "min_wal_size": "32MB"})
    try:
        server.start()
        shutil.copytree(raw, small_disk / "raw")
        platform = Platform(server.url(), small_disk / "raw")
        apply_ddl(server.url())
        as_of_now(platform).run(1)
        small = feed_file_name(small_disk / "raw", "transaction_items", day(2))
        content = small.read_bytes()
        many = csv_bytes(FEEDS["transaction_items"], [line(100, 5_000_000 + number) for number in range(60_000)])
        small.write_bytes(many)
        filler = fill(small_disk, 1_000_000)
        with pytest.raises(psycopg.OperationalError):
            as_of_now(platform).run(2)
        with pytest.raises(OSError, match="No space left"):
            write_feed_file(small, many + many)
        assert small.read_bytes() == many
        assert [path for path in small.parent.iterdir() if path.suffix != ".csv"] == []
        filler.unlink()
        server.start()  # it may have stopped because it could not write its log
        write_feed_file(small, content)
        story = Story(platform, before, after)
        story.require_old_or_new()
        story.require_healed_by_the_next_load()
        assert failed_checks(platform) == []
    finally:
        server.stop("immediate")
