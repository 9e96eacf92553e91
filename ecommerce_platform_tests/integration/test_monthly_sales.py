"""The change of revenue from month to month compares like with like."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

import pytest

from ecommerce_platform.settings import SQL_DIR
from ecommerce_platform_tests.harness import Platform, customer, day, line, order, product

SELECT = (SQL_DIR / "transform" / "analytics" / "monthly_sales.sql").read_text(encoding="utf-8")


def changes(platform: Platform, sold: Iterable[tuple[int, int]]) -> dict[str, Decimal | None]:
    """The changes by month of a shop that sold some units on some days, counted from 1 January 2024."""
    for number, units in sold:
        platform.export(
            number,
            customers=[customer(1)],
            products=[product(1)],
            transactions=[order(number, on=number, total=f"{units * 10}.00")],
            transaction_items=[line(number, number, quantity=units)],
        )
    days = [number for number, _ in sold]
    for number in range(min(days), max(days)):
        if number not in days:
            platform.export(number)
    platform.run(min(days), max(days))
    found = platform.rows(f"select to_char(month_start, 'YYYY-MM'), revenue_change from ({SELECT}) as months")
    return dict(found)


JANUARY, FEBRUARY, MARCH, APRIL = 1, 32, 61, 92  # the numbers of the first days of months of 2024
assert f"{day(APRIL)}" == "2024-04-01"


@pytest.mark.parametrize(
    ("sold", "expected"),
    [
        # Ten days of February against ten days of January, and not against all of it.
        ([(JANUARY, 4), (JANUARY + 9, 1), (JANUARY + 20, 15), (FEBRUARY, 5), (FEBRUARY + 9, 5)], {"2024-02": "100.00"}),
        # A complete month against a complete one, whatever their lengths.
        ([(JANUARY, 4), (JANUARY + 30, 4), (FEBRUARY + 28, 4)], {"2024-02": "-50.00"}),
        (
            [(JANUARY, 1), (FEBRUARY, 4), (FEBRUARY + 28, 4), (MARCH + 30, 4)],
            {"2024-02": "700.00", "2024-03": "-50.00"},
        ),
        # 29 days of March against all 29 of February; there are no 30 to compare with.
        ([(JANUARY, 1), (FEBRUARY + 28, 2), (MARCH + 28, 4)], {"2024-02": "100.00", "2024-03": "100.00"}),
        ([(JANUARY, 1), (FEBRUARY + 28, 2), (MARCH + 29, 4)], {"2024-02": "100.00", "2024-03": None}),
        # The first month is incomplete.
        ([(JANUARY + 20, 1), (FEBRUARY + 28, 9), (MARCH + 30, 18)], {"2024-02": None, "2024-03": "100.00"}),
        # No revenue in these days of the month before.
        ([(JANUARY, 1), (FEBRUARY + 20, 9), (MARCH + 5, 9)], {"2024-02": "800.00", "2024-03": None}),
    ],
    ids=["month to date", "31 and 29 days", "29 and 31 days", "just enough days", "too few days", "first", "nothing"],
)
def test_a_month_is_compared_with_as_many_days(
    platform: Platform, sold: list[tuple[int, int]], expected: dict[str, str | None]
) -> None:
    """An incomplete month was compared with a complete one, and seemed to collapse."""
    found = changes(platform, sold)
    assert found.pop("2024-01") is None
    assert found == {month: None if value is None else Decimal(value) for month, value in expected.items()}
