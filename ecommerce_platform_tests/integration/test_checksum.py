"""Two rows that differ in one column have two checksums, whatever the difference."""

from __future__ import annotations

import psycopg
import pytest

from ecommerce_platform.checks.checksum import checksum

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
