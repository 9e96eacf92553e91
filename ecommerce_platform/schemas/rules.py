"""Building blocks of the schemas: untyped columns, row rules, and rules that tolerate a share of a day's file.

As in SQL, null violates no rule except "not null".
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Any

import ibis
import ibis.backends.sql.dialects as _dialects  # noqa: F401  (adds to sqlglot's PostgreSQL generator)
import ibis.expr.types as ir
import sqlglot.generator
from pandera.api.ibis.types import IbisData
from pandera.backends.ibis import builtin_checks as _registered  # noqa: F401  (registers them)
from pandera.ibis import Check, Column, DataFrameSchema

from ecommerce_platform.feeds.values import FILLED, SEVERAL, SHARE, DayRule

# sqlglot caches its generator for a dialect on first use, which may be before Ibis extends the dialect: it would then
# generate DATE_FROM_PARTS, which PostgreSQL does not have.
sqlglot.generator._DISPATCH_CACHE.clear()

PRICE_LIMIT = 10_000_000_000
"""Exclusive upper limit of amounts in a file, as in ``platform.parse_money`` and the column types. Products and sums of
amounts are limited only by their column types."""

FIRST_DAY = dt.date(2000, 1, 1)
LAST_DAY = dt.date(2099, 12, 31)


def table_schema(
    table: str,
    columns: dict[str, Column],
    *,
    key: Sequence[str],
    rules: Sequence[Check] = (),
) -> DataFrameSchema:
    """Return the contract of a table: exactly these columns, unique by ``key``, and rules over several columns."""
    return DataFrameSchema(columns, checks=list(rules), unique=list(key), strict=True, name=table)


def required(*checks: Check) -> Column:
    """Return a column without nulls."""
    return Column(checks=list(checks))


def optional(*checks: Check) -> Column:
    """Return a nullable column; its checks apply to the values that are not null."""
    return Column(checks=list(checks), nullable=True)


def rule(name: str, holds: Callable[[Any], ir.BooleanValue]) -> Check:
    """Return a rule over the columns of a row, named after its condition: ``rule("a = b + c", lambda t: …)``."""
    return Check(lambda data: holds(data.table), name=name, error=name)


def mostly(values: DayRule) -> Check:
    """Return a rule that most values of each day's file have a form.

    The rule stops files of garbage, not the few invalid rows that production rejects.
    """

    def holds(data: IbisData) -> ir.BooleanColumn:
        t = data.table
        assert data.key is not None
        matches = t[data.key].re_search(values.pattern)
        if values.plain and "is_plain" in t.columns:
            matches = t.is_plain | matches
        if values.bucket:
            matches = t[f"{data.key.removesuffix('_id')}_bucket"].notnull() | matches
        return matches.fill_null(False)

    return _tolerant(holds, f"mostly {values.what}", SHARE)


def mostly_split() -> Check:
    """Return a rule that most rows of each day's file could be split into the columns of the header."""

    def holds(data: IbisData) -> ir.BooleanColumn:
        assert data.key is not None
        return data.table[data.key].isnull()

    return _tolerant(holds, "mostly well-formed rows", SHARE)


def mostly_distinct(*key: str, surplus: float) -> Check:
    """Return a rule that at most the share ``surplus`` of a day's rows repeats the key of an earlier row."""

    def holds(data: IbisData) -> ir.BooleanColumn:
        t = data.table
        same_key = ibis.window(group_by=[t.partition_date, *(t[name] for name in key)], order_by=t.source_row)
        return ibis.row_number().over(same_key) == 0

    return _tolerant(holds, f"mostly distinct {', '.join(key)}", surplus, key=key)


def _tolerant(holds: Callable[[IbisData], ir.BooleanColumn], name: str, share: float, key: Sequence[str] = ()) -> Check:
    """Return a rule that a few rows of each day's file may violate; see :func:`tolerance` and :func:`distinct_key`."""
    statistics = {"share": share, "several": SEVERAL, "key": list(key)}
    return Check(holds, name=name, error=name, ignore_na=False, statistics=statistics)


def tolerance(check: Check) -> tuple[float, int] | None:
    """Return ``(share, several)``: a day's file violates the rule only if at least ``several`` rows, and more than
    ``share`` of all rows, violate it.

    Returns None for a rule that no row may violate.
    """
    statistics = check.statistics or {}
    return (statistics["share"], statistics["several"]) if "share" in statistics else None


def distinct_key(check: Check) -> tuple[str, ...]:
    """Return the key columns of a :func:`mostly_distinct` rule; an empty tuple for any other rule.

    Counting a file's distinct keys is three times cheaper than numbering its rows.
    """
    return tuple((check.statistics or {}).get("key", ()))


positive = Check.gt(0)
not_zero = Check.ne(0)
not_negative = Check.ge(0)
not_blank = Check.str_matches(FILLED, name="not blank", error="not blank")
price = Check.in_range(0, PRICE_LIMIT, include_max=False)
percent = Check.in_range(-100, 100)
country = Check.str_matches(r"^[A-Z]{2}$")
state = Check.str_matches(r"^[A-Z0-9]{1,3}$")
