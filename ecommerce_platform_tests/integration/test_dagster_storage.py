"""Dagster's storage on a real server: its location, its contents, and its behavior during failures."""

from __future__ import annotations

import json
import multiprocessing
import os
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import dagster as dg
import psycopg
import pytest
from dagster._core.events import DagsterEvent, StepSuccessData
from dagster._core.events.log import EventLogEntry
from dagster._core.instance import InstanceRef
from dagster_postgres import DagsterPostgresStorage
from dagster_shared.serdes import serialize_value
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import event, make_url, text

from ecommerce_platform.instance.storage import (
    EMBEDDED_DATABASE,
    PooledPostgresStorage,
    StorageUnavailableError,
    ensure_database,
    sqlalchemy_url,
    storage_url,
)
from ecommerce_platform.postgres.embedded import EmbeddedPostgres
from ecommerce_platform.settings import PROJECT_DIR, Settings, load_settings

pytestmark = pytest.mark.integration

DAYS = dg.DailyPartitionsDefinition("2024-01-01", end_date="2024-02-01")


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[EmbeddedPostgres]:
    server = EmbeddedPostgres(tmp_path_factory.mktemp("storage"), {"fsync": "off"})
    server.start()
    yield server
    server.stop("immediate")


@pytest.fixture
def database(server, request) -> str:
    """The libpq URI of an empty database for this test."""
    name = f"d{abs(hash(request.node.nodeid)):x}"[:40]
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))
        connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
    return server.url(name)


@pytest.fixture
def platform_environment(monkeypatch, tmp_path) -> Iterator[pytest.MonkeyPatch]:
    monkeypatch.setenv("ECOMMERCE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.delenv("ECOMMERCE_DATABASE_URL", raising=False)
    # Set and removed, so that monkeypatch restores the variable that the storage sets.
    monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", "1")
    monkeypatch.delenv("DAGSTER_EVENT_BATCH_SIZE")
    load_settings.cache_clear()
    yield monkeypatch
    load_settings.cache_clear()


def name_of(database: str) -> str:
    return str(conninfo_to_dict(database)["dbname"])


def psycopg2_url(database: str) -> str:
    return sqlalchemy_url(database, name_of(database))


@pytest.fixture
def storage(database) -> Iterator[PooledPostgresStorage]:
    storage = PooledPostgresStorage(psycopg2_url(database))
    yield storage
    for store in stores(storage):
        store._engine.dispose()


def stores(storage: DagsterPostgresStorage) -> list:
    return [storage._run_storage, storage._event_log_storage, storage._schedule_storage]


def read_all(storage: DagsterPostgresStorage) -> None:
    """Run one statement through each of the three storages."""
    storage.run_storage.get_runs_count()
    storage.event_log_storage.all_asset_keys()
    storage.schedule_storage.all_instigator_state()


# Location


def test_without_an_address_the_embedded_server_is_started_and_holds_dagsters_database(tmp_path):
    settings = Settings(data_dir=tmp_path / "data", database_url=None)
    server = EmbeddedPostgres(settings.data / "postgres")
    try:
        url = make_url(storage_url(settings))
        assert server.is_running()
        assert (url.drivername, url.database) == ("postgresql+psycopg2", EMBEDDED_DATABASE)
        assert storage_url(settings) == url.render_as_string(hide_password=False)
    finally:
        server.stop("immediate")


def test_with_an_address_dagster_has_a_database_of_its_own_on_the_same_server(server, database):
    settings = Settings(database_url=database)
    name = name_of(database)
    assert make_url(storage_url(settings)).database == f"{name}_dagster"
    with psycopg.connect(server.url(f"{name}_dagster")) as connection:
        assert connection.execute("select 1").fetchone() == (1,)


def test_many_processes_may_ask_for_a_missing_database_at_once(server):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: ensure_database(server.url("not_there_yet"), "wanted_by_many"), range(8)))
    with psycopg.connect(server.url("wanted_by_many")) as connection:
        assert connection.execute("select 1").fetchone() == (1,)


