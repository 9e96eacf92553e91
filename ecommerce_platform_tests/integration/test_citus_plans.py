"""What EXPLAIN says of the heavy statements on a Citus cluster. Skipped without ECOMMERCE_TEST_CITUS_URL."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import ClassVar

import psycopg
import pytest

from ecommerce_platform.checks.outcome import as_sql
from ecommerce_platform.feeds.columns import FEEDS
from ecommerce_platform.feeds.files import feed_file_name, write_feed_file
from ecommerce_platform.io_managers import PostgresConnection
from ecommerce_platform.io_managers.lookup import describe
from ecommerce_platform.io_managers.modes import Merge
from ecommerce_platform.postgres.citus import BY_ORDER, STAGED
from ecommerce_platform.shop.exports import feed_csv
from ecommerce_platform.shop.settings import ShopSettings
from ecommerce_platform.tables.lineage import transform_path
from ecommerce_platform_tests import cluster
from ecommerce_platform_tests.harness import Platform, day, mode_of

pytestmark = pytest.mark.citus

SHOP = ShopSettings(orders_per_day=100, customers=1_000, defect_rate=0.02)


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """A cluster with nine days of a shop, and the files of one more."""
    with cluster.fresh_database() as url:
        platform = Platform(url, tmp_path_factory.mktemp("plans"))
        for number in range(1, 11):
            for feed in FEEDS:
                write_feed_file(feed_file_name(platform.raw, feed, day(number)), feed_csv(SHOP, feed, day(number)))
        platform.run(1, 9)
        yield platform


HEAVY = {
    "production.transactions": 0,
    "production.transaction_items": 0,
    "production.returns": 0,
    "warehouse.fact_sales": 0,
    "warehouse.fact_returns": 0,
    "warehouse.agg_daily_sales": 1,
    "warehouse.agg_daily_returns": 0,
    "warehouse.mart_product_daily": 0,
    "warehouse.mart_product_returns": 0,
    "warehouse.mart_daily_breakdown": 2,
    "warehouse.mart_product_pairs": 1,
    "warehouse.mart_daily_repeats": 3,
    "warehouse.mart_customer_monthly": 0,
    "warehouse.dim_customer": 1,
    "production.payment_methods": 0,
    "production.rejected_rows": 2,
}
"""The SELECTs that read tables of orders, and in how many steps they gather rows of them before the last one."""


@pytest.mark.parametrize("table", HEAVY)
def test_a_heavy_statement_runs_on_the_workers(platform: Platform, table: str) -> None:
    """The plan has a task for each shard, and the first load of a distributed table reads and writes on one node."""
    mode = mode_of(table)
    assert isinstance(mode, Merge)
    select = transform_path(table).read_text(encoding="utf-8")
    with PostgresConnection(url=platform.url, role="loader").connect() as connection:
        place = describe(connection, *table.split("."))
        types = ", ".join(f"null::{place.columns[name]} as {name}" for name in mode.scope)
        statement = f"with scope as (select {types} where false) select * from ({select}) as given"
        if place.placement == "spread":
            names = ", ".join(
                column.name
                for column in connection.execute(as_sql(f"{statement} limit 0"), {"is_full_refresh": True}).description
                or ()
            )
            statement = f"insert into {table} ({names}) {statement.replace('select * from', f'select {names} from')}"
        plan = [
            line
            for (line,) in connection.execute(as_sql(f"explain (costs off) {statement}"), {"is_full_refresh": True})
        ]
        (shards,) = connection.execute(
            "select count(*) from pg_dist_shard where logicalrelid = 'warehouse.fact_sales'::regclass"
        ).fetchone() or (0,)
    assert any("Custom Scan (Citus Adaptive)" in line for line in plan), plan
    assert "INSERT/SELECT method" not in "".join(plan), "rows are sent from node to node"
    counts = [int(line.split(":")[1]) for line in plan if "Task Count" in line]
    assert shards > 1
    assert max(counts) == shards, plan
    assert sum(count == shards for count in counts) - 1 <= HEAVY[table], plan


WRITES = re.compile(r'\s*(?:insert into|update|delete from) "(\w+)"\."(\w+)"')
COMPARED = [table for table in BY_ORDER if table not in STAGED]
WORK = [f"platform_work.{table.replace('.', '_')}" for table in COMPARED]
SCOPES = [f"{table}_scope" for table in WORK]


class Explaining(psycopg.ClientCursor):
    """Explains each statement that writes orders or work tables, before it runs."""

    plans: ClassVar[list[tuple[str, list[str]]]] = []

    def execute(self, query, params=None, **options):  # type: ignore[no-untyped-def]
        """Run a statement, and note what it writes and its plan."""
        text = self.mogrify(query, params)
        found = WRITES.match(text)
        name = ".".join(found.groups()) if found else ""
        if name in (*COMPARED, *WORK, *SCOPES):
            super().execute(as_sql(f"explain (costs off) {text}"))
            self.plans.append((name, [line for (line,) in self.fetchall()]))
        return super().execute(query, params, **options)


def test_a_days_rows_of_orders_stay_on_their_nodes(platform: Platform) -> None:
    """Of all statements that write orders, only those that send the keys of the scope send rows from node to node."""
    inner = PostgresConnection(url=platform.url, role="loader")

    @contextmanager
    def connect() -> Iterator[psycopg.Connection]:
        with inner.connect() as connection:
            connection.cursor_factory = Explaining
            yield connection
            connection.cursor_factory = psycopg.ClientCursor

    Explaining.plans.clear()
    watched = Platform(platform.url, platform.raw)
    watched._connection = SimpleNamespace(connect=connect)  # type: ignore[assignment]
    results = watched.run(10)
    (shards,) = platform.rows(
        "select count(*) from pg_dist_shard where logicalrelid = 'warehouse.fact_sales'::regclass"
    )[0]
    assert all(results[table].inserted for table in COMPARED)
    assert {name for name, _ in Explaining.plans} == {*COMPARED, *WORK, *SCOPES}
    for name, plan in Explaining.plans:
        if any("INSERT/SELECT method" in line for line in plan):
            assert name in SCOPES, plan
        else:
            assert [line.split(":")[1].strip() for line in plan if "Task Count" in line] == [str(shards)], plan
