"""The dashboard application on a real database, without a browser: SQL statements, caching, and the command."""

from __future__ import annotations

import datetime as dt
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
from click.testing import CliRunner
from pydantic import PrivateAttr

from dashboards.app.content import Dashboards
from dashboards.app.filters import Filters, View
from dashboards.app.formats import exact
from dashboards.app.health import FRESH, LATE, STALE, UNKNOWN, Health, TableReport, freshness_of, staleness
from dashboards.app.page_answers import page_answers
from dashboards.app.server import create_app
from dashboards.app.snapshot import DatabaseError
from dashboards.app.store import Store
from dashboards.spec.pages import EXECUTIVE, PAGES
from ecommerce_platform.cli import main, serving
from ecommerce_platform.feeds.files import feed_file_name, write_feed_file
from ecommerce_platform.io_managers import PostgresConnection
from ecommerce_platform.io_managers.connection import ClientConnection
from ecommerce_platform.settings import PROJECT_DIR, load_settings
from ecommerce_platform.tables.loaded_days import note_reporting_currency
from ecommerce_platform_tests.harness import Platform, customer, line, order, product
from ecommerce_platform_tests.ports import free_port


class Overheard(PostgresConnection):
    """Records every statement as the server receives it, with bound values."""

    _statements: list[str] = PrivateAttr(default_factory=list)

    @contextmanager
    def connect(self) -> Generator[ClientConnection]:
        statements = self._statements

        class Cursor(psycopg.ClientCursor):
            def execute(self, query, params=None, **options):
                statements.append(self.mogrify(query, params))
                return super().execute(query, params, **options)

            def copy(self, statement, params=None, **options):
                statements.append(self.mogrify(statement, params))
                return super().copy(statement, params, **options)

        with super().connect() as connection:
            connection.cursor_factory = Cursor
            yield connection


def test_no_text_of_an_address_ever_reaches_sql(sales: Platform) -> None:
    connection = Overheard(url=sales.url, role="reader")
    client = create_app(connection, look_every=0.0, in_background=False).server.test_client()
    marks = ["zq' or 1=1 --zq", "zq'; drop table warehouse.fact_sales; --", "zq%(start)s", 'zq"', "zq\x00"]
    for name in ("category", "state", "period", "from", "product", "level", "zqname"):
        for mark in marks:
            assert client.get(f"/csv/revenue_trend?{name}={quote(mark)}").status_code == 200
    assert client.get("/csv/revenue_trend?state=US-CA&category=Books").status_code == 200
    statements = connection._statements
    assert len(statements) > 40
    assert not [statement for statement in statements if "zq" in statement or "US-CA" in statement]
    assert not [statement for statement in statements if "production." in statement or "staging." in statement]


def test_a_csv_file_of_every_chart_is_there(sales: Platform) -> None:
    client = create_app(PostgresConnection(url=sales.url, role="reader")).server.test_client()
    for page in PAGES:
        for visual in page.visuals:
            response = client.get(f"/csv/{visual.id}")
            assert response.status_code == 200
            assert response.mimetype == "text/csv"
    assert client.get("/csv/passwords").status_code == 404
    assert client.get("/csv/..%2f..%2fetc%2fpasswd").mimetype == "text/html"


@pytest.mark.parametrize(
    ("query", "days"),
    [
        ("", "2024-03-06_2025-03-05"),
        ("?range=all", "2024-01-01_2025-03-05"),
        ("?from=2024-02-01&to=2024-12-31&period=2024-02", "2024-02-01_2024-02-29"),
        ("?from=2030-01-01&to=2030-01-31", "2030-01-01_2030-01-31"),
    ],
)
def test_a_csv_file_is_named_after_its_days(sales: Platform, query: str, days: str) -> None:
    client = create_app(PostgresConnection(url=sales.url, role="reader")).server.test_client()
    named = client.get(f"/csv/top_products{query}").headers["content-disposition"]
    assert named == f'attachment; filename="top_products_{days}.csv"'
    for name in ("rejects", "stock_cover"):  # of pages that do not follow the dates
        named = client.get(f"/csv/{name}{query}").headers["content-disposition"]
        assert named == f'attachment; filename="{name}.csv"'


