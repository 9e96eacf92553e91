"""Contract rules that a CHECK constraint enforces are recognized, however the two are written."""

from __future__ import annotations

import pytest

from ecommerce_platform.checks.constraints import enforced_by_checks

CHECKS = (
    "(revenue = (((quantity)::numeric * unit_price) - discount_amount))",
    "(segment = ANY (ARRAY['New'::text, 'Regular'::text]))",
    "((day >= '2000-01-01'::date) AND (day <= '2099-12-31'::date))",
    "(unit_price >= (0)::numeric)",
    "((is_free = (unit_price = (0)::numeric)) OR (quantity > 5))",
    "(quantity <= (2.5)::integer)",
    "(code > (0)::text)",
    "(share > (0.1)::numeric)",
    "(((quantity)::numeric / unit_price) > (1)::numeric)",
    "(month_start = make_date(year, month, 1))",
    "(this is ( no condition",
)
TYPES = {"quantity": "integer", "unit_price": "numeric(12,2)", "share": "double precision", "code": "text"}


@pytest.mark.parametrize(
    "rule",
    [
        '"t0"."revenue" = (("t0"."quantity" * "t0"."unit_price") - "t0"."discount_amount")',
        "\"t0\".\"segment\" IN ('New', 'Regular')",
        "\"t0\".\"segment\" IN ('Regular', 'New')",
        '"t0"."day" BETWEEN MAKE_DATE(2000, 1, 1) AND MAKE_DATE(2099, 12, 31)',
        '"t0"."day" >= MAKE_DATE(2000, 1, 1)',
        '"t0"."unit_price" >= 0',
    ],
)
def test_a_rule_that_a_check_states_is_recognized(rule: str) -> None:
    assert enforced_by_checks([rule], CHECKS, TYPES) == [True]


@pytest.mark.parametrize(
    "rule",
    [
        '"t0"."revenue" = ("t0"."quantity" * ("t0"."unit_price" - "t0"."discount_amount"))',
        "\"t0\".\"segment\" IN ('New', 'Regular', 'VIP')",
        "\"t0\".\"code\" IN ('New', 'Regular')",
        '"t0"."day" BETWEEN MAKE_DATE(2000, 1, 1) AND MAKE_DATE(2098, 12, 31)',
        '"t0"."unit_price" > 0',
        '"t0"."unit_price" >= 0 AND "t0"."unit_price" < 10000000000',
        '"t0"."discount_amount" >= 0',
        '"t0"."quantity" > 5',
        'CAST("t0"."unit_price" AS INTEGER) >= 0',
        '"t0"."quantity" <= 2.5',
        '"t0"."code" > 0',
        'CAST("t0"."share" AS DECIMAL) >= 0',
        '("t0"."quantity" / "t0"."unit_price") > 1',
        '"t0"."month_start" = MAKE_DATE(2024, 1, 1)',
        "this is ( no condition",
    ],
)
def test_a_rule_that_no_check_states_is_not(rule: str) -> None:
    assert enforced_by_checks([rule], CHECKS, TYPES) == [False]


def test_nothing_is_enforced_by_a_table_without_checks() -> None:
    assert enforced_by_checks(['"t0"."unit_price" >= 0'], (), TYPES) == [False]
