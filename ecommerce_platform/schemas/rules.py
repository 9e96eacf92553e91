"""The words of the schemas: columns without types, rules over columns, shares of a day's file.

A null breaks no rule but the one that forbids nulls, as in SQL.
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

from ecommerce_platform.feeds.columns import FILLED

# sqlglot remembers how to write a dialect from the first time that it did, which may be before Ibis added to
# it: it would write DATE_FROM_PARTS, which PostgreSQL does not have.
sqlglot.generator._DISPATCH_CACHE.clear()

SHARE = 0.2
"""This share of a day's rows may be bad: production keeps them out one by one."""

SEVERAL = 10
"""Fewer bad rows than this never stop a day, whatever their share."""

PRICE_LIMIT = 10_000_000_000
"""Amounts of a file stay below it, as ``platform.parse_money`` and the type of their columns have it. Products and sums
of them have the limits of their columns' types only."""

FIRST_DAY = dt.date(2000, 1, 1)
LAST_DAY = dt.date(2099, 12, 31)


def table_schema(
    table: str,
    columns: dict[str, Column],
    *,
    key: Sequence[str],
    rules: Sequence[Check] = (),
) -> DataFrameSchema:
    """The contract of a table: exactly these columns, unique by ``key``, and rules over several columns."""
    return DataFrameSchema(columns, checks=list(rules), unique=list(key), strict=True, name=table)


def required(*checks: Check) -> Column:
    """A column that holds no null."""
    return Column(checks=list(checks))


def optional(*checks: Check) -> Column:
    """A column that may hold nulls; its rules are about the other values."""
    return Column(checks=list(checks), nullable=True)


def rule(name: str, holds: Callable[[Any], ir.BooleanValue]) -> Check:
    """A rule over the columns of a row, named by what it says: ``rule("a = b + c", lambda t: …)``."""
    return Check(lambda data: holds(data.table), name=name, error=name)


def mostly(pattern: str, what: str, *, plain: bool = False) -> Check:
    """In each day's file, most values match: stops garbage, not the few bad rows that production keeps out.

    Args:
        pattern: a regular expression.
        what: what matching values are, for the rule's name.
        plain: whether every row that the database has marked ``is_plain`` matches, which spares the matching.
    """

    def holds(data: IbisData) -> ir.BooleanColumn:
        t = data.table
        assert data.key is not None
        matches = t[data.key].re_search(pattern)
        return (t.is_plain | matches if plain and "is_plain" in t.columns else matches).fill_null(False)

    return _tolerant(holds, f"mostly {what}", SHARE)


def mostly_split() -> Check:
    """In each day's file, most rows could be split into the columns of the header."""

    def holds(data: IbisData) -> ir.BooleanColumn:
        assert data.key is not None
        return data.table[data.key].isnull()

    return _tolerant(holds, "mostly well-formed rows", SHARE)


def mostly_distinct(*key: str, surplus: float) -> Check:
    """In each day's file, no more than the share ``surplus`` of rows repeats the key of an earlier row."""

    def holds(data: IbisData) -> ir.BooleanColumn:
        t = data.table
        same_key = ibis.window(group_by=[t.partition_date, *(t[name] for name in key)], order_by=t.source_row)
        return ibis.row_number().over(same_key) == 0

    return _tolerant(holds, f"mostly distinct {', '.join(key)}", surplus, key=key)


def _tolerant(holds: Callable[[IbisData], ir.BooleanColumn], name: str, share: float, key: Sequence[str] = ()) -> Check:
    """A rule that a few rows of each day's file may break; see :func:`tolerance` and :func:`distinct_key`."""
    statistics = {"share": share, "several": SEVERAL, "key": list(key)}
    return Check(holds, name=name, error=name, ignore_na=False, statistics=statistics)


def tolerance(check: Check) -> tuple[float, int] | None:
    """``(share, several)``: the rows of a day's file break the rule only if at least ``several`` and more
    than ``share`` do.

    None for a rule that no row may break.
    """
    statistics = check.statistics or {}
    return (statistics["share"], statistics["several"]) if "share" in statistics else None


def distinct_key(check: Check) -> tuple[str, ...]:
    """The columns of which a row must not repeat an earlier one, for a rule that is about that; else none.

    Counting the distinct keys of a file is three times cheaper than numbering its rows.
    """
    return tuple((check.statistics or {}).get("key", ()))


positive = Check.gt(0)
not_negative = Check.ge(0)
a_count = Check.ge(0)
not_blank = Check.str_matches(FILLED, name="not blank", error="not blank")
price = Check.in_range(0, PRICE_LIMIT, include_max=False)
percent = Check.in_range(-100, 100)
country = Check.str_matches(r"^[A-Z]{2}$")
state = Check.str_matches(r"^[A-Z0-9]{1,3}$")
