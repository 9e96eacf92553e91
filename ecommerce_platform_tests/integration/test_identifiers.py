"""Identifiers are text: SKUs, order names, hashes. A number is its own key; no two other texts share one."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest

from ecommerce_platform.checks.verify import verify, whole_database_checks
from ecommerce_platform.feeds.columns import FEEDS
from ecommerce_platform.io_managers import PostgresConnection
from ecommerce_platform.reports.rejects import RejectFilter, list_rejects
from ecommerce_platform.resources.published import publish
from ecommerce_platform.tables.lineage import transform_path
from ecommerce_platform_tests.comparison import disagreements
from ecommerce_platform_tests.harness import Platform, Row, customer, day, line, order, product, table_assets

CODES = (
    "85123A",
    "111-2223334-55",
    "4244733e06e7ecb4970a6e2683c13e61",
    "Größe 38 / Ünïcode 漢字 🛒",
    "007",
    "7",
    "123456789012345678901234567890",
    "123456789012345",
    "two  words",
    "quo\"te, com'ma;",
    "line\nbreak",
    "0",
    "-1",
    "+1",
    "1.0",
    "x" * 200,
)
"""Identifiers of real shops, and texts that almost are numbers."""

DAYS: Sequence[dict[str, list[Row]]] = (
    {
        "customers": [customer(code) for code in CODES],
        "products": [product(code) for code in CODES[::2]],
        "transactions": [order(f"#{code}"[:200], code) for code in CODES[:10]],
        "transaction_items": [line(f"#{code}"[:200], code, code) for code in CODES[:10]],
    },
    {
        "products": [product(code, on=2) for code in CODES[1::2]],
        "transactions": [order(code, code, on=2, total=f"{number}0.00") for number, code in enumerate(CODES, 1)],
        "transaction_items": [line(code, f"  {code} ", code, quantity=number) for number, code in enumerate(CODES, 1)],
    },
)
"""The lines of the first day wait for half of the products; the second day brings these."""

REVENUE = {
    code: Decimal(10 * (number + (number <= 10))).quantize(Decimal("0.01")) for number, code in enumerate(CODES, 1)
}

SALES = """
select coalesce(orders.identifier, facts.transaction_id::text), coalesce(items.identifier, facts.item_id::text),
    products.product_code, facts.revenue
