"""Rules that the database keeps by itself: they stand in a CHECK of the table.

PostgreSQL says a CHECK in its own words (``((quantity)::numeric * unit_price)``) and Ibis a rule in its own
(``"t0"."quantity" * "t0"."unit_price"``). Both are brought into one form and compared. What cannot be recognised is
not kept: the rule is then asked, which costs time and changes no verdict.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from typing import Any

import sqlglot
from sqlglot import exp


def kept(rule: str, checks: Iterable[str]) -> bool:
    """Whether every row of a table keeps a rule because the database refuses any other.

    Args:
        rule: a condition of SQL over the columns of the table.
        checks: the conditions of its validated CHECK constraints.
    """
    stated = {condition for check in checks for condition in _conditions(check)}
    return stated.issuperset(_conditions(rule))


def _conditions(text: str) -> Iterator[exp.Expr]:
    """The parts of a condition that must all hold, each in one form."""
    waiting = [_plain(sqlglot.parse_one(text, dialect="postgres"))]
    while waiting:
        condition = waiting.pop()
        if isinstance(condition, exp.And):
            waiting += [condition.left, condition.right]
        elif isinstance(condition, exp.Between):
            yield exp.GTE(this=condition.this, expression=condition.args["low"])
            yield exp.LTE(this=condition.this, expression=condition.args["high"])
        else:
            yield condition


def _plain(node: exp.Expr) -> exp.Expr:
    """The same expression without what changes its look alone."""
    while isinstance(node, exp.Paren) or _is_idle_cast(node):
        node = node.this
    if isinstance(node, exp.Column):
        return exp.column(exp.to_identifier(node.name, quoted=True))
    if isinstance(node, exp.Anonymous) and node.name.upper() == "MAKE_DATE":
        return exp.Literal.string(dt.date(*(int(part.name) for part in node.expressions)).isoformat())
    if isinstance(node, exp.EQ) and isinstance(node.expression, exp.Any):
        values = node.expression.this.unnest()
        if isinstance(values, exp.Array):
            node = exp.In(this=node.this, expressions=values.expressions)
    return type(node)(**{name: _plain_value(value) for name, value in node.args.items()})


def _plain_value(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain_value(each) for each in value]
    return _plain(value) if isinstance(value, exp.Expr) else value


def _is_idle_cast(node: exp.Expr) -> bool:
    """A cast of a constant to the type of what it is compared with, or of a number to any precision."""
    if not isinstance(node, exp.Cast):
        return False
    value = node.this.unnest()
    if isinstance(value, exp.Literal):
        return not node.to.expressions
    return isinstance(value, exp.Column) and node.to.this == exp.DataType.Type.DECIMAL and not node.to.expressions
