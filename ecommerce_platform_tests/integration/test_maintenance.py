"""Maintenance deletes old data, but never the records of loaded days or data that late rows may need."""

from __future__ import annotations

import datetime as dt
import json
import os
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner
from dagster import (
    AssetCheckKey,
    AssetCheckResult,
    AssetKey,
    DagsterInstance,
    DagsterRunStatus,
    Definitions,
    asset,
    asset_check,
    define_asset_job,
)
from psycopg.conninfo import conninfo_to_dict

from ecommerce_platform import cli
from ecommerce_platform.automation.weekly import maintenance_job
from ecommerce_platform.checks.verify import matches_transform
from ecommerce_platform.instance.retention import plan
from ecommerce_platform.io_managers import PostgresConnection
from ecommerce_platform.partitions import daily, one_run, range_tags
from ecommerce_platform.resources.database import Database
from ecommerce_platform.settings import PROJECT_DIR, Settings, load_settings
from ecommerce_platform_tests.harness import Platform, customer, day, line, order, product

NOW = dt.datetime.now(dt.UTC)
IN_A_YEAR = NOW + dt.timedelta(days=365)
TABLE = AssetKey(["warehouse", "fact_sales"])
EXTRACT = AssetKey(["analytics", "geography"])
CHECK = AssetCheckKey(TABLE, "contract")


@pytest.fixture
def instance(database_url: str, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DagsterInstance]:
    """The project's Dagster instance, with its storage in a separate database on the session's server."""
    monkeypatch.setenv("ECOMMERCE_DATABASE_URL", database_url)
    load_settings.cache_clear()
    with DagsterInstance.from_config(str(PROJECT_DIR)) as instance:
        yield instance
    with psycopg.connect(database_url, autocommit=True) as connection:
        name = conninfo_to_dict(database_url)["dbname"]
        connection.execute(f'drop database "{name}_dagster" with (force)')  # type: ignore[arg-type]


class History:
    """Runs of a small daily job over a daily table and an extract that can be made to fail."""

    def __init__(self, instance: DagsterInstance):
        self.instance = instance
        self.fails = False
        this = self

        @asset(key=TABLE, partitions_def=daily, backfill_policy=one_run)
        def fact_sales() -> None: ...

        @asset(key=EXTRACT, deps=[TABLE])
        def geography() -> None:
            if this.fails:
                raise ValueError("as told")

        @asset_check(asset=TABLE)
        def contract() -> AssetCheckResult:
            return AssetCheckResult(passed=True)

        job = define_asset_job("daily", selection="*")
        self.job = Definitions(assets=[fact_sales, geography], asset_checks=[contract], jobs=[job]).resolve_job_def(
            "daily"
        )

    def run(self, first: int, last: int | None = None, fails: bool = False) -> str:
        self.fails = fails
        return self.job.execute_in_process(
            instance=self.instance, tags=range_tags(day(first), day(last or first)), raise_on_error=False
        ).run_id

    def state(self) -> dict[str, object]:
        """Return the state that must be the same before and after."""
        latest = self.instance.fetch_materializations(records_filter=TABLE, limit=1000).records
        by_partition: dict[str, int] = {}
        for record in latest:
            by_partition.setdefault(record.partition_key or "", record.storage_id)
        extract = self.instance.get_latest_materialization_event(EXTRACT)
        checks = self.instance.event_log_storage.get_latest_asset_check_execution_by_key([CHECK])
        return {
            "partitions": self.instance.get_materialized_partitions(TABLE),
            "last materialization of each day": by_partition,
            "last extract": extract and extract.run_id,
            "last verdict": checks[CHECK].run_id,
        }

    def events(self) -> int:
        return sum(len(self.instance.all_logs(run.run_id)) for run in self.instance.get_runs())


@pytest.fixture
def history(instance: DagsterInstance) -> History:
    return History(instance)


def forget(instance: DagsterInstance, now: dt.datetime) -> dict[str, int]:
    settings = load_settings()
    done = {}
    for task in plan(instance, Database(role="loader"), settings, now):
        task.delete()
        done[task.name] = task.count
    return done


