"""The platform on a Citus cluster holds what it holds on one server. Skipped without ECOMMERCE_TEST_CITUS_URL.

Other tests run on the cluster as well when that variable is set: whatever uses the fixture ``database_url``, such as
properties/test_order_does_not_matter.py.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner
from psycopg.conninfo import conninfo_to_dict
from psycopg.errors import ForeignKeyViolation

from dashboards.app.snapshot_reader import read_snapshot
from ecommerce_platform import cli
from ecommerce_platform.checks.catalogue import catalogue_check
from ecommerce_platform.checks.outcome import as_sql
from ecommerce_platform.checks.verify import whole_database_checks
from ecommerce_platform.feeds.columns import FEEDS
from ecommerce_platform.feeds.files import feed_file_name, write_feed_file
from ecommerce_platform.feeds.order_keys import order_key
from ecommerce_platform.io_managers import PostgresConnection, Query
from ecommerce_platform.io_managers.cluster import estimated_rows, total_bytes
from ecommerce_platform.io_managers.lookup import describe
from ecommerce_platform.postgres.citus import BY_ORDER, EVERYWHERE, STAGED, spread
from ecommerce_platform.postgres.ddl import apply_ddl
from ecommerce_platform.postgres.embedded import EmbeddedPostgres
from ecommerce_platform.reports.health import database_health
from ecommerce_platform.settings import SQL_DIR, load_settings
from ecommerce_platform.shop.exports import feed_csv
from ecommerce_platform.shop.settings import ShopSettings
from ecommerce_platform_tests import cluster, harness
from ecommerce_platform_tests.conftest import TEMPLATE
from ecommerce_platform_tests.extracts import publish
from ecommerce_platform_tests.harness import (
    Platform,
    customer,
    day,
    line,
    order,
    product,
    returned,
    table_assets,
)

pytestmark = pytest.mark.citus

TABLES = [*(f"staging.{feed}" for feed in FEEDS), *table_assets()]
SHOP = ShopSettings(orders_per_day=100, customers=1_000, defect_rate=0.02)
COMPUTED = sorted(path.stem for path in (SQL_DIR / "transform" / "analytics").glob("*.sql"))


@pytest.fixture(scope="module")
def one_server(postgres_server: EmbeddedPostgres) -> Iterator[str]:
    """A fresh database on one server, to compare with."""
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(postgres_server.url(), autocommit=True) as connection:
        connection.execute(f"create database {name} template {TEMPLATE}")
        yield postgres_server.url(name)
        connection.execute(f"drop database {name} with (force)")


class Pair:
    """The same files loaded on a cluster and on one server."""

    def __init__(self, spread_url: str, plain_url: str, raw: Path):
        self.spread = Platform(spread_url, raw)
        self.plain = Platform(plain_url, raw)

    def load(self, number: int, **feeds) -> None:
        """Export a day and load it on both."""
        self.spread.export(number, **feeds)
        self.run(number)

    def run(self, first: int, last: int | None = None, only: list[str] | None = None) -> None:
        """Load days on both."""
        self.spread.run(first, last, only)
        self.plain.run(first, last, only)

    def require_equal(self) -> None:
        """Every table has the same rows in both."""
        for table in TABLES:
            assert self.spread.content(table, HIDDEN) == self.plain.content(table, HIDDEN), table


HIDDEN = ("loaded_at", "load_id", "order_key")


@pytest.fixture(scope="module")
def month(one_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Thirty days of the synthetic shop: 25 at once, then one at a time."""
    with cluster.fresh_database() as url:
        pair = Pair(url, one_server, tmp_path_factory.mktemp("month"))
        for number in range(1, 31):
            for feed in FEEDS:
                write_feed_file(feed_file_name(pair.spread.raw, feed, day(number)), feed_csv(SHOP, feed, day(number)))
        pair.run(1, 25)
        for number in range(26, 31):
            pair.run(number)
        for platform in (pair.spread, pair.plain):
            publish(platform, COMPUTED)
        yield pair


