"""The forecast: the method for each length of history, and its explanation if the optional package is missing."""

from __future__ import annotations

import datetime as dt
import math
import random
import subprocess
import sys
from decimal import Decimal

import pytest

from ecommerce_platform.assets import forecasting
from ecommerce_platform.settings import PROJECT_DIR
from ecommerce_platform_tests.extracts import days_from

pytestmark = pytest.mark.unit

FIRST = dt.date(2024, 1, 1)


def history(length: int) -> list[tuple[dt.date, Decimal]]:
    """Return days with a season of the week and of the year, a trend, and some noise."""
    days = []
    for number, on in enumerate(days_from(FIRST, length)):
        season = 1 + 0.2 * math.sin(2 * math.pi * number / 365)
        noise = 1 + 0.05 * math.sin(number * number)
        days.append((on, Decimal(f"{(1000 + number) * season * noise * (1.5 if on.weekday() >= 5 else 1):.2f}")))
    return days


def test_without_the_package_there_is_no_forecast_and_it_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forecasting, "PACKAGE", "no_such_package")
    frame, said = forecasting.forecast(history(400))
    assert (len(frame), tuple(frame.columns)) == (0, forecasting.COLUMNS)
    assert said == "No forecast: the package no_such_package is not installed."


def test_the_package_is_not_imported_with_the_assets() -> None:
    """It takes seconds, and most runs are of something else."""
    code = "import sys, ecommerce_platform.assets.analytics; sys.exit('statsforecast' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=PROJECT_DIR, check=False).returncode == 0


@pytest.mark.parametrize("length", [0, 1, 27])
def test_a_short_history_gives_none(length: int) -> None:
    pytest.importorskip("statsforecast")
    frame, said = forecasting.forecast(history(length))
    assert len(frame) == 0
    assert said == f"No forecast: {length} days of sales, and it takes 28."


@pytest.mark.parametrize(
    ("length", "method"),
    [
        (28, "Seasonal naive (week)"),
        (181, "Seasonal naive (week)"),
        (182, "AutoETS (week)"),
        (789, "AutoETS (week)"),
        (790, "MSTL (week and year)"),
    ],
)
def test_the_method_follows_from_the_length_of_the_history(length: int, method: str) -> None:
    pytest.importorskip("statsforecast")
    days = history(length)
    frame, said = forecasting.forecast(days)
    assert said == f"{method}, from the {length} days from {FIRST} to {days[-1][0]}."
    assert list(frame["forecast_date"]) == days_from(days[-1][0] + dt.timedelta(days=1), 30)
    assert set(frame["method"]) == {method}
    columns = ["lower_95", "lower_80", "forecast", "upper_80", "upper_95"]
    for row in frame[columns].itertuples(index=False):
        assert list(row) == sorted(row)
        assert row[0] >= 0
        assert all(isinstance(value, Decimal) and value == round(value, 2) for value in row)
    again, _ = forecasting.forecast(days)
    assert again.equals(frame)


def test_the_seasonal_naive_forecast_repeats_the_last_week() -> None:
    pytest.importorskip("statsforecast")
    days = history(28)
    frame, _ = forecasting.forecast(days)
    assert list(frame["forecast"]) == [days[21 + number % 7][1] for number in range(30)]


def test_a_model_knows_the_weekend() -> None:
    pytest.importorskip("statsforecast")
    frame, _ = forecasting.forecast(history(200))
    by_weekend = {True: [], False: []}
    for row in frame.itertuples():
        by_weekend[row.forecast_date.weekday() >= 5].append(row.forecast)
    assert min(by_weekend[True]) > max(by_weekend[False])


@pytest.mark.parametrize("amount", ["0.00", "10.00", "999999999999.99"])
@pytest.mark.parametrize("length", [28, 200, 800])
def test_a_constant_revenue_is_expected_to_go_on(length: int, amount: str) -> None:
    pytest.importorskip("statsforecast")
    frame, _ = forecasting.forecast([(on, Decimal(amount)) for on in days_from(FIRST, length)])
    assert {round(value) for value in frame["forecast"]} == {round(Decimal(amount))}


def test_a_day_that_is_left_out_had_no_sales() -> None:
    pytest.importorskip("statsforecast")
    days = history(40)
    without = [each for each in days if each[0] != days[-3][0]]
    frame, _ = forecasting.forecast(without)
    assert frame["forecast"][4] == 0
    assert frame["forecast"][5] == days[-2][1]


def test_the_intervals_of_two_years_hold_what_they_promise() -> None:
    """Against the days that came: those of MSTL itself held half of the outcomes instead of 80 %."""
    pytest.importorskip("statsforecast")
    rng = random.Random(12)
    days = [(on, revenue * Decimal(str(round(rng.lognormvariate(0, 0.12), 4)))) for on, revenue in history(1000)]
    frame, _ = forecasting.forecast(days[:970])
    came = [revenue for _, revenue in days[970:]]
    inside = {}
    for level in (80, 95):
        ends = zip(frame[f"lower_{level}"], came, frame[f"upper_{level}"], strict=True)
        inside[level] = sum(low <= revenue <= high for low, revenue, high in ends)
    assert 18 <= inside[80] <= inside[95]
    assert inside[95] >= 25
