"""A normal day reads and writes only rows that the day concerns, whether the history is short or long.

PostgreSQL counts the rows that scans read in each table and the rows that are written. The shop is the same every day:
customers arrive, buy for a few days, and leave; each day has a new product, and yesterday's new product becomes more
expensive. No customer's or product's history grows, so the rows that a day reads must not grow either. The limit is
half of a table's growth: more than any index scan needs, and less than one full scan.
"""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Iterator

import psycopg
import pytest

from ecommerce_platform.checks import table_checks
from ecommerce_platform.io_managers import PostgresConnection
from ecommerce_platform.io_managers.connection import close_idle_connections
from ecommerce_platform.io_managers.modes import Window
from ecommerce_platform.postgres.embedded import EmbeddedPostgres
from ecommerce_platform_tests.conftest import TEMPLATE
from ecommerce_platform_tests.harness import Platform, customer, day, line, order, product, returned

SHORT, LONG = 100, 400
ORDERS = 4
"""Orders per day: each by a customer of the last two days, with two products of the last three days. One comes back."""

IDENTIFIERS = {"customer_id", "product_id", "transaction_id", "item_id", "return_id"}

JUDGED_WHOLE = {
    "platform.slices",
    "production.loaded_days",
    "warehouse.dim_product",
    "warehouse.agg_customer_metrics",
    "warehouse.agg_daily_returns",
    "warehouse.agg_daily_sales",
    "warehouse.agg_product_performance",
    "warehouse.mart_customer_monthly",
    "warehouse.mart_daily_repeats",
    "warehouse.mart_product_daily",
    "warehouse.mart_product_monthly",
    "warehouse.mart_product_returns",
}
"""Small tables that a day's checks may read completely: versions, aggregates, and tables with one row per feed and day.
The intervals of mart_daily_repeats, by day and number of days, are compared in total with those of the customers. Of
mart_product_daily, a check reads one month; with so few days, the planner chooses a full scan."""

REBUILT = {"warehouse.agg_product_performance", "warehouse.mart_product_monthly", "warehouse.dim_product"}
"""Tables that a day reads completely to rebuild agg_product_performance: one row per product, per product version, or
per product and month."""

TINY = {"production.returns"}
"""A table of a few pages, which the planner may read completely."""


def export(platform: Platform, number: int, prefix: str) -> None:
    """Export the files of a normal day. A prefix makes texts of all identifiers."""
    numbers = [number * 10 + n for n in range(ORDERS)]
    feeds = {
        "customers": [
            customer(number * 2, on=number),
            customer(number * 2 + 1, on=number, state="NY"),
            *([customer(number * 2 - 2, on=number, state="CA")] if number > 1 else []),
        ],
        "products": [
            product(number, on=number),
            *([product(number - 1, on=number, price="12.00")] if number > 1 else []),
        ],
        "transactions": [order(n, max(2, number * 2 - n % 3), on=number, total="20.00") for n in numbers],
        "transaction_items": [line(n, item, max(1, number - (n + item) % 3)) for n in numbers for item in (1, 2)],
        # An order of three days ago comes back.
        "returns": [returned((number - 3) * 10, 1, on=number)] if number > 3 else [],
    }
    for row in itertools.chain.from_iterable(feeds.values()):
        row.update({name: f"{prefix}{row[name]}" for name in row if name in IDENTIFIERS})
    platform.export(number, **feeds)


def counters(platform: Platform) -> Counter[tuple[str, str]]:
    """Return rows read and rows written per table since the last reset of statistics, and current row counts."""
    close_idle_connections()  # A session reports its statistics when it ends.
    with psycopg.connect(platform.url, autocommit=True) as connection:
        others = (
            "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
            " and backend_type = 'client backend'"
        )
        while connection.execute(others).fetchone() != (0,):
            time.sleep(0.02)
        rows = connection.execute(
            """
            select schemaname || '.' || relname, seq_tup_read + coalesce(idx_tup_fetch, 0),
                n_tup_ins + n_tup_upd + n_tup_del, n_live_tup
            from pg_stat_user_tables
            """
        ).fetchall()
    names = ("read", "written", "rows")
    return Counter({(table, name): n for table, *counts in rows for name, n in zip(names, counts, strict=True)})


