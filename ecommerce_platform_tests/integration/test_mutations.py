"""Mutation tests: the SQL is broken one rule at a time, and both the independent model and a check must detect it.

A mutation replaces text in the files that the platform runs. The checks are those that Dagster and
``ecommerce-platform verify`` run on the tables, except ``matches_transform``, which would repeat the same mistake. A
mutation whose text is no longer in its file fails, so that it is updated, not lost.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import psycopg
import pytest

from ecommerce_platform.checks import table_checks
from ecommerce_platform.checks.outcome import CheckOutcome
from ecommerce_platform.io_managers import PostgresConnection, Query
from ecommerce_platform.settings import SQL_DIR
from ecommerce_platform_tests import harness
from ecommerce_platform_tests.comparison import disagreements
from ecommerce_platform_tests.harness import Platform, Row, customer, day, line, order, product, returned

LAST_DAY = 5

Feeds = dict[str, list[Row]]


def purchases(customer_id: int, first: int, count: int, price: str, on: int = 2) -> Feeds:
    """Return orders of one customer on one day, with one line each."""
    numbers = range(first, first + count)
    return {
        "transactions": [order(number, customer_id, on=on, total=price) for number in numbers],
        "transaction_items": [line(number, 1, price=price) for number in numbers],
    }


def basket(number: int, *products: int) -> Feeds:
    """Return a guest's order of the second day with one line per product."""
    return {
        "transactions": [order(number, "", on=2, total=f"{10 * len(products)}.00")],
        "transaction_items": [line(number, item, key) for item, key in enumerate(products, start=1)],
    }


def together(*parts: Feeds) -> Feeds:
    """Combine the rows of all parts, by feed."""
    return {feed: [row for part in parts for row in part.get(feed, [])] for part in parts for feed in part}


# On the third day, customer 1 moves, and product 1 changes price and cost; there are sales before and after.
SHOP: dict[int, Feeds] = {
    1: together(
        {
            # Two images on one day, with the later timestamp first in the file, and two with the same timestamp.
            "customers": [
                *(customer(number) for number in range(1, 7)),
                # Customer 7 turns 35 on the third day, and buys before and after.
                customer(7, date_of_birth="1989-01-03"),
                customer(8, at="18:00:00", city="Waco"),
                customer(8, at="08:00:00", city="Troy"),
                customer(9, city="Waco"),
                customer(9, city="Troy"),
            ],
            "products": [product(1), product(2, price="1000.00", cost="600.00")],
        },
        # Order 1 is exported again on the second day, without its second line.
        {
            "transactions": [order(1, total="30.00"), order(2), order(3, 77)],
            "transaction_items": [
                line(1, 1),
                line(1, 2, quantity=2),
                line(2, 1),
                line(2, 1, quantity=2),
                line(3, 1),
                line(99, 1),
            ],
        },
        # An order without a customer, of a product whose cost is not known, beside one whose cost is.
        {
            "products": [product(4, cost="", category="")],
            "transactions": [order(8, "", payment_method="")],
            "transaction_items": [line(8, 1, 4), line(8, 2)],
        },
        # Invalid rows: zero and negative quantities, an invalid total, an invalid amount, and an invalid date.
        {
            "transaction_items": [
                line(2, 2, quantity=0),
                line(2, 3, quantity=-1),
                line(2, 4, line_total="9.99"),
                line(2, 5, unit_price="ten"),
            ],
            "transactions": [
                order(4, transaction_date="2024-02-30"),
                order(8, currency="GBP"),
                order(9, currency="USD"),
            ],
            "customers": [customer(10, country="USA")],
            "products": [product(3, price="-1.00")],
        },
    ),
    2: together(
        {
            "transactions": [order(1, payment_method="PayPal"), order(5, on=2)],
            "transaction_items": [line(1, 1), line(5, 1)],
        },
        # One order, or one cent, below each threshold, and exactly at it.
        purchases(2, 200, 9, "1200.00"),
        purchases(3, 300, 10, "999.99"),
        purchases(4, 400, 2, "50.00"),
        purchases(5, 500, 10, "1000.00"),
        purchases(6, 600, 2, "50.00"),
        purchases(7, 700, 1, "50.00"),
        # Two products in one order, one of them twice; and as many lines as an order with pairs may have, and one more.
        basket(800, 1, 2, 1),
        basket(801, *[1, 2] * 25),
        basket(802, *[1, 2] * 25, 1),
    ),
    3: {
        "customers": [customer(1, on=3, state="CA", city="Fresno")],
        "products": [product(1, on=3, price="30.00", cost="7.00")],
    },
    # Customer 6 is a Regular from the fourth day, and not earlier.
    4: together(
        {"transactions": [order(7, on=4)], "transaction_items": [line(7, 1, quantity=3)]},
        purchases(6, 610, 1, "50.00", on=4),
        purchases(7, 710, 1, "50.00", on=4),
    ),
    # Lines that arrive later than their order, one of them for an order that was exported twice.
    # Of this day's orders, only a guest's; one of customer 1 comes late, between two others. Returns: exported again on
    # one day and on the next, of an unknown order, of an unknown line, and faulty.
    LAST_DAY: {
        "transactions": [order(9, "", on=LAST_DAY), order(30, on=3)],
        "transaction_items": [line(1, 3), line(5, 2), line(9, 1), line(30, 1)],
        "returns": [
            returned(1, 1, on=LAST_DAY),
            returned(1, 1, on=LAST_DAY, refund_amount="9.00"),
            returned(7, 1, on=4, quantity=2),
            returned(600, 1, 5, on=LAST_DAY),
            returned(98, 1, on=LAST_DAY),
            returned(5, 9, on=LAST_DAY),
            returned(5, 2, on=LAST_DAY, quantity=-1, refund_amount="10.00"),
        ],
    },
}


