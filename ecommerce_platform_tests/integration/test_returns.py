"""Returns and refunds: beside the sale that they take back, by day of return and by day of sale, and never lost."""

from __future__ import annotations

from decimal import Decimal

import pytest

from ecommerce_platform.checks.returns import returns_fit_their_sales
from ecommerce_platform.io_managers import PostgresConnection
from ecommerce_platform.reports.rejects import RejectFilter, list_rejects
from ecommerce_platform.settings import SQL_DIR
from ecommerce_platform.tables.loaded_days import what_is_loaded
from ecommerce_platform_tests.harness import Platform, Row, customer, day, line, order, product, returned


def two_sales() -> dict[str, list[Row]]:
    """Return the files of a day with an order of two lines: three units of product 1, and one of product 2."""
    return {
        "customers": [customer()],
        "products": [product(1), product(2, category="Clothing")],
        "transactions": [order(1, total="40.00")],
        "transaction_items": [line(1, 1, quantity=3), line(1, 2, 2)],
    }


def rejected(platform: Platform) -> list[tuple]:
    return platform.rows(
        "select source_row, reasons, missing_transaction_id, missing_item_id from production.rejected_rows"
        " where feed = 'returns' order by partition_date, source_row"
    )


def kept(platform: Platform) -> list[tuple]:
    """Return order, return, line, quantity and refund of all returns."""
    return platform.rows(
        "select transaction_id, return_id, item_id, quantity, refund_amount from warehouse.fact_returns order by 1, 2"
    )


def extract(platform: Platform, name: str) -> list[dict]:
    select = (SQL_DIR / "transform" / "analytics" / f"{name}.sql").read_text(encoding="utf-8")
    return [row for (row,) in platform.rows(f"select to_jsonb(rows) from ({select}) as rows")]


def test_a_return_counts_on_its_own_day_and_against_the_day_of_its_sale(platform: Platform) -> None:
    platform.load(1, **two_sales())
    platform.load(3, returns=[returned(1, 1, on=3, quantity=2), returned(1, 2, 2, on=2)])
    assert platform.rows(
        "select return_date, sale_date, return_count, orders, returned_units, returns"
        " from warehouse.agg_daily_returns order by 1"
    ) == [(day(2), day(1), 1, 1, 1, Decimal("10.00")), (day(3), day(1), 1, 1, 2, Decimal("20.00"))]
    assert [(row["sale_date"], row["returns"], row["net_revenue"]) for row in extract(platform, "daily_sales")] == [
        ("2024-01-01", 30.00, 10.00)
    ]


def test_a_return_has_the_versions_of_its_sale_also_when_they_arrive_later(platform: Platform) -> None:
    platform.load(2, customers=[customer()], products=[product()], transactions=[order(1, on=2)])
    platform.load(3, transaction_items=[line(1, 1)], returns=[returned(1, 1, on=3)])
    platform.load(4, customers=[customer(on=2, state="CA")], products=[product(on=2, cost="7.00")])
    ours, sales = (
        platform.rows(f"select customer_key, product_key, payment_key, sale_date from warehouse.{table}")
        for table in ("fact_returns", "fact_sales")
    )
    assert ours == sales
    platform.load(5, customers=[customer(on=1, state="NY")], products=[product(on=1, cost="5.00")])
    later = platform.rows("select customer_key, product_key, payment_key, sale_date from warehouse.fact_returns")
    assert later == platform.rows("select customer_key, product_key, payment_key, sale_date from warehouse.fact_sales")


def test_a_return_waits_for_its_order_and_its_line(platform: Platform) -> None:
    sale = two_sales()
    first, second = sale["transaction_items"]
    platform.load(1, customers=sale["customers"], products=sale["products"], returns=[returned(1, 2)])
    waiting = "select row_count, refunds from monitoring.waiting_refunds"
    assert rejected(platform) == [(1, ["transaction_id: unknown order"], 1, None)]
    assert platform.rows(waiting) == [(1, Decimal("10.00"))]
    platform.load(2, transactions=sale["transactions"], transaction_items=[first])
    assert rejected(platform) == [(1, ["item_id: unknown order line"], None, 2)]
    assert platform.rows(waiting) == [(1, Decimal("10.00"))]
    with PostgresConnection(url=platform.url, role="loader").connect() as connection:
        assert [row.waits_for() for row in list_rejects(connection, RejectFilter())] == ["order line 2"]
    assert kept(platform) == []
    platform.load(3, transaction_items=[second])
    assert rejected(platform) == []
    assert platform.rows(waiting) == []
    assert kept(platform) == [(1, 1, 2, 1, Decimal("10.00"))]