def test_an_address_without_a_page_is_not_found(sales: Platform) -> None:
    client = create_app(PostgresConnection(url=sales.url, role="reader")).server.test_client()
    assert {client.get(path).status_code for path in ("/nope", "/products/x", "/health.php")} == {404}
    assert {client.get(path).status_code for page in PAGES for path in (page.path, f"{page.path}?x")} == {200}
    assert client.get("/_dash-layout").status_code == 200


def test_the_browser_is_told_to_ask_nobody_else(sales: Platform) -> None:
    client = create_app(PostgresConnection(url=sales.url, role="reader")).server.test_client()
    response = client.get("/products?state=%22%3E%3Cscript%3E")
    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "http" not in policy
    assert "<script>alert" not in response.text
    client.set_cookie("theme", 'dark"><script>')
    assert 'data-theme="light"' in client.get("/").text
    client.set_cookie("theme", "dark")
    assert 'data-theme="dark"' in client.get("/").text


def sell(platform: Platform, number: int) -> None:
    platform.load(
        number,
        customers=[customer(1)],
        products=[product(1)],
        transactions=[order(number, on=number)],
        transaction_items=[line(number, number)],
    )


def test_a_snapshot_is_kept_until_the_data_change(platform: Platform) -> None:
    store = Store(PostgresConnection(url=platform.url, role="reader"), look_every=0.0, in_background=False)
    assert store.current().is_empty
    sell(platform, 1)
    first = store.current()
    assert page_answers(first, EXECUTIVE, View(Filters("all"))).kpis["orders"].value == 1
    assert store.current() is first
    platform.execute("update warehouse.dim_product set product_name = 'New name'")
    # The server counts what a session has changed up to ten seconds later.
    deadline = time.monotonic() + 60
    while (renamed := store.current()) is first:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert renamed.name("product", "1") == "New name"


def test_answers_are_kept_by_filters_and_data_version(platform: Platform) -> None:
    sell(platform, 1)
    store = Store(PostgresConnection(url=platform.url, role="reader"), look_every=0.0, in_background=False)
    dashboards = Dashboards(store)
    first = dashboards.content(EXECUTIVE, "?range=all")
    assert dashboards.content(EXECUTIVE, "?range=all&table=sales_map").answers is first.answers
    assert dashboards.content(EXECUTIVE, "?range=all&state=US-TX").answers is not first.answers
    sell(platform, 2)
    deadline = time.monotonic() + 60
    while (latest := dashboards.content(EXECUTIVE, "?range=all")).answers is first.answers:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert (first.kpis["orders"].value, latest.kpis["orders"].value) == (1, 2)


def test_the_old_numbers_answer_while_newer_ones_are_read(platform: Platform) -> None:
    sell(platform, 1)
    store = Store(PostgresConnection(url=platform.url, role="reader"), look_every=0.0)
    first = store.current()
    sell(platform, 2)
    assert store.current() is first
    for _ in range(200):
        if (latest := store.current()) is not first:
            break
        time.sleep(0.02)
    assert latest.last_day == first.last_day + dt.timedelta(days=1)


def test_a_database_that_cannot_be_read_is_one_clear_error(sales: Platform) -> None:
    gone = psycopg.conninfo.make_conninfo(sales.url, dbname="nowhere")
    with pytest.raises(DatabaseError, match=r"PostgreSQL is not responding.*nowhere"):
        Store(PostgresConnection(url=gone, role="reader")).current()
    with psycopg.connect(sales.url, autocommit=True) as connection:
        connection.execute("create database without_tables")
    empty = psycopg.conninfo.make_conninfo(sales.url, dbname="without_tables")
    with pytest.raises(DatabaseError, match="Cannot read the database"):
        Store(PostgresConnection(url=empty, role="reader")).current()


NOW = dt.datetime(2026, 3, 2, 9, tzinfo=dt.UTC)


