"""A step that lost its connection is retried and ends with the right content; nothing else is retried."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from dagster import AssetKey, AssetSelection, DagsterEventType, DagsterInstance, Definitions, ExecuteInProcessResult
from dagster import asset as dagster_asset
from dagster._core.errors import DagsterExecutionInterruptedError

from ecommerce_platform.checks import gate
from ecommerce_platform.checks.dagster_checks import asset_checks
from ecommerce_platform.checks.outcome import CheckOutcome, TableCheck
from ecommerce_platform.definitions import build_definitions
from ecommerce_platform.feeds.columns import FEEDS
from ecommerce_platform.feeds.files import feed_file_name, write_feed_file
from ecommerce_platform.io_managers import Query, Window, WriteError, failures
from ecommerce_platform.io_managers.connection import ClientConnection
from ecommerce_platform.resources.database import Database
from ecommerce_platform.settings import load_settings
from ecommerce_platform.tables import asset as tables
from ecommerce_platform_tests.harness import Platform, csv_bytes, customer, day, line, order, product

KILLED_IN = ["staging.transactions", "production.customers", "warehouse.dim_customer", "warehouse.fact_sales"]


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failures, "PATIENCE", failures.PATIENCE._replace(delay=0.02))


@pytest.fixture
def platform(database_url: str, data_dir: Path) -> Platform:
    """A platform whose raw files are where the assets expect them."""
    return Platform(database_url, load_settings().raw)


def fail_once(platform: Platform, table: str, statement: str, on: str = "insert") -> None:
    """Make the first write to a table run a PL/pgSQL statement inside its transaction; later writes do not."""
    name = table.replace(".", "_")
    platform.execute(f"create sequence public.{name}_writes")  # a sequence is not rolled back
    platform.execute(
        f"create function public.{name}_fails() returns trigger language plpgsql security definer as $$"
        f" begin if nextval('public.{name}_writes') = 1 then {statement}; end if; return null; end $$"
    )
    platform.execute(
        f"create trigger fails after {on} on {table} for each statement execute function public.{name}_fails()"
    )


def run(platform: Platform, *tables: str) -> ExecuteInProcessResult:
    """Materialize some tables for the first day, with their checks."""
    defs = build_definitions({"database": Database(url=platform.url, role="loader")})
    with DagsterInstance.ephemeral() as instance:
        return defs.resolve_job_def("daily").execute_in_process(
            instance=instance,
            partition_key=day(1).isoformat(),
            asset_selection=[AssetKey(table.split(".")) for table in tables],
            raise_on_error=False,
        )


def attempts(result: ExecuteInProcessResult, step: str) -> int:
    """Return how often a step was started."""
    begun = (DagsterEventType.STEP_START, DagsterEventType.STEP_RESTARTED)
    return sum(event.step_key == step and event.event_type in begun for event in result.all_events)


def a_day(platform: Platform) -> None:
    platform.export(
        1,
        customers=[customer(1), customer(2, state="CA")],
        products=[product(1)],
        transactions=[order(1, 1), order(2, 2)],
        transaction_items=[line(1, 1), line(2, 2, quantity=2)],
    )


def test_a_backend_killed_in_the_middle_of_writes_ends_in_the_content_of_a_quiet_run(
    platform: Platform, tmp_path: Path, postgres_server
) -> None:
    a_day(platform)
    for table in KILLED_IN:
        fail_once(platform, table, "perform pg_terminate_backend(pg_backend_pid())")
    tables = sorted(
        ".".join(key.path)
        for group in ("staging", "production", "warehouse")
        for key in AssetSelection.groups(group).resolve(build_definitions().resolve_asset_graph())
    )
    result = run(platform, *tables)
    assert result.success
    assert {table: attempts(result, table.replace(".", "__")) for table in tables} == {
        table: 2 if table in KILLED_IN else 1 for table in tables
    }
    with psycopg.connect(postgres_server.url(), autocommit=True) as connection:
        connection.execute("create database quiet template platform_template")
        try:
            quiet = Platform(postgres_server.url("quiet"), platform.raw)
            quiet.run(1)
            for table in tables:
                assert platform.content(table) == quiet.content(table), table
        finally:
            connection.execute("drop database quiet with (force)")
    assert platform.rows("select count(*), sum(revenue)::text from warehouse.fact_sales") == [(2, "30.00")]


@pytest.mark.parametrize(
    ("sqlstate", "expected"),
    [
        ("40001", 2),
        ("40P01", 2),
        ("53300", 2),
        ("55P03", 2),
        ("57P03", 2),
        ("57014", 1),
        ("53100", 1),
        ("23514", 1),
        ("22003", 1),
        ("42P01", 1),
    ],
)
def test_only_what_passes_by_itself_is_tried_again(platform: Platform, sqlstate: str, expected: int) -> None:
    a_day(platform)
    fail_once(platform, "staging.products", f"raise exception 'as told' using errcode = '{sqlstate}'")
    result = run(platform, "staging.products")
    assert attempts(result, "staging__products") == expected
    assert result.success is (expected == 2)
    assert platform.rows("select count(*) from staging.products") == [(expected - 1,)]


def test_a_bad_file_is_read_exactly_once(platform: Platform) -> None:
    a_day(platform)
    path = feed_file_name(platform.raw, "products", day(1))
    write_feed_file(path, b"not,the,header\n1,2,3\n")
    result = run(platform, "staging.products")
    assert not result.success
    assert attempts(result, "staging__products") == 1
    assert platform.rows("select count(*) from staging.products") == [(0,)]


def test_a_slice_that_breaks_its_contract_is_refused_once(platform: Platform) -> None:
    a_day(platform)
    many = [product(number, price="many") for number in range(1, 200)]
    write_feed_file(feed_file_name(platform.raw, "products", day(1)), csv_bytes(FEEDS["products"], many))
    checked = run(platform, *(f"staging.{feed}" for feed in FEEDS))
    assert attempts(checked, "check__staging") == 1
    walked_past = run(platform, "production.loaded_days")
    assert attempts(walked_past, "production__loaded_days") == 1
    advice = "Correct the files and materialize their days again"
    assert [e.asset_key.to_user_string() for e in checked.get_asset_check_evaluations() if advice in e.description] == [
        "staging/products"
    ]
    assert advice in str(walked_past.failure_data_for_node("production__loaded_days"))
    assert not checked.success
    assert not walked_past.success


@pytest.mark.parametrize("is_loaded_before", [False, True])
@pytest.mark.parametrize("is_empty", [False, True], ids=["bad file", "empty file"])
@pytest.mark.parametrize("moment", ["after its judgment", "before the write"])
def test_a_slice_staged_after_the_gate_has_judged_does_not_enter_production(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, moment: str, is_empty: bool, is_loaded_before: bool
) -> None:
    """The gate checked the latest loads, but production then read the latest load of another run, unchecked."""
    a_day(platform)
    platform.run(1, only=None if is_loaded_before else [f"staging.{feed}" for feed in FEEDS])
    before = platform.rows("select feed, load_id from production.loaded_days order by feed")
    contract, table_query = gate.contract, tables.table_query

    def stage() -> None:
        rows = [] if is_empty else [product(number, price="many") for number in range(1, 200)]
        write_feed_file(feed_file_name(platform.raw, "products", day(1)), csv_bytes(FEEDS["products"], rows))
        platform.run(1, only=["staging.products"])

    def judge(table: str) -> TableCheck:
        check = contract(table)

        def evaluate(connection: ClientConnection, window: Window) -> CheckOutcome:
            outcome = check.run(connection, window)
            stage()
            return outcome

        return replace(check, evaluate=evaluate) if table == "staging.products" else check

    def query(table: str, *arguments: Any, **more: Any) -> Query:
        if table == "production.loaded_days":
            stage()
        return table_query(table, *arguments, **more)

    if moment == "after its judgment":
        monkeypatch.setattr(gate, "contract", judge)
    else:
        monkeypatch.setattr(tables, "table_query", query)
    assert run(platform, "production.loaded_days").success
    judged = platform.rows("select feed, load_id from production.loaded_days where feed <> 'products' order by feed")
    assert [feed for feed, _ in judged] == ["customers", "transaction_items", "transactions"]
    products = platform.rows("select feed, load_id from production.loaded_days where feed = 'products'")
    assert products == [row for row in before if row[0] == "products"]
    assert len(products) == is_loaded_before


def test_a_server_that_stays_away_is_given_up_after_the_last_try(platform: Platform, tmp_path: Path) -> None:
    a_day(platform)
    away = f"postgresql://nobody@/nothing?host={tmp_path}"
    defs = build_definitions({"database": Database(url=away, role="loader")})
    with DagsterInstance.ephemeral() as instance:
        result = defs.resolve_job_def("daily").execute_in_process(
            instance=instance,
            partition_key=day(1).isoformat(),
            asset_selection=[AssetKey(["staging", "products"])],
            raise_on_error=False,
        )
    assert not result.success
    assert attempts(result, "staging__products") == 1 + failures.PATIENCE.max_retries


def check_run(platform: Platform, evaluate: Callable) -> ExecuteInProcessResult:
    @dagster_asset(key=["analytics", "top_products"])
    def top_products() -> None: ...

    checks: Sequence = asset_checks([TableCheck("asked", "analytics.top_products", "It answers.", evaluate)])
    defs = Definitions(
        assets=[top_products], asset_checks=checks, resources={"database": Database(url=platform.url, role="loader")}
    )
    with DagsterInstance.ephemeral() as instance:
        job = defs.resolve_implicit_global_asset_job_def()
        return job.execute_in_process(instance=instance, raise_on_error=False)


def test_a_check_whose_connection_was_cut_asks_again_and_gives_one_verdict(platform: Platform) -> None:
    asked: list[int] = []

    def evaluate(connection: psycopg.Connection, window: object) -> CheckOutcome:
        asked.append(1)
        if len(asked) == 1:
            connection.execute("reset role")
            connection.execute("select pg_terminate_backend(pg_backend_pid())")
        return CheckOutcome(True, 1, 0, "fine")

    result = check_run(platform, evaluate)
    assert result.success
    assert len(asked) == 2
    assert len(result.get_asset_check_evaluations()) == 1


@pytest.mark.parametrize("error", [WriteError("does not fit"), ValueError("a fault of ours")])
def test_a_fault_of_the_code_is_not_tried_again(platform: Platform, error: Exception) -> None:
    asked: list[int] = []

    def evaluate(connection: psycopg.Connection, window: object) -> CheckOutcome:
        asked.append(1)
        raise error

    assert not check_run(platform, evaluate).success
    assert len(asked) == 1


def test_a_run_that_somebody_ends_is_not_tried_again(platform: Platform) -> None:
    """With a retry policy on the step, Dagster would restart it."""
    asked: list[int] = []

    def evaluate(connection: psycopg.Connection, window: object) -> CheckOutcome:
        asked.append(1)
        raise DagsterExecutionInterruptedError

    assert not check_run(platform, evaluate).success
    assert len(asked) == 1


def test_outside_a_step_an_outage_is_the_error_that_it_is(tmp_path: Path) -> None:
    with (
        pytest.raises(psycopg.OperationalError),
        Database(url=f"postgresql://nobody@/nothing?host={tmp_path}").connect(),
    ):
        pass


def test_the_waits_grow_and_last_longer_than_a_crash_recovery() -> None:
    policy = failures.PATIENCE._replace(delay=1, jitter=None)
    waits = [policy.calculate_delay(attempt) for attempt in range(1, policy.max_retries + 1)]
    assert waits == sorted(waits)
    assert dt.timedelta(seconds=sum(waits)) > dt.timedelta(seconds=50)