def test_what_is_superseded_goes_and_what_dagster_knows_of_each_day_stays(history: History) -> None:
    instance = history.instance
    first = history.run(1, 3)
    second = history.run(2)
    again = history.run(1, 3)
    broken = history.run(5, fails=True)
    only_here = history.run(6)
    before = history.state()
    assert before["partitions"] == {str(day(number)) for number in (1, 2, 3, 5, 6)}
    failed_events = len(instance.all_logs(broken))
    done = forget(instance, IN_A_YEAR)
    assert done["runs that hold no latest record"] == 2
    assert {run.run_id for run in instance.get_runs()} == {again, broken, only_here}
    assert not instance.all_logs(first)
    assert not instance.all_logs(second)
    assert history.state() == before
    # Of a successful run, the events shown on asset pages are kept; of a failed run, everything that explains it.
    kept = {entry.dagster_event_type.value for entry in instance.all_logs(again) if entry.dagster_event_type}
    assert kept == {"PIPELINE_START", "PIPELINE_SUCCESS", "ASSET_MATERIALIZATION"}
    assert len(instance.all_logs(broken)) == failed_events
    assert instance.get_run_by_id(again).status == DagsterRunStatus.SUCCESS  # type: ignore[union-attr]
    # The second time, nothing is left to delete, and the next run works as usual.
    assert set(forget(instance, IN_A_YEAR).values()) == {0}
    history.run(5)
    assert history.state()["partitions"] == before["partitions"]


def test_what_is_young_stays(history: History) -> None:
    history.run(1)
    history.run(1)
    events = history.events()
    done = forget(history.instance, NOW + dt.timedelta(days=89))
    assert set(done.values()) == {0}
    assert history.events() == events