@pytest.fixture
def pair(postgres_server: EmbeddedPostgres, tmp_path: Path) -> Iterator[Pair]:
    """Two fresh databases."""
    name = f"test_{uuid.uuid4().hex}"
    with cluster.fresh_database() as url, psycopg.connect(postgres_server.url(), autocommit=True) as connection:
        connection.execute(f"create database {name} template {TEMPLATE}")
        yield Pair(url, postgres_server.url(name), tmp_path / "raw")
        connection.execute(f"drop database {name} with (force)")


def test_thirty_days_give_the_same_rows_in_every_table(month: Pair) -> None:
    month.require_equal()
    for name in COMPUTED:
        assert month.spread.content(f"analytics.{name}") == month.plain.content(f"analytics.{name}"), name
    assert len(month.spread.content("warehouse.fact_sales")) > 2_000


def test_thirty_days_are_verified(month: Pair) -> None:
    require_verified(month.spread, [f"analytics.{name}" for name in COMPUTED])


def require_verified(platform: Platform, extracts: Sequence[str] = ()) -> None:
    """All checks of ``verify`` over all days pass, but for those of what these tests do not compute."""
    with PostgresConnection(url=platform.url, role="loader").connect() as connection:
        outcome = catalogue_check(platform.url).run(connection)
        assert outcome.passed, outcome.description
        for check in whole_database_checks(lambda: platform.raw):
            if check.table.startswith(("monitoring.", "analytics.")) and check.table not in extracts:
                continue
            outcome = check.run(connection)
            assert outcome.passed or check.severity == "WARN", (check.table, check.name, outcome.description)


def test_orders_are_spread_and_what_they_are_joined_with_is_everywhere(month: Pair) -> None:
    with psycopg.connect(month.spread.url) as connection:
        kinds = dict(
            connection.execute(
                "select table_name::text, citus_table_type from citus_tables"
            ).fetchall()  # a view of Citus
        )
        work = {table for table in kinds if table.startswith("platform_work.")}
        assert len(work) == 2 * (len(BY_ORDER) - len(STAGED))
        for table in work:
            assert kinds.pop(table) == "distributed"
            assert connection.execute(as_sql(f"select count(*) from {table}")).fetchone() == (0,), table
        assert {table for table, kind in kinds.items() if kind == "distributed"} == set(BY_ORDER)
        assert {table for table, kind in kinds.items() if kind == "reference"} == set(EVERYWHERE)
        groups = connection.execute(
            "select count(distinct colocation_id) from citus_tables where citus_table_type = 'distributed'"
        ).fetchone()
        assert groups == (1,)


def test_sizes_and_numbers_of_rows_are_those_of_all_nodes(month: Pair) -> None:
    with PostgresConnection(url=month.spread.url, role="loader").connect() as connection:
        for name in ("warehouse.fact_sales", "production.customers", "warehouse.agg_daily_sales"):
            table = describe(connection, *name.split("."))
            rows = len(month.spread.content(name))
            assert 0.8 * rows <= estimated_rows(connection, table) <= 1.2 * rows, name
            assert total_bytes(connection, table) > 8_192, name
        health = {metric.metric: metric.value for metric in database_health(connection, month.spread.raw)}
        (alone,) = connection.execute("select pg_database_size(current_database())").fetchone() or (0,)
    assert health["database_bytes"] > 2 * alone


def test_the_reader_reads_what_pages_show_and_nothing_personal(month: Pair) -> None:
    reader = PostgresConnection(url=month.spread.url, role="reader")
    assert read_snapshot(reader)
    with reader.connect() as connection:
        views = connection.execute(
            "select table_schema || '.' || table_name from information_schema.views"
            " where table_schema in ('warehouse', 'monitoring')"
        ).fetchall()
        for (view,) in views:
            connection.execute(as_sql(f"select count(*) from {view}"))
        assert len(views) > 5
    for table in ("production.customers", "production.transactions", "staging.transactions"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege), reader.connect() as connection:
            connection.execute(as_sql(f"select * from {table} limit 1"))


