"""RFM groups, cohorts and repeat purchases: their numbers, and what a late, corrected or withdrawn order does."""

from __future__ import annotations

import datetime as dt
import itertools
from collections import Counter
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from ecommerce_platform.schemas.domains import INTERVAL_BANDS, RFM_GROUPS
from ecommerce_platform.settings import SQL_DIR
from ecommerce_platform_tests.harness import Platform, Row, customer, day, line, order, product


def extract(platform: Platform, name: str) -> list[dict[str, Any]]:
    with psycopg.connect(platform.url, row_factory=dict_row) as connection:
        return connection.execute((SQL_DIR / "transform" / "analytics" / f"{name}.sql").read_bytes()).fetchall()


def orders_of(*days: tuple[int, object, int], price: str = "10.00", **fields: str) -> dict[str, list[Row]]:
    """Return orders of one line, each given as (order, customer, day)."""
    return {
        "transactions": [order(number, buyer, on=on, total=price, **fields) for number, buyer, on in days],
        "transaction_items": [line(number, 1, price=price) for number, _, _ in days],
    }


def load(platform: Platform, number: int, *days: tuple[int, object, int], **fields: str) -> None:
    """Load a day with these orders; customers 1 to 5 and a product come with each."""
    platform.load(
        number, customers=[customer(n) for n in range(1, 6)], products=[product()], **orders_of(*days, **fields)
    )


def repeats(platform: Platform) -> list[tuple[int, int, int]]:
    """Return day, interval and orders of mart_daily_repeats."""
    rows = platform.rows("select sale_date, interval_days, orders from warehouse.mart_daily_repeats order by 1, 2")
    return [((sale_date - day(0)).days, *rest) for sale_date, *rest in rows]


# ---- repeat purchases ----------------------------------------------------------------------------


def test_an_interval_is_the_days_since_the_customers_previous_order(platform: Platform) -> None:
    load(platform, 1, (1, 1, 1), (2, 2, 1))
    load(platform, 4, (3, 1, 4))
    load(platform, 9, (4, 1, 9), (5, 2, 9))
    assert repeats(platform) == [(4, 3, 1), (9, 5, 1), (9, 8, 1)]


def test_a_second_order_on_the_same_day_is_a_repeat_after_no_days(platform: Platform) -> None:
    load(platform, 1, (1, 1, 1), (2, 1, 1))
    load(platform, 2, (3, 1, 2), (4, 1, 2), (5, 1, 2))
    assert repeats(platform) == [(1, 0, 1), (2, 0, 2), (2, 1, 1)]
    assert platform.rows("select sum(orders - 1) from warehouse.agg_customer_metrics") == [(4,)]


def test_guests_do_not_come_back(platform: Platform) -> None:
    load(platform, 1, (1, "", 1), (2, "", 1))
    load(platform, 2, (3, "", 2), (4, 1, 2))
    assert repeats(platform) == []
    assert {row["orders"] for row in extract(platform, "repeat_purchases")} == {0}
    assert {row["customers"] for row in extract(platform, "repeat_purchases")} == {1}


def test_an_order_that_arrives_late_divides_the_interval_of_the_next_one(platform: Platform) -> None:
    load(platform, 1, (1, 1, 1))
    load(platform, 7, (2, 1, 7))
    assert repeats(platform) == [(7, 6, 1)]
    load(platform, 8, (3, 1, 3))
    assert repeats(platform) == [(3, 2, 1), (7, 4, 1)]


def test_a_withdrawn_order_gives_its_interval_to_the_next_one(platform: Platform) -> None:
    load(platform, 1, (1, 1, 1))
    load(platform, 3, (2, 1, 3))
    load(platform, 7, (3, 1, 7))
    load(platform, 3)
    assert repeats(platform) == [(7, 6, 1)]
    load(platform, 1)
    assert repeats(platform) == []


