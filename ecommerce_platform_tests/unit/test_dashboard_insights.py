"""What stands out in a chart: each rule with rows above and below the size from which on it speaks."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest

from dashboards.app.chart_data import Answer, Cell, Column
from dashboards.app.chart_insights import Sentence, chart_sentence, strongest
from dashboards.spec.pages import PAGES

pytestmark = pytest.mark.unit

VISUALS = {visual.id: visual for page in PAGES for visual in page.visuals}
MONEY = ("revenue", "expected_revenue", "revenue_per_day", "realized_value")
PERCENT = ("revenue_share", "profit_margin", "return_rate", "order_share", "retention", "cumulative_share")


def answer_of(columns: str, *rows: tuple[Cell, ...], level: str | None = None, partial: tuple[int, ...] = ()) -> Answer:
    """An answer with these columns; a click on a row filters by the value of its first column."""
    names = columns.split()
    formats = {**dict.fromkeys(MONEY, "money"), **dict.fromkeys((*PERCENT, "customer_share"), "percent")}
    return Answer(
        tuple(Column(name, name, formats.get(name, "count")) for name in names),  # type: ignore[arg-type]
        rows,
        tuple(((names[0], str(row[0])),) for row in rows),
        level,
        partial=partial,
    )


def said(visual: str, answer: Answer) -> str:
    sentence = chart_sentence(VISUALS[visual], answer)
    return "" if sentence is None else sentence.text


def shares(*parts: int) -> Answer:
    names = ("Books", "Toys", "Games", "Art", "Music")
    rows = [(name, Decimal(part), Decimal(part)) for name, part in zip(names, parts, strict=False)]
    return answer_of("category revenue revenue_share", *rows)


def test_a_leader_is_named_with_the_one_that_it_leads() -> None:
    assert said("top_categories", shares(45, 30, 25)) == "Books brings 45.0% of revenue, 1.5 times as much as Toys."
    assert said("top_categories", shares(30, 30, 20, 20)) == ""
    # Less than 1.5 times the second, but 1.5 times an equal share of five.
    assert said("top_categories", shares(31, 29, 20, 10, 10)) == (
        "Books brings 31.0% of revenue, ahead of Toys with 29.0%."
    )
    assert said("top_categories", shares(100)) == ""
    assert said("top_categories", shares(100, 0)) == ""


def test_segments_are_customers() -> None:
    rows = [("VIP", Decimal(60), Decimal(60)), ("New", Decimal(40), Decimal(40))]
    text = said("segment_share", answer_of("segment revenue revenue_share", *rows))
    assert text == "VIP customers bring 60.0% of revenue, 1.5 times as much as New customers."


@pytest.mark.parametrize(("lowest", "speaks"), [("25.01", False), ("25.00", True)])
def test_margins_five_points_apart_are_named(lowest: str, speaks: bool) -> None:
    answer = answer_of(
        "category profit_margin revenue",
        ("Books", Decimal("30.00"), Decimal(600)),
        ("Toys", Decimal(lowest), Decimal(390)),
        # One per cent of the revenue is too little to be compared, whatever its margin.
        ("Art", Decimal("-80"), Decimal(10)),
        ("Music", None, Decimal(0)),
    )
    text = "Books has a margin of 30.0%, Toys 25.0%."
    assert said("category_margin", answer) == (text if speaks else "")
    sentence = chart_sentence(VISUALS["category_margin"], answer)
    assert sentence is None or sentence.pairs == (("category", "Toys"),)


def months(*revenue: int, first: int = 1) -> list[tuple[Cell, ...]]:
    return [(f"2024-{first + place:02}", Decimal(value)) for place, value in enumerate(revenue)]


def test_a_month_stands_out_from_the_median_of_the_complete_ones() -> None:
    rows = months(100, 100, 100, 125)
    assert said("revenue_trend", answer_of("period revenue", *rows, level="month")) == (
        "Apr 2024 stands out with $125.00, 25.0% above the median of the 4 complete months."
    )
    assert said("revenue_trend", answer_of("period revenue", *months(100, 100, 100, 124), level="month")) == ""
    # An incomplete month is low because it is incomplete.
    rows = months(100, 100, 100, 100, 10)
    assert said("revenue_trend", answer_of("period revenue", *rows, level="month", partial=(4,))) == ""
    assert said("revenue_trend", answer_of("period revenue", *months(1, 1, 9), level="month")) == ""


def test_a_day_is_compared_with_its_weekday() -> None:
    """Every Saturday sold twice as much as other days; none of them stands out."""
    days = [dt.date(2024, 1, 1) + dt.timedelta(days=number) for number in range(28)]
    usual = {day: Decimal(200 if day.weekday() == 5 else 100) for day in days}
    rows = [(day.isoformat(), value) for day, value in usual.items()]
    assert said("revenue_trend", answer_of("period revenue", *rows, level="day")) == ""
    rows[8] = (rows[8][0], Decimal(150))
    assert said("revenue_trend", answer_of("period revenue", *rows, level="day")) == (
        "9 Jan 2024 stands out with $150.00, 50.0% above the median Tuesday."
    )
    assert said("revenue_trend", answer_of("period revenue", *rows[:27], level="day")) == ""


def test_the_top_fifth_of_the_products() -> None:
    rows = [(rank, f"P{rank}", Decimal(share), Decimal(1)) for rank, share in enumerate((60, 70, 80, 90, 100), 1)]
    columns = "rank product cumulative_share revenue"
    assert said("long_tail", answer_of(columns, *rows)) == (
        "The top product brings 60.0% of revenue: a fifth of all that sold."
    )
    rows[0] = (1, "P1", Decimal("59.99"), Decimal(1))
    assert said("long_tail", answer_of(columns, *rows)) == ""
    assert said("long_tail", answer_of(columns, *rows[:4])) == ""


def test_a_discount_is_compared_with_none() -> None:
    columns = "discount_band profit_margin revenue_share"
    rows: list[tuple[Cell, ...]] = [
        ("None", Decimal(30), Decimal(90)),
        ("Up to 10%", Decimal(25), Decimal(9)),
        ("10% to 20%", Decimal(2), Decimal(1)),
    ]
    assert said("discount_impact", answer_of(columns, *rows)) == (
        "A discount of up to 10% leaves a margin of 25.0%, 5.0 points less than no discount."
    )
    assert said("discount_impact", answer_of(columns, rows[0], ("Up to 10%", Decimal("25.1"), Decimal(9)))) == ""


def test_weekdays_need_four_of_each() -> None:
    names = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
    rows = [(name, Decimal(125 if name == "Saturday" else 100), Decimal(1), 1, 4) for name in names]
    columns = "weekday revenue_per_day revenue orders days"
    assert said("weekdays", answer_of(columns, *rows)) == (
        "Saturday sells 25.0% more per day than Monday: $125.00 and $100.00."
    )
    assert said("weekdays", answer_of(columns, *rows[:6], (*rows[6][:4], 3))) == ""


def test_small_cohorts_are_not_compared() -> None:
    def cohorts(size: int) -> Answer:
        rows: list[tuple[Cell, ...]] = []
        for month, share in enumerate((50, 50, 50, 40), 1):
            rows += [(f"2024-{month:02}", 0, Decimal(100), size), (f"2024-{month:02}", 1, Decimal(share), size // 2)]
        return answer_of("cohort months_later retention customers", *rows)

    assert said("cohort_retention", cohorts(20)) == (
        "40.0% of the Apr 2024 cohort ordered in the month after, less than the median of 50.0%."
    )
    assert said("cohort_retention", cohorts(19)) == ""


def test_payment_preferences_need_orders() -> None:
    def preferences(orders: int) -> Answer:
        rows: list[tuple[Cell, ...]] = []
        for region, card in (("West", 60), ("South", 40)):
            for method, share in (("Card", card), ("Cash", 100 - card)):
                rows.append((region, method, Decimal(share), orders * share // 100, Decimal(1)))
        return answer_of("region payment order_share orders revenue", *rows)

    assert said("region_payments", preferences(100)).startswith(
        "Card has 60.0% of the orders in West, and 40.0% in South"
    )
    assert said("region_payments", preferences(20)) == ""


def test_the_season_of_a_complete_year() -> None:
    year = months(*[100] * 10, 150, 100)
    assert (
        said("seasonality", answer_of("month revenue", *year)) == "Nov 2024 was 50.0% above the median month of 2024."
    )
    assert said("seasonality", answer_of("month revenue", *year, partial=(0,))) == ""


def test_what_segments_have_brought_far_apart() -> None:
    columns = "segment customer_lifetime_value realized_value"
    rows = [("New", Decimal(1), Decimal(100)), ("VIP", Decimal(900), Decimal(300))]
    assert said("lifetime_value", answer_of(columns, *rows)) == (
        "A VIP customer has brought $300.00 so far on average, 3.0 times as much as a New customer."
    )
    assert said("lifetime_value", answer_of(columns, rows[0], ("VIP", Decimal(900), Decimal(299)))) == ""
    assert said("lifetime_value", answer_of(columns, ("New", Decimal(0), None), rows[1])) == ""


def stocks(*statuses: str) -> Answer:
    return answer_of("product stock_status", *((f"Thing {place}", name) for place, name in enumerate(statuses, 1)))


@pytest.mark.parametrize(
    ("statuses", "text"),
    [
        (["Runs out within 7 days"] * 2 + ["Enough"], "2 products run out within 7 days, first Thing 1."),
        (["Runs out within 7 days", "Enough"], "1 product runs out within 7 days, first Thing 1."),
        (["Out of stock", "Enough"], "1 product is out of stock, first Thing 1."),
        (
            ["Out of stock"] * 2 + ["Runs out within 7 days", "Runs out within 30 days"],
            "2 products are out of stock and 1 runs out within 7 days, first Thing 1.",
        ),
        # The table may end before the products that run out do.
        (["Runs out within 7 days"] * 15, "At least 15 products run out within 7 days, first Thing 1."),
        (["Runs out within 30 days", "Enough", "No sales"], ""),
    ],
)
def test_products_about_to_run_out_are_counted(statuses: list[str], text: str) -> None:
    assert said("stock_cover", stocks(*statuses)) == text


@pytest.mark.parametrize(("lift", "speaks"), [("1.99", False), ("2.00", True)])
def test_the_pair_with_the_highest_lift_is_named(lift: str, speaks: bool) -> None:
    answer = answer_of("product other_product orders_together lift", ("Tea", "Pot", 34, Decimal(lift)))
    text = "Tea and Pot are bought together 2.0 times as often as by chance, in 34 orders."
    assert said("product_pairs", answer) == (text if speaks else "")


def test_the_latest_unusual_day_is_told() -> None:
    columns = "day category revenue expected_revenue"
    late, early = dt.date(2025, 3, 4), dt.date(2025, 2, 1)
    above, below = Decimal(125), Decimal(75)
    earlier = (early, "Toys", Decimal(900), Decimal(100))
    assert said("sales_anomalies", answer_of(columns, (late, "Books", above, Decimal(100)), earlier)) == (
        "The latest: Books sold $125.00 on 4 Mar 2025, 25.0% above the expected $100.00."
    )
    assert said("sales_anomalies", answer_of(columns, (late, "Books", below, Decimal(100)), earlier)) == (
        "The latest: Books sold $75.00 on 4 Mar 2025, 25.0% below the expected $100.00."
    )
    assert said("sales_anomalies", answer_of(columns, (late, "Books", Decimal(124), Decimal(100)), earlier)) == ""


@pytest.mark.parametrize(("customers", "speaks"), [("31", False), ("30", True)])
def test_the_group_with_the_largest_share_of_revenue_is_named(customers: str, speaks: bool) -> None:
    answer = answer_of(
        "rfm_group customers revenue_share customer_share",
        ("Hibernating", 50, Decimal(10), Decimal(50)),
        ("Champions", 30, Decimal(45), Decimal(customers)),
    )
    text = "Champions are 30.0% of the customers and bring 45.0% of the revenue from customers."
    assert said("rfm_segments", answer) == (text if speaks else "")


def test_what_cannot_be_drawn_says_nothing() -> None:
    assert said("top_categories", answer_of("category revenue revenue_share")) == ""
    assert said("checks_by_layer" if "checks_by_layer" in VISUALS else "top_categories", answer_of("category")) == ""


def test_the_strongest_keep_their_order() -> None:
    first, second, third = (Sentence(str(size), size=size) for size in (1.0, 3.0, 2.0))
    assert strongest([first, None, second, third], 2) == (second, third)
    assert strongest([None], 3) == ()
