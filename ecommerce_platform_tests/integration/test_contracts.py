"""Schemas, DDL, and database describe the same tables."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import ibis
import psycopg
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from pandera.errors import SchemaErrors

from ecommerce_platform.checks.compiler import compile_contract
from ecommerce_platform.checks.contract import contract
from ecommerce_platform.checks.outcome import as_sql
from ecommerce_platform.checks.verify import make_empty_scope
from ecommerce_platform.feeds.columns import BLANKS
from ecommerce_platform.feeds.values import FILLED
from ecommerce_platform.io_managers.connection import ClientConnection
from ecommerce_platform.postgres.embedded import EmbeddedPostgres
from ecommerce_platform.postgres.facts import catalogue, column_types
from ecommerce_platform.schemas import schema_of
from ecommerce_platform.settings import SQL_DIR
from ecommerce_platform.tables.manifest import tables
from ecommerce_platform_tests.conftest import TEMPLATE

SCHEMA_NAMES = ["staging", "production", "warehouse", "analytics", "monitoring"]
TRANSFORMED = [table for table in tables() if (SQL_DIR / "transform" / f"{table.replace('.', '/')}.sql").exists()]


@pytest.fixture(scope="module")
def connection(postgres_server: EmbeddedPostgres) -> Iterator[ClientConnection]:
    """The owner's connection to a database with the DDL and no rows."""
    with psycopg.connect(postgres_server.url(), autocommit=True) as admin:
        admin.execute(f"create database contracts template {TEMPLATE}")
    with psycopg.connect(
        postgres_server.url("contracts"), autocommit=True, cursor_factory=psycopg.ClientCursor
    ) as opened:
        opened.execute("delete from warehouse.dim_date")
        yield opened


def test_every_table_of_the_database_has_a_schema_and_every_schema_a_table(
    connection: ClientConnection,
) -> None:
    found = connection.execute(
        "select schemaname || '.' || tablename from pg_tables where schemaname = any (%s)", (SCHEMA_NAMES,)
    ).fetchall()
    assert {name for (name,) in found} == set(tables())


@pytest.mark.parametrize("table", tables())
def test_a_schema_has_exactly_the_columns_of_its_table(connection: ClientConnection, table: str) -> None:
    assert set(schema_of(table).columns) == set(column_types(connection, table))


@pytest.mark.parametrize("table", tables())
def test_a_schema_forbids_nulls_where_the_ddl_does(connection: ClientConnection, table: str) -> None:
    rows = connection.execute(
        "select attname, attnotnull from pg_attribute where attrelid = %s::regclass and attnum > 0"
        " and not attisdropped",
        (table,),
    ).fetchall()
    assert {name: not column.nullable for name, column in schema_of(table).columns.items()} == dict(rows)


def primary_key(connection: ClientConnection, table: str) -> list[str]:
    """Return the primary key columns of a table (schema.table); empty if it has no primary key."""
    rows = connection.execute(
        """
        select attribute.attname
        from pg_catalog.pg_index as index
        join pg_catalog.pg_attribute as attribute
            on attribute.attrelid = index.indrelid and attribute.attnum = any (index.indkey::smallint[])
        where index.indrelid = to_regclass(%s) and index.indisprimary
        order by attribute.attnum
        """,
        (table,),
    ).fetchall()
    return [name for (name,) in rows]


@pytest.mark.parametrize("table", tables())
def test_a_schema_is_unique_by_the_primary_key(connection: ClientConnection, table: str) -> None:
    assert set(schema_of(table).unique or []) == set(primary_key(connection, table))


def test_every_table_and_every_column_says_what_it_is(connection: ClientConnection) -> None:
    silent = connection.execute(
        """
        select attribute.attrelid::regclass || '.' || attribute.attname
        from pg_attribute as attribute
        join pg_class as class on class.oid = attribute.attrelid and class.relkind = 'r'
        where class.relnamespace::regnamespace::text = any (%s) and attribute.attnum > 0
            and not attribute.attisdropped and col_description(attribute.attrelid, attribute.attnum) is null
        union all
        select oid::regclass::text from pg_class
        where relkind in ('r', 'v') and relnamespace::regnamespace::text = any (%s)
            and obj_description(oid, 'pg_class') is null
        """,
        (SCHEMA_NAMES, SCHEMA_NAMES),
    ).fetchall()
    assert silent == []