@dataclass(frozen=True)
class Mutation:
    """A rule that is broken deliberately.

    Attributes:
        rule: The broken rule and the kind of mistake.
        file: A file in sql/transform, or a repeatable file in sql/ddl.
        texts: Pairs of original text and replacement.
        check: The check that must detect the mutation, as schema.table and name.
        refused_by: Database constraints that would reject the mutation's rows.
    """

    rule: str
    file: str
    texts: tuple[tuple[str, str], ...]
    check: tuple[str, str]
    refused_by: tuple[tuple[str, str], ...] = ()

    def text(self) -> str:
        """Return the text of the file with the mutation applied."""
        text = (SQL_DIR / self.file).read_text(encoding="utf-8")
        for old, new in self.texts:
            assert old in text, f"{self.file} no longer contains {old!r}: update the mutation {self.rule!r}"
            text = text.replace(old, new)
        return text


FACT = "transform/warehouse/fact_sales.sql"
DIM_CUSTOMER = "transform/warehouse/dim_customer.sql"
DAILY = "transform/warehouse/agg_daily_sales.sql"
REPEATS = "transform/warehouse/mart_daily_repeats.sql"
INTERVALS = ("warehouse.mart_daily_repeats", "agrees_with_agg_customer_metrics")
LINES = "transform/production/transaction_items.sql"
ORDERS = "transform/production/transactions.sql"
REJECTS = "transform/production/rejected_rows.sql"
RETURNS = "transform/production/returns.sql"
PAIRS = "transform/warehouse/mart_product_pairs.sql"
RULES = "ddl/060_rules.sql"
METRICS = "ddl/070_metrics.sql"
VERSIONS_IN_FORCE = ("warehouse.fact_sales", "versions_are_valid_on_sale_date")
ACCOUNTED_FOR = ("production.rejected_rows", "rows_are_accounted_for")
SEGMENTS = ("warehouse.fact_sales", "segments_match_purchases")
LATEST_EXPORT = ("production.transaction_items", "order_lines_come_from_latest_export")
COST = "lines.quantity * product.cost"
ON_ITS_DAY = """
        and lines.sale_date >= {0}.valid_from
        and lines.sale_date < {0}.valid_to"""