def test_a_dry_run_says_what_would_go_and_deletes_nothing(
    history: History, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ecommerce_platform.instance.home.set_key", lambda *_: None)
    monkeypatch.setattr("ecommerce_platform.cli.dotenv.load_dotenv", lambda *_, **__: None)
    left = data_dir / "analytics" / ".geography.csv.abc123"
    left.parent.mkdir(parents=True)
    left.write_text("half a file")
    two_days_ago = (NOW - dt.timedelta(days=2)).timestamp()
    os.utime(left, (two_days_ago, two_days_ago))
    result = CliRunner().invoke(cli.main, ["maintenance", "--dry-run", "--json"])
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["dry_run"] is True
    assert {"what": "temporary files left by a crash", "count": 1, "bytes": 11} in told["deleted"]
    assert left.exists()
    result = CliRunner().invoke(cli.main, ["maintenance"])
    assert result.exit_code == 0, result.output
    assert "temporary files left by a crash" in result.stdout
    assert not left.exists()


def test_logs_go_with_their_run_and_files_in_use_stay(instance: DagsterInstance, data_dir: Path) -> None:
    history = History(instance)
    run = history.run(1)
    storage = data_dir / "dagster" / "storage"
    gone = storage / "00000000-0000-4000-8000-000000000000" / "compute_logs" / "x.err"
    new = storage / "00000000-0000-4000-8000-000000000001" / "compute_logs" / "x.err"
    old_tick = storage / "repository" / "alerts" / "1.err"
    new_tick = storage / "repository" / "alerts" / "2.err"
    raw = data_dir / "raw" / "customers" / "2024-01-01.csv"
    half = data_dir / "raw" / "customers" / ".2024-01-01.csv.0123456789abcdef.tmp"
    on_its_way = data_dir / "raw" / "customers" / ".2024-01-02.csv.0123456789abcdef.tmp"
    for path in (gone, new, old_tick, new_tick, raw, half, on_its_way):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    for path, days in ((gone, 2), (gone.parent, 2), (gone.parent.parent, 2), (old_tick, 100), (half, 2), (raw, 500)):
        moment = (NOW - dt.timedelta(days=days)).timestamp()
        os.utime(path, (moment, moment))
    forget(instance, NOW)
    assert not gone.exists()
    assert not old_tick.exists()
    assert not half.exists()
    assert [path for path in (new, new_tick, raw, on_its_way) if not path.exists()] == []
    assert any((storage / run).rglob("*.err"))


def staging_days(platform: Platform) -> list[tuple]:
    return platform.rows("select distinct partition_date from staging.customers order by 1")


def load(platform: Platform, late: bool) -> None:
    """Load a customer on day 1, and an order on day 2 that waits for a customer of day 3."""
    platform.load(1, customers=[customer(1)], products=[product(1)])
    platform.load(
        2, customers=[customer(1, on=2, city="Dallas")], transactions=[order(7, 2)], transaction_items=[line(7, 71)]
    )
    if late:
        platform.load(3, customers=[customer(2, on=3)])


def test_a_late_parent_finds_its_order_after_staging_was_cleaned(
    instance: DagsterInstance, database_url: str, tmp_path: Path, postgres_server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Staging rows that production was built from must be kept for two years, or the order would be lost."""
    monkeypatch.setenv("ECOMMERCE_STAGING_RETENTION_DAYS", "14")
    load_settings.cache_clear()
    platform = Platform(database_url, tmp_path / "raw")
    load(platform, late=False)
    failed = day(2) + dt.timedelta(days=10)
    platform.execute(
        "insert into staging.customers (partition_date, source_file, source_row, load_id, loaded_at, customer_id)"
        " select %s, 'customers/' || %s || '.csv', n, 1000, '2024-01-13', 'none' from generate_series(1, 5) as n",
        failed,
        failed,
    )
    assert [str(date) for (date,) in staging_days(platform)] == [str(day(1)), str(day(2)), str(failed)]
    done = forget(instance, NOW)
    assert done["days of staging.customers with a load that production does not use"] == 1
    assert [str(date) for (date,) in staging_days(platform)] == [str(day(1)), str(day(2))]
    platform.load(3, customers=[customer(2, on=3)])
    postgres_server.create_database("untouched")
    untouched = Platform(postgres_server.url("untouched"), tmp_path / "raw2")
    with psycopg.connect(postgres_server.url(), autocommit=True) as connection:
        connection.execute("drop database untouched")
        connection.execute("create database untouched template platform_template")
    load(untouched, late=True)
    for table in ("production.customers", "production.transactions", "warehouse.fact_sales", "warehouse.dim_customer"):
        assert platform.content(table) == untouched.content(table), table
    assert platform.rows("select count(*) from warehouse.fact_sales") == [(1,)]


def test_cleaning_a_refused_load_leaves_its_day_as_it_was(
    instance: DagsterInstance, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The slice reverted to the previous load, but kept its timestamp: verify reported the day as different."""
    monkeypatch.setenv("ECOMMERCE_STAGING_RETENTION_DAYS", "14")
    load_settings.cache_clear()
    platform = Platform(database_url, tmp_path / "raw")
    load(platform, late=False)
    before = platform.rows("select * from production.loaded_days order by load_id")
    platform.run(2, only=["staging.customers"])
    done = forget(instance, dt.datetime(2031, 1, 1, tzinfo=dt.UTC))
    assert done["days of staging.customers with a load that production does not use"] == 1
    with PostgresConnection(url=database_url, role="loader").connect() as connection:
        outcome = matches_transform("production.loaded_days").run(connection)
    assert outcome.passed, outcome.description
    assert platform.rows("select * from production.loaded_days order by load_id") == before


def test_without_the_setting_staging_is_not_looked_at(instance: DagsterInstance) -> None:
    assert not [
        task.name for task in plan(instance, Database(role="loader"), load_settings(), NOW) if "staging" in task.name
    ]


def test_the_weekly_job_does_the_same(history: History) -> None:
    history.run(1)
    result = maintenance_job.execute_in_process(
        instance=history.instance, resources={"database": Database(role="loader")}
    )
    assert result.success
    assert history.instance.get_materialized_partitions(TABLE) == {str(day(1))}


def test_a_retention_that_would_eat_the_catch_up_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings().retention_days == 90
    monkeypatch.setenv("ECOMMERCE_RETENTION_DAYS", "13")
    with pytest.raises(ValueError, match="greater than or equal to 14"):
        Settings()
