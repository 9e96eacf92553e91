"""Least privilege: which process uses which role, and what the role cannot do."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from dagster import DagsterInstance, DagsterInvalidConfigError, Definitions, asset, validate_run_config

from ecommerce_platform.checks.dagster_checks import asset_checks
from ecommerce_platform.checks.outcome import CheckOutcome, TableCheck
from ecommerce_platform.definitions import build_definitions
from ecommerce_platform.files import write_atomically
from ecommerce_platform.instance.home import prepare_dagster_home
from ecommerce_platform.io_managers import PostgresConnection
from ecommerce_platform.resources.database import Database
from ecommerce_platform.settings import PROJECT_DIR, Settings

NOT_FOR_THE_LOADER = [
    "create table warehouse.mine (x int)",
    "create table public.mine (x int)",
    "create schema mine",
    "create role mine",
    "create function public.mine() returns int language sql return 1",
    "drop table analytics.geography",
    "drop view monitoring.layer_report",
    "alter table warehouse.fact_sales add column x int",
    "alter table warehouse.fact_sales disable trigger all",
    "create index on warehouse.fact_sales (revenue)",
    "alter table production.customers owner to loader",
    "delete from platform.applied_ddl",
    "select rolpassword from pg_authid",
    "copy warehouse.dim_date to program 'cat'",
    "copy warehouse.dim_date to '/tmp/mine'",
    "alter system set fsync = off",
]


def test_the_loader_writes_rows_and_nothing_else(database_url: str) -> None:
    with PostgresConnection(url=database_url, role="loader").connect() as connection:
        for statement in NOT_FOR_THE_LOADER:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)  # type: ignore[arg-type]


@pytest.fixture
def analyst(database_url: str) -> Iterator[str]:
    """A separate login that is a member of reader, created as described in docs/operations.md."""
    with psycopg.connect(database_url, autocommit=True) as owner:
        owner.execute("create role analyst login in role reader")
        host = owner.info.host
        yield psycopg.conninfo.make_conninfo(host=host, port=owner.info.port, dbname=owner.info.dbname, user="analyst")
        owner.execute("drop role analyst")


def tables_of(url: str) -> list[str]:
    with psycopg.connect(url) as connection:
        return [
            name
            for (name,) in connection.execute(
                "select schemaname || '.' || tablename from pg_tables"
                " where schemaname in ('platform', 'staging', 'production') order by 1"
            )
        ]


def test_a_login_of_a_dashboard_reads_three_schemas_and_cannot_become_more(database_url: str, analyst: str) -> None:
    hidden = tables_of(database_url)
    assert len(hidden) > 12
    with psycopg.connect(analyst, autocommit=True) as connection:
        for name in ("warehouse.fact_sales", "analytics.geography", "monitoring.layer_report"):
            connection.execute(f"select * from {name}")  # type: ignore[arg-type]
        for name in hidden:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(f"select * from {name}")  # type: ignore[arg-type]
        for statement in (
            "delete from warehouse.fact_sales",
            "update analytics.geography set revenue = 0",
            "truncate monitoring.quality_report",
            "create table warehouse.mine (x int)",
            "set role loader",
            "select * from production.typed_customers",
            "select platform.longest_transaction_seconds()",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)  # type: ignore[arg-type]


def test_assets_and_checks_act_as_loader(database_url: str) -> None:
    given = (build_definitions().resources or {})["database"].resource_fn(None)
    assert isinstance(given, Database)
    assert given.role == "loader"
    seen: list[str] = []

    def who(connection: psycopg.Connection) -> str:
        return connection.execute("select current_user").fetchone()[0]  # type: ignore[index]

    def evaluate(connection: psycopg.Connection, window: object) -> CheckOutcome:
        seen.append(who(connection))
        return CheckOutcome(True, 1, 0, "fine")

    @asset(key=["analytics", "geography"])
    def geography(database: Database) -> None:
        with database.connect() as connection:
            seen.append(who(connection))

    checks = asset_checks([TableCheck("who", "analytics.geography", "Who asks.", evaluate)])
    database = Database(url=database_url, role=given.role)
    defs = Definitions(assets=[geography], asset_checks=checks, resources={"database": database})
    with DagsterInstance.ephemeral() as instance:
        assert defs.resolve_implicit_global_asset_job_def().execute_in_process(instance=instance).success
    assert seen == ["loader", "loader"]


@pytest.mark.parametrize("resource", ["database", "io_manager", "publisher"])
@pytest.mark.parametrize(
    "config", [{"url": "postgresql://elsewhere/x"}, {"role": "ecommerce"}, {"database": {"url": "x"}}]
)
def test_a_run_does_not_say_which_database_it_uses(resource: str, config: dict[str, object]) -> None:
    """Any user who could launch a run could have the password sent to a server of their choice."""
    job = build_definitions().resolve_job_def("daily")
    with pytest.raises(DagsterInvalidConfigError, match="Received unexpected config entry"):
        validate_run_config(job, {"resources": {resource: {"config": config}}})


def test_nobody_else_may_call_what_runs_as_the_owner(database_url: str) -> None:
    """A SECURITY DEFINER function must not depend on the caller's search_path."""
    with psycopg.connect(database_url) as connection:
        rows = connection.execute(
            "select oid::regprocedure::text, proconfig from pg_proc where prosecdef"
            " and pronamespace::regnamespace::text not in ('pg_catalog', 'information_schema')"
        ).fetchall()
    assert dict(rows) == {
        "platform.longest_transaction_seconds()": ["search_path=pg_catalog, pg_temp"],
        "monitoring.tables_behind()": ["search_path=pg_catalog, pg_temp"],
    }


def test_nobody_else_enters_the_data_folder_and_an_older_one_is_narrowed(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data")
    prepare_dagster_home(settings, tmp_path)
    assert stat.S_IMODE(settings.data.stat().st_mode) == 0o700
    settings.data.chmod(0o755)
    prepare_dagster_home(settings, tmp_path)
    assert stat.S_IMODE(settings.data.stat().st_mode) == 0o700


def test_what_the_command_and_its_children_write_is_for_its_owner_alone(tmp_path: Path) -> None:
    program = (
        "import subprocess, sys; from ecommerce_platform import cli; cli.dotenv.load_dotenv = lambda *_, **__: None;"
        "command = cli.main.commands['status'];"
        "command.callback = lambda **_: (open('own', 'w').close(), subprocess.run(['touch', 'of_a_child']));"
        "cli.main(['status'], standalone_mode=False)"
    )
    before = os.umask(0o022)
    try:
        environment = {**os.environ, "PYTHONPATH": str(PROJECT_DIR)}
        subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True, env=environment)
        write_atomically(tmp_path / "report.json", b"[]")
    finally:
        os.umask(before)
    modes = {path.name: oct(path.stat().st_mode & 0o777) for path in tmp_path.iterdir()}
    assert modes == dict.fromkeys(("own", "of_a_child", "report.json"), "0o600")
