"""Displayed check results are never better than the truth: results for some days do not hide results for all days."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import pytest

from dashboards.app.health import read_health, warnings
from ecommerce_platform.checks.outcome import CheckOutcome, TableCheck
from ecommerce_platform.checks.results import forget_former_checks, last_results, record_results
from ecommerce_platform.io_managers import PostgresConnection
from ecommerce_platform.io_managers.connection import ClientConnection
from ecommerce_platform.io_managers.modes import Window
from ecommerce_platform.tables.loaded_days import note_what_is_expected
from ecommerce_platform_tests.harness import Platform, customer, day, line, order, product

Shown = set[tuple[str, str, int]]


def window(first: int, last: int) -> Window:
    return Window(day(first), day(last + 1))


def days(first: int, last: int) -> str:
    return str(day(first)) if first == last else f"{day(first)} to {day(last)}"


@pytest.fixture
def connection(platform: Platform) -> Iterator[ClientConnection]:
    for number in range(1, 11):
        platform.export(number)
    platform.run(1, 10)
    with PostgresConnection(url=platform.url, role="loader").connect() as opened:
        yield opened


class Judge:
    """Records check outcomes, and returns what users see: result, days, and violations."""

    def __init__(self, connection: ClientConnection, severity: str):
        self.connection = connection
        self.check = TableCheck("contract", "staging.products", "", None, severity)  # type: ignore[arg-type]

    def finds(self, violations: int, over: Window) -> Shown:
        outcome = CheckOutcome(not violations, 100, violations, f"{violations} violations")
        record_results(self.connection, over, [(self.check, outcome)])
        return {
            ("passed" if result.passed else "failed", result.days, result.violations)
            for result in last_results(self.connection)
        }


def test_a_pass_over_one_day_does_not_hide_a_failure_over_all(connection: ClientConnection) -> None:
    judge = Judge(connection, "ERROR")
    assert judge.finds(1040, Window()) == {("failed", "all days", 1040)}
    assert judge.finds(0, window(10, 10)) == {("failed", "all days", 1040), ("passed", days(10, 10), 0)}
    assert judge.finds(0, Window()) == {("passed", "all days", 0)}


def test_a_warning_over_one_day_does_not_replace_the_one_over_all_days(connection: ClientConnection) -> None:
    judge = Judge(connection, "WARN")
    assert judge.finds(1040, Window()) == {("failed", "all days", 1040)}
    assert judge.finds(4, window(9, 9)) == {("failed", "all days", 1040), ("failed", days(9, 9), 4)}
    # For partial results, the latest counts, so that a warning about an old day does not persist forever.
    assert judge.finds(0, window(10, 10)) == {("failed", "all days", 1040), ("passed", days(10, 10), 0)}


def test_a_day_that_failed_stays_until_that_day_passes(connection: ClientConnection) -> None:
    judge = Judge(connection, "ERROR")
    assert judge.finds(2, window(3, 3)) == {("failed", days(3, 3), 2)}
    assert judge.finds(0, window(4, 4)) == {("failed", days(3, 3), 2), ("passed", days(4, 4), 0)}
    assert judge.finds(1, window(5, 5)) == {
        ("failed", days(3, 3), 2),
        ("failed", days(5, 5), 1),
    }
    assert judge.finds(0, window(2, 3)) == {("failed", days(5, 5), 1), ("passed", days(2, 3), 0)}
    assert judge.finds(0, window(1, 5)) == {("passed", days(1, 5), 0)}


def test_a_range_that_failed_is_cured_day_by_day(connection: ClientConnection) -> None:
    judge = Judge(connection, "ERROR")
    judge.finds(7, window(2, 6))
    assert judge.finds(0, window(4, 4)) == {
        ("failed", days(2, 3), 7),
        ("failed", days(5, 6), 7),
        ("passed", days(4, 4), 0),
    }
    judge.finds(0, window(2, 3))
    assert judge.finds(0, window(5, 8)) == {("passed", days(5, 8), 0)}


def test_what_is_left_of_a_failure_is_not_lost_beside_an_old_pass_over_the_same_days(platform: Platform) -> None:
    for number in range(1, 5):
        platform.export(number)
    platform.run(1, 4)
    with PostgresConnection(url=platform.url, role="loader").connect() as connection:
        judge = Judge(connection, "ERROR")
        judge.finds(0, window(1, 4))
        for number in range(5, 11):
            platform.export(number)
        platform.run(5, 10)
        judge.finds(0, window(5, 20))
        judge.finds(7, window(1, 10))
        assert ("failed", days(1, 4), 7) in judge.finds(0, window(5, 10))


def test_a_check_that_could_not_judge_changes_nothing(connection: ClientConnection) -> None:
    judge = Judge(connection, "ERROR")
    judge.finds(3, Window())
    outcome = CheckOutcome(True, 0, 0, "Not judged", is_judged=False)
    record_results(connection, Window(), [(judge.check, outcome)])
    assert [result.passed for result in last_results(connection)] == [False]


def test_a_table_that_has_never_read_and_a_first_day_without_a_file_are_reported(platform: Platform) -> None:
    note_what_is_expected(platform.url, day(1))
    platform.load(2, customers=[customer()])
    health = read_health(PostgresConnection(url=platform.url, role="reader"))
    assert health.incomplete_days == [day(1)]
    # The harness does not load the extracts.
    assert set(health.behind) >= {"analytics.top_products", "analytics.geography"}
    assert "warehouse.fact_sales" not in health.behind


def test_a_first_load_that_failed_is_cured_day_by_day_too(platform: Platform) -> None:
    """A range that covers all stored days counts as all days, but each day can still be fixed separately."""
    for number in (1, 2):
        platform.load(number)
    with PostgresConnection(url=platform.url, role="loader").connect() as connection:
        judge = Judge(connection, "ERROR")
        assert judge.finds(7, window(1, 2)) == {("failed", days(1, 2), 7)}
        assert judge.finds(0, window(1, 1)) == {("failed", days(2, 2), 7), ("passed", days(1, 1), 0)}
        assert judge.finds(0, window(2, 2)) == {("passed", days(2, 2), 0)}


def test_other_checks_are_left_alone_and_one_that_is_no_more_goes(
    connection: ClientConnection, platform: Platform
) -> None:
    judge, other = Judge(connection, "ERROR"), Judge(connection, "ERROR")
    other.check = TableCheck("contract", "staging.customers", "", None)  # type: ignore[arg-type]
    judge.finds(1, Window())
    other.finds(0, Window())
    assert len(last_results(connection)) == 2
    forget_former_checks(platform.url, [other.check])
    assert [result.table for result in last_results(connection)] == ["staging.customers"]


def test_pages_say_what_fails_what_is_missing_and_what_is_behind(platform: Platform) -> None:
    moment = dt.datetime.combine(day(3), dt.time(1), dt.UTC)
    note_what_is_expected(platform.url, None)
    platform.execute("delete from platform.expected_reads where reader like 'analytics.%%'")
    good = {"customers": [customer()], "products": [product()], "transactions": [order(1)]}
    platform.load(1, **good, transaction_items=[line(1, 1)])
    platform.load(2)
    reader = PostgresConnection(url=platform.url, role="reader")
    assert warnings(read_health(reader), day(2), moment) == []
    # Day 4 runs before day 3, and stops after staging.
    platform.export(4, customers=[customer(2, on=4)])
    platform.run(4, only=["staging.customers", "staging.products"])
    told = warnings(read_health(reader), day(2), moment)
    assert [(notice.badge, notice.text) for notice in told] == [
        ("Incomplete", "2 days are not loaded: 3 Jan 2024 to 4 Jan 2024.")
    ]
    with PostgresConnection(url=platform.url, role="loader").connect() as connection:
        judge = Judge(connection, "ERROR")
        judge.finds(3, window(4, 4))
        platform.run(
            4, only=["staging.transactions", "staging.transaction_items", "staging.returns", "production.loaded_days"]
        )
        told = warnings(read_health(reader), day(2), moment)
        assert [(notice.badge, notice.text) for notice in told][:2] == [
            ("Failing", "1 check is failing: staging.products contract (4 Jan 2024)."),
            ("Incomplete", "1 day is not loaded: 3 Jan 2024."),
        ]
        assert told[2].badge == "Behind"
        platform.load(3)
        assert [notice.badge for notice in warnings(read_health(reader), day(2), moment)] == ["Failing"]
        judge.finds(0, window(4, 4))
    assert warnings(read_health(reader), day(2), moment) == []