def test_an_order_that_turns_out_to_be_another_customers_moves_both_intervals(platform: Platform) -> None:
    load(platform, 1, (1, 1, 1), (2, 2, 1))
    load(platform, 3, (3, 1, 3))
    load(platform, 7, (4, 1, 7), (5, 2, 7))
    assert repeats(platform) == [(3, 2, 1), (7, 4, 1), (7, 6, 1)]
    load(platform, 3, (3, 2, 3))
    assert repeats(platform) == [(3, 2, 1), (7, 4, 1), (7, 6, 1)]
    load(platform, 3, (3, "", 3))
    assert repeats(platform) == [(7, 6, 2)]


def test_a_repeated_day_computes_its_own_intervals_only(platform: Platform) -> None:
    """A day that is loaded again, unchanged, would otherwise compute all days on which its customers came back."""
    load(platform, 1, (1, 1, 1))
    load(platform, 7, (2, 1, 7))
    platform.execute("update warehouse.mart_daily_repeats set orders = 77")
    platform.run(1)
    assert repeats(platform) == [(7, 6, 77)]
    platform.run(7)
    assert repeats(platform) == [(7, 6, 1)]


INTERVALS = [0, 1, 7, 8, 14, 15, 30, 31, 60, 61, 90, 91, 180, 181, 365, 366, 400]


def test_each_interval_is_in_its_band(platform: Platform) -> None:
    """The first and the last day of each band."""
    load(platform, 1, (1, 1, 1))
    platform.execute(
        "insert into warehouse.mart_daily_repeats select '2024-01-01', unnest(%s::integer[]), 1", INTERVALS
    )
    rows = extract(platform, "repeat_purchases")
    assert [row["interval_band"] for row in rows] == INTERVAL_BANDS
    assert [row["orders"] for row in rows] == [1, *[2] * 8]
    inside = [
        [n for n in INTERVALS if row["from_days"] <= n and (row["to_days"] is None or n <= row["to_days"])]
        for row in rows
    ]
    assert [*itertools.chain.from_iterable(inside)] == INTERVALS
    assert rows[-1]["cumulative_share"] == 100
    assert rows[0]["order_share"] == rows[0]["cumulative_share"] == Decimal("5.88")


@pytest.mark.parametrize(
    ("intervals", "median"),
    [
        ({5: 1}, "5.0"),
        ({5: 1, 8: 1}, "6.5"),
        ({5: 2, 8: 1}, "5.0"),
        ({5: 2, 8: 2}, "6.5"),
        ({5: 1, 8: 2}, "8.0"),
        ({5: 2, 8: 1, 100: 1}, "6.5"),
        ({0: 3, 1: 1, 2: 1}, "0.0"),
        ({0: 3, 1: 1, 2: 2}, "0.5"),
    ],
)
def test_the_median_is_that_of_all_intervals(platform: Platform, intervals: dict[int, int], median: str) -> None:
    load(platform, 1, (1, 1, 1))
    for interval, count in intervals.items():
        platform.execute("insert into warehouse.mart_daily_repeats values ('2024-01-01', %s, %s)", interval, count)
    assert {row["median_interval_days"] for row in extract(platform, "repeat_purchases")} == {Decimal(median)}
    every = (
        "select n from warehouse.mart_daily_repeats, generate_series(1, orders), lateral (select interval_days as n)"
    )
    assert platform.rows(f"select percentile_cont(0.5) within group (order by n) from ({every} as i) as all_intervals")[
        0
    ] == (float(median),)


def test_the_share_of_customers_who_came_back(platform: Platform) -> None:
    load(platform, 1, (1, 1, 1), (2, 2, 1), (3, 3, 1))
    load(platform, 3, (4, 1, 3), (5, 4, 3), (6, 4, 3))
    (first, *_) = extract(platform, "repeat_purchases")
    assert (first["customers"], first["repeat_customers"], first["repeat_customer_share"]) == (4, 2, Decimal("50.00"))
    assert first["median_interval_days"] == 1


# ---- cohorts -------------------------------------------------------------------------------------