def test_spreading_again_changes_nothing(month: Pair) -> None:
    assert spread(month.spread.url) == []
    month.require_equal()


def test_a_database_with_rows_is_spread_with_them(
    tmp_path: Path,
) -> None:
    with cluster.empty_database() as url:
        apply_ddl(url)
        pair = Pair(url, url, tmp_path / "raw")
        pair.spread.load(
            1, customers=[customer()], products=[product()], transactions=[order(1)], transaction_items=[line(1, 1)]
        )
        before = {table: pair.spread.content(table) for table in TABLES}
        assert set(spread(url)) == {*BY_ORDER, *EVERYWHERE}
        assert {table: pair.spread.content(table, HIDDEN) for table in TABLES} == before
        pair.spread.load(2, transactions=[order(2, on=2)], transaction_items=[line(2, 1)])
        assert pair.spread.rows("select count(*) from warehouse.fact_sales") == [(2,)]


def test_late_truth_lands_where_it_belongs(pair: Pair) -> None:
    """Late customers and prices, orders sent again, withdrawn images, versions and orders, and text identifiers."""
    sale = {"products": [product(), product(2)], "transactions": [order(1), order(2, 7), order("A-1", ""), order("")]}
    pair.load(1, customers=[customer()], **sale, transaction_items=[line(1, 1), line(2, 1, 2), line("A-1", "a")])
    pair.require_equal()
    # Customer 7 arrives late, with a move; the price of product 1 changes.
    pair.load(2, customers=[customer(7, on=1), customer(on=2, state="CA")], products=[product(on=2, price="12.00")])
    pair.require_equal()
    # Order 1 is sent again with other lines, and order 2 is returned.
    pair.load(
        3,
        transactions=[order(1, on=1, total="20.00"), order(3, on=3)],
        transaction_items=[line(1, 2, 2, quantity=2), line(3, 1, 9)],
        returns=[returned(2, 1, on=3), returned(9, 1, on=3)],
    )
    pair.require_equal()
    # A price of the past arrives, and a product that an order line waits for.
    pair.load(4, products=[product(9, on=3), product(on=1, at="11:00:00", cost="5.00")])
    pair.require_equal()
    # Day 2 is exported again without the customers; day 3 without anything.
    pair.load(2, products=[product(on=2, price="13.00")])
    pair.require_equal()
    pair.load(3)
    pair.require_equal()
    # Day 1 loses a product, its order, and the text identifier.
    pair.load(1, customers=[customer(), customer(7, on=1)], products=[product()], transactions=[order(1)])
    pair.require_equal()
    pair.run(1, 4)
    pair.require_equal()


def test_orders_in_other_currencies_are_rejected_on_any_node(pair: Pair) -> None:
    """The function that judges a currency reads a table, and a worker runs it."""
    orders = [order(number, currency=name) for number, name in enumerate(("", "USD", "EUR", "euro", "", "GBP"), 1)]
    pair.load(1, customers=[customer()], products=[product(), product(2, currency="EUR")], transactions=orders)
    pair.require_equal()
    assert len(pair.spread.content("production.transactions")) == 3


def test_two_order_ids_with_one_hash_are_refused_by_one_clear_sentence(pair: Pair) -> None:
    platform = pair.spread
    platform.load(1, customers=[customer()], products=[product()], transactions=[order("A-1")])
    # What a text with the same hash would have left there.
    platform.execute(
        "insert into production.identifiers (entity, identifier, key) values ('transaction', 'other', %s)",
        order_key("B-1"),
    )
    platform.export(2, transactions=[order("B-1", on=2)], transaction_items=[line("B-1", 1)])
    with pytest.raises(psycopg.errors.CheckViolation) as caught:
        platform.run(2)
    sentence = str(caught.value).splitlines()[0]
    assert sentence.startswith('production.identifiers: the order ID "B-1" has the same hash as an earlier one')
    assert len(platform.content("production.transactions")) == 1


