"""One real PostgreSQL for the session, one fresh database a test that needs it."""

from __future__ import annotations

import os
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

# Tests never see the developer's own settings; this runs before anything of the platform is imported.
for _name in [name for name in os.environ if name.startswith("ECOMMERCE_")]:
    del os.environ[_name]
# Nor the developer's data folder, which may say that the platform began thirty days ago.
os.environ["ECOMMERCE_DATA_DIR"] = tempfile.mkdtemp(prefix="ecommerce-tests-")
# A test that runs assets without our instance file must not report them to Dagster's makers.
os.environ["DAGSTER_DISABLE_TELEMETRY"] = "yes"

from ecommerce_platform.feeds.columns import FEEDS
from ecommerce_platform.feeds.files import feed_file_name, write_feed_file
from ecommerce_platform.postgres.ddl import apply_ddl
from ecommerce_platform.postgres.embedded import EmbeddedPostgres
from ecommerce_platform.settings import load_settings
from ecommerce_platform.shop.exports import feed_csv
from ecommerce_platform.shop.settings import ShopSettings
from ecommerce_platform_tests.harness import Platform, day

TEMPLATE = "platform_template"
SALES_DAYS = 430
FAST_AND_UNSAFE = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A test's folder is its marker. Benchmarks run only where ``-m`` names them: they take minutes, some an hour.

    Where pytest-xdist spreads the tests over processes, those of a file stay together, and so do those that share what
    is dear to make.
    """
    for item in items:
        fixtures = getattr(item, "fixturenames", ())
        shared = next((name for name in ("served", "sales") if name in fixtures), str(item.path))
        item.add_marker(pytest.mark.xdist_group(shared))
        folder = Path(item.path).parent.name
        if folder in ("unit", "integration", "properties", "e2e"):
            item.add_marker(getattr(pytest.mark, folder))
        if folder == "benchmarks":
            item.add_marker(pytest.mark.benchmark)
    if "benchmark" not in config.getoption("markexpr"):
        benchmarks = [item for item in items if item.get_closest_marker("benchmark")]
        config.hook.pytest_deselected(items=benchmarks)
        items[:] = [item for item in items if item not in benchmarks]


@pytest.fixture(autouse=True)
def dagster_home(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What Dagster writes beside an instance, such as its telemetry, lands neither in the project nor at home.

    A command that a test runs in this process points it at the project, and it would stay so.
    """
    home = tmp_path_factory.getbasetemp() / "dagster_home"
    home.mkdir(exist_ok=True)
    os.environ["DAGSTER_HOME"] = str(home)


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """The session's server: quick, and without any promise for a crash of the machine."""
    server = EmbeddedPostgres(tmp_path_factory.mktemp("postgres"), FAST_AND_UNSAFE)
    server.start()
    server.create_database(TEMPLATE)
    apply_ddl(server.url(TEMPLATE))
    yield server
    server.stop("immediate")


@pytest.fixture
def database_url(postgres_server: EmbeddedPostgres) -> Iterator[str]:
    """A fresh database with the whole DDL."""
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(postgres_server.url(), autocommit=True) as connection:
        connection.execute(f"create database {name} template {TEMPLATE}")
        yield postgres_server.url(name)
        connection.execute(f"drop database {name} with (force)")


@pytest.fixture(scope="session")
def sales(postgres_server: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Platform:
    """Fourteen months of a small synthetic shop, loaded once, for tests that only read. From 2024-01-01 on."""
    with psycopg.connect(postgres_server.url(), autocommit=True) as connection:
        connection.execute(f"create database sales template {TEMPLATE}")
    shop = Platform(postgres_server.url("sales"), tmp_path_factory.mktemp("sales"))
    made = ShopSettings(orders_per_day=16, customers=400, products=90, defect_rate=0.02)
    for number in range(1, SALES_DAYS + 1):
        for feed in FEEDS:
            write_feed_file(feed_file_name(shop.raw, feed, day(number)), feed_csv(made, feed, day(number)))
    shop.run(1, SALES_DAYS)
    return shop


@pytest.fixture
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty data folder that the settings point to."""
    monkeypatch.setenv("ECOMMERCE_DATA_DIR", str(tmp_path / "data"))
    load_settings.cache_clear()
    yield tmp_path / "data"
    load_settings.cache_clear()


@pytest.fixture
def platform(database_url: str, tmp_path: Path) -> Platform:
    """The tables of a fresh database, loaded without Dagster from files that the test writes."""
    return Platform(database_url, tmp_path / "raw")