JANUARY, FEBRUARY, MARCH = dt.date(2024, 1, 1), dt.date(2024, 2, 1), dt.date(2024, 3, 1)
IN_FEBRUARY, IN_MARCH = 33, 62  # 2 February and 2 March 2024


def curves(platform: Platform, *names: str) -> list[tuple]:
    rows = extract(platform, "cohort_curves")
    return [(row["cohort_month"].month, row["months_since"], *(row[name] for name in names)) for row in rows]


def test_a_cohort_is_followed_from_the_month_of_its_first_orders_to_the_last_day_of_sales(platform: Platform) -> None:
    load(platform, 1, (1, 1, 1), (2, 2, 1), (3, "", 1))
    load(platform, IN_FEBRUARY, (4, 3, IN_FEBRUARY))
    load(platform, IN_MARCH, (5, 1, IN_MARCH), (6, 1, IN_MARCH), (7, 3, IN_MARCH), (8, "", IN_MARCH), price="5.50")
    assert curves(platform, "month_start", "customers", "active_customers", "retention", "orders", "revenue") == [
        (1, 0, JANUARY, 2, 2, 100, 2, 20),
        (1, 1, FEBRUARY, 2, 0, 0, 0, 0),
        (1, 2, MARCH, 2, 1, 50, 2, 11),
        (2, 0, FEBRUARY, 1, 1, 100, 1, 10),
        (2, 1, MARCH, 1, 1, 100, 1, Decimal("5.50")),
    ]
    assert curves(platform, "cumulative_revenue", "cumulative_revenue_per_customer") == [
        (1, 0, 20, 10),
        (1, 1, 20, 10),
        (1, 2, 31, Decimal("15.50")),
        (2, 0, 10, 10),
        (2, 1, Decimal("15.50"), Decimal("15.50")),
    ]
    (of_customers,) = platform.rows("select sum(revenue) from warehouse.fact_sales where customer_id is not null")
    assert (sum(row["revenue"] for row in extract(platform, "cohort_curves")),) == of_customers


@pytest.mark.parametrize(("last_day", "is_complete"), [(30, False), (31, True), (32, True)])
def test_a_month_is_complete_once_there_are_sales_on_its_last_day_or_later(
    platform: Platform, last_day: int, is_complete: bool
) -> None:
    load(platform, 1, (1, 1, 1))
    load(platform, last_day, (2, "", last_day))
    assert [row["is_complete"] for row in extract(platform, "cohort_curves")] == [is_complete, False][
        : 1 + (last_day > 31)
    ]


def test_a_late_first_order_moves_a_customer_to_an_earlier_cohort(platform: Platform) -> None:
    load(platform, IN_FEBRUARY, (1, 1, IN_FEBRUARY))
    load(platform, IN_MARCH, (2, 1, IN_MARCH))
    assert curves(platform, "customers") == [(2, 0, 1), (2, 1, 1)]
    load(platform, IN_MARCH + 1, (3, 1, 5))
    assert curves(platform, "customers") == [(1, 0, 1), (1, 1, 1), (1, 2, 1)]


# ---- RFM -----------------------------------------------------------------------------------------

CELLS = [(r, f, m) for r in range(1, 6) for f in range(1, 6) for m in range(1, 6)]


def test_each_of_the_125_cells_has_one_group(platform: Platform) -> None:
    groups = {cell: platform.rows("select warehouse.rfm_group(%s, %s, %s)", *cell)[0][0] for cell in CELLS}
    assert set(groups.values()) == set(RFM_GROUPS)
    assert groups[5, 5, 5] == groups[5, 4, 4] == "Champions"
    assert groups[5, 1, 1] == groups[5, 1, 2] == "New customers"
    assert groups[5, 1, 5] == "Potential loyalists"
    assert groups[3, 4, 4] == groups[4, 5, 5] == "Loyal customers"
    assert groups[1, 5, 5] == groups[2, 5, 5] == "Can't lose them"
    assert groups[2, 3, 3] == "At risk"
    assert groups[1, 1, 1] == "Hibernating"