def test_a_run_that_is_cut_is_made_good_by_the_next(pair: Pair) -> None:
    day_1 = {"customers": [customer()], "products": [product()], "transactions": [order(1)]}
    pair.load(1, **day_1, transaction_items=[line(1, 1)])
    pair.spread.export(
        2, customers=[customer(on=2, state="CA")], transactions=[order(2, on=2)], transaction_items=[line(2, 1)]
    )
    pair.plain.run(2)
    before = pair.spread.content("warehouse.fact_sales")

    # The run waits for the lock of the fact, between two tables, and loses its connection there.
    def load() -> None:
        with pytest.raises(psycopg.Error):
            pair.spread.run(2)

    with psycopg.connect(pair.spread.url, autocommit=True) as connection:
        connection.execute("select pg_advisory_lock(hashtextextended('write warehouse.fact_sales', 0))")
        run = threading.Thread(target=load)
        run.start()
        waiting = "select pid from pg_locks where locktype = 'advisory' and not granted"
        end = time.monotonic() + 60
        while not (found := connection.execute(waiting).fetchall()) and time.monotonic() < end:
            time.sleep(0.05)
        connection.execute("select pg_terminate_backend(%s::integer)", found[0])
        run.join()
    assert pair.spread.content("warehouse.fact_sales") == before
    assert len(pair.spread.content("production.transactions")) == 2
    pair.spread.run(1)
    pair.require_equal()


def as_setting(url: str) -> str:
    """The database of a libpq text as a URL, as the settings take it."""
    return "postgresql://{user}:{password}@{host}:{port}/{dbname}".format(**{"password": "", **conninfo_to_dict(url)})