def test_a_server_that_is_down_gives_one_line_without_the_password():
    with pytest.raises(StorageUnavailableError) as caught:
        ensure_database("postgresql://me:hush@127.0.0.1:1/shop", "shop_dagster", patience=0)
    line = caught.value.format_message()
    assert "shop_dagster" in line
    assert "127.0.0.1" in line
    assert "ECOMMERCE_DATABASE_URL" in line
    assert "\n" not in line
    assert "hush" not in line


def test_a_user_who_may_not_create_databases_is_told_what_to_ask_for(server):
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute("drop role if exists humble")
        connection.execute("create role humble login")
    with pytest.raises(StorageUnavailableError, match=r"'humble' may not create it: .* grant CREATEDB"):
        ensure_database(server.url("postgres", "humble"), "not_for_humble")


@pytest.mark.parametrize(
    ("address", "connects_to"),
    [
        (
            "postgresql://u:p%40ss@db:5433/shop?sslmode=require",
            {"host": "db", "port": "5433", "password": "p@ss"},
        ),
        ("postgresql://u@/shop?host=/tmp/a%20b", {"host": "/tmp/a b"}),
        ("postgresql://u@%2Ftmp%2Fsocket/shop", {"host": "/tmp/socket"}),
        ("postgresql://u@[::1]:5432/shop", {"host": "::1", "port": "5432"}),
        ("postgresql://u@one:1,two:2/shop", {"host": "one,two", "port": "1,2"}),
        ("host=db user=u dbname=shop options='-c jit=off'", {"host": "db", "options": "-c jit=off"}),
    ],
)
def test_every_form_of_address_reaches_the_driver_unchanged(address, connects_to):
    url = make_url(sqlalchemy_url(address, "shop_dagster"))
    _, arguments = url.get_dialect()().create_connect_args(url)
    got = {key: str(value) for key, value in arguments.items()}
    assert got["options"].endswith("-c synchronous_commit=off")
    got["options"] = got["options"].removesuffix("-c synchronous_commit=off").strip()
    assert got == got | connects_to | {"user": "u", "dbname": "shop_dagster"}


def test_the_instance_file_of_the_project_needs_nothing_but_the_settings(platform_environment, database):
    platform_environment.setenv("ECOMMERCE_DATABASE_URL", database)
    ref = InstanceRef.from_dir(str(PROJECT_DIR))
    with dg.DagsterInstance.from_ref(ref) as instance:
        data = load_settings().data
        assert make_url(instance.event_log_storage.postgres_url).database == f"{name_of(database)}_dagster"
        assert Path(instance.storage_directory()).is_relative_to(data)
        assert Path(instance.compute_log_manager._base_dir).is_relative_to(data)
        assert os.environ["DAGSTER_EVENT_BATCH_SIZE"] == "1000"
        # Dagster passes this on its processes' command lines, which every user can read.
        assert "postgresql" not in serialize_value(instance.get_ref())


# Contents


PLANNED = "ASSET_MATERIALIZATION_PLANNED"


def run_a_range(instance: dg.DagsterInstance, *, fails: bool = False, cancel: bool = False) -> str:
    @dg.asset(partitions_def=DAYS, backfill_policy=dg.BackfillPolicy.single_run(), code_version="1")
    def first(context):
        context.add_asset_metadata({"weight": 1.5, "words": {"a": "b\u2028"}}, partition_key="2024-01-04")
        context.add_asset_metadata({"dagster/partition_row_count": 7}, partition_key="2024-01-07")
        return dg.MaterializeResult(metadata={"rows": 3, "table": dg.MetadataValue.md("| a |")})

    @dg.asset(partitions_def=DAYS, backfill_policy=dg.BackfillPolicy.single_run(), deps=[first], code_version="2")
    def second() -> None:
        if cancel:
            raise dg.DagsterExecutionInterruptedError
        assert not fails

    @dg.asset_check(asset=second)
    def sound() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=True)

    definitions = dg.Definitions(
        assets=[first, second], asset_checks=[sound], jobs=[dg.define_asset_job("all", [first, second])]
    )
    tags = {
        "dagster/asset_partition_range_start": "2024-01-03",
        "dagster/asset_partition_range_end": "2024-01-12",
    }
    job = definitions.resolve_job_def("all")
    return job.execute_in_process(instance=instance, tags=tags, raise_on_error=False).run_id


