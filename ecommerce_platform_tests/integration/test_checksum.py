"""Two rows that differ in one column have different checksums, whatever the difference."""

from __future__ import annotations

import psycopg
import pytest

from ecommerce_platform.checks.checksum import checksum
from ecommerce_platform.checks.fates import FATES
from ecommerce_platform.checks.sales import LINE, SALE

pytestmark = pytest.mark.integration

ROW = (("7::integer", "integer"), ("1::bigint", "id"), ("5.00", "numeric"), ("date '2024-01-01'", "date"))


@pytest.mark.parametrize(
    ("position", "other"),
    [
        (0, "8::integer"),
        (1, "2::bigint"),
        (1, "4294967296::bigint"),
        (1, "(1 + 2 * 4294967296)::bigint"),
        (2, "5.01"),
        (2, "-5.00"),
        (2, "500"),
        (3, "date '2024-01-02'"),
    ],
)
def test_a_difference_is_seen(database_url: str, position: int, other: str) -> None:
    changed = tuple((other, kind) if number == position else (value, kind) for number, (value, kind) in enumerate(ROW))
    with psycopg.connect(database_url) as connection:
        row = connection.execute(f"select {checksum(ROW)}, {checksum(changed)}, {checksum(ROW[::-1])}").fetchone()  # type: ignore[arg-type]
    assert row is not None
    assert len(set(row)) == 3


def test_scale_is_no_difference_and_null_makes_it_null(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        one, same, nothing = connection.execute(
            f"select {checksum([('5.0', 'numeric')])}, {checksum([('5.00', 'numeric')])},"  # type: ignore[arg-type]
            f" {checksum([('null::numeric', 'numeric'), ('1', 'integer')])}"
        ).fetchone() or (1, 2, 3)
    assert one == same
    assert nothing is None


def test_an_amount_is_a_numeric_that_the_database_keeps_from_being_negative(database_url: str) -> None:
    kept = {
        f"{fate.kept}.{name}" for fate in FATES.values() for name, kind in fate.columns.items() if kind == "numeric"
    }
    lines = {f"production.transaction_items.{value.split('.')[1]}" for value, kind in LINE if kind == "amount"}
    sales = {f"warehouse.fact_sales.{value.split('.')[1]}" for value, kind in SALE if kind == "amount"}
    with psycopg.connect(database_url) as connection:
        kept_by_check = {
            f"{table}.{column}"
            for table, column in connection.execute(
                """
                select conrelid::regclass::text, attname
                from pg_constraint
                join pg_attribute on attrelid = conrelid and array[attnum] = conkey
                where contype = 'c' and convalidated
                    and pg_get_expr(conbin, conrelid) = format('(%I >= (0)::numeric)', attname)
                """
            )
        }
        row = connection.execute(
            f"select {checksum([('5.25', 'amount')])}, {checksum([('5.25', 'numeric')])}"
        ).fetchone()  # type: ignore[arg-type]
    assert len(kept | lines | sales) == 7
    assert kept | lines | sales <= kept_by_check
    assert row is not None
    assert row[0] == row[1]