def scores(platform: Platform) -> dict[int, tuple]:
    """Return the scores and the group of each customer."""
    return {
        customer_id: rest
        for customer_id, *rest in platform.rows(
            "select customer_id, recency_score, frequency_score, monetary_score, rfm_group from warehouse.customer_rfm"
        )
    }


def test_a_score_is_the_quintile_of_a_customer_among_those_with_orders(platform: Platform) -> None:
    """Customer n buys n times, last on day n, at n per order; a sixth customer has no orders."""
    for number in range(1, 6):
        load(platform, number, *((10 * n + number, n, number) for n in range(number, 6)), price=f"{number}.00")
    assert scores(platform) == {
        1: [1, 1, 1, "Hibernating"],
        2: [2, 2, 2, "Hibernating"],
        3: [3, 3, 3, "Need attention"],
        4: [4, 4, 4, "Loyal customers"],
        5: [5, 5, 5, "Champions"],
    }
    segments = {row.pop("rfm_group"): row for row in extract(platform, "rfm_segments")}
    assert segments["Hibernating"] == {
        "customers": 2,
        "customer_share": 40,
        "orders": 3,
        "revenue": 4,
        "revenue_share": Decimal("11.43"),
        "average_recency_days": Decimal("3.5"),
        "average_orders": Decimal("1.50"),
        "average_revenue": 2,
    }
    assert sum(row["customers"] for row in segments.values()) == 5


def test_equal_customers_have_equal_scores_and_one_order_is_not_frequent(platform: Platform) -> None:
    load(platform, 1, (1, 1, 1), (2, 2, 1), (3, 3, 1), (4, 4, 1), (5, 5, 1))
    assert set(map(tuple, scores(platform).values())) == {(5, 1, 1, "New customers")}


def test_a_guest_who_buys_last_moves_the_day_and_no_score(platform: Platform) -> None:
    load(platform, 1, (1, 1, 1), (2, 2, 1))
    load(platform, 3, (3, 2, 3))
    before = scores(platform)
    load(platform, 5, (4, "", 5))
    assert scores(platform) == before
    assert platform.rows("select customer_id, as_of, recency_days from warehouse.customer_rfm order by 1") == [
        (1, day(5), 4),
        (2, day(5), 2),
    ]


def test_scores_are_those_of_ranks_without_ties(platform: Platform) -> None:
    """A score follows from the share of customers with a lower value, computed here by ranks."""
    rows = [(n, day(1 + n * 7 % 23), 1 + n % 4, Decimal(n * 37 % 101)) for n in range(1, 98)]
    with psycopg.connect(platform.url) as connection, connection.cursor() as cursor:
        connection.execute("set session_replication_role = replica")
        cursor.executemany(
            "insert into warehouse.agg_customer_metrics (customer_id, first_order_date, last_order_date, orders, units,"
            " revenue, costed_revenue, average_order_value, lifespan_years) values (%s, %s, %s, %s, 1, %s, 0, 0, 1)",
            [(n, last, last, count, revenue) for n, last, count, revenue in rows],
        )
        connection.execute(
            "insert into warehouse.agg_daily_sales (sale_date, orders, guest_orders, customers, lines, units, discount,"
            " revenue, costed_revenue, large_orders) values (%s, 1, 0, 1, 1, 1, 0, 0, 0, 0)",
            [day(30)],
        )

    def below(values: list, value: object) -> int:
        return 5 * sum(other < value for other in values) // len(values)

    days_ago, counts, revenues = (
        [(day(30) - row[1]).days for row in rows],
        [row[2] for row in rows],
        [row[3] for row in rows],
    )
    expected = {
        n: [5 - below(days_ago, (day(30) - last).days), 1 + below(counts, count), 1 + below(revenues, revenue)]
        for n, last, count, revenue in rows
    }
    found = scores(platform)
    assert {n: each[:3] for n, each in found.items()} == expected
    assert len(Counter(tuple(each) for each in expected.values())) > 20