def of_today(dimension: str) -> tuple[tuple[str, str], ...]:
    """Mutate an SCD2 join: to the current version instead of the version on the sale date."""
    return ((ON_ITS_DAY.format(dimension), f"\n        and {dimension}.is_current"),)


MUTATIONS = [
    Mutation("a sale has the current customer version", FACT, of_today("customer"), VERSIONS_IN_FORCE),
    Mutation("a sale has the current product version", FACT, of_today("product"), VERSIONS_IN_FORCE),
    Mutation(
        "a sale has the first customer version",
        FACT,
        ((ON_ITS_DAY.format("customer"), "\n        and customer.valid_from = '2000-01-01'"),),
        VERSIONS_IN_FORCE,
    ),
    Mutation(
        "a sale has the current cost of the product",
        FACT,
        (
            (
                COST,
                "lines.quantity * (select p.cost from production.products as p where p.product_id = lines.product_id)",
            ),
        ),
        VERSIONS_IN_FORCE,
    ),
    Mutation(
        "an unknown cost is zero", FACT, ((COST, "lines.quantity * coalesce(product.cost, 0)"),), VERSIONS_IN_FORCE
    ),
    Mutation(
        "an order without a customer waits for one",
        ORDERS,
        (("typed.customer_id is null or ", ""),),
        ACCOUNTED_FOR,
    ),
    Mutation(
        "guests are one customer",
        DAILY,
        (("count(distinct orders.customer_id)", "count(distinct coalesce(orders.customer_id, 0))"),),
        ("warehouse.agg_daily_sales", "contract"),
    ),
    Mutation(
        "guests are new customers",
        "transform/warehouse/mart_daily_breakdown.sql",
        (("'Guest'", "'New'"),),
        ("warehouse.mart_customer_monthly", "agrees_with_mart_daily_breakdown"),
    ),
    Mutation(
        "revenue without a known cost is part of the margin",
        DAILY,
        ((" filter (where facts.cost is not null)", ""),),
        ("warehouse.agg_daily_sales", "agrees_with_fact_sales"),
    ),
    Mutation("a sale costs its price", FACT, ((COST, "lines.quantity * product.price"),), VERSIONS_IN_FORCE),
    Mutation("a sale costs one piece", FACT, ((COST, "product.cost"),), VERSIONS_IN_FORCE),
    Mutation(
        "the first image of a day counts",
        "transform/production/customer_versions.sql",
        (("typed.updated_at desc", "typed.updated_at"),),
        ACCOUNTED_FOR,
    ),
    Mutation(
        "of images with equal timestamps, the first row counts",
        "transform/production/customer_versions.sql",
        (("typed.source_row desc", "typed.source_row"),),
        ACCOUNTED_FOR,
    ),
    Mutation(
        "a customer has the first exported image",
        "transform/production/customers.sql",
        (("typed.valid_from desc", "typed.valid_from"),),
        ("production.customer_versions", "current_row_is_latest_version"),
    ),
    Mutation(
        "a product has the first exported image",
        "transform/production/products.sql",
        (("typed.valid_from desc", "typed.valid_from"),),
        ("production.product_versions", "current_row_is_latest_version"),
    ),
    Mutation(
        "the first export of an order counts",
        ORDERS,
        (("typed.partition_date desc", "typed.partition_date"),),
        ACCOUNTED_FOR,
    ),
    Mutation(
        "the first of two rows of a line counts",
        LINES,
        (("partition_date desc, source_row desc", "partition_date desc, source_row"),),
        ACCOUNTED_FOR,
    ),
    Mutation(
        "superseded lines are kept",
        LINES,
        (("partition_date >= base", "true"),),
        LATEST_EXPORT,
    ),
    Mutation(
        "lines that arrive after the last export are dropped",
        LINES,
        (("partition_date >= base", "partition_date = base"),),
        ACCOUNTED_FOR,
    ),
    Mutation("a second order on the same day is not a repeat", REPEATS, (("orders > 1", "orders > 2"),), INTERVALS),
    Mutation(
        "an order is compared with a later one",
        REPEATS,
        (("purchases_of_days.sale_date > earlier.sale_date", "purchases_of_days.sale_date <> earlier.sale_date"),),
        INTERVALS,
        refused_by=(("warehouse.mart_daily_repeats", "mart_daily_repeats_interval_days_check"),),
    ),
    Mutation(
        "an order is compared with the first one",
        REPEATS,
        (("max(earlier.sale_date)", "min(earlier.sale_date)"),),
        INTERVALS,
    ),
    Mutation(
        "a late order does not change the interval of the next one",
        "scope/warehouse/mart_daily_repeats.sql",
        (("where changed.moves_others", "where false"),),
        INTERVALS,
    ),
    Mutation("a VIP has 9 orders", METRICS, (("orders >= 10", "orders >= 9"),), SEGMENTS),
    Mutation("a VIP has 11 orders", METRICS, (("orders >= 10", "orders >= 11"),), SEGMENTS),
    Mutation("a VIP brings 1,000", METRICS, (("revenue >= 10000", "revenue >= 1000"),), SEGMENTS),
    Mutation("a VIP brings more than 10,000", METRICS, (("revenue >= 10000", "revenue > 10000"),), SEGMENTS),
    Mutation("a Regular has 2 orders", METRICS, (("orders >= 3", "orders >= 2"),), SEGMENTS),
    Mutation(
        "a segment includes later purchases",
        DIM_CUSTOMER,
        (
            (
                "window so_far as (partition by customer_id order by day)",
                "window so_far as (partition by customer_id)",
            ),
        ),
        SEGMENTS,
    ),
    Mutation(
        "a birthday creates no version",
        DIM_CUSTOMER,
        (("    from birthdays\n", "    from birthdays\n    where false\n"),),
        ("warehouse.fact_sales", "age_group_is_as_of_sale_date"),
    ),
    Mutation(
        "a version has the customer's age on the last day",
        DIM_CUSTOMER,
        (("greatest(filled.day, known_days.first_day)", "known_days.last_day"),),
        ("warehouse.fact_sales", "age_group_is_as_of_sale_date"),
    ),
    Mutation(
        "a quantity may be zero or negative",
        RULES,
        (
            ("platform.parse_integer(s.quantity) <= 0", "platform.parse_integer(s.quantity) < -9"),
            ("when platform.parse_money(s.line_total) < 0 then 'line_total: negative'", ""),
        ),
        ("production.transaction_items", "contract"),
        (
            ("production.transaction_items", "transaction_items_quantity_check"),
            ("production.transaction_items", "transaction_items_line_total_check"),
            ("warehouse.fact_sales", "fact_sales_quantity_check"),
        ),
    ),
    Mutation(
        "an order may be in any currency",
        RULES,
        (("\n                and s.extra_columns ->> 'currency' is null", ""),),
        ("production.transactions", "orders_are_in_the_reporting_currency"),
    ),
    Mutation(
        "an order must not name the reporting currency",
        "ddl/030_parsing.sql",
        (("when $1 <> reporting.currency", "when $1 >= reporting.currency"),),
        ("production.rejected_rows", "rejects_break_a_rule"),
    ),
    Mutation(
        "a total may be wrong",
        RULES,
        (
            (
                "and s.line_total::numeric = s.quantity::integer * s.unit_price::numeric - s.discount_amount::numeric",
                "",
            ),
        ),
        ("production.transaction_items", "contract"),
        (
            ("production.transaction_items", "transaction_items_check"),
            ("warehouse.fact_sales", "fact_sales_check"),
        ),
    ),
    Mutation(
        "an order does not need a customer",
        ORDERS,
        (("customers.customer_id is not null", "true"),),
        ACCOUNTED_FOR,
        (("production.transactions", "transactions_customer_id_fkey"),),
    ),
    Mutation(
        "an orphan order is dropped silently",
        REJECTS,
        (
            (
                "typed.reasons <> '' or (typed.customer_id is not null and customers.customer_id is null)",
                "typed.reasons <> ''",
            ),
        ),
        ACCOUNTED_FOR,
    ),
    Mutation(
        "an orphan line is dropped silently",
        REJECTS,
        (("or orders.transaction_id is null or products.product_id is null", "or products.product_id is null"),),
        ACCOUNTED_FOR,
    ),
    Mutation(
        "an invalid customer is dropped silently",
        REJECTS,
        (
            (
                "from production.typed_customers as typed\n",
                "from production.typed_customers as typed\n    inner join (select 1 where false) as none on true\n",
            ),
        ),
        ACCOUNTED_FOR,
    ),
    Mutation(
        "the first of two rows of a return counts",
        RETURNS,
        (("typed.partition_date desc, typed.source_row desc", "typed.partition_date desc, typed.source_row"),),
        ACCOUNTED_FOR,
    ),
    Mutation(
        "a return does not need an order line",
        RETURNS,
        (("inner join production.transaction_items", "left join production.transaction_items"),),
        ACCOUNTED_FOR,
        (("production.returns", "returns_transaction_id_item_id_fkey"),),
    ),
    Mutation(
        "an orphan return is dropped silently",
        REJECTS,
        (("(typed.reasons <> '' or lines.item_id is null)", "typed.reasons <> ''"),),
        ACCOUNTED_FOR,
    ),
    Mutation(
        "a returned quantity may be negative",
        RULES,
        (("when platform.parse_integer(s.quantity) < 0 then 'quantity: negative'", ""),),
        ("production.returns", "contract"),
        (
            ("production.returns", "returns_quantity_check"),
            ("warehouse.fact_returns", "fact_returns_quantity_check"),
        ),
    ),
    Mutation(
        "a return has the current product version",
        "transform/warehouse/fact_returns.sql",
        (
            (
                "    sales.product_key,\n",
                "    (\n        select versions.product_key from warehouse.dim_product as versions\n"
                "        where versions.product_id = sales.product_id and versions.is_current\n    ) as product_key,\n",
            ),
        ),
        ("warehouse.fact_returns", "keys_are_those_of_the_sale"),
    ),
    Mutation(
        "a product keeps the stock of its first image",
        "transform/warehouse/dim_product.sql",
        (("order by versions.valid_from desc", "order by versions.valid_from"),),
        ("warehouse.dim_product", "agrees_with_products"),
    ),
    Mutation(
        "an order has a pair for each two of its lines",
        PAIRS,
        (("    select distinct\n        lines.sale_date", "    select\n        lines.sale_date"),),
        ("warehouse.mart_product_pairs", "agrees_with_fact_sales"),
    ),
    Mutation(
        "large orders have pairs",
        PAIRS,
        ((" and not warehouse.is_large_order(count(*))", ""),),
        ("warehouse.mart_product_pairs", "agrees_with_fact_sales"),
    ),
    Mutation(
        "each pair is there twice",
        PAIRS,
        (("ours.product_id < others.product_id", "ours.product_id <> others.product_id"),),
        ("warehouse.mart_product_pairs", "agrees_with_fact_sales"),
        (("warehouse.mart_product_pairs", "mart_product_pairs_check"),),
    ),
    Mutation(
        "an order is large from 50 lines on",
        "ddl/250_metrics.sql",
        (("return lines > 50;", "return lines >= 50;"),),
        ("warehouse.mart_product_pairs", "agrees_with_fact_sales"),
    ),
    Mutation(
        "a day has the refunds that were made on it",
        "transform/warehouse/agg_daily_returns.sql",
        (
            ("    facts.sale_date,\n    count", "    facts.return_date as sale_date,\n    count"),
            ("group by facts.return_date, facts.sale_date", "group by facts.return_date"),
        ),
        ("warehouse.agg_daily_returns", "agrees_with_fact_returns"),
    ),
    Mutation(
        "a line with quantity 1 is rejected",
        RULES,
        (
            ("platform.parse_integer(s.quantity) <= 0", "platform.parse_integer(s.quantity) <= 1"),
            (
                "s.is_plain\n                and s.item_bucket",
                "s.quantity <> '1'\n                and s.is_plain\n                and s.item_bucket",
            ),
        ),
        ("production.rejected_rows", "rejects_break_a_rule"),
    ),
]