@pytest.fixture(scope="module", params=["", "A-"], ids=["numbers", "texts"])
def measured(
    request: pytest.FixtureRequest, postgres_server: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, dict[int, Counter[tuple[str, str]]]]]:
    """The cost of a day's load and checks, and the table sizes, after a short and after a long history."""
    name = "proportional_work"
    with psycopg.connect(postgres_server.url(), autocommit=True) as admin:
        admin.execute(f"create database {name} template {TEMPLATE}")
    platform = Platform(postgres_server.url(name), tmp_path_factory.mktemp("raw"))
    costs: dict[str, dict[int, Counter[tuple[str, str]]]] = {"load": {}, "checks": {}, "tables": {}}
    loaded = 0
    for history in (SHORT, LONG):
        for number in range(loaded + 1, history + 2):
            export(platform, number, request.param)
        # The measured day follows a single-day run, so the log that it reads is one day long.
        platform.run(loaded + 1, history - 1)
        platform.run(history)
        loaded = history + 1
        close_idle_connections()
        with psycopg.connect(platform.url, autocommit=True) as connection:
            connection.execute("vacuum (analyze)")
        before = counters(platform)
        platform.run(history + 1)
        after_load = counters(platform)
        with PostgresConnection(url=platform.url, role="loader").connect() as connection:
            window = Window(day(history + 1), day(history + 2))
            # The harness does not load the extracts.
            outcomes = {
                (check.table, check.name): check.run(connection, window)
                for check in table_checks(raw_folder=lambda: platform.raw)
                if check.severity == "ERROR" and not check.table.startswith("analytics")
            }
        after_checks = counters(platform)
        assert not [(key, outcome.description) for key, outcome in outcomes.items() if not outcome.passed]
        for what, now, then in (("load", after_load, before), ("checks", after_checks, after_load)):
            costs[what][history] = Counter({key: now[key] - then[key] for key in now})
        costs["tables"][history] = after_checks
    yield costs
    with psycopg.connect(postgres_server.url(), autocommit=True) as admin:
        admin.execute(f"drop database {name} with (force)")


def growing(costs: dict[str, dict[int, Counter[tuple[str, str]]]], what: str) -> set[str]:
    """Return the tables in which a day's reads grow by more than half of the table's growth."""
    rows, cost = costs["tables"], costs[what]
    growth = {
        table: rows[LONG][table, "rows"] - rows[SHORT][table, "rows"] for table, name in rows[LONG] if name == "rows"
    }
    return {
        table
        for table, more_rows in growth.items()
        if more_rows and cost[LONG][table, "read"] - cost[SHORT][table, "read"] > more_rows / 2
    }


def test_the_history_is_there_and_is_counted(measured) -> None:
    rows = {history: tables["warehouse.fact_sales", "rows"] for history, tables in measured["tables"].items()}
    lines = ORDERS * 2
    assert rows == {SHORT: lines * (SHORT + 1), LONG: lines * (LONG + 1)}
    assert measured["load"][LONG]["warehouse.fact_sales", "read"] >= lines


def test_a_day_writes_its_own_rows_and_no_others(measured) -> None:
    written = {
        history: {table: n for (table, name), n in cost.items() if name == "written" and n}
        for history, cost in measured["load"].items()
    }
    assert written[SHORT] == written[LONG]
    assert written[LONG]["warehouse.fact_sales"] == written[LONG]["staging.transaction_items"] == ORDERS * 2
    assert written[LONG]["production.transactions"] == ORDERS
    # Watermarks are written for each table and slices for each feed, whatever the day contains. A text gets a key once.
    assert written[LONG].get("production.identifiers", 0) in (0, 2 + 1 + ORDERS)
    books = (
        "platform.watermarks",
        "platform.slices",
        "change_log.production_loaded_days",
        "change_log.production_identifiers",
    )
    assert max(n for table, n in written[LONG].items() if table not in books) == ORDERS * 2
    assert not any(n for cost in measured["checks"].values() for (_, name), n in cost.items() if name == "written")


def test_what_a_day_reads_does_not_grow_with_the_history(measured) -> None:
    assert growing(measured, "load") <= REBUILT | TINY


def test_the_day_after_a_first_load_does_not_wait_for_statistics(platform: Platform) -> None:
    """Autovacuum runs a minute later, if at all: without statistics on the loaded days, a day read all of staging."""
    days, orders = 30, 500
    for number in range(1, days + 2):
        numbers = [number * orders + n for n in range(orders)]
        platform.export(
            number,
            customers=[customer(number, on=number)],
            products=[product(number, on=number)],
            transactions=[order(n, number, on=number) for n in numbers],
            transaction_items=[line(n, 1, number) for n in numbers],
        )
    platform.run(1, days)
    before = counters(platform)
    platform.run(days + 1)
    now = counters(platform)
    for table in ("staging.transactions", "staging.transaction_items"):
        assert orders <= now[table, "read"] - before[table, "read"] < orders * days, table


def test_what_the_checks_of_a_day_read_does_not_grow_with_staging_production_and_the_fact(measured) -> None:
    assert growing(measured, "checks") <= JUDGED_WHOLE
