"""Which days a date range is compared with."""

from __future__ import annotations

import datetime as dt

import pytest

from dashboards.app.comparison import change, compared_parts, compared_window, span_of
from dashboards.app.filters import Filters
from dashboards.app.periods import periods_of

HISTORY = (dt.date(2020, 1, 1), dt.date(2026, 6, 30))


def days(text: str) -> tuple[dt.date, dt.date]:
    first, _, last = text.partition(" ")
    return dt.date.fromisoformat(first), dt.date.fromisoformat(last or first)


@pytest.mark.parametrize(
    ("comparison", "span", "window"),
    [
        ("prior", "2024-06-10 2024-07-09", "2024-05-11 2024-06-09"),
        ("prior", "2024-06-10 2024-06-11", "2024-06-08 2024-06-09"),
        ("prior", "2024-06-10", "2024-06-03"),
        ("year", "2024-06-10 2024-07-09", "2023-06-10 2023-07-09"),
        ("year", "2024-02-29", "2023-02-28"),
        ("year", "2024-02-01 2024-02-29", "2023-02-01 2023-02-28"),
        ("year", "2025-02-01 2025-03-01", "2024-02-01 2024-03-01"),
        ("year", "2023-06-01 2025-05-31", "2022-06-01 2024-05-31"),
        ("weekdays", "2024-06-10", "2023-06-12"),
        ("weekdays", "2024-06-10 2024-07-09", "2023-06-12 2023-07-11"),
        ("weekdays", "2024-01-01 2024-12-29", "2023-01-02 2023-12-31"),
        ("weekdays", "2024-01-01 2024-12-30", "2022-12-26 2023-12-25"),
    ],
)
def test_a_range_is_compared_with_days_before_it(comparison: str, span: str, window: str):
    found = compared_window(comparison, days(span), HISTORY)
    assert found == days(window)
    if comparison == "weekdays":
        assert found[0].weekday() == days(span)[0].weekday()


def test_only_days_of_the_history_are_compared():
    first = dt.date(2024, 1, 1)
    for comparison, span in (("prior", "2024-01-08"), ("year", "2025-01-01"), ("weekdays", "2024-12-30")):
        start, end = days(span)
        assert compared_window(comparison, (start, end), (first, end)) is not None
        assert compared_window(comparison, (start, end), (first + dt.timedelta(days=1), end)) is None
    assert compared_window("none", days("2025-01-01"), HISTORY) is None
    assert compared_window("prior", days("2025-01-02 2025-01-01"), HISTORY) is None


def test_a_period_limits_the_days_that_are_compared():
    filters = Filters("all", period="2024-02")
    assert span_of(filters, HISTORY) == days("2024-02-01 2024-02-29")
    assert span_of(filters, (dt.date(2024, 2, 10), dt.date(2024, 2, 20))) == days("2024-02-10 2024-02-20")


@pytest.mark.parametrize("comparison", ["prior", "year", "weekdays"])
@pytest.mark.parametrize("level", ["day", "month", "year"])
@pytest.mark.parametrize(
    "span", ["2024-02-10 2024-03-20", "2025-01-15 2025-03-02", "2023-11-05 2025-04-10", "2024-02-29"]
)
def test_the_parts_of_a_range_share_the_compared_days_among_them(comparison: str, level: str, span: str):
    start, end = days(span)
    window = compared_window(comparison, (start, end), HISTORY)
    assert window is not None
    parts = [(max(first, start), min(last, end)) for first, last in periods_of(level, start, end)]
    others = compared_parts(comparison, parts, window)
    seen = [
        other[0] + dt.timedelta(days=number)
        for other in others
        if other
        for number in range((other[1] - other[0]).days + 1)
    ]
    every = [window[0] + dt.timedelta(days=number) for number in range((window[1] - window[0]).days + 1)]
    if comparison == "year" and level == "day":
        every = [day for day in every if f"{day:%m-%d}" != "02-29"]
    assert seen == every


def test_a_leap_day_stands_alone():
    parts = [days(text) for text in ("2024-02-28", "2024-02-29", "2024-03-01")]
    window = days("2023-02-28 2023-03-01")
    assert compared_parts("year", parts, window) == [days("2023-02-28"), None, days("2023-03-01")]
    assert compared_parts("year", parts[1:], window) == [days("2023-02-28"), days("2023-03-01")]


def test_a_change_is_in_percent_or_in_points():
    assert change(150, 100, is_percent=False) == 50
    assert change(150, 0, is_percent=False) is None
    assert change(12, 15, is_percent=True) == -3
    assert change(None, 15, is_percent=True) is change(12, None, is_percent=False) is None
