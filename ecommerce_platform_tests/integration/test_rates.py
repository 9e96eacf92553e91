"""Warnings are meaningful: the shop's usual defect rate causes no warning; a day with more defects does."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from ecommerce_platform.checks import table_checks
from ecommerce_platform.checks.outcome import CheckOutcome
from ecommerce_platform.checks.rates import MOST, most_usual
from ecommerce_platform.io_managers import PostgresConnection
from ecommerce_platform.io_managers.connection import close_idle_connections
from ecommerce_platform.io_managers.modes import Window
from ecommerce_platform_tests.conftest import SALES_DAYS
from ecommerce_platform_tests.harness import Platform, day

RATES = [("production.customers", "emails_are_valid"), ("production.transaction_items", "order_totals_agree")]
BROKEN = {
    "emails_are_valid": "update production.customers set email = 'nobody' where partition_date = '{}'",
    "order_totals_agree": "update production.transactions set total_amount = total_amount + 1"
    " where partition_date = '{}'",
}


@pytest.mark.parametrize(
    ("rows", "before", "violations", "most"),
    [
        (1000, 0, 0, 70),  # without a history, only the threshold counts: 50 plus 3 times 6.9
        (1000, 500, 10, 70),  # likewise with a history shorter than the period under test
        (1000, 10_000, 100, 19),  # 10 expected, plus 3 times 3.1
        (1000, 10_000, 0, 3),  # none expected: a few cause no alarm
        (1000, 10_000, 2_000, 70),  # a rate that is always too high does not count as usual
        (1, 100, 0, 0),  # one of one row is too many
        (16, 1_000, 20, 3),
    ],
)
def test_what_is_usual(rows: int, before: int, violations: int, most: int) -> None:
    assert most_usual(rows, before, violations) == most


@pytest.fixture
def copy(sales: Platform) -> Iterator[Platform]:
    """A copy of the fourteen months of the synthetic shop, to be broken."""
    close_idle_connections()
    server = psycopg.conninfo.make_conninfo(sales.url, dbname="postgres")
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute("create database rates template sales")
        yield Platform(sales.url.replace("/sales", "/rates"), sales.raw)
        close_idle_connections()
        admin.execute("drop database rates with (force)")


def judge(platform: Platform, name: str, window: Window) -> CheckOutcome:
    (check,) = [check for check in table_checks() if check.name == name]
    assert check.severity == "WARN"
    with PostgresConnection(url=platform.url, role="loader").connect() as connection:
        return check.run(connection, window)


@pytest.mark.parametrize(("table", "name"), RATES)
def test_the_synthetic_shops_own_defects_do_not_warn(sales: Platform, table: str, name: str) -> None:
    whole = judge(sales, name, Window())
    assert whole.passed
    assert 0 < whole.violations < MOST * whole.rows_tested
    assert "within the usual range" in whole.description
    days = [judge(sales, name, Window(day(number), day(number + 1))) for number in range(30, SALES_DAYS, 10)]
    assert sum(not outcome.passed for outcome in days) <= len(days) // 10


@pytest.mark.parametrize(("table", "name"), RATES)
def test_a_day_with_more_defects_than_usual_warns_and_says_how_many_are(copy: Platform, table: str, name: str) -> None:
    for number in range(200, 207):
        copy.execute(BROKEN[name].format(day(number)))
    outcome = judge(copy, name, Window(day(200), day(207)))
    assert not outcome.passed
    assert outcome.violations == outcome.rows_tested > 0
    assert "is usual" in outcome.description
    assert outcome.samples
