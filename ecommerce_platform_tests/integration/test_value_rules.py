"""The database and ``source check`` judge the text of a value alike, and in the same words."""

from __future__ import annotations

import pyarrow as pa
import pytest

from ecommerce_platform.checks.fates import FATES
from ecommerce_platform.feeds.columns import FEEDS
from ecommerce_platform.feeds.folder_check import unfit_values
from ecommerce_platform.feeds.values import VALUE_RULES
from ecommerce_platform_tests.harness import Platform, Row, customer, line, order, product, returned

TEXTS = (
    # Blanks around values, and blanks alone.
    *("", " ", "\u00a0\u200b", "\u00a07\u3000", " 2024-01-31 ", "\tTX ", "\ufeffx"),
    # Integers, and their number of digits.
    *("0", "-0", "1", "-1", "007", "+1", "1.0", "1e3", "١", "0000", "0" * 8 + "1", "0" * 9 + "1", "0" * 9),
    *("9" * digits for digits in (3, 4, 9, 10, 11, 14, 15, 18, 19)),
    # Amounts.
    *("12.5", "12.50", "12.505", "-12.50", "-0.00", "-0.01", "1,5", "1,000.00", ".5", "5.", "€5", "9999999999.99"),
    # Dates, times, and timestamps.
    *("2024-01-31", "2024-1-31", "31.01.2024", "2024-02-29", "2023-02-29", "2024-02-30", "2000-02-29", "1900-02-29"),
    *("2024-04-31", "2024-13-01", "2024-00-10", "2024-01-00", "1899-12-31", "2099-12-31", "2100-01-01", "20240131"),
    *("12:00", "12:00:59", "24:00", "12:60", "12:00:60", "1:00", "12:00:00.5", "1706659200"),
    *("2024-01-31 10:00", "2024-01-31T10:00:00Z", "2024-01-31T10:00:00.123456Z", "2024-01-31T10:00:00.1234567Z"),
    *("2024-01-31T10:00+14:59", "2024-01-31T10:00-0500", "2024-01-31T10:00+15:00", "2024-01-31T24:00Z"),
    *("2024-01-31T", "2024-01-31Z", "2023-02-29T10:00Z", "2024-01-31t10:00z"),
    # Codes and words.
    *("U", "us", "US", "USA", "U1", "BR-SP", "Texas", "ÄÖ", "N/A", "NaN", "x'; --"),
)
LONG = ("x" * 200, f" {'ö' * 200} ", "x" * 201)
"""Identifiers have a longest form."""

MAKERS = {
    "customers": customer,
    "products": product,
    "transactions": order,
    "transaction_items": line,
    "returns": returned,
}
TWO_REASONS = {
    "not an amount of at least 0": {"not an amount", "negative"},
    "not a positive integer": {"not an integer", "not positive"},
    "not an integer of at least 0": {"not an integer", "negative"},
    "blank, or longer than 200 characters": {"blank", "longer than 200 characters"},
}
"""The faults for which the database has two reasons."""

NOT_OF_TEXT = {
    "before 2000-01-01",
    "after the day of its file",
    "is not quantity * unit_price - discount_amount",
}
"""Reasons that depend on more than the form of the text."""


def stage(platform: Platform, feed: str, cases: list[tuple[str, str]]) -> None:
    """Load one row per case, a column and its text."""
    rows: list[Row] = []
    for number, (column, text) in enumerate(cases, start=1):
        ids = (number, 1) if feed in ("transaction_items", "returns") else (number,)
        rows.append({**MAKERS[feed](*ids), column: text})
    platform.export(1, **{feed: rows})
    platform.run(1, only=[f"staging.{feed}"])


@pytest.mark.parametrize("feed", FEEDS)
def test_python_and_the_database_judge_every_text_alike(platform: Platform, feed: str) -> None:
    cases = [
        (column, text)
        for column, rule in VALUE_RULES[feed].items()
        for text in (*TEXTS, *(LONG if "200 characters" in rule.fault else ()))
    ]
    stage(platform, feed, cases)
    judged = platform.rows(f"select string_to_array(reasons, '; ') from production.parsed_{feed} order by source_row")
    assert len(judged) == len(cases)

    for (column, text), (reasons,) in zip(cases, judged, strict=True):
        rule = VALUE_RULES[feed][column]
        of_column = {reason.removeprefix(f"{column}: ") for reason in reasons if reason.startswith(f"{column}: ")}
        of_text = of_column - NOT_OF_TEXT
        case = f"{feed}.{column} = {text!r}: {reasons}"
        assert bool(of_text) == bool(len(unfit_values(pa.chunked_array([[text]]), rule))), case
        assert of_text <= TWO_REASONS.get(rule.fault, {rule.fault}), case


@pytest.mark.parametrize("feed", [feed for feed, fate in FATES.items() if fate.exported])
def test_accounting_and_production_read_every_text_alike(platform: Platform, feed: str) -> None:
    """The check of large feeds types the rows itself; a difference would be an alarm about good data."""
    stage(platform, feed, [(column, text) for column in FEEDS[feed] for text in (*TEXTS, *LONG)])
    # Production knows each of these payment methods, under a key that is not its own.
    platform.execute(
        "set session_replication_role = replica;"
        "insert into production.payment_methods (payment_method_id, payment_method)"
        " select row_number() over (), given.* from (select distinct payment_method from staging.transactions) as given"
    )
    columns, exported = FATES[feed].columns, FATES[feed].exported
    different = platform.rows(f"""
        select staged.*
        from staging.{feed} as staged
        {FATES[feed].beside}
        inner join production.parsed_{feed} as typed
            on staged.partition_date = typed.partition_date and staged.source_row = typed.source_row
        where
            ({", ".join(f"typed.{name}" for name in columns)})
            is distinct from ({", ".join(exported[name] for name in columns)})
    """)
    assert different == []