from warehouse.fact_sales as facts
inner join warehouse.dim_product as products using (product_key)
left join production.identifiers as orders on orders.entity = 'transaction' and orders.key = facts.transaction_id
left join production.identifiers as items on items.entity = 'item' and items.key = facts.item_id
"""


def load(platform: Platform, *numbers: int) -> None:
    for number in numbers:
        platform.load(number, **DAYS[number - 1])


def files_of(*numbers: int) -> dict:
    feeds = ("customers", "products", "transactions", "transaction_items")
    return {day(number): {feed: DAYS[number - 1].get(feed, []) for feed in feeds} for number in numbers}


def revenue_by(platform: Platform, dimension: str) -> dict[str, Decimal]:
    rows = platform.rows(
        f"select {dimension}_code, sum(revenue) from warehouse.fact_sales"
        f" join warehouse.dim_{dimension} using ({dimension}_key) group by 1"
    )
    return dict(rows)  # type: ignore[arg-type]


def failed_checks(platform: Platform) -> dict[tuple[str, str], str]:
    """Verify all tables but the published ones, which these tests do not fill."""
    checks = [
        check
        for check in whole_database_checks(lambda: platform.raw)
        if check.table.split(".")[0] in ("production", "warehouse")
    ]
    with PostgresConnection(url=platform.url, role="loader").connect() as connection:
        return {(v.table, v.name): v.description for v in verify(connection, checks) if not v.passed}


def test_a_shop_with_identifiers_of_any_form_loads_and_people_see_its_texts(platform: Platform, data_dir: Path) -> None:
    load(platform, 1, 2)
    assert revenue_by(platform, "customer") == revenue_by(platform, "product") == REVENUE
    assert platform.rows("select feed, reasons from production.rejected_rows") == []
    assert platform.rows("select product_id from warehouse.dim_product where product_code in ('7', '007') order by 1")[
        -1
    ] == (7,)
    assert failed_checks(platform) == {}
    for name in ("top_products", "product_profitability"):
        platform.execute(f"insert into analytics.{name} {transform_path(f'analytics.{name}').read_text()}")
        with PostgresConnection(url=platform.url, role="loader").connect() as connection:
            path = publish(connection, f"analytics.{name}", [], ("product_code",))
        published = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"), newline=""))
        # A leading apostrophe keeps a spreadsheet from taking -1 for a formula.
        found = {row["product_code"].removeprefix("'"): Decimal(row["revenue"]) for row in published}
        assert found == REVENUE


@pytest.mark.parametrize("numbers", [(1, 2), (2, 1), (2, 1, 2, 1)])
def test_keys_of_texts_do_not_depend_on_the_order_of_days(platform: Platform, numbers: tuple[int, ...]) -> None:
    load(platform, *numbers)
    assert disagreements(platform, files_of(1, 2)) == ""


def test_an_identifier_is_blank_or_too_long(platform: Platform) -> None:
    platform.load(
        1,
        customers=[customer(" "), customer("x" * 201)],
        products=[product("\u200b"), product("x" * 201)],
        transactions=[order("", "x" * 201)],
        transaction_items=[line("x" * 201, "", "")],
    )
    blank, long = "blank", "longer than 200 characters"
    assert platform.rows("select feed, reasons from production.rejected_rows order by feed, source_row") == [
        ("customers", [f"customer_id: {blank}"]),
        ("customers", [f"customer_id: {long}"]),
        ("products", [f"product_id: {blank}"]),
        ("products", [f"product_id: {long}"]),
        ("transaction_items", [f"item_id: {blank}", f"transaction_id: {long}", f"product_id: {blank}"]),
        ("transactions", [f"transaction_id: {blank}", f"customer_id: {long}"]),
    ]


def test_a_row_that_waits_names_its_parent_as_the_shop_writes_it(platform: Platform) -> None:
    platform.load(1, transactions=[order("#1001", " Ada, 3 ")], transaction_items=[line("#1001", 1, "85\u202e123A")])
    with PostgresConnection(url=platform.url, role="loader").connect() as connection:
        rows = {row.feed: row.waits_for() for row in list_rejects(connection, RejectFilter())}
    assert rows == {"transactions": "customer Ada, 3", "transaction_items": r"order #1001, product '85\u202e123A'"}


@pytest.fixture
def colliding(platform: Platform) -> Platform:
    """A platform whose hash gives only four values."""
    platform.execute(
        "create or replace function platform.text_hash(value text) returns bigint language sql immutable parallel safe"
        " return (length(value) & 3)::bigint << 14"
    )
    return platform


@pytest.mark.parametrize("numbers", [(1, 2), (2, 1), (2, 1, 2)])
def test_texts_with_the_same_hash_stay_apart(colliding: Platform, numbers: tuple[int, ...]) -> None:
    load(colliding, *numbers)
    expected = [
        (row["transaction_id"], row["item_id"].strip(), row["product_id"], Decimal(row["line_total"]))
        for feeds in DAYS
        for row in feeds["transaction_items"]
    ]
    assert sorted(colliding.rows(SALES)) == sorted(expected)
    assert revenue_by(colliding, "customer") == revenue_by(colliding, "product") == REVENUE
    assert colliding.rows("select count(*) > 20 from production.identifiers where key & 15 <> 0") == [(True,)]
    assert failed_checks(colliding) == {}


def test_the_rows_of_a_text_that_shared_a_hash_go_with_it(colliding: Platform) -> None:
    colliding.load(1, customers=[customer("a1"), customer("b2"), customer("c3")], products=[product("p")])
    colliding.load(2, transactions=[order("o1", "b2", on=2)], transaction_items=[line("o1", "l1", "p")])
    keys = dict(colliding.rows("select identifier, key from production.identifiers"))
    colliding.load(1, customers=[customer("c3"), customer("d4")], products=[product("p")])
    assert revenue_by(colliding, "customer") == {}
    assert colliding.rows("select customer_code from warehouse.dim_customer where customer_key <> 0 order by 1") == [
        ("c3",),
        ("d4",),
    ]
    found = dict(colliding.rows("select identifier, key from production.identifiers"))
    assert found["c3"] == keys["c3"], "a known text keeps its key"
    assert found["b2"] == keys["b2"], "the order that waits for b2 still names it"
    assert found["d4"] not in (found["b2"], found["c3"])
    assert "a1" not in found
    assert failed_checks(colliding) == {}
    colliding.load(1, customers=[customer("b2", on=1), customer("a1")], products=[product("p")])
    assert revenue_by(colliding, "customer") == {"b2": Decimal("10.00")}
    assert failed_checks(colliding) == {}


def test_no_more_than_sixteen_texts_can_share_a_hash(colliding: Platform) -> None:
    with pytest.raises(psycopg.errors.NotNullViolation, match='column "key" of relation "identifiers"'):
        colliding.load(1, customers=[customer(f"C{number}") for number in range(10, 27)])


def test_a_table_that_is_materialized_before_its_identifiers_is_noticed_and_mended(colliding: Platform) -> None:
    colliding.load(
        1,
        customers=[customer("a1")],
        products=[product("p")],
        transactions=[order("o1", "a1")],
        transaction_items=[line("o1", "l1", "p")],
    )
    colliding.export(
        2,
        customers=[customer("b2", on=2)],
        transactions=[order("o2", "b2", on=2)],
        transaction_items=[line("o2", "l2", "p")],
    )
    tables = [name for name in table_assets() if name.startswith("production.") and name != "production.identifiers"]
    colliding.run(2, only=[*(f"staging.{feed}" for feed in FEEDS), *tables])
    assert colliding.rows("select count(*) from production.customers") == [(1,)], "b2 is taken for a1"
    assert ("production.identifiers", "matches_transform") in failed_checks(colliding)
    colliding.run(2, only=list(table_assets()))
    assert revenue_by(colliding, "customer") == {"a1": Decimal("10.00"), "b2": Decimal("10.00")}
    assert failed_checks(colliding) == {}
