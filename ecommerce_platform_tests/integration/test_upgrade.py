"""A database from before change logs is upgraded in place: nothing is lost, and one run brings it up to date."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from ecommerce_platform.checks import table_checks
from ecommerce_platform.checks.catalogue import catalogue_check
from ecommerce_platform.checks.results import forget_former_checks
from ecommerce_platform.io_managers import PostgresConnection
from ecommerce_platform.io_managers.change_log import behind
from ecommerce_platform.postgres.ddl import DDL_DIR, apply_ddl
from ecommerce_platform.postgres.embedded import EmbeddedPostgres
from ecommerce_platform.resources.database import DatabaseDownError, require_tables
from ecommerce_platform.schemas.staging import GENERATED
from ecommerce_platform.tables.loaded_days import what_is_loaded
from ecommerce_platform_tests.harness import Platform, customer, day, line, order, product, returned, table_assets

NEW = (
    "055_staging.sql",
    "056_production.sql",
    "056_staging.sql",
    "057_staging.sql",
    "058_staging.sql",
    "086_warehouse.sql",
    "095_limits.sql",
    "105_warehouse.sql",
    "140_change_log.sql",
)
"""The DDL files that introduced change logs, and identifiers that are texts."""

REPEATED = ("060_rules.sql", "110_dashboards.sql", "900_grants.sql")
"""Views and grants that depend on them; older databases had different ones with the same names."""

STAGING = ("customers", "products", "transactions", "transaction_items")


def export(platform: Platform) -> None:
    platform.export(
        1,
        customers=[customer(1), customer(2, state="CA")],
        products=[product(1), product(2)],
        transactions=[order(1, 1), order(2, 2), order(3, 77)],
        transaction_items=[line(1, 1), line(1, 2, 2), line(2, 1), line(3, 1)],
    )
    platform.export(
        2,
        customers=[customer(1, on=2, state="NY")],
        transactions=[order(4, 1, on=2)],
        transaction_items=[line(4, 1)],
    )


def columns(url: str, table: str) -> list[str]:
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "select attname from pg_attribute where attrelid = %s::regclass and attnum > 0"
            " and not attisdropped and attgenerated = '' order by attnum",
            (table,),
        ).fetchall()
    return [name for (name,) in rows]


@pytest.fixture
def old(platform: Platform, postgres_server: EmbeddedPostgres, tmp_path: Path) -> Platform:
    """The data of ``platform`` in a database with only the old DDL."""
    export(platform)
    platform.run(1)
    platform.run(2)
    folder = tmp_path / "ddl"
    shutil.copytree(DDL_DIR, folder)
    for path in folder.glob("*.sql"):
        if path.name in (*NEW, *REPEATED) or path.name > NEW[-1]:
            path.unlink()
    postgres_server.create_database("before")
    url = postgres_server.url("before")
    apply_ddl(url, folder)
    with psycopg.connect(platform.url) as source, psycopg.connect(url) as target:
        # Costs could not be unknown yet. The change is not committed.
        source.execute("update warehouse.dim_product set cost = 0 where product_key = 0")
        target.execute("set session_replication_role = replica")
        for table in [*(f"staging.{feed}" for feed in STAGING), *table_assets()]:
            if target.execute("select to_regclass(%s)", (table,)).fetchone() == (None,):
                continue  # added later
            names = sql.SQL(", ").join(map(sql.Identifier, columns(url, table)))
            identifier = sql.Identifier(*table.split("."))
            rows = sql.SQL("copy (select {} from {}) to stdout").format(names, identifier)
            with (
                source.cursor().copy(rows) as out,
                target.cursor().copy(sql.SQL("copy {} ({}) from stdin").format(identifier, names)) as into,
            ):
                for block in out:
                    into.write(block)
        source.rollback()
        for table in ("dim_customer", "dim_product", "dim_payment"):
            key = f"{table.removeprefix('dim_')}_key"
            target.execute(
                sql.SQL("delete from {} where {} = 0").format(sql.Identifier("warehouse", table), sql.Identifier(key))
            )
        for feed in STAGING:
            target.execute(
                sql.SQL(
                    "update production.loaded_days as days set loaded_at = rows.loaded_at from {} as rows"
                    " where days.feed = {} and days.partition_date = rows.partition_date"
                ).format(sql.Identifier("staging", feed), sql.Literal(feed))
            )
    yield Platform(url, platform.raw)
    with psycopg.connect(postgres_server.url(), autocommit=True) as connection:
        connection.execute("drop database before with (force)")


def test_an_older_database_is_upgraded_in_place_and_settled_by_one_run(platform: Platform, old: Platform) -> None:
    with pytest.raises(DatabaseDownError, match=r"not applied from sql/ddl: 055_staging\.sql, .*140_change_log\.sql"):
        require_tables(old.url)
    assert set(NEW) <= set(apply_ddl(old.url))
    require_tables(old.url)
    assert old.content("production.loaded_days") == platform.content("production.loaded_days")
    assert old.content("warehouse.fact_sales") == platform.content("warehouse.fact_sales")
    for feed in STAGING:
        assert old.content(f"staging.{feed}") == platform.content(f"staging.{feed}")
    with PostgresConnection(url=old.url, role="loader").connect() as connection:
        catalogue = catalogue_check(old.url).run(connection)
        loaded = what_is_loaded(connection)
    assert catalogue.passed, (catalogue.description, catalogue.samples)
    assert loaded.passed == {day(1), day(2)}
    assert "warehouse.fact_sales" in loaded.behind
    assert loaded.days == set(), "no table has a watermark yet"
    assert loaded.to_run(day(1), day(2)) == [(day(2), day(2))]
    old.run(2)
    for table in table_assets():
        assert old.content(table) == platform.content(table), table
    with PostgresConnection(url=old.url, role="loader").connect() as connection:
        assert behind(connection) == {}


def test_a_slice_that_had_not_passed_before_the_upgrade_does_not_count_as_passed(old: Platform) -> None:
    """Its rows had replaced those that had passed: the day counts as missing and is reloaded."""
    old.execute("update staging.customers set loaded_at = now() where partition_date = %s", day(2))
    apply_ddl(old.url)
    with PostgresConnection(url=old.url, role="loader").connect() as connection:
        assert what_is_loaded(connection).passed == {day(1)}
    old.run(2)
    with PostgresConnection(url=old.url, role="loader").connect() as connection:
        assert what_is_loaded(connection).passed == {day(1), day(2)}


def test_a_value_that_was_not_trimmed_before_is_found_by_later_runs(platform: Platform) -> None:
    """What was computed from the value, in an index or a column, was computed by the former function."""
    now = (DDL_DIR / "030_parsing.sql").read_text(encoding="utf-8")
    before = re.sub(
        r"return nullif\(\s*btrim\(.*?\),\s*''\s*\);",
        r"return nullif(btrim(value, e' \\t\\r\\n'), '');",
        now,
        flags=re.DOTALL,
    )
    assert before != now
    with psycopg.connect(platform.url, autocommit=True) as connection:
        connection.execute(before.encode())
        connection.execute(
            "do $$ begin execute format('alter database %I set enable_seqscan = off', current_database()); end $$"
        )
    platform.load(1, customers=[{**customer(12), "customer_id": "12\u00a0"}], products=[product(1)])
    assert platform.rows("select customer_id < 0 from production.customers") == [(True,)]
    with psycopg.connect(platform.url, autocommit=True) as connection:
        for feed, names in GENERATED.items():
            for name in names:
                if name.endswith("_bucket"):
                    connection.execute(
                        sql.SQL("alter table {} drop column {} cascade").format(
                            sql.Identifier("staging", feed), sql.Identifier(name)
                        )
                    )
        connection.execute(now.encode())
        for name in ("057_staging.sql", "060_rules.sql", "146_blanks.sql", "900_grants.sql"):
            connection.execute((DDL_DIR / name).read_bytes())
    platform.load(2, customers=[customer(13, on=2)])
    assert platform.rows("select customer_id from production.customers order by 1") == [(12,), (13,)]
    platform.load(3, customers=[customer(12, on=3, city="Dallas")])
    versions = platform.rows(
        "select valid_from, city from production.customer_versions where customer_id = 12 order by 1"
    )
    assert versions == [(day(1), "Austin"), (day(3), "Dallas")]


def test_a_failure_of_a_check_that_was_renamed_stays_open(database_url: str) -> None:
    """`up` forgets the results of checks that no longer exist: an open failure must not disappear with its name."""
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "insert into platform.check_results"
            " (table_name, check_name, days, is_whole, severity, passed, rows_tested, violations, description)"
            " values ('warehouse.fact_sales', 'versions_in_force', '(,)', true, 'ERROR', false, 9, 3, 'wrong')"
        )
        connection.execute((DDL_DIR / "171_check_names.sql").read_bytes())
    forget_former_checks(database_url, table_checks())
    with psycopg.connect(database_url) as connection:
        rows = connection.execute("select check_name, violations from platform.check_results").fetchall()
    assert rows == [("versions_are_valid_on_sale_date", 3)]


def test_sums_of_returns_are_split_by_day_of_sale_in_place(platform: Platform) -> None:
    """They were by day of return, and by day of sale in agg_daily_sales."""
    platform.load(
        1, customers=[customer()], products=[product()], transactions=[order(1)], transaction_items=[line(1, 1)]
    )
    platform.load(2, transactions=[order(2, on=2)], transaction_items=[line(2, 1)])
    platform.load(3, returns=[returned(1, 1, on=3), returned(2, 1, on=3)])
    expected = platform.content("warehouse.agg_daily_returns")
    with psycopg.connect(platform.url) as connection:
        connection.execute(
            "alter table warehouse.agg_daily_sales add column returned_units bigint not null default 0,"
            " add column returns numeric(28, 2) not null default 0"
        )
        connection.execute(
            "create temp table sums as select return_date, sum(return_count) as return_count, sum(orders) as orders,"
            " sum(returned_units) as returned_units, sum(returns) as returns from warehouse.agg_daily_returns"
            " group by return_date"
        )
        connection.execute("delete from warehouse.agg_daily_returns")
        connection.execute(
            "alter table warehouse.agg_daily_returns drop column sale_date, add primary key (return_date)"
        )
        connection.execute("insert into warehouse.agg_daily_returns select * from sums")
        connection.execute((DDL_DIR / "211_warehouse.sql").read_bytes())
    assert platform.content("warehouse.agg_daily_returns") == expected
    assert len(expected) == 2
    with PostgresConnection(url=platform.url, role="loader").connect() as connection:
        assert catalogue_check(platform.url).run(connection).passed
        assert behind(connection) == {}
