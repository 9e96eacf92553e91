"""Late, corrected, and withdrawn data ends up in the right place: regression tests."""

from __future__ import annotations

from decimal import Decimal

from ecommerce_platform_tests.harness import Platform, Row, customer, line, order, product, returned


def a_sale(**fields: str) -> dict[str, list[Row]]:
    """Return the files of a first day: one customer, one product, and one order of one line."""
    return {
        "customers": [customer()],
        "products": [product(**fields)],
        "transactions": [order(1)],
        "transaction_items": [line(1, 1)],
    }


def kept_lines(platform: Platform) -> list[tuple]:
    """Return order, line, and cost of all sales."""
    return platform.rows("select transaction_id, item_id, cost from warehouse.fact_sales order by 1, 2")


def test_an_image_withdrawn_from_a_later_file_gives_the_sales_of_its_day_back_to_the_image_before(
    platform: Platform,
) -> None:
    """The version existed, but with another image: no row in the window triggered an update of the dimension."""
    platform.load(1, **a_sale())
    platform.load(3, customers=[customer(at="12:00:00", state="CA")], products=[product(at="12:00:00", cost="7.00")])
    assert platform.rows("select member from warehouse.mart_daily_breakdown where breakdown = 'state'") == [("US-CA",)]
    assert kept_lines(platform) == [(1, 1, Decimal("7.00"))]
    platform.load(3)
    assert platform.rows("select member from warehouse.mart_daily_breakdown where breakdown = 'state'") == [("US-TX",)]
    assert kept_lines(platform) == [(1, 1, Decimal("6.00"))]


def test_a_category_that_is_corrected_away_goes_and_its_product_stays(platform: Platform) -> None:
    """The product's foreign key prevented the deletion, and the day could not be reloaded."""
    platform.load(1, **a_sale(category="Tyos"))
    platform.load(1, **a_sale(category="Toys"))
    assert platform.rows("select category from production.product_categories") == [("Toys",)]
    assert platform.rows("select member, revenue from warehouse.mart_daily_breakdown where breakdown = 'category'") == [
        ("Toys", Decimal("10.00"))
    ]


def test_a_category_that_is_withdrawn_with_its_image_gives_the_product_back_its_old_category(
    platform: Platform,
) -> None:
    platform.load(1, **a_sale())
    platform.load(2, products=[product(on=2, category="Toys")], transactions=[order(2)], transaction_items=[line(2, 1)])
    platform.load(2, transactions=[order(2)], transaction_items=[line(2, 1)])
    assert platform.rows("select category from production.product_categories") == [("Electronics",)]
    assert platform.rows("select category, is_current from warehouse.dim_product where product_key <> 0") == [
        ("Electronics", True)
    ]
    assert kept_lines(platform) == [(1, 1, Decimal("6.00")), (2, 1, Decimal("6.00"))]


def test_a_product_that_is_withdrawn_with_its_category_leaves_its_lines_as_orphans(
    platform: Platform,
) -> None:
    platform.load(1, **a_sale())
    platform.load(1, customers=[customer()], transactions=[order(1)], transaction_items=[line(1, 1)])
    assert kept_lines(platform) == []
    assert platform.rows("select feed, reasons from production.rejected_rows") == [
        ("transaction_items", ["product_id: unknown product"])
    ]


def test_a_line_enters_by_itself_once_its_product_has_arrived(platform: Platform) -> None:
    """The line's rejection was removed before the lines were processed, and then nothing referred to its order."""
    platform.load(
        1,
        customers=[customer()],
        products=[product()],
        transactions=[order(1)],
        transaction_items=[line(1, 1), line(1, 2, 2)],
    )
    platform.load(2, products=[product(2, on=2, cost="3.00")])
    assert kept_lines(platform) == [(1, 1, Decimal("6.00")), (1, 2, Decimal("3.00"))]
    assert platform.rows("select * from production.rejected_rows") == []


def test_an_export_that_counts_once_its_customer_has_arrived_supersedes_the_lines_before_it(
    platform: Platform,
) -> None:
    """The order existed from a third export without lines, so no row of it changed when its customer arrived."""
    platform.load(1, **a_sale())
    platform.load(2, transactions=[order(1, 2)], transaction_items=[line(1, 2)])
    platform.load(3, transactions=[order(1)])
    assert [item for _, item, _ in kept_lines(platform)] == [1, 2]
    platform.load(4, customers=[customer(2, on=4)])
    assert [item for _, item, _ in kept_lines(platform)] == [2]


def test_lines_that_a_withdrawn_export_had_superseded_come_back(platform: Platform) -> None:
    """The withdrawn export had left no rows, because its order and its line had been exported again later."""
    platform.load(
        1,
        customers=[customer()],
        products=[product()],
        transactions=[order(1)],
        transaction_items=[line(1, 2)],
    )
    platform.load(2, transactions=[order(1)], transaction_items=[line(1, 1)])
    platform.load(3, transactions=[order(1)])
    platform.load(4, transaction_items=[line(1, 1)])
    assert [item for _, item, _ in kept_lines(platform)] == [1]
    platform.load(2)
    assert [item for _, item, _ in kept_lines(platform)] == [1, 2]


def test_the_very_first_customers_leave_the_orders_of_guests_in_place(platform: Platform) -> None:
    """The first rows of a table truncate the tables that refer to it, too, if those are empty."""
    names = [f"production.{name}" for name in ("transactions", "transaction_items", "returns")]
    guest = [order(1, "")]
    platform.load(1, products=[product()], transactions=guest, transaction_items=[line(1, 1)], returns=[returned(1, 1)])
    before = [platform.content(name) for name in names]
    assert all(before)
    platform.export(2, customers=[customer(1, on=2)])
    platform.run(1, 2, only=["staging.customers", "production.loaded_days", "production.customers"])
    assert len(platform.content("production.customers")) == 1
    assert [platform.content(name) for name in names] == before


def test_the_very_first_customers_release_waiting_orders_even_when_loaded_alone(platform: Platform) -> None:
    """A bulk load of an empty table logs no changes; orders that wait for a parent must find it themselves."""
    platform.load(1, products=[product()], transactions=[order(1)], transaction_items=[line(1, 1)])
    assert kept_lines(platform) == []
    platform.export(2, customers=[customer(1, on=2)])
    platform.run(2, only=["staging.customers", "production.loaded_days", "production.customers"])
    platform.run(2)
    assert [item for _, item, _ in kept_lines(platform)] == [1]
