"""Writers wait for each other where they must, say so, and never block each other for good."""

from __future__ import annotations

import threading
import time
import uuid

import dagster as dg
import psycopg
import pytest

from ecommerce_platform.io_managers import PostgresConnection, locks
from ecommerce_platform.io_managers.bulk import filled_in_bulk
from ecommerce_platform.io_managers.consequences import consequences
from ecommerce_platform.io_managers.locks import lock_definitions, locked
from ecommerce_platform.io_managers.lookup import describe
from ecommerce_platform.io_managers.transactions import transaction
from ecommerce_platform_tests.harness import Platform, customer, line, order, product
from ecommerce_platform_tests.waiting import wait_for

pytestmark = pytest.mark.integration


def holders(url: str) -> int:
    """Return the number of advisory locks held in the database."""
    with psycopg.connect(url) as connection:
        row = connection.execute(
            "select count(*) from pg_locks inner join pg_database on pg_database.oid = pg_locks.database"
            " where locktype = 'advisory' and datname = current_database()"
        ).fetchone()
    assert row is not None
    return row[0]


def test_a_long_wait_for_another_writer_names_it(
    database_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A step that waited for another run, or for a session somebody had left open, looked as if it worked."""
    monkeypatch.setattr(locks, "SILENT_SECONDS", 0.05)
    database = PostgresConnection(url=database_url, role="loader")
    done = threading.Event()

    def write() -> None:
        with database.connect() as connection, locked(connection, ["warehouse.dim_date"]):
            done.set()

    with database.connect() as connection, locked(connection, ["warehouse.dim_date"]):
        other = threading.Thread(target=write)
        other.start()
        wait_for("the message", lambda: caplog.messages, pause=0.02)
        assert not done.is_set()
        holder = connection.info.backend_pid
    assert done.wait(30)
    other.join(30)
    (message,) = caplog.messages
    waited = f"Waiting for another step that has locked warehouse.dim_date: process {holder} of the server"
    assert message.startswith(f"{waited} (ecommerce-platform, idle since ")


def test_a_step_that_waits_says_so_in_the_log_of_its_run(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "SILENT_SECONDS", 0.05)
    database = PostgresConnection(url=database_url, role="loader")
    run_id = str(uuid.uuid4())

    @dg.asset
    def waits() -> None:
        with database.connect() as connection, locked(connection, ["warehouse.dim_date"]):
            pass

    def said(instance: dg.DagsterInstance) -> list[str]:
        return [entry.user_message for entry in instance.all_logs(run_id) if "Waiting for" in entry.user_message]

    with dg.DagsterInstance.ephemeral() as instance:
        job = dg.Definitions(assets=[waits]).resolve_implicit_global_asset_job_def()
        with database.connect() as connection, locked(connection, ["warehouse.dim_date"]):
            step = threading.Thread(target=job.execute_in_process, kwargs={"instance": instance, "run_id": run_id})
            step.start()
            wait_for("the message", lambda: said(instance), pause=0.05)
            assert step.is_alive()
        step.join(60)
        (message,) = said(instance)
    assert message.startswith("Waiting for another step that has locked warehouse.dim_date: process ")


def test_a_short_wait_for_another_writer_is_not_logged(database_url: str, caplog: pytest.LogCaptureFixture) -> None:
    database = PostgresConnection(url=database_url, role="loader")
    done = threading.Event()

    def write() -> None:
        with database.connect() as connection, locked(connection, ["warehouse.dim_date"], alone=False):
            done.set()

    with database.connect() as connection, locked(connection, ["warehouse.dim_date"], alone=True):
        other = threading.Thread(target=write)
        other.start()
        assert not done.wait(0.2)
    assert done.wait(30)
    other.join(30)
    assert not caplog.messages
    assert holders(database_url) == 0, "a lock was kept"


def test_a_write_that_locks_definitions_lets_another_read_them_in_any_order(database_url: str) -> None:
    """A write that dropped foreign keys held one table and waited for a reader of another, and the reader for it."""
    database, owner = PostgresConnection(url=database_url, role="loader"), PostgresConnection(url=database_url)
    is_waiting, has_locked, limits = threading.Event(), threading.Event(), []

    def drop_keys() -> None:
        with owner.connect() as connection, transaction(connection):
            connection.execute("select count(*) from warehouse.dim_payment")
            is_waiting.set()
            lock_definitions(connection, ["warehouse.dim_date", "warehouse.dim_customer"])
            has_locked.set()
            limits.append(connection.execute("show lock_timeout").fetchone())

    with database.connect() as connection:
        with transaction(connection):
            connection.execute("select count(*) from warehouse.dim_customer")
            other = threading.Thread(target=drop_keys)
            other.start()
            assert is_waiting.wait(60)
            for _ in range(20):
                connection.execute("select count(*) from warehouse.dim_date")
                connection.execute("select count(*) from warehouse.dim_product")
                time.sleep(0.05)
            assert not has_locked.is_set()
        assert has_locked.wait(60)
        other.join(60)
        connection.execute("select count(*) from warehouse.dim_date")
    assert limits == [("0",)]


def test_a_long_wait_for_the_readers_of_a_table_is_logged(
    database_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(locks, "SILENT_SECONDS", 0.05)
    owner = PostgresConnection(url=database_url)

    def drop_keys() -> None:
        with owner.connect() as connection, transaction(connection):
            lock_definitions(connection, ["warehouse.dim_date", "warehouse.fact_sales"])

    with psycopg.connect(database_url) as reader:
        reader.execute("select count(*) from warehouse.dim_date")
        other = threading.Thread(target=drop_keys)
        other.start()
        wait_for("the message", lambda: caplog.messages, pause=0.02)
        assert other.is_alive()
        reader.rollback()
        other.join(60)
        (message,) = caplog.messages
        waited = f"Waiting for sessions that read or write warehouse.dim_date: process {reader.info.backend_pid}"
        assert message.startswith(f"{waited} of the server (unnamed, idle in transaction since ")


def test_those_who_read_a_table_share_its_lock_and_its_writer_waits_for_them(database_url: str) -> None:
    """The files of each feed were loaded one after another, although the feeds have nothing to do with each other."""
    database = PostgresConnection(url=database_url, role="loader")
    pins, done = "production.loaded_days", threading.Event()

    def write_pins() -> None:
        with database.connect() as connection, locked(connection, [pins]):
            done.set()

    with database.connect() as first, locked(first, ["staging.customers"], read=[pins]):
        with database.connect() as second, locked(second, ["staging.products"], read=[pins]):
            other = threading.Thread(target=write_pins)
            other.start()
            assert not done.wait(0.2)
        assert not done.wait(0.2)
    assert done.wait(60)
    other.join(60)
    assert holders(database_url) == 0


def test_a_writer_that_waits_for_a_table_holds_none_that_comes_later(database_url: str) -> None:
    database = PostgresConnection(url=database_url, role="loader")
    done = threading.Event()

    def write_both() -> None:
        with database.connect() as connection, locked(connection, ["warehouse.dim_date", "warehouse.dim_product"]):
            done.set()

    with database.connect() as connection, locked(connection, ["warehouse.dim_date"]):
        other = threading.Thread(target=write_both)
        other.start()
        assert not done.wait(0.2)
        with database.connect() as third, locked(third, ["warehouse.dim_product"]):
            assert not done.is_set()
    assert done.wait(60)
    other.join(60)
    assert holders(database_url) == 0


def test_the_first_sums_of_days_do_not_wait_for_a_write_that_is_done_alone(platform: Platform) -> None:
    """In a first load, a core was idle while these tables waited for each other to drop their foreign keys."""
    sums = ["warehouse.agg_daily_sales", "warehouse.mart_daily_breakdown"]
    platform.load(
        1, customers=[customer()], products=[product()], transactions=[order(1)], transaction_items=[line(1, 1)]
    )
    loaded = [platform.content(name) for name in sums]

    def keys() -> list[tuple]:
        return platform.rows(
            "select conname, pg_get_constraintdef(oid), convalidated from pg_constraint"
            " where contype = 'f' and conrelid = any(%s::regclass[]) order by 1",
            sums,
        )

    before = keys()
    assert len(before) == 2
    platform.execute(f"truncate {', '.join(sums)}")
    done = threading.Event()

    def fill() -> None:
        platform.run(1, only=sums)
        done.set()

    database = PostgresConnection(url=platform.url, role="loader")
    with database.connect() as connection, locked(connection, ["warehouse.fact_sales"], alone=True):
        other = threading.Thread(target=fill)
        other.start()
        assert done.wait(60)
    other.join(60)
    assert [platform.content(name) for name in sums] == loaded
    assert keys() == before


def test_rows_that_somebody_adds_during_a_first_load_are_not_truncated(platform: Platform) -> None:
    """Emptiness is judged in a snapshot from before the rows of another session, which knows nothing of our locks."""
    guest = {"products": [product()], "transactions": [order(1, "")], "transaction_items": [line(1, 1)]}
    platform.load(1, **guest)
    platform.execute("create table kept as select * from production.transactions")
    platform.execute("truncate production.transactions cascade")
    (columns,) = platform.rows(
        "select string_agg(attname, ', ') from pg_attribute where attrelid = 'kept'::regclass and attnum > 0"
    )
    with PostgresConnection(url=platform.url, role="loader").connect() as connection:
        place = describe(connection, "production", "customers")
        children = {each.child for each in consequences(connection, place)}
        with locked(connection, [place.full_name, *children]), transaction(connection, table=place):
            assert connection.execute("select count(*) from production.transactions").fetchone() == (0,)
            platform.execute(f"insert into production.transactions ({columns[0]}) select {columns[0]} from kept")
            with filled_in_bulk(connection, place, held=children) as is_truncated:
                assert not is_truncated
    assert len(platform.content("production.transactions")) == 1