def stored(database: str, run_id: str) -> tuple[Counter, list, list, list, list]:
    with psycopg.connect(database) as connection:
        events = connection.execute(
            "select dagster_event_type, asset_key, partition, step_key from event_logs "
            "where dagster_event_type is not null"
        ).fetchall()
        texts = connection.execute(
            "select event from event_logs where dagster_event_type ~ '^ASSET' and dagster_event_type <> %s",
            [PLANNED],
        )
        contents = sorted(json.dumps(without_chance(json.loads(text)), sort_keys=True) for (text,) in texts)
        tags = connection.execute(
            "select tags.asset_key, key, value, partition, dagster_event_type from asset_event_tags as tags"
            " join event_logs on event_logs.id = event_id order by 1, 2, 3, 4, 5"
        ).fetchall()
        checks = connection.execute(
            "select asset_key, check_name, execution_status, partition from asset_check_executions order by 1, 2"
        ).fetchall()
        assets = connection.execute(
            "select asset_key, last_run_id = %s, last_materialization is not null, "
            "last_materialization_timestamp is not null from asset_keys order by 1",
            [run_id],
        ).fetchall()
    return Counter(events), assets, contents, tags, checks


def without_chance(event: Any) -> Any:
    """A serialized event without what differs between two equal runs."""
    if isinstance(event, list):
        return [without_chance(each) for each in event]
    if not isinstance(event, dict):
        return event
    by_chance = ("run_id", "timestamp", "pid", "target_materialization_data", "metadata_entries")
    kept = {key: without_chance(value) for key, value in event.items() if key not in by_chance}
    if event.get("__class__") == "AssetMaterialization":
        kept["metadata_entries"] = event["metadata_entries"]
    return {key: value for key, value in kept.items() if not key.startswith("dagster/input_event_pointer")}


@pytest.fixture
def both(platform_environment, server, database, tmp_path) -> Iterator[tuple[dg.DagsterInstance, dg.DagsterInstance]]:
    """An instance with the stock storage, and one with ours."""
    ensure_database(server.url(), "stock")
    stock = {"storage": {"postgres": {"postgres_url": psycopg2_url(server.url("stock"))}}}
    platform_environment.setenv("ECOMMERCE_DATABASE_URL", database)
    with (
        dg.DagsterInstance.from_ref(InstanceRef.from_dir(str(tmp_path), overrides=stock)) as theirs,
        dg.DagsterInstance.from_ref(InstanceRef.from_dir(str(PROJECT_DIR))) as ours,
    ):
        yield theirs, ours
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute("drop database stock with (force)")


def test_a_range_run_stores_what_the_stock_storage_stores(both, server, database):
    """But for the planned event of each partition: one event plans all."""
    theirs, ours = both
    expected, got = run_a_range(theirs), run_a_range(ours)
    events, *others = stored(server.url("stock"), expected)
    assert stored(server.url(f"{name_of(database)}_dagster"), got) == (
        Counter({key: number for key, number in events.items() if key[0] != PLANNED})
        + Counter({(PLANNED, f'["{asset}"]', None, asset): 1 for asset in ("first", "second")}),
        *others,
    )
    assert events["ASSET_MATERIALIZATION", '["second"]', "2024-01-12", "second"] == 1


@pytest.mark.parametrize("ends", ["fails", "is canceled", "succeeds"])
def test_the_partitions_that_a_run_leaves_out_are_failed_as_with_the_stock_storage(both, ends):
    shown = []
    for instance in both:
        run_id = run_a_range(instance, fails=ends != "succeeds", cancel=ends == "is canceled")
        log = instance.event_log_storage
        attempts = [
            log.get_latest_asset_partition_materialization_attempts_without_materializations(dg.AssetKey(name))
            for name in ("first", "second")
        ]
        assert {run for each in attempts for run, _ in each.values()} <= {run_id}
        shown.append([sorted(each) for each in attempts])
    assert shown[1] == shown[0]
    assert len(shown[1][1]) == (0 if ends == "succeeds" else 10)


