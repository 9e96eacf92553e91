"""The benchmark compares what its sides hold, to the last value."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from contextlib import suppress

import psycopg
import pyarrow as pa
import pytest
from psycopg import sql

from ecommerce_platform.cli.bench import BenchError, contents, require_equal, run_psql
from ecommerce_platform.cli.bench_day import recording
from ecommerce_platform.io_managers.connection import PostgresConnection, close_idle_connections
from ecommerce_platform.io_managers.copy import copy_rows
from ecommerce_platform.io_managers.transactions import transaction
from ecommerce_platform.postgres.embedded import EmbeddedPostgres
from ecommerce_platform_tests.conftest import TEMPLATE


@pytest.fixture
def other_url(postgres_server: EmbeddedPostgres) -> Iterator[str]:
    """A second database with the complete DDL."""
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(postgres_server.url(), autocommit=True) as connection:
        connection.execute(f"create database {name} template {TEMPLATE}")
        yield postgres_server.url(name)
        connection.execute(f"drop database {name} with (force)")


def execute(url: str, statement: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(statement)


def test_a_side_with_another_value_or_without_a_table_is_refused(database_url: str, other_url: str) -> None:
    for url in (database_url, other_url):
        execute(url, "insert into production.payment_methods values (1, 'Card'), (2, 'Cash')")
    require_equal(database_url, other_url, "dbt")

    execute(other_url, "update production.payment_methods set payment_method = 'cash' where payment_method_id = 2")
    with pytest.raises(BenchError, match=r"of dbt differ\. production\.payment_methods: 2 rows against 2$"):
        require_equal(database_url, other_url, "dbt")

    execute(other_url, "drop table production.payment_methods cascade")
    with pytest.raises(BenchError, match=r"production\.payment_methods: 2 rows against 0$"):
        require_equal(database_url, other_url, "dbt")


def test_a_file_that_fails_leaves_nothing_and_says_why(
    postgres_server: EmbeddedPostgres, database_url: str, other_url: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = tmp_path_factory.mktemp("psql") / "broken.sql"
    file.write_text("insert into production.payment_methods values (1, 'Card');\nselect no_such_column;\n")
    with pytest.raises(BenchError, match=r'broken\.sql: .*column "no_such_column" does not exist'):
        run_psql(postgres_server, database_url, file)
    require_equal(database_url, other_url, "psql")


def test_what_the_steps_of_assets_write_is_replayed_and_nothing_else(
    postgres_server: EmbeddedPostgres, database_url: str, other_url: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The statements, with their values, the rows of a COPY, and where a transaction begins and ends."""
    script = tmp_path_factory.mktemp("recorded") / "day.sql"
    lines = pa.record_batch({"payment_method_id": [3, 4], "payment_method": ['Gift, "card"', "\\."]})

    def write() -> None:
        with PostgresConnection(url=database_url, role="loader").connect() as connection:
            with transaction(connection):
                connection.execute("insert into production.payment_methods values (%s, %s)", (1, "it's; a :card"))
                copy_rows(connection, sql.SQL("production.payment_methods"), [lines])
            with suppress(ZeroDivisionError), transaction(connection):
                connection.execute("insert into production.payment_methods values (9, 'rolled back')")
                raise ZeroDivisionError

    def check() -> None:
        with PostgresConnection(url=database_url, role="loader").connect() as connection:
            connection.execute("select 1 / 1 as not_replayed")

    with recording(script):
        for name, work in {"production__payment_methods": write, "check__production__payment_methods": check}.items():
            step = threading.Thread(target=work, name=name)
            step.start()
            step.join()
    close_idle_connections()
    assert "not_replayed" not in script.read_text()
    run_psql(postgres_server, other_url, script, in_one_transaction=False)
    require_equal(database_url, other_url, "psql")
    assert contents(other_url)["production.payment_methods"][0] == 3