def test_a_return_whose_line_is_withdrawn_waits_again(platform: Platform) -> None:
    sale = two_sales()
    platform.load(1, **sale)
    platform.load(2, returns=[returned(1, 2, on=2)])
    platform.load(3, transactions=[order(1)], transaction_items=sale["transaction_items"][:1])
    assert rejected(platform) == [(1, ["item_id: unknown order line"], None, 2)]
    assert kept(platform) == []
    assert platform.rows("select count(*) from warehouse.agg_daily_returns") == [(0,)]
    assert [row["returns"] for row in extract(platform, "daily_sales")] == [0]
    assert platform.rows("select count(*) from warehouse.mart_product_returns") == [(0,)]


def test_the_latest_export_of_a_return_counts_and_a_return_of_nothing_withdraws_it(platform: Platform) -> None:
    platform.load(1, **two_sales(), returns=[returned(1, 1), returned(1, 1, quantity=2), returned(1, 1, 2)])
    assert kept(platform) == [(1, 1, 1, 2, Decimal("20.00")), (1, 2, 1, 1, Decimal("10.00"))]
    platform.load(2, returns=[returned(1, 1, quantity=3, refund_amount="25.50")])
    assert kept(platform)[0] == (1, 1, 1, 3, Decimal("25.50"))
    platform.load(3, returns=[returned(1, 1, quantity=0)])
    assert kept(platform)[0] == (1, 1, 1, 0, Decimal("0.00"))
    platform.load(3)
    assert kept(platform)[0] == (1, 1, 1, 3, Decimal("25.50"))


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"return_id": "R" * 201}, "return_id: longer than 200 characters"),
        ({"item_id": ""}, "item_id: blank"),
        ({"returned_on": "31/01/2024"}, "returned_on: not a date (YYYY-MM-DD)"),
        ({"returned_on": "2024-01-02"}, "returned_on: after the day of its file"),
        ({"quantity": "-1"}, "quantity: negative"),
        ({"quantity": "1.5"}, "quantity: not an integer"),
        ({"refund_amount": "-0.01"}, "refund_amount: negative"),
        ({"refund_amount": "10,00"}, "refund_amount: not an amount"),
    ],
)
def test_a_faulty_return_is_rejected_with_its_reason(platform: Platform, fields: dict[str, str], reason: str) -> None:
    platform.load(1, **two_sales(), returns=[{**returned(1, 1), **fields}])
    assert rejected(platform) == [(1, [reason], None, None)]


def test_more_than_was_sold_is_kept_with_a_warning(platform: Platform) -> None:
    """The refund was paid, and the order may still be corrected: rejecting it would overstate the net revenue."""
    numbers = range(1, 31)
    platform.load(
        1,
        customers=[customer()],
        products=[product()],
        transactions=[order(number) for number in numbers],
        transaction_items=[line(number, 1) for number in numbers],
        returns=[returned(number, 1) for number in numbers],
    )
    with PostgresConnection(url=platform.url, role="loader").connect() as connection:
        check = returns_fit_their_sales()
        assert check.run(connection).violations == 0
        platform.load(2, returns=[returned(number, 1, 2, on=2) for number in range(1, 11)])
        outcome = check.run(connection)
    assert (check.severity, outcome.passed, outcome.violations, outcome.rows_tested) == ("WARN", False, 10, 30)
    assert platform.rows("select sum(returns) from warehouse.agg_daily_returns") == [(Decimal("400.00"),)]


def test_extracts_show_returns_beside_revenue(platform: Platform) -> None:
    platform.load(1, **two_sales(), returns=[returned(1, 1), returned(1, 2, 2, refund_amount="4.00")])
    (month,) = extract(platform, "monthly_sales")
    assert (month["returns"], month["net_revenue"], month["return_rate"]) == (14, 26, 50)
    (of_day,) = extract(platform, "daily_sales")
    assert (of_day["returns"], of_day["net_revenue"]) == (14, 26)
    rates = {row["category"]: row["return_rate"] for row in extract(platform, "category_sales")}
    assert rates == {"Electronics": 33.33, "Clothing": 100}
    products = [
        (row["returns_rank"], row["product_code"], row["units"], row["returned_units"], row["net_revenue"])
        for row in extract(platform, "returns_by_product")
    ]
    assert products == [(1, "1", 3, 1, 20), (2, "2", 1, 1, 6)]


def test_a_day_without_a_file_of_returns_is_loaded(platform: Platform) -> None:
    platform.export(1, **two_sales())
    (platform.raw / "returns" / f"{day(1)}.csv").unlink()
    (platform.raw / "returns").rmdir()
    platform.run(1)
    with PostgresConnection(url=platform.url, role="loader").connect() as connection:
        assert what_is_loaded(connection).passed == {day(1)}
    assert platform.rows("select row_count from platform.slices where table_name = 'staging.returns'") == [(0,)]
    assert platform.rows("select count(*) from warehouse.fact_sales") == [(2,)]