def test_a_range_run_opens_a_handful_of_connections(platform_environment, database):
    platform_environment.setenv("ECOMMERCE_DATABASE_URL", database)
    opened: list[object] = []
    with dg.DagsterInstance.from_ref(InstanceRef.from_dir(str(PROJECT_DIR))) as instance:
        for store in (instance.run_storage, instance.event_log_storage, instance.schedule_storage):
            event.listen(store._engine, "connect", lambda connection, _: opened.append(connection))
        run_a_range(instance)
    assert len(opened) <= 6


def step_event(run_id: str, kind: dg.DagsterEventType, step: str | None = "first") -> EventLogEntry:
    data = StepSuccessData(1.0) if kind == dg.DagsterEventType.STEP_SUCCESS else None
    given = DagsterEvent(kind.value, "all", step_key=step, event_specific_data=data)
    return EventLogEntry(None, 10, "", run_id, 1700000000.0, step, "all", given)


def stored_types(database: str) -> list[str]:
    with psycopg.connect(database) as connection:
        return [kind for (kind,) in connection.execute("select dagster_event_type from event_logs order by id")]


def test_what_a_step_reports_at_its_end_is_stored_with_the_next_event_or_before_this_process_asks(storage, database):
    log = storage.event_log_storage
    log.store_event(step_event("a", dg.DagsterEventType.STEP_SUCCESS))
    assert stored_types(database) == []
    log.store_event(step_event("a", dg.DagsterEventType.STEP_START, "second"))
    assert stored_types(database) == ["STEP_SUCCESS", "STEP_START"]
    log.store_event(step_event("a", dg.DagsterEventType.STEP_SUCCESS, "second"))
    assert len(log.get_records_for_run("a").records) == 3
    log.store_event(step_event("b", dg.DagsterEventType.STEP_SUCCESS))
    log.dispose()
    assert stored_types(database)[3:] == ["STEP_SUCCESS"]


def test_an_event_that_cannot_be_stored_keeps_no_other_from_it(storage, database):
    log = storage.event_log_storage
    log.store_event(step_event("a", dg.DagsterEventType.STEP_SUCCESS, "first"))
    log.store_event(step_event("a", dg.DagsterEventType.STEP_SUCCESS, "nul\0"))
    log.store_event(step_event("a", dg.DagsterEventType.STEP_START, "second"))
    assert stored_types(database) == ["STEP_SUCCESS", "STEP_START"]
    assert len(log.get_records_for_run("a").records) == 2


def test_a_partition_that_another_run_has_materialized_since_is_not_failed(both):
    """A run is killed, another one loads its days, and only then is the first marked as failed."""
    _, instance = both
    killed = run_a_range(instance, fails=True)
    run_a_range(instance)
    log, second = instance.event_log_storage, dg.AssetKey("second")
    log.store_event(step_event(killed, dg.DagsterEventType.RUN_FAILURE, None))
    assert log.get_latest_asset_partition_materialization_attempts_without_materializations(second) == {}


def test_a_forked_process_does_not_store_what_its_parent_holds(storage, database):
    log = storage.event_log_storage
    log.store_event(step_event("a", dg.DagsterEventType.STEP_SUCCESS))
    child = multiprocessing.get_context("fork").Process(
        target=lambda: log.store_event(step_event("b", dg.DagsterEventType.STEP_START))
    )
    child.start()
    child.join()
    assert child.exitcode == 0
    log.store_event(step_event("a", dg.DagsterEventType.STEP_START))
    assert stored_types(database) == ["STEP_START", "STEP_SUCCESS", "STEP_START"]


# Failures


def cut_all_connections(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity "
            "where datname = current_database() and pid <> pg_backend_pid()"
        )


@pytest.mark.parametrize("in_the_webserver", [False, True])
def test_a_restart_of_the_server_goes_unnoticed(storage, database, in_the_webserver):
    if in_the_webserver:
        for store in stores(storage):
            store.optimize_for_webserver(statement_timeout=15_000, pool_recycle=3600, max_overflow=20)
    read_all(storage)
    cut_all_connections(database)
    read_all(storage)


def test_what_is_held_when_the_server_restarts_is_stored_afterwards(storage, database):
    log = storage.event_log_storage
    log.all_asset_keys()
    log.store_event(step_event("a", dg.DagsterEventType.STEP_SUCCESS))
    cut_all_connections(database)
    log.store_event(step_event("a", dg.DagsterEventType.STEP_START))
    assert stored_types(database) == ["STEP_SUCCESS", "STEP_START"]


