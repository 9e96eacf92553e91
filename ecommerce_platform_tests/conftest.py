"""One real PostgreSQL server per session, and a fresh database for each test that needs one."""

from __future__ import annotations

import atexit
import csv
import io
import os
import shutil
import signal
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from xdist.scheduler import LoadScopeScheduling

# Tests must not read the developer's settings; this runs before the platform is imported. The one name that stays is
# the tests' own: see cluster.py.
for _name in [name for name in os.environ if name.startswith("ECOMMERCE_") and name != "ECOMMERCE_TEST_CITUS_URL"]:
    del os.environ[_name]
# Nor the developer's data folder, which may set a different first day.
os.environ["ECOMMERCE_DATA_DIR"] = tempfile.mkdtemp(prefix="ecommerce-tests-")
atexit.register(shutil.rmtree, os.environ["ECOMMERCE_DATA_DIR"], ignore_errors=True)
# Tests that run assets without our instance file must not send telemetry to Dagster.
os.environ["DAGSTER_DISABLE_TELEMETRY"] = "yes"

from dashboards.app.analyses_reader import EXTRACTS
from dashboards.app.snapshot import Snapshot
from dashboards.app.snapshot_reader import read_snapshot
from ecommerce_platform.feeds.columns import FEEDS
from ecommerce_platform.feeds.files import feed_file_name, write_feed_file
from ecommerce_platform.io_managers import PostgresConnection
from ecommerce_platform.postgres.ddl import apply_ddl
from ecommerce_platform.postgres.embedded import EmbeddedPostgres
from ecommerce_platform.settings import load_settings
from ecommerce_platform.shop.exports import feed_csv
from ecommerce_platform.shop.settings import ShopSettings
from ecommerce_platform_tests import cluster
from ecommerce_platform_tests.dashboard_sql import WIDE
from ecommerce_platform_tests.extracts import publish, publish_forecast
from ecommerce_platform_tests.harness import Platform, csv_bytes, day

SHARE_ONE_PLATFORM = ("test_operations", "test_ui")
"""The files whose tests use the fixture ``served``, in their order."""

TEMPLATE = "platform_template"
SALES_DAYS = 430
ROOM = 4 * 2**30
"""Bytes that must be free in a folder in memory: several times what two processes' servers take."""
FAST_AND_UNSAFE = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "max_wal_size": "256MB",
}


class ByFile(LoadScopeScheduling):
    """Gives the tests of a file to one process, and those of one served platform, which tell one story, too."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return "served" if Path(file).stem in SHARE_ONE_PLATFORM else file


if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    # A shell starts a job in the background so. Dagster would then ignore SIGTERM, too, and so would all its children.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFile:
    """How pytest-xdist distributes the tests. Its own groups do nothing with this version of pytest."""
    return ByFile(config, log)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark each test with its folder. Benchmarks run only if ``-m`` selects them: they take minutes, some an hour.

    The properties come first, because they include the longest file: so the processes end at about the same time.
    """
    items.sort(key=lambda item: Path(item.path).parent.name != "properties")
    for item in items:
        folder = Path(item.path).parent.name
        if folder in ("unit", "integration", "properties", "e2e"):
            item.add_marker(getattr(pytest.mark, folder))
        if folder == "benchmarks":
            item.add_marker(pytest.mark.benchmark)
        if item.get_closest_marker("citus") and cluster.URL is None:
            item.add_marker(pytest.mark.skip(reason="needs a Citus cluster: set ECOMMERCE_TEST_CITUS_URL"))
    if "benchmark" not in config.getoption("markexpr"):
        benchmarks = [item for item in items if item.get_closest_marker("benchmark")]
        config.hook.pytest_deselected(items=benchmarks)
        items[:] = [item for item in items if item not in benchmarks]


