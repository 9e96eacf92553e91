"""Verification detects manual changes to the database catalog, which the rows cannot show."""

from __future__ import annotations

import psycopg
import pytest

from ecommerce_platform.checks.catalogue import catalogue_check
from ecommerce_platform.checks.outcome import CheckOutcome
from ecommerce_platform.checks.verify import matches_transform
from ecommerce_platform.io_managers import PostgresConnection
from ecommerce_platform_tests.harness import Platform, customer, line, order, product

HARM = [
    (
        "create or replace view warehouse.customer_profile as select customer_key, customer_id, state as state_code,"
        " state as state_name, country as region, segment as current_segment, customer_code from warehouse.dim_customer",
        {"kind": "view", "name": "warehouse.customer_profile", "fault": "was changed"},
    ),
    (
        "create or replace function warehouse.segment(orders numeric, revenue numeric) returns text language sql"
        " immutable parallel safe return 'VIP'",
        {"kind": "function", "name": "warehouse.segment(numeric,numeric)", "fault": "was changed"},
    ),
    (
        "create or replace function platform.parse_date(value text) returns date language sql immutable"
        " return null::date",
        {"kind": "function", "fault": "was changed"},
    ),
    (
        "alter table production.transaction_items drop constraint transaction_items_transaction_id_fkey",
        {"kind": "constraint", "fault": "is missing"},
    ),
    ("alter table warehouse.fact_sales drop constraint fact_sales_pkey", {"kind": "constraint"}),
    (
        "do $$ begin execute (select format('alter table %s drop constraint %I', conrelid::regclass, conname)"
        " from pg_constraint where contype in ('x', 'p') and conrelid = 'warehouse.dim_customer'::regclass"
        " and pg_get_constraintdef(oid) ~* 'exclude|overlaps'); end $$",
        {"kind": "constraint", "fault": "is missing"},
    ),
    (
        "do $$ begin execute (select format('alter table production.customers drop constraint %I', conname)"
        " from pg_constraint where contype = 'c' and conrelid = 'production.customers'::regclass limit 1); end $$",
        {"kind": "constraint", "fault": "is missing"},
    ),
    ("alter table warehouse.fact_sales alter column revenue drop not null", {"kind": "column"}),
    ("alter table warehouse.fact_sales disable trigger all", {"kind": "foreign key trigger", "fault": "was changed"}),
    ("delete from platform.applied_ddl where file = '070_metrics.sql'", {"name": "070_metrics.sql"}),
    ("update platform.applied_ddl set sha256 = 'x' where file = '080_warehouse.sql'", {"name": "080_warehouse.sql"}),
    ("grant usage on schema production to reader", {"kind": "right", "fault": "was added"}),
    ("grant select on production.customers to public", {"name": "table production.customers everybody SELECT"}),
    ("revoke insert on warehouse.fact_sales from loader", {"kind": "right", "fault": "is missing"}),
    (
        "create rule hide as on insert to warehouse.fact_sales do instead nothing",
        {"kind": "rule", "name": "warehouse.fact_sales.hide", "fault": "was added"},
    ),
    ("drop index warehouse.fact_sales_sale_date_idx", {"kind": "index", "fault": "is missing"}),
]


def judge(url: str) -> CheckOutcome:
    with PostgresConnection(url=url, role="loader").connect() as connection:
        return catalogue_check(url).run(connection)


def test_a_database_matches_ddl_and_what_users_add_is_theirs(database_url: str) -> None:
    outcome = judge(database_url)
    assert outcome.passed, outcome.description
    assert outcome.rows_tested > 500
    with psycopg.connect(database_url) as connection:
        connection.execute("create view analytics.my_own as select 1 as one")
        connection.execute("create index my_own on warehouse.fact_sales (revenue)")
    assert judge(database_url).passed


@pytest.mark.parametrize(("harm", "shown"), HARM, ids=[harm[:60] for harm, _ in HARM])
def test_a_change_by_hand_is_named(database_url: str, harm: str, shown: dict[str, str]) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute(harm)  # type: ignore[arg-type]
    outcome = judge(database_url)
    assert not outcome.passed
    assert any(shown.items() <= sample.items() for sample in outcome.samples), outcome.samples


def test_an_owner_who_may_not_create_databases_is_told_that_nothing_is_judged(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("create role a_plain_owner login")
        try:
            plain = catalogue_check(psycopg.conninfo.make_conninfo(database_url, user="a_plain_owner"))
            with PostgresConnection(url=database_url, role="loader").connect() as asking:
                outcome = plain.run(asking)
        finally:
            connection.execute("drop role a_plain_owner")
    assert outcome.description.startswith("Not evaluated: only the owner can create a database to compare with")
    assert not outcome.is_judged


def test_rows_are_compared_although_the_primary_key_is_gone(platform: Platform) -> None:
    platform.load(
        1, customers=[customer()], products=[product()], transactions=[order(1)], transaction_items=[line(1, 1)]
    )
    platform.execute("alter table warehouse.fact_sales drop constraint fact_sales_pkey")
    platform.execute("insert into warehouse.fact_sales select * from warehouse.fact_sales")
    with PostgresConnection(url=platform.url, role="loader").connect() as connection:
        outcome = matches_transform("warehouse.fact_sales").run(connection)
    assert (outcome.passed, outcome.description) == (
        False,
        "the table has 2 rows but the SELECT returns 1: some rows are duplicated",
    )
