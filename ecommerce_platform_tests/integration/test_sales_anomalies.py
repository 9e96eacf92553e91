"""Sales anomalies: days on which a category sold far more or less than usual, by a modified z-score."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from decimal import Decimal

import numpy as np
import pytest

from ecommerce_platform_tests.extracts import days_from, extract, fill
from ecommerce_platform_tests.harness import Platform, day

Sales = dict[tuple[dt.date, str], Decimal]


def sold(platform: Platform, sales: Sales) -> None:
    """Fill the tables that the extract reads with the revenue of categories on days."""
    platform.load(1)  # dim_date
    totals: Counter[dt.date] = Counter()
    for (on, _), revenue in sales.items():
        totals[on] += revenue  # type: ignore[assignment]
    sums = ("orders", "lines", "units", "discount", "revenue", "costed_revenue")
    fill(
        platform,
        "warehouse.mart_daily_breakdown",
        ("sale_date", "breakdown", "member", *sums),
        [(on, "category", name, 1, 1, 1, 0, revenue, 0) for (on, name), revenue in sales.items()],
    )
    fill(
        platform,
        "warehouse.agg_daily_sales",
        ("sale_date", "guest_orders", "customers", "large_orders", *sums),
        [(on, 0, 1, 0, 1, 1, 1, 0, revenue, 0) for on, revenue in totals.items()],
    )


def found(platform: Platform) -> list[tuple]:
    return [
        (row["sale_date"], row["category"], row["direction"], row["revenue"], row["expected_revenue"])
        for row in extract(platform, "sales_anomalies")
    ]


def usual(count: int = 120, category: str = "Books") -> Sales:
    """Return weeks whose weekdays differ, with a small deviation in each week."""
    return {
        (on, category): Decimal(100 + 50 * on.weekday() + number % 5)
        for number, on in enumerate(days_from(day(1), count))
    }


def test_a_usual_week_has_none_though_weekdays_differ_fourfold(platform: Platform) -> None:
    sold(platform, usual())
    assert found(platform) == []


def test_a_day_far_above_and_one_far_below_are_found_and_spoil_no_other_day(platform: Platform) -> None:
    sales = usual()
    high, low = day(80), day(101)
    sales[high, "Books"] *= 9
    del sales[low, "Books"]
    sold(platform, {**sales, **usual(category="Toys")})
    expected = {
        on: np.median([float(sales[on - dt.timedelta(weeks=n), "Books"]) for n in range(1, 8)]) for on in (high, low)
    }
    assert found(platform) == [
        (low, "Books", "Below", 0, Decimal(expected[low])),
        (high, "Books", "Above", sales[high, "Books"], Decimal(expected[high])),
    ]


def test_a_day_without_any_sales_is_no_anomaly(platform: Platform) -> None:
    """The shop was closed, or the day is not loaded; Data Health tells."""
    sales = usual()
    del sales[day(80), "Books"]
    sold(platform, sales)
    assert found(platform) == []


@pytest.mark.parametrize("days", [1, 55, 76])
def test_a_short_history_has_none(platform: Platform, days: int) -> None:
    """Seven weeks to compare with, then four weeks of residuals: 49 + 28 days."""
    sales = usual(days)
    sales[day(days), "Books"] *= 100
    sold(platform, sales)
    assert found(platform) == []


def test_after_77_days_the_first_is_found(platform: Platform) -> None:
    sales = usual(77)
    sales[day(77), "Books"] *= 100
    sold(platform, sales)
    assert [row[0] for row in found(platform)] == [day(77)]


def test_a_constant_revenue_has_no_deviation_to_measure_by(platform: Platform) -> None:
    sales = {(on, "Books"): Decimal(100) for on in days_from(day(1), 120)}
    sales[day(90), "Books"] = Decimal(500)
    sold(platform, sales)
    assert found(platform) == []


def test_the_scores_are_those_of_the_formula(platform: Platform) -> None:
    """Against NumPy: medians of seven weekdays, residuals, median absolute deviation, threshold 3.5."""
    rng = np.random.default_rng(1993)
    days = days_from(day(1), 400)
    names = {"Books": 0.2, "Toys": 0.5, "Music": 0.35}
    sales: Sales = {}
    for name, noise in names.items():
        for number, on in enumerate(days):
            revenue = (500 + number) * (1.4 if on.weekday() >= 5 else 1) * rng.lognormal(0, noise)
            if rng.random() > (0.03 if name != "Music" else 0.6):
                sales[on, name] = Decimal(f"{revenue:.2f}")
    sold(platform, sales)
    traded = sorted({on for on, _ in sales})

    expected = {}
    for name in names:
        first = min(on for on, category in sales if category == name)
        residuals: dict[dt.date, tuple[float, float, float]] = {}
        for weekday in range(7):
            same = [on for on in traded if on.weekday() == weekday and on >= first]
            values = [float(sales.get((on, name), 0)) for on in same]
            for number in range(7, len(same)):
                usually = sorted(values[number - 7 : number])[3]
                if usually > 0:
                    residuals[same[number]] = (values[number], usually, values[number] / usually - 1)
        of_all = sorted(residual for _, _, residual in residuals.values())
        if len(of_all) < 28 or sum(category == name for _, category in sales) < 28:
            continue
        assert name != "Music" or of_all[0] == -1
        # The lower middle one of an even number.
        median = of_all[(len(of_all) - 1) // 2]
        mad = sorted(abs(residual - median) for residual in of_all)[(len(of_all) - 1) // 2]
        for on, (revenue, usually, residual) in residuals.items() if mad else ():
            z = 0.6745 * (residual - median) / mad
            if abs(z) > 3.5:
                expected[on, name] = (revenue, usually, z)
    rows = {(row["sale_date"], row["category"]): row for row in extract(platform, "sales_anomalies")}
    assert set(rows) == set(expected)
    assert len(rows) > 5
    for key, (revenue, usually, z) in expected.items():
        row = rows[key]
        assert (float(row["revenue"]), float(row["expected_revenue"])) == (revenue, usually)
        assert float(row["robust_z"]) == pytest.approx(z, abs=0.006)
        assert row["deviation"] == row["revenue"] - row["expected_revenue"]
        assert row["direction"] == ("Above" if z > 0 else "Below")
