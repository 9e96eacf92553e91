"""Connections are reused, but never if broken, after an error, or for another database or role."""

from __future__ import annotations

import gc
import os
import threading
import time

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from ecommerce_platform.io_managers import PostgresConnection
from ecommerce_platform.io_managers.connection import ClientConnection, as_owner, close_idle_connections
from ecommerce_platform.io_managers.locks import locked
from ecommerce_platform.io_managers.transactions import transaction
from ecommerce_platform.postgres.embedded import EmbeddedPostgres

pytestmark = pytest.mark.integration


def backend(connection: ClientConnection) -> int:
    return connection.info.backend_pid


def sessions(url: str) -> int:
    """Return the number of our connections on the server."""
    return counted(
        url, "pg_stat_activity where application_name = 'ecommerce-platform' and datname = current_database()"
    )


def counted(url: str, what: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute(f"select count(*) from {what}").fetchone()  # type: ignore[arg-type]
    assert row is not None
    return row[0]


def wait_until_alone(url: str) -> None:
    deadline = time.monotonic() + 10
    while sessions(url) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert sessions(url) == 0


def test_the_next_use_gets_the_same_session_with_its_role(database_url: str) -> None:
    database = PostgresConnection(url=database_url, role="loader")
    with database.connect() as connection:
        first = backend(connection)
    with database.connect() as connection:
        assert backend(connection) == first
        assert connection.execute("select current_user").fetchone() == ("loader",)
        assert connection.autocommit


def test_a_server_compiles_no_expressions_for_us(database_url: str) -> None:
    """On PostgreSQL 15 with its defaults, dim_customer of one day took 1,490 ms instead of 770."""
    name = conninfo_to_dict(database_url)["dbname"]
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(sql.SQL("alter database {} set jit = on").format(sql.Identifier(str(name))))
    with PostgresConnection(url=database_url, role="loader").connect() as connection:
        assert connection.execute("show jit").fetchone() == ("off",)


def test_a_write_leaves_no_isolation_level_behind(database_url: str) -> None:
    database = PostgresConnection(url=database_url, role="loader")
    with database.connect() as connection, locked(connection, ["production.customers"]), transaction(connection):
        pass
    with database.connect() as connection, connection.transaction():
        assert connection.execute("show transaction_isolation").fetchone() == ("read committed",)


def test_the_role_is_back_after_an_error_of_the_owner(database_url: str) -> None:
    with PostgresConnection(url=database_url, role="loader").connect() as connection:
        with pytest.raises(ValueError, match="outside"), as_owner(connection):
            raise ValueError("outside of a transaction")
        assert connection.execute("select current_user").fetchone() == ("loader",)
        with pytest.raises(psycopg.errors.DivisionByZero), connection.transaction(), as_owner(connection):
            connection.execute("select 1 / 0")
        assert connection.execute("select current_user").fetchone() == ("loader",)


def test_each_use_at_a_time_has_its_own_session_and_at_most_four_stay(database_url: str) -> None:
    database = PostgresConnection(url=database_url)
    together = threading.Barrier(6)
    seen = set()

    def use() -> None:
        with database.connect() as connection:
            seen.add(backend(connection))
            together.wait(10)

    threads = [threading.Thread(target=use) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 6
    deadline = time.monotonic() + 10
    while sessions(database_url) > 4 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert sessions(database_url) == 4
    close_idle_connections()


def test_a_session_that_was_ended_while_it_rested_is_replaced(database_url: str) -> None:
    database = PostgresConnection(url=database_url)
    with database.connect() as connection:
        first = backend(connection)
    with psycopg.connect(database_url) as admin:
        admin.execute("select pg_terminate_backend(%s)", (first,))
    time.sleep(0.2)
    with database.connect() as connection:
        assert backend(connection) != first
        assert connection.execute("select 1").fetchone() == (1,)


def test_a_session_that_saw_an_error_is_not_used_again(database_url: str) -> None:
    database = PostgresConnection(url=database_url)
    with database.connect() as connection:
        first = backend(connection)

    def fail() -> None:
        with database.connect() as connection:
            assert backend(connection) == first
            connection.execute("select 1 / 0")

    with pytest.raises(psycopg.errors.DivisionByZero):
        fail()
    with database.connect() as connection:
        assert backend(connection) != first


def test_a_connection_that_is_given_back_inside_a_transaction_is_closed(database_url: str) -> None:
    database = PostgresConnection(url=database_url)
    with database.connect() as connection:
        first = backend(connection)
        connection.execute("begin")
        connection.execute("create temp table left_behind (n int)")
    with database.connect() as connection:
        assert backend(connection) != first


def test_a_role_that_does_not_exist_leaves_no_session(database_url: str) -> None:
    nobody = PostgresConnection(url=database_url, role="nobody_of_that_name")

    def enter() -> None:
        with nobody.connect():
            pass

    with pytest.raises(psycopg.errors.InvalidParameterValue) as failed:
        enter()
    assert "nobody_of_that_name" in str(failed.value)
    wait_until_alone(database_url)


def test_a_forked_child_has_sessions_of_its_own_and_leaves_its_parents_alone(database_url: str) -> None:
    database = PostgresConnection(url=database_url)
    with database.connect() as connection:
        first = backend(connection)
    answers, answer = os.pipe()
    child = os.fork()
    if not child:
        status = 1
        try:
            with database.connect() as connection:
                os.write(answer, str(backend(connection)).encode())
            close_idle_connections()
            gc.collect()
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    assert int(os.read(answers, 20)) != first
    with database.connect() as connection:
        assert backend(connection) == first


def test_another_role_or_database_closes_what_was_kept(database_url: str, postgres_server: EmbeddedPostgres) -> None:
    with PostgresConnection(url=database_url, role="loader").connect():
        pass
    with PostgresConnection(url=database_url, role="reader").connect() as connection:
        assert connection.execute("select current_user").fetchone() == ("reader",)
    with PostgresConnection(url=postgres_server.url()).connect():
        pass
    wait_until_alone(database_url)
    close_idle_connections()