@pytest.fixture
def shop(platform: Platform) -> Platform:
    """The shop's files, with nothing loaded."""
    for number, feeds in SHOP.items():
        platform.export(number, **feeds)
    return platform


def mutate(platform: Platform, mutation: Mutation, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the platform run the mutated file instead of the original."""
    text = mutation.text()
    if mutation.file.startswith("ddl/"):
        assert text.startswith("-- repeatable:")
        with psycopg.connect(platform.url) as connection:
            connection.execute(text.encode())
        return
    folder, _, path = mutation.file.removesuffix(".sql").partition("/")
    broken = path.replace("/", ".")
    part = {"transform": "select", "scope": "scope"}[folder]
    of_the_asset = harness.table_query

    def table_query(table: str, *arguments: Any, **more: Any) -> Query:
        query = of_the_asset(table, *arguments, **more)
        return replace(query, **{part: text}) if table == broken else query

    monkeypatch.setattr(harness, "table_query", table_query)


def load(platform: Platform) -> None:
    """Load three days in one run, like a backfill, and the others one at a time, like the schedule."""
    platform.run(1, 3)
    for number in range(4, LAST_DAY + 1):
        platform.run(number)


def failed(platform: Platform, *asked: tuple[str, str]) -> dict[tuple[str, str], CheckOutcome]:
    """Return the failed checks with severity ERROR, among all checks or the given ones."""
    with PostgresConnection(url=platform.url, role="loader").connect() as connection:
        outcomes = {
            (check.table, check.name): check.run(connection)
            for check in table_checks(raw_folder=lambda: platform.raw)
            if check.severity == "ERROR" and (not asked or (check.table, check.name) in asked)
        }
    assert set(asked) <= set(outcomes), "there is no such check"
    return {key: outcome for key, outcome in outcomes.items() if not outcome.passed}


FILES = {day(number): {feed: feeds.get(feed, []) for feed in harness.FEEDS} for number, feeds in SHOP.items()}


def test_without_a_mutation_model_and_checks_are_content(shop: Platform) -> None:
    load(shop)
    assert disagreements(shop, FILES) == ""
    # The harness does not load the extracts.
    of_tables = {
        key: outcome.description for key, outcome in failed(shop).items() if not key[0].startswith("analytics")
    }
    assert of_tables == {}


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.rule.replace(" ", "-"))
def test_a_broken_rule_is_noticed_by_the_model_and_by_a_check(
    shop: Platform, mutation: Mutation, monkeypatch: pytest.MonkeyPatch
) -> None:
    for table, constraint in mutation.refused_by:
        shop.execute(f"alter table {table} drop constraint {constraint}")
    mutate(shop, mutation, monkeypatch)
    load(shop)
    assert disagreements(shop, FILES) != ""
    outcome = failed(shop, mutation.check).get(mutation.check)
    assert outcome is not None, f"{'.'.join(mutation.check)} passed"
    assert outcome.violations >= 1
    assert outcome.samples


@pytest.mark.parametrize(
    "mutation", [m for m in MUTATIONS if m.refused_by], ids=lambda mutation: mutation.rule.replace(" ", "-")
)
def test_what_a_constraint_forbids_is_not_even_written(
    shop: Platform, mutation: Mutation, monkeypatch: pytest.MonkeyPatch
) -> None:
    mutate(shop, mutation, monkeypatch)
    with pytest.raises(psycopg.errors.IntegrityError) as caught:
        load(shop)
    assert caught.value.diag.constraint_name in {constraint for _, constraint in mutation.refused_by}


def test_a_mutation_whose_text_has_gone_fails() -> None:
    with pytest.raises(AssertionError, match="no longer contains 'nothing of the kind'"):
        replace(MUTATIONS[0], texts=(("nothing of the kind", ""),)).text()