@pytest.mark.parametrize(("hours", "state"), [(1, FRESH), (26, FRESH), (27, LATE), (36, LATE), (37, STALE)])
def test_a_layer_is_as_fresh_as_its_policy_says(hours: int, state: str) -> None:
    assert freshness_of(NOW - dt.timedelta(hours=hours), NOW) == state
    loaded = TableReport("warehouse.fact_sales", "warehouse", 1, NOW - dt.timedelta(hours=hours), None)
    told = staleness(Health([loaded], [], [], 0), NOW.date() - dt.timedelta(days=1), NOW)
    assert (told is None) == (state == FRESH)
    assert freshness_of(None, NOW) == UNKNOWN


def test_with_a_connector_only_exports_that_wait_make_data_stale(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A static dump was called stale a day after its load, and an old one at once where its files are out of reach."""
    monkeypatch.setenv("ECOMMERCE_SOURCE", "online_retail")
    load_settings.cache_clear()
    old = Health([TableReport("warehouse.fact_sales", "warehouse", 1, NOW - dt.timedelta(days=90), None)])
    last = dt.date(2011, 12, 9)
    assert staleness(old, last, NOW) is None
    for day in (last, last + dt.timedelta(days=1)):
        write_feed_file(feed_file_name(load_settings().feed_files, "transactions", day), b"")
    assert staleness(old, last, NOW) == "The latest data is from 9 Dec 2011; the exports hold orders until 10 Dec 2011."
    assert staleness(old, last + dt.timedelta(days=1), NOW) is None


# Command


def test_amounts_have_the_currency_of_the_database(
    database_url: str, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A container of the dashboards does not see the file that notes a connector's currency."""
    monkeypatch.setenv("ECOMMERCE_CURRENCY", "USD")
    load_settings.cache_clear()
    note_reporting_currency(database_url, "GBP")
    serving.show_the_currency_of(database_url)
    assert exact(Decimal("1234.5"), "money") == "£1,234.50"


def test_a_taken_port_is_one_clear_error(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ecommerce_platform.cli.dotenv.load_dotenv", lambda *_, **__: None)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        monkeypatch.setenv("ECOMMERCE_DASHBOARD_PORT", str(port))
        done = CliRunner().invoke(main, ["dashboard"])
    assert done.exit_code == 2
    said = " ".join(done.output.split())
    assert f"ECOMMERCE_DASHBOARD_PORT: 127.0.0.1:{port}: Address already in use" in said
    assert f"ECOMMERCE_DASHBOARD_PORT={port + 1}" in said.replace("= ", "=")
    assert not data_dir.exists()


def test_one_port_for_both_servers_is_refused(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ecommerce_platform.cli.serving import serve_until_stopped
    from ecommerce_platform.settings import SettingsError, load_settings

    monkeypatch.setenv("ECOMMERCE_DASHBOARD_PORT", "3000")
    load_settings.cache_clear()
    with pytest.raises(SettingsError, match="ECOMMERCE_DASHBOARD_PORT: 3000 is also Dagster's port"):
        serve_until_stopped(load_settings())


def test_the_command_serves_until_it_is_interrupted(database_url: str, tmp_path: Path) -> None:
    port = free_port()
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("ECOMMERCE_")},
        "ECOMMERCE_DATABASE_URL": database_url,
        "ECOMMERCE_DATA_DIR": str(tmp_path / "data"),
        "ECOMMERCE_DASHBOARD_PORT": str(port),
        "DAGSTER_HOME": str(tmp_path),
    }
    # The developer's .env and Dagster home must not change.
    code = (
        "from ecommerce_platform import cli; from ecommerce_platform.instance import home;"
        "cli.dotenv.load_dotenv = lambda *_, **__: None; home.set_key = lambda *_: None; cli.main()"
    )
    process = subprocess.Popen([sys.executable, "-c", code, "dashboard"], cwd=PROJECT_DIR, env=environment)
    try:
        for _ in range(300):
            try:
                answer = urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5).read()
                break
            except OSError:
                assert process.poll() is None
                time.sleep(0.1)
        assert answer == b"ok\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
    finally:
        process.kill()