def backend_pid(storage: PooledPostgresStorage) -> int:
    with storage._run_storage.connect() as connection:
        return int(connection.execute(text("select pg_backend_pid()")).scalar_one())


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="fork is not available")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_takes_no_connection_of_its_parent(storage):
    parents = backend_pid(storage)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writer, str(backend_pid(storage)).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        answer = pipe.read()
    os.waitpid(child, 0)
    assert answer
    assert int(answer) != parents
    assert backend_pid(storage) == parents


def test_a_disposed_instance_leaves_no_connection(platform_environment, server, database):
    platform_environment.setenv("ECOMMERCE_DATABASE_URL", database)
    with dg.DagsterInstance.from_ref(InstanceRef.from_dir(str(PROJECT_DIR))) as instance:
        instance.get_runs_count()
        instance.all_asset_keys()
    name = name_of(database)
    with psycopg.connect(server.url()) as connection:
        left = connection.execute(
            "select count(*) from pg_stat_activity where datname = %s", [f"{name}_dagster"]
        ).fetchone()
    assert left == (0,)


def test_what_dagster_has_is_looked_up_once_and_a_plan_is_not_decoded(platform_environment, database):
    platform_environment.setenv("ECOMMERCE_DATABASE_URL", database)
    with dg.DagsterInstance.from_ref(InstanceRef.from_dir(str(PROJECT_DIR))) as instance:
        asked: Counter = Counter()

        @event.listens_for(instance.event_log_storage._engine, "before_cursor_execute")
        def count(connection, cursor, statement, *_):
            asked["catalogue"] += "pg_catalog.pg_class" in statement

        run_a_range(instance)
        first = asked.pop("catalogue")
        run_id = run_a_range(instance)
        assert first > 0
        assert asked["catalogue"] == 0
        run = instance.get_run_by_id(run_id)
        assert instance.run_storage.has_execution_plan_snapshot(run.execution_plan_snapshot_id)
        assert not instance.run_storage.has_execution_plan_snapshot("no such plan")


def test_the_records_of_assets_are_those_of_the_stock_storage_by_one_statement(both):
    """Every step asks for its inputs' records; the stock storage then goes through the event log for no asset."""
    keys = [dg.AssetKey(name) for name in ("first", "second", "unknown")]
    shown, asked = [], []
    for instance in both:
        told = []
        run_a_range(instance, fails=True)
        told.append(instance.get_asset_records(keys))
        run_a_range(instance)
        statements: list[str] = []

        def note(connection, cursor, statement, *_, statements=statements):
            if "event_logs" in statement or "asset_keys" in statement:
                statements.append(statement)

        event.listen(instance.event_log_storage._engine, "before_cursor_execute", note)
        told.append(instance.get_asset_records(keys))
        event.remove(instance.event_log_storage._engine, "before_cursor_execute", note)
        asked.append(len(statements))
        instance.wipe_assets([keys[0]])
        told.append(instance.get_asset_records(keys))
        run_a_range(instance)
        told.append(instance.get_asset_records(keys))
        latest = [
            [(r.asset_entry.asset_key, r.asset_entry.last_materialization_record) for r in records] for records in told
        ]
        shown.append(
            [[(key, found and found.event_log_entry.dagster_event.partition) for key, found in each] for each in latest]
        )
        runs = [r.asset_entry.last_run_id for r in told[-1]]
        assert runs == [instance.get_runs(limit=1)[0].run_id] * 2
    assert shown[1] == shown[0]
    assert asked == [2, 1]


def test_a_pool_that_another_process_was_faster_to_make_is_there(platform_environment, database):
    """When two first `up` commands ran at the same time, one failed: the other's insert aborted its transaction."""
    platform_environment.setenv("ECOMMERCE_DATABASE_URL", database)
    load_settings.cache_clear()
    with dg.DagsterInstance.from_config(str(PROJECT_DIR)) as instance:
        events = instance.event_log_storage
        assert [events.initialize_concurrency_limit_to_default("a.table") for _ in range(2)] == [True, True]
        assert events.get_concurrency_info("a.table").slot_count == 1
