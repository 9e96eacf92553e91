"""The database takes amounts in the reporting currency, and keeps those of another one among the rejected rows."""

from __future__ import annotations

from ecommerce_platform.tables.loaded_days import note_reporting_currency
from ecommerce_platform_tests.harness import Platform, customer, line, order, product

REJECTED = "select feed, source_row, reasons from production.rejected_rows order by feed, source_row"
REVENUE = "select transaction_id, sum(revenue)::text from warehouse.fact_sales group by 1 order by 1"
SALES = {
    "customers": [customer()],
    "products": [product()],
    "transaction_items": [line(1, 1), line(2, 2), line(3, 3)],
}


def test_an_order_without_a_rate_is_rejected_and_its_lines_wait_until_there_is_one(platform: Platform) -> None:
    orders = [order(1, currency="GBP"), order(2, currency=""), order(3)]
    platform.load(1, **SALES, transactions=orders)
    assert platform.rows(REJECTED) == [
        ("transaction_items", 1, ["transaction_id: unknown order"]),
        ("transactions", 1, ["currency: no rate from GBP to USD for 2024-01-01"]),
    ]
    assert platform.rows(REVENUE) == [(2, "10.00"), (3, "10.00")]

    # The connector has converted it: the day's files differ, and the day is loaded again.
    lines = [line(1, 1, price="12.70"), line(2, 2), line(3, 3)]
    platform.load(
        1, **{**SALES, "transaction_items": lines}, transactions=[order(1, total="12.70"), order(2), order(3)]
    )
    assert platform.rows(REJECTED) == []
    assert platform.rows(REVENUE) == [(1, "12.70"), (2, "10.00"), (3, "10.00")]


def test_the_reporting_currency_may_be_named_and_nothing_else(platform: Platform) -> None:
    orders = [order(1, currency=" USD "), order(2, currency="dollars"), order(3, currency="'; --")]
    platform.load(1, **SALES, transactions=orders)
    assert [row for row in platform.rows(REJECTED) if row[0] == "transactions"] == [
        ("transactions", 2, ["currency: not an ISO 4217 code"]),
        ("transactions", 3, ["currency: not an ISO 4217 code"]),
    ]


def test_a_product_without_any_rate_is_rejected(platform: Platform) -> None:
    platform.load(1, **{**SALES, "products": [product(currency="GBP")]}, transactions=[order(1)])
    assert ("products", 1, ["currency: no rate from GBP to USD for 2024-01-01"]) in platform.rows(REJECTED)


def test_another_reporting_currency_judges_every_day_again(platform: Platform) -> None:
    platform.load(1, **SALES, transactions=[order(1, currency="GBP"), order(2, currency="USD"), order(3)])
    assert platform.rows(REVENUE) == [(2, "10.00"), (3, "10.00")]
    note_reporting_currency(platform.url, "GBP")
    platform.load(2)
    assert platform.rows(REVENUE) == [(1, "10.00"), (3, "10.00")]
    assert ("transactions", 2, ["currency: no rate from USD to GBP for 2024-01-01"]) in platform.rows(REJECTED)
    # The same again changes nothing: no table has to read anything.
    before = platform.rows("select * from platform.watermarks order by reader, source")
    note_reporting_currency(platform.url, "GBP")
    assert platform.rows("select * from platform.watermarks order by reader, source") == before
