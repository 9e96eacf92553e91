"""A sale keeps the attributes of its sale date, whatever arrives later."""

from __future__ import annotations

from decimal import Decimal

from ecommerce_platform_tests.harness import Platform, customer, line, order, product


def revenue_by_state(platform: Platform) -> dict[str, Decimal]:
    return dict(
        platform.rows(
            "select state, sum(revenue) from warehouse.fact_sales join warehouse.dim_customer using (customer_key)"
            " group by state"
        )
    )


def test_a_customer_who_moves_keeps_old_sales_in_the_old_state(platform: Platform) -> None:
    platform.load(
        1,
        customers=[customer()],
        products=[product()],
        transactions=[order(1)],
        transaction_items=[line(1, 1)],
    )
    platform.load(
        2,
        customers=[customer(on=2, state="CA", city="Fresno")],
        transactions=[order(2, on=2)],
        transaction_items=[line(2, 2)],
    )
    assert revenue_by_state(platform) == {"TX": 10, "CA": 10}


def test_a_move_that_is_learned_late_repoints_only_the_sales_after_it(platform: Platform) -> None:
    platform.load(1, customers=[customer()], products=[product()])
    for number in (1, 2, 3):
        platform.export(
            number + 1, transactions=[order(number, on=number + 1)], transaction_items=[line(number, number)]
        )
    platform.run(4)
    platform.run(2, 3)
    platform.load(5, customers=[customer(on=3, state="NY", city="Troy")])
    assert revenue_by_state(platform) == {"TX": 10, "NY": 20}
    assert platform.rows(
        "select breakdown, member, sum(revenue) from warehouse.mart_daily_breakdown"
        " where breakdown = 'state' group by 1, 2 order by 2"
    ) == [("state", "US-NY", 20), ("state", "US-TX", 10)]


def test_an_orphan_order_enters_by_itself_once_its_customer_has_arrived(platform: Platform) -> None:
    platform.load(1, products=[product()], transactions=[order(1)], transaction_items=[line(1, 1)])
    assert platform.rows("select feed, reasons from production.rejected_rows order by feed") == [
        ("transaction_items", ["transaction_id: unknown order"]),
        ("transactions", ["customer_id: unknown customer"]),
    ]
    platform.load(2, customers=[customer(on=2)])
    assert platform.rows("select * from production.rejected_rows") == []
    assert platform.rows("select sale_date::text, revenue from warehouse.agg_daily_sales") == [("2024-01-01", 10)]


def test_a_corrected_order_replaces_all_its_lines(platform: Platform) -> None:
    platform.load(
        1,
        customers=[customer()],
        products=[product(), product(2)],
        transactions=[order(1, total="30.00")],
        transaction_items=[line(1, 1), line(1, 2, 2, quantity=2)],
    )
    platform.load(3, transactions=[order(1)], transaction_items=[line(1, 1, quantity=3)])
    assert platform.rows("select item_id, quantity from warehouse.fact_sales") == [(1, 3)]
    platform.run(1)
    assert platform.rows("select item_id, quantity from warehouse.fact_sales") == [(1, 3)]
    assert platform.rows("select orders, revenue from warehouse.agg_daily_sales") == [(1, 30)]


def test_a_customer_whose_only_image_is_withdrawn_takes_the_orders_out_and_back_in(
    platform: Platform,
) -> None:
    platform.load(
        1,
        customers=[customer()],
        products=[product()],
        transactions=[order(1)],
        transaction_items=[line(1, 1)],
    )
    platform.load(2, transactions=[order(2, on=2)], transaction_items=[line(2, 2)])
    platform.load(1, products=[product()], transactions=[order(1)], transaction_items=[line(1, 1)])
    assert platform.rows("select * from warehouse.fact_sales") == []
    assert platform.rows("select * from warehouse.agg_daily_sales") == []
    assert platform.rows("select count(*) from production.rejected_rows") == [(4,)]
    platform.load(3, customers=[customer(on=3)])
    assert platform.rows("select sum(revenue) from warehouse.agg_daily_sales") == [(20,)]
    assert platform.rows("select count(*) from production.rejected_rows") == [(0,)]


def test_a_cost_that_is_corrected_late_changes_the_profit_of_later_sales_only(platform: Platform) -> None:
    platform.load(
        1,
        customers=[customer()],
        products=[product()],
        transactions=[order(1)],
        transaction_items=[line(1, 1)],
    )
    platform.load(3, transactions=[order(3, on=3)], transaction_items=[line(3, 3)])
    platform.load(4, products=[product(on=2, cost="7.00")])
    assert platform.rows("select transaction_id, cost from warehouse.fact_sales order by 1") == [
        (1, 6),
        (3, 7),
    ]
    assert platform.rows("select sum(profit) from warehouse.agg_daily_sales") == [(7,)]


def test_absurd_but_good_amounts_do_not_stop_the_day(platform: Platform) -> None:
    """Such amounts overflowed numeric(14, 2), the error named no row, and the day could not be loaded."""
    platform.load(
        1,
        customers=[customer()],
        products=[product(cost="9999999999.99"), product(2, cost="1000000.00")],
        transactions=[order(1), order(2)],
        transaction_items=[
            line(1, 1, quantity=999999999, price="0.00", line_total="0.00"),
            line(2, 2, 2, quantity=200, price="0.01", discount_amount="1.99", line_total="0.01"),
        ],
    )
    assert platform.rows("select count(*), sum(revenue) from warehouse.fact_sales") == [(2, Decimal("0.01"))]
    assert platform.rows("select count(*) from warehouse.agg_product_performance") == [(2,)]


def test_a_customer_becomes_a_vip_on_the_day_of_the_purchase_that_makes_one(platform: Platform) -> None:
    platform.load(1, customers=[customer()], products=[product()])
    for number in range(1, 12):
        platform.export(
            number + 1,
            transactions=[order(number, on=number + 1)],
            transaction_items=[line(number, number, quantity=100)],
        )
    platform.run(2, 12)
    assert platform.rows(
        "select segment, count(*) from warehouse.fact_sales join warehouse.dim_customer using (customer_key)"
        " group by segment order by segment"
    ) == [("New", 2), ("Regular", 7), ("VIP", 2)]