def test_maintenance_deletes_on_every_node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A load that production never used goes from the distributed tables of staging; ``verify`` passes afterwards."""
    monkeypatch.setattr("ecommerce_platform.instance.home.set_key", lambda *_: None)
    monkeypatch.setattr("ecommerce_platform.cli.dotenv.load_dotenv", lambda *_, **__: None)
    monkeypatch.setenv("ECOMMERCE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("ECOMMERCE_STAGING_RETENTION_DAYS", "14")
    with cluster.fresh_database() as url:
        monkeypatch.setenv("ECOMMERCE_DATABASE_URL", as_setting(url))
        load_settings.cache_clear()
        platform = Platform(url, tmp_path / "raw")
        for number in range(1, 9):
            for feed in FEEDS:
                write_feed_file(feed_file_name(platform.raw, feed, day(number)), feed_csv(SHOP, feed, day(number)))
        platform.run(1, 8)
        before = {table: platform.content(table) for table in TABLES}
        platform.run(8, only=STAGED)
        for table in STAGED:
            platform.execute(f"update {table} set loaded_at = '2024-02-01'")
        result = CliRunner().invoke(cli.main, ["maintenance", "--json"])
        assert result.exit_code == 0, result.output
        deleted = {each["what"]: each["count"] for each in json.loads(result.stdout)["deleted"]}
        for table in STAGED:
            assert deleted[f"days of {table} with a load that production does not use"] == 1
            loads, days = platform.rows(f"select count(distinct load_id), count(distinct partition_date) from {table}")[
                0
            ]
            assert loads == days
        assert {table: platform.content(table) for table in TABLES} == before
        require_verified(platform)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(as_sql(f"drop database {connection.info.dbname}_dagster with (force)"))
    load_settings.cache_clear()


PLACEMENT = """
select logicalrelid::text, partmethod, repmodel, count(distinct nodename || nodeport)
from pg_dist_partition
left join pg_dist_shard using (logicalrelid)
left join pg_dist_placement using (shardid)
left join pg_dist_node using (groupid)
group by 1, 2, 3
order by 1
"""


def test_a_backup_is_restored_and_spread_again(tmp_path: Path) -> None:
    """The backup held the extension: restored, the cluster knew none of its nodes, and all rows were on one."""
    with cluster.fresh_database() as url:
        settings = {
            "ECOMMERCE_DATABASE_URL": as_setting(url),
            "ECOMMERCE_DATA_DIR": str(tmp_path / "data"),
        }

        def db(*words: str) -> None:
            command = [sys.executable, "-c", "from ecommerce_platform.cli import main; main()", "db", *words]
            done = subprocess.run(
                command, env={**os.environ, **settings}, capture_output=True, text=True, timeout=300, check=False
            )
            assert done.returncode == 0, done.stderr

        platform = Platform(url, tmp_path / "raw")
        for number in (1, 2):
            platform.load(
                number,
                customers=[customer(1)],
                products=[product(1)],
                transactions=[order(number, on=number)],
                transaction_items=[line(number, 1)],
            )
        placed = platform.rows(PLACEMENT)
        before = {table: platform.content(table) for table in TABLES}
        db("dump", "--", "--format=custom", f"--file={tmp_path / 'backup.dump'}")
        platform.execute("delete from warehouse.fact_sales")
        db(
            "restore",
            "--",
            "--clean",
            "--if-exists",
            "--exit-on-error",
            "--single-transaction",
            str(tmp_path / "backup.dump"),
        )
        spread(url)
        assert {table: platform.content(table) for table in TABLES} == before
        assert platform.rows(PLACEMENT) == placed
        platform.load(3, transactions=[order(3, on=3)], transaction_items=[line(3, 1)])
        require_verified(platform)


WATCHED = """
create table public.ddl (tag text, by text);
grant insert on public.ddl to public;
create function public.note() returns event_trigger language plpgsql as
$$ begin insert into public.ddl values (tg_tag, current_user); end $$;
create event trigger note on ddl_command_end execute function public.note();
"""


def definitions(platform: Platform, table: str) -> list[tuple]:
    """The constraints and indexes of a table."""
    return platform.rows(
        "select conname, pg_get_constraintdef(oid) from pg_constraint where conrelid = %s::regclass union all"
        " select indexrelid::regclass::text, pg_get_indexdef(indexrelid) from pg_index where indrelid = %s::regclass"
        " order by 1, 2",
        table,
        table,
    )


def test_a_first_load_that_breaks_a_key_leaves_an_empty_table_with_all_its_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Indexes and keys are made after the rows, in the same transaction."""
    fact = "warehouse.fact_sales"
    with cluster.fresh_database() as url:
        platform = Platform(url, tmp_path / "raw")
        platform.export(
            1, customers=[customer()], products=[product()], transactions=[order(1)], transaction_items=[line(1, 1)]
        )
        before = definitions(platform, fact)
        assert len(before) > 10
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("set citus.enable_ddl_propagation = off")
            connection.execute(WATCHED)
        platform.run(1, only=[table for table in TABLES if "warehouse." not in table or ".dim_" in table])
        platform.execute("delete from public.ddl")
        with psycopg.connect(url, cursor_factory=psycopg.ClientCursor) as connection:
            columns = describe(connection, *fact.split(".")).columns
        broken = ", ".join("-1 as payment_key" if name == "payment_key" else name for name in columns)
        given = harness.table_query

        def wrong(*arguments, **more) -> Query:
            query = given(*arguments, **more)
            return replace(query, select=f"select {broken} from ({query.select}) as given")

        with monkeypatch.context() as patch:
            patch.setattr(harness, "table_query", wrong)
            with pytest.raises(ForeignKeyViolation, match="fact_sales_payment_key_fkey"):
                platform.run(1, only=[fact])
        assert platform.content(fact) == []
        assert definitions(platform, fact) == before
        platform.run(1, only=[fact])
        made = platform.rows(
            "select tag, by, count(*) from public.ddl where tag ~ 'INDEX|TABLE' group by 1, 2 order by 1"
        )
        assert ("CREATE INDEX", conninfo_to_dict(url)["user"], 7) in made
        assert len(platform.content(fact)) == 1
        assert definitions(platform, fact) == before