@pytest.mark.parametrize("table", TRANSFORMED)
def test_a_select_gives_exactly_the_columns_of_its_table(connection: ClientConnection, table: str) -> None:
    def text(folder: str) -> str | None:
        path = SQL_DIR / folder / f"{table.replace('.', '/')}.sql"
        return path.read_text(encoding="utf-8") if path.exists() else None

    days = {"window_start": "2024-01-01", "window_end": "2024-01-02"}
    parameters: dict[str, object] = {**days, "judged": [], "is_full_refresh": True}
    generated = connection.execute(
        "select attname from pg_attribute where attrelid = %s::regclass and attgenerated <> ''", (table,)
    ).fetchall()
    with connection.transaction(force_rollback=True):
        scope = text("scope")
        if scope is not None:
            make_empty_scope(connection, table, scope)
        cursor = connection.execute(text("transform") or "", parameters)  # type: ignore[arg-type]
        given = {column.name for column in cursor.description or ()}
    assert given == set(column_types(connection, table)) - {name for (name,) in generated}


def test_a_blank_is_the_same_for_the_database_its_contracts_and_the_readers_of_files(
    connection: ClientConnection,
) -> None:
    letters = [chr(n) for n in range(1, 0x30000) if not 0xD800 <= n < 0xE000]
    trimmed, unfilled = (
        {row[0] for row in connection.execute(f"select l from unnest(%(l)s::text[]) as of (l) where {blank}", values)}
        for values in [{"l": letters, "filled": FILLED}]
        for blank in ("platform.clean(l) is null", "l !~ %(filled)s")
    )
    by_arrow = pc.call_function("match_substring_regex", [pa.array(letters)], pc.MatchSubstringOptions(FILLED))
    assert trimmed == unfilled == set(BLANKS)
    assert {letter for letter, is_filled in zip(letters, by_arrow.to_pylist(), strict=True) if not is_filled} == set(
        BLANKS
    )
    assert set(filter(str.isspace, letters)) < set(BLANKS)


@pytest.mark.parametrize("table", tables())
def test_a_contract_runs_on_an_empty_table(connection: ClientConnection, table: str) -> None:
    outcome = contract(table).run(connection)
    assert (outcome.passed, outcome.rows_tested) == (True, 0)


def test_a_column_that_the_schema_does_not_know_breaks_the_contract(connection: ClientConnection) -> None:
    with connection.transaction(force_rollback=True):
        connection.execute("alter table warehouse.dim_payment add column color text")
        outcome = contract("warehouse.dim_payment").run(connection)
    assert not outcome.passed
    assert outcome.samples == [{"column": "color", "where": "table"}]


def test_no_schema_has_a_lower_limit_for_an_amount_than_its_column(connection: ClientConnection) -> None:
    """A day with two sales at a cost of 9,999,999,999.99 was rejected: a contract limited profit like a price."""
    amounts = connection.execute(
        """
        select attrelid::regclass::text, attname, (atttypmod - 4) >> 16, (atttypmod - 4) & 65535
        from pg_attribute
        join pg_class on pg_class.oid = attrelid and relkind = 'r'
        where relnamespace::regnamespace::text = any (%s) and attnum > 0 and not attisdropped
            and atttypid = 'numeric'::regtype and atttypmod > 0
        """,
        (["production", "warehouse", "analytics"],),
    ).fetchall()
    lower = [
        f"{table}.{column}: {check.statistics}"
        for table, column, precision, scale in amounts
        if precision - scale >= 10
        for check in schema_of(table).columns[column].checks
        if check.statistics and (limit := check.statistics.get("max_value")) is not None
        if limit < 10 ** (precision - scale)
    ]
    assert len(amounts) > 50
    assert lower == []


def test_a_key_that_the_database_no_longer_keeps_unique_is_counted(connection: ClientConnection) -> None:
    with connection.transaction(force_rollback=True):
        connection.execute("alter table warehouse.dim_payment drop constraint dim_payment_pkey cascade")
        connection.execute("insert into warehouse.dim_payment values (1, 'Cash', 'Other'), (1, 'Barter', 'Other')")
        outcome = contract("warehouse.dim_payment").run(connection)
    assert not outcome.passed
    assert outcome.violations == 2
    assert outcome.samples[0]["rule"] == "unique: payment_key"