@pytest.fixture(autouse=True)
def dagster_home(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep files that Dagster writes outside an instance, such as telemetry, out of the project and the home folder.

    A command that a test runs in this process sets DAGSTER_HOME to the project, and the value would persist.
    """
    home = tmp_path_factory.getbasetemp() / "dagster_home"
    home.mkdir(exist_ok=True)
    os.environ["DAGSTER_HOME"] = str(home)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[EmbeddedPostgres]:
    """The session's server: fast, and not crash-safe."""
    with tempfile.TemporaryDirectory(prefix="ecommerce-tests-", dir=memory_folder()) as folder:
        server = EmbeddedPostgres(Path(folder) / "postgres", FAST_AND_UNSAFE)
        server.start()
        try:
            server.create_database(TEMPLATE)
            apply_ddl(server.url(TEMPLATE))
            # A century of days, the same in every test, took a third of its first load.
            Platform(server.url(TEMPLATE), Path(folder)).run(1, only=["warehouse.dim_date"])
            yield server
        finally:
            server.stop("immediate")


def memory_folder() -> str | None:
    """A folder in memory, if it has room: every write creates and deletes the files of its temporary tables.

    Several thousand of them per minute made ext4 search long for a free inode: a quarter of the server's CPU.
    """
    shared = Path("/dev/shm")
    if os.access(shared, os.W_OK) and shutil.disk_usage(shared).free >= ROOM:
        return str(shared)
    return None


@pytest.fixture
def database_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """A fresh database with the complete DDL, on the cluster that ECOMMERCE_TEST_CITUS_URL names if it names one.

    Without a cluster, dim_date has its days.
    """
    if cluster.URL is not None:
        with cluster.fresh_database(shards=2) as url:
            yield url
        return
    postgres_server: EmbeddedPostgres = request.getfixturevalue("postgres_server")
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(postgres_server.url(), autocommit=True) as connection:
        connection.execute(f"create database {name} template {TEMPLATE} strategy file_copy")
        yield postgres_server.url(name)
        connection.execute(f"drop database {name} with (force)")


@pytest.fixture(scope="session")
def sales(postgres_server: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Platform:
    """Fourteen months from 2024-01-01 of a small default shop, loaded once, for tests that only read.

    It has all products and a fifteenth of the orders and customers, so that a customer buys as often. The cost of every
    seventh product is not known, and a few orders have no customer.
    """
    with psycopg.connect(postgres_server.url(), autocommit=True) as connection:
        connection.execute(f"create database sales template {TEMPLATE}")
    shop = Platform(postgres_server.url("sales"), tmp_path_factory.mktemp("sales"))
    made = ShopSettings(orders_per_day=20, customers=667, defect_rate=0.02)
    for number in range(1, SALES_DAYS + 1):
        for feed in FEEDS:
            content = feed_csv(made, feed, day(number))
            write_feed_file(
                feed_file_name(shop.raw, feed, day(number)),
                without_some_costs(content) if feed == "products" else content,
            )
    shop.run(1, SALES_DAYS)
    publish(shop, [name for name in EXTRACTS if name != "sales_forecast"])
    publish_forecast(shop)
    return shop


@pytest.fixture(scope="module")
def snapshot(sales: Platform) -> Snapshot:
    """The columns of the shop ``sales``, as the dashboards read them."""
    return read_snapshot(PostgresConnection(url=sales.url, role="reader"))


@pytest.fixture(scope="module")
def connection(sales: Platform) -> Iterator[psycopg.Connection]:
    """A connection to the shop ``sales``, with the temporary table ``wide`` of its order lines."""
    with psycopg.connect(sales.url, autocommit=True) as opened:
        opened.execute(WIDE)
        yield opened


def without_some_costs(content: bytes) -> bytes:
    """Return a file of products without the cost of every seventh product, which is unknown."""
    rows = list(csv.DictReader(io.StringIO(content.decode())))
    for row in rows:
        if row["product_id"].isdigit() and int(row["product_id"]) % 7 == 0:
            row["cost"] = ""
    return csv_bytes(FEEDS["products"], rows)


@pytest.fixture
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty data folder, to which the settings point."""
    monkeypatch.setenv("ECOMMERCE_DATA_DIR", str(tmp_path / "data"))
    load_settings.cache_clear()
    yield tmp_path / "data"
    load_settings.cache_clear()


@pytest.fixture
def platform(database_url: str, tmp_path: Path) -> Platform:
    """The tables of a fresh database, loaded without Dagster from files that the test writes."""
    return Platform(database_url, tmp_path / "raw")
