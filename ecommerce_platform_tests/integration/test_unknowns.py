"""What a shop may not know: costs, customers, categories, payment methods, and days without rows."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from ecommerce_platform.checks import table_checks
from ecommerce_platform.io_managers import PostgresConnection
from ecommerce_platform.io_managers.modes import Window
from ecommerce_platform.settings import SQL_DIR
from ecommerce_platform.tables.loaded_days import what_is_loaded
from ecommerce_platform_tests.harness import Platform, Row, customer, day, line, order, product


def extract(platform: Platform, name: str) -> list[dict[str, Any]]:
    """Return the rows of an extract, by column."""
    with psycopg.connect(platform.url, row_factory=dict_row) as connection:
        return connection.execute((SQL_DIR / "transform" / "analytics" / f"{name}.sql").read_bytes()).fetchall()


def sales(number: int, customer_id: int | str = 1, product_id: int = 1, **more: Any) -> dict[str, list[Row]]:
    """Return the feeds of one order with one line over 10.00."""
    return {
        "transactions": [order(number, customer_id, **more)],
        "transaction_items": [line(number, number, product_id)],
    }


def faults(platform: Platform, last_day: int) -> dict[tuple[str, str], str]:
    """Return what every check finds wrong, over all days and over each day, at noon after the last."""
    noon = dt.datetime.combine(day(last_day + 1), dt.time(12), dt.UTC)
    windows = [None, *(Window(day(number), day(number + 1)) for number in range(1, last_day + 1))]
    found = {}
    with PostgresConnection(url=platform.url, role="loader").connect() as connection:
        for check in table_checks(raw_folder=lambda: platform.raw, clock=lambda: noon):
            if check.table.startswith(("staging.", "production.", "warehouse.")):
                for window in windows:
                    outcome = check.run(connection, window)
                    if not outcome.passed:
                        found[check.table, check.name] = outcome.description
    return found


def test_a_cost_that_is_not_known_gives_no_profit(platform: Platform) -> None:
    platform.load(
        1,
        customers=[customer()],
        products=[product(1), product(2, cost=""), product(3, cost="\u00a0")],
        transactions=[order(1, total="30.00")],
        transaction_items=[line(1, 1, 1), line(1, 2, 2), line(1, 3, 3)],
    )
    assert platform.rows("select product_id, cost from production.products order by 1") == [
        (1, Decimal("6.00")),
        (2, None),
        (3, None),
    ]
    assert platform.rows("select product_id, cost, profit from warehouse.fact_sales order by 1") == [
        (1, Decimal("6.00"), Decimal("4.00")),
        (2, None, None),
        (3, None, None),
    ]
    # The margin is that of the line whose cost is known, which is a third of the revenue.
    sums = "select revenue, costed_revenue, cost, profit from warehouse.agg_daily_sales"
    assert platform.rows(sums) == [tuple(map(Decimal, ("30.00", "10.00", "6.00", "4.00")))]
    (month,) = extract(platform, "monthly_sales")
    assert (month["profit_margin"], month["costed_revenue"]) == (Decimal("40.00"), Decimal("10.00"))
    assert [
        (row["product_code"], row["profit_rank"], row["profit"], row["profit_margin"])
        for row in extract(platform, "product_profitability")
    ] == [("1", 1, Decimal("4.00"), Decimal("40.00")), ("2", None, None, None), ("3", None, None, None)]
    assert faults(platform, 1) == {}


def test_a_shop_without_any_cost_has_revenue_and_no_margin(platform: Platform) -> None:
    platform.load(1, customers=[customer()], products=[product(cost="")], **sales(1))
    names = ("monthly_sales", "category_sales", "geography", "discount_impact", "top_products", "product_profitability")
    for name in names:
        (row,) = extract(platform, name)
        assert (row["revenue"], row["costed_revenue"]) == (Decimal("10.00"), Decimal("0")), name
        assert (row["profit"], row["profit_margin"], row.get("cost")) == (None, None, None), name
    assert faults(platform, 1) == {}


def test_a_cost_that_becomes_known_is_that_of_later_sales(platform: Platform) -> None:
    """As any other change of a product: earlier sales keep the version of their day."""
    platform.load(1, customers=[customer()], products=[product(cost="")], **sales(1))
    platform.load(2, products=[product(on=2, cost="6.00")], **sales(2, on=2))
    platform.load(3, **sales(3, on=3))
    costs = "select transaction_id, cost from warehouse.fact_sales order by 1"
    assert platform.rows(costs) == [(1, None), (2, Decimal("6.00")), (3, Decimal("6.00"))]
    # A later image of the first day corrects it for that day, and a blank one takes the cost back.
    platform.load(4, products=[product(on=1, at="11:00:00", cost="5.00"), product(on=3, cost="")])
    assert platform.rows(costs) == [(1, Decimal("5.00")), (2, Decimal("6.00")), (3, None)]
    assert faults(platform, 4) == {}


def test_a_guest_is_an_order_without_a_customer(platform: Platform) -> None:
    platform.load(1, customers=[customer()], products=[product()], **sales(1, 1))
    platform.load(2, **sales(2, "", on=2))
    platform.load(3, **sales(3, " ", on=3))
    assert platform.rows("select count(*) from production.rejected_rows") == [(0,)]
    facts = "select customer_id, customer_key from warehouse.fact_sales order by transaction_id"
    assert platform.rows(facts) == [(1, 65536), (None, 0), (None, 0)]
    days = [(row["orders"], row["guest_orders"], row["customers"]) for row in extract(platform, "daily_sales")]
    assert days == [(1, 0, 1), (1, 1, 0), (1, 1, 0)]
    (month,) = extract(platform, "monthly_sales")
    assert (month["orders"], month["guest_orders"], month["customers"]) == (3, 2, 1)
    assert month["average_order_value"] == Decimal("10.00")
    (segment,) = extract(platform, "customer_segments")
    assert (segment["customers"], segment["orders"], segment["revenue_share"]) == (1, 1, Decimal("100.00"))
    (value,) = extract(platform, "customer_lifetime_value")
    assert (value["customers"], value["orders"], value["revenue"]) == (1, 1, Decimal("10.00"))
    segments = (
        "select member, sum(orders)::int from warehouse.mart_daily_breakdown where breakdown = 'segment' group by 1"
    )
    assert sorted(platform.rows(segments)) == [("Guest", 2), ("New", 1)]
    assert faults(platform, 3) == {}


def test_many_guests_are_not_one_big_customer(platform: Platform) -> None:
    platform.load(
        1,
        products=[product()],
        transactions=[order(number, "", total="1000.00") for number in range(1, 13)],
        transaction_items=[line(number, number, quantity=100) for number in range(1, 13)],
    )
    assert platform.rows("select customer_id, segment from warehouse.dim_customer") == [(0, "New")]
    assert platform.rows("select count(*) from warehouse.agg_customer_metrics") == [(0,)]
    (month,) = extract(platform, "monthly_sales")
    assert (month["orders"], month["guest_orders"], month["customers"]) == (12, 12, 0)
    assert faults(platform, 1) == {}


def test_an_order_is_corrected_from_a_customer_to_a_guest_and_back(platform: Platform) -> None:
    platform.load(1, customers=[customer()], products=[product()], **sales(1, 1))
    orders = "select customers, guest_orders from warehouse.agg_daily_sales"
    of_customer = "select orders from warehouse.agg_customer_metrics"
    assert (platform.rows(orders), platform.rows(of_customer)) == ([(1, 0)], [(1,)])
    platform.load(2, **sales(1, ""))
    assert (platform.rows(orders), platform.rows(of_customer)) == ([(0, 1)], [])
    platform.load(3, **sales(1, 1))
    assert (platform.rows(orders), platform.rows(of_customer)) == ([(1, 0)], [(1,)])
    assert faults(platform, 3) == {}


def test_a_guests_order_does_not_wait_for_a_customer_and_others_do(platform: Platform) -> None:
    platform.load(
        1,
        products=[product()],
        transactions=[order(1, ""), order(2, 7), order(3, "x" * 201)],
        transaction_items=[line(1, 1), line(2, 2), line(3, 3)],
    )
    rejected = "select source_row, reasons[1] from production.rejected_rows where feed = 'transactions' order by 1"
    assert platform.rows(rejected) == [
        (2, "customer_id: unknown customer"),
        (3, "customer_id: longer than 200 characters"),
    ]
    platform.load(2, customers=[customer(7)])
    assert platform.rows("select transaction_id, customer_id from production.transactions order by 1") == [
        (1, None),
        (2, 7),
    ]
    assert faults(platform, 2) == {}


def test_a_blank_category_brand_or_payment_method_is_unknown(platform: Platform) -> None:
    platform.load(
        1,
        customers=[customer()],
        products=[product(1, category="", brand=""), product(2, category="Unknown")],
        transactions=[order(1, payment_method=" "), order(2, payment_method="Unknown")],
        transaction_items=[line(1, 1, 1), line(2, 2, 2)],
    )
    assert platform.rows(
        "select product_id, category, brand from warehouse.dim_product where product_key <> 0 order by 1"
    ) == [
        (1, "Unknown", "Unknown"),
        (2, "Unknown", "Acme"),
    ]
    (category,) = extract(platform, "category_sales")
    (payment,) = extract(platform, "payment_methods")
    assert (category["category"], category["orders"]) == ("Unknown", 2)
    assert (payment["payment_method"], payment["payment_group"], payment["orders"]) == ("Unknown", "Other", 2)
    assert faults(platform, 1) == {}


def test_a_file_with_only_a_header_is_a_day_without_rows(platform: Platform) -> None:
    platform.load(1, customers=[customer()], products=[product()], **sales(1))
    platform.load(2)
    with PostgresConnection(url=platform.url, role="loader").connect() as connection:
        assert what_is_loaded(connection).passed == {day(1), day(2)}
    # The latest day is due, and it is loaded.
    assert faults(platform, 2) == {}
    assert platform.rows("select partition_date from monitoring.loaded_through") == [(day(2),)]
    assert platform.rows("select count(*) from monitoring.incomplete_days") == [(0,)]


@pytest.mark.parametrize(("usual", "passes"), [(0, True), (100, False)])
def test_a_day_without_rows_is_unusual_only_if_others_have_some(platform: Platform, usual: int, passes: bool) -> None:
    for number in (1, 8, 15, 22):
        platform.load(number, customers=[customer(each) for each in range(1, usual + 1)])
    platform.load(29)
    (check,) = [
        c for c in table_checks(raw_folder=lambda: platform.raw) if (c.table, c.name) == ("staging.customers", "volume")
    ]
    with PostgresConnection(url=platform.url, role="loader").connect() as connection:
        outcome = check.run(connection, Window(day(29), day(30)))
    assert (outcome.passed, outcome.metadata["rows"], check.severity) == (passes, 0, "WARN")


def test_the_days_without_rows_of_a_first_load_are_not_all_that_is_usual(platform: Platform) -> None:
    """While the files of a first load are judged, none of its days with rows is loaded yet."""
    for number in range(1, 58):
        platform.export(number, customers=[customer(number)] if number % 2 else [])
    platform.run(1, 57, only=["staging.customers"])
    (check,) = [
        c for c in table_checks(raw_folder=lambda: platform.raw) if (c.table, c.name) == ("staging.customers", "volume")
    ]
    with PostgresConnection(url=platform.url, role="loader").connect() as connection:
        outcome = check.run(connection, Window(day(1), day(58)))
    assert (outcome.passed, outcome.metadata["rows"]) == (True, 1)


def test_rows_that_were_rejected_for_a_blank_are_good_after_the_upgrade(platform: Platform) -> None:
    platform.load(1, customers=[customer()], products=[product()], **sales(1, ""))
    before = (SQL_DIR / "ddl" / "060_rules.sql").read_text(encoding="utf-8")
    before = before.replace("when platform.clean(s.customer_id) is not null and ", "when ")
    before = before.replace(" or platform.clean(s.customer_id) is null)", ")")
    with psycopg.connect(platform.url, autocommit=True) as connection:
        connection.execute(before.encode())
        connection.execute("delete from platform.watermarks where source = 'production.loaded_days'")
    platform.run(1)
    assert platform.rows("select count(*) from warehouse.fact_sales") == [(0,)]
    with psycopg.connect(platform.url, autocommit=True) as connection:
        connection.execute((SQL_DIR / "ddl" / "060_rules.sql").read_bytes())
        connection.execute((SQL_DIR / "ddl" / "190_production.sql").read_bytes())
    platform.load(2)
    assert platform.rows("select count(*) from warehouse.fact_sales") == [(1,)]