@pytest.mark.parametrize(
    ("identifiers", "violations"),
    [
        ([*range(1, 51), *[1] * 50], 0),
        ([*range(1, 50), *[1] * 51], 51),
        ([*[1] * 51, *range(2, 51)], 0),
        ([*[1] * 52, *range(2, 50)], 51),
    ],
    ids=["half-at-the-end", "more-at-the-end", "half-at-the-start", "more-at-the-start"],
)
def test_repeats_of_a_key_are_counted_wherever_they_are_in_a_file(
    connection: ClientConnection, identifiers: list[int], violations: int
) -> None:
    """A file's first rows are looked at first; at most half of its rows may repeat a key."""
    with connection.transaction(force_rollback=True):
        connection.execute("insert into platform.slices values ('staging.transactions', '2024-01-07', 1000, 100)")
        connection.execute(
            "insert into staging.transactions (transaction_id, customer_id, transaction_date, transaction_time,"
            " payment_method, total_amount, partition_date, source_file, source_row, load_id, loaded_at)"
            " select id, '1', '2024-01-07', '', 'Cash', '1.00', '2024-01-07', 'transactions/2024-01-07.csv', n, 1000,"
            " now() from unnest(%s::text[]) with ordinality as of (id, n)",
            ([str(number) for number in identifiers],),
        )
        outcome = contract("staging.transactions").run(connection)
    assert outcome.rows_tested == 100
    assert (outcome.passed, outcome.violations) == (not violations, violations)


def test_a_rule_that_a_check_keeps_is_named_and_asked_where_the_check_is_gone(
    connection: ClientConnection,
) -> None:
    rule, table = "orders: greater_than(0)", "warehouse.mart_product_daily"
    kept = contract(table).run(connection)
    assert rule in str(kept.metadata["enforced_by_constraints"]).splitlines()
    assert rule not in str(kept.metadata["rule_names"]).splitlines()
    with connection.transaction(force_rollback=True):
        connection.execute("alter table warehouse.mart_product_daily drop constraint mart_product_daily_orders_check")
        connection.execute("set local session_replication_role = replica")
        connection.execute(
            "insert into warehouse.mart_product_daily"
            " (sale_date, product_id, product_key, orders, units, discount, revenue, costed_revenue, cost, profit)"
            " values ('2024-01-01', 1, 1, 0, 1, 0, 1, 1, 1, 0)"
        )
        asked = contract(table).run(connection)
        # A CHECK that is NOT VALID does not enforce the rule for existing rows.
        connection.execute(
            "alter table warehouse.mart_product_daily"
            " add constraint mart_product_daily_orders_check check (orders > 0) not valid"
        )
        still_asked = contract(table).run(connection)
    assert not asked.passed
    assert (asked.violations, asked.samples[0]["rule"]) == (1, rule)
    assert still_asked == asked


def test_a_table_whose_rules_the_database_keeps_is_counted(connection: ClientConnection) -> None:
    table = "production.payment_methods"
    facts = catalogue(connection, [table])[table]
    asked = compile_contract(table, facts)
    assert [name.split(":")[0] for name in asked.rules] == ["payment_method_id", "payment_method"]
    checks = ("(payment_method_id >= 0)", f"(payment_method ~ '^{FILLED}'::text)")
    kept = compile_contract(table, dataclasses.replace(facts, checks=checks))
    assert (kept.rules, kept.enforced[-1]) == ((), "unique: payment_method_id")
    assert set(asked.rules) < set(kept.enforced)
    for statement, parameters in ((kept.whole, None), (kept.of_days, {"start": "2024-01-01", "end": "2024-01-02"})):
        if statement:
            assert connection.execute(as_sql(statement), parameters).fetchone() == (0,)


def test_a_contract_counts_what_pandera_itself_counts(
    postgres_server: EmbeddedPostgres, connection: ClientConnection
) -> None:
    table = "warehouse.dim_product"
    connection.execute(
        """
        alter table warehouse.dim_product drop constraint dim_product_price_check;
        insert into warehouse.dim_product
        select warehouse.version_key(id, '2000-01-01'), id,
            case when id % 7 = 0 then ' ' else 'Thing' end, 'C', '', 'B',
            case when id % 5 = 0 then -1 else 10 end, 3,
            case when id % 3 = 0 then 'Premium' else 'Budget' end, '2000-01-01', 'infinity', true, id::text,
            5, '2024-01-01'
        from generate_series(1, 100) as id
        """
    )
    ours = contract(table).run(connection)
    told = psycopg.conninfo.conninfo_to_dict(postgres_server.url("contracts"))
    backend = ibis.postgres.connect(**{("database" if name == "dbname" else name): told[name] for name in told})
    with pytest.raises(SchemaErrors) as caught:
        schema_of(table).validate(backend.table("dim_product", database="warehouse"), lazy=True)
    backend.disconnect()
    theirs = {str(failure.check.error) for failure in caught.value.schema_errors}
    assert ours.violations == 14 + 20 + 33
    assert {
        str(sample["rule"]).removeprefix("product_name: ").removeprefix("price: ") for sample in ours.samples
    } <= theirs
    assert len(theirs) == 3
