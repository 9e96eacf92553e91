"""Products bought together: pairs per day, of the last 90 days of sales, and the strongest of them."""

from __future__ import annotations

import random
from collections import Counter
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from itertools import combinations

import pytest

from ecommerce_platform_tests.extracts import extract
from ecommerce_platform_tests.harness import Platform, Row, customer, day, line, order, product


def sale(number: int, on: int, *products: int) -> dict[str, list[Row]]:
    """Return the files of a day with one order of these products."""
    return {
        "customers": [customer(on=on)],
        "products": [product(key, on=on) for key in sorted(set(products))],
        "transactions": [order(number, on=on, total=f"{10 * len(products)}.00")],
        "transaction_items": [line(number, item, key) for item, key in enumerate(products, start=1)],
    }


def pairs(platform: Platform) -> list[tuple]:
    return platform.rows(
        "select sale_date, product_id, other_product_id, orders from warehouse.mart_product_pairs order by 1, 2, 3"
    )


def test_an_order_counts_once_however_often_it_has_a_product(platform: Platform) -> None:
    platform.load(1, **sale(1, 1, 3, 1, 1, 2, 3))
    assert pairs(platform) == [(day(1), 1, 2, 1), (day(1), 1, 3, 1), (day(1), 2, 3, 1)]


@pytest.mark.parametrize(("lines", "found", "large"), [(50, 50 * 49 // 2, 0), (51, 0, 1), (500, 0, 1)])
def test_a_large_order_has_no_pairs_and_is_counted(platform: Platform, lines: int, found: int, large: int) -> None:
    """An order of 500 products would have 124,750 pairs."""
    platform.load(1, **sale(1, 1, *range(1, lines + 1)))
    assert platform.rows("select count(*) from warehouse.mart_product_pairs") == [(found,)]
    assert platform.rows("select orders, large_orders from warehouse.agg_daily_sales") == [(1, large)]


def test_an_order_that_is_corrected_later_has_the_pairs_of_its_last_export(platform: Platform) -> None:
    platform.load(1, **sale(1, 1, 1, 2))
    platform.load(2, products=[product(3)], transactions=[order(1)], transaction_items=[line(1, 1), line(1, 2, 3)])
    assert pairs(platform) == [(day(1), 1, 3, 1)]


DAYS = (1, 2, 89, 90, 91, 92, 200, 289, 290)
"""Days around both ends of windows of 90 days, with gaps in between."""


@pytest.mark.parametrize("seed", range(4))
def test_the_window_ends_on_the_last_day_of_sales_in_any_order_of_loads(platform: Platform, seed: int) -> None:
    rng = random.Random(seed)
    days, loaded = list(DAYS), set()
    rng.shuffle(days)
    for number in DAYS:
        platform.export(number, **sale(number, number, 1, 2))
    while days:
        # Several days, one after another or in one run over a range; a range loads what lies between, too.
        batch = [days.pop() for _ in range(min(len(days), rng.randint(1, 2)))]
        for number in batch:
            platform.run(number)
        loaded.update(batch)
        last = max(loaded)
        assert pairs(platform) == [(day(number), 1, 2, 1) for number in sorted(loaded) if last - number < 90]


def test_days_are_in_the_window_again_when_the_last_day_turns_out_to_be_empty(platform: Platform) -> None:
    for number in (1, 2, 60, 91, 150):
        platform.load(number, **sale(number, number, 1, 2))
    assert [row[0] for row in pairs(platform)] == [day(91), day(150)]
    platform.load(150, customers=[customer(on=150)], products=[product(1, on=150)])
    assert [row[0] for row in pairs(platform)] == [day(2), day(60), day(91)]
    platform.load(91, customers=[customer(on=91)])
    assert [row[0] for row in pairs(platform)] == [day(1), day(2), day(60)]


def test_the_strongest_pairs_have_support_confidence_and_lift(platform: Platform) -> None:
    """Against counts over random baskets in plain Python."""
    rng = random.Random(90)
    baskets = {}
    for number in range(1, 401):
        basket = {rng.choice([1, 1, 1, 2, 2, 3, 4, 5, 6]) for _ in range(rng.randint(1, 4))}
        # Who buys 7 often takes 8.
        basket |= {7, *({8} if rng.random() < 0.8 else ())} if rng.random() < 0.1 else set()
        baskets[number] = basket | ({8} if rng.random() < 0.05 else set())
    for on, numbers in ((1, range(1, 21)), (100, range(21, 401))):
        platform.export(
            on,
            customers=[customer(on=on)],
            products=[product(key, on=on, product_name=f"Thing {key} of {on}") for key in range(1, 9)],
            transactions=[order(number, on=on, total=f"{10 * len(baskets[number])}.00") for number in numbers],
            transaction_items=[
                line(number, item, key)
                for number in numbers
                for item, key in enumerate(sorted(baskets[number]), start=1)
            ],
        )
        platform.run(on)
    recent = [baskets[number] for number in range(21, 401)]
    single = Counter(key for basket in recent for key in basket)
    double = Counter(pair for basket in recent for pair in combinations(sorted(basket), 2))

    def rounded(value: Fraction) -> Decimal:
        exact = Decimal(value.numerator) / Decimal(value.denominator)
        return exact.quantize(Decimal("0.01"), ROUND_HALF_UP)

    expected = {}
    for (one, other), orders in double.items():
        lift = rounded(Fraction(orders * 380, single[one] * single[other]))
        if orders >= 10 and lift > 1:
            expected[str(one), str(other)] = (
                *(orders, single[one], single[other], rounded(Fraction(orders * 100, 380))),
                *(rounded(Fraction(orders * 100, single[one])), rounded(Fraction(orders * 100, single[other]))),
                *(lift, 380, 0, day(11), day(100)),
            )
    rows = extract(platform, "product_pairs")
    names = (
        *("orders_together", "product_orders", "other_product_orders", "support", "confidence", "other_confidence"),
        *("lift", "orders", "large_orders", "first_date", "as_of_date"),
    )
    found = {(row["product_code"], row["other_product_code"]): tuple(row[name] for name in names) for row in rows}
    assert found == expected
    assert [row["lift"] for row in rows] == sorted((row["lift"] for row in rows), reverse=True)
    assert (rows[0]["product_name"], rows[0]["other_product_name"]) == ("Thing 7 of 100", "Thing 8 of 100")
