"""The queries in sql/queries, which users run by hand, work."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecommerce_platform.settings import SQL_DIR
from ecommerce_platform_tests.harness import Platform, customer, line, order, product, returned


@pytest.mark.parametrize("path", sorted((SQL_DIR / "queries").glob("*.sql")), ids=lambda path: path.stem)
def test_a_query_for_people_runs_on_a_loaded_platform(platform: Platform, path: Path) -> None:
    platform.load(
        1,
        customers=[customer()],
        products=[product()],
        transactions=[order(1), order(2, 99)],
        transaction_items=[line(1, 1)],
        returns=[returned(1, 1, refund_amount="7.00")],
    )
    text = path.read_text(encoding="utf-8")
    statement = text
    rows = platform.rows(statement)
    if path.stem == "revenue_by_layer":
        assert {revenue for told_by, revenue in rows if told_by.startswith(("production", "warehouse"))} == {10}
    if path.stem == "returns_by_layer":
        assert {returns for told_by, returns in rows if told_by.startswith(("production", "warehouse"))} == {7}
    if path.stem == "rejects_by_reason":
        assert rows[0][:3] == ("transactions", "customer_id: unknown customer", 1)
