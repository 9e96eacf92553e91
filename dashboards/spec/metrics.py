"""The metrics, read from their single definition in sql/ddl/070_metrics.sql.

The body of each SQL function is an expression. This module evaluates it with exact decimals, as PostgreSQL does for
numeric, or translates it to DAX. An expression with unsupported SQL raises an error, so that no metric is ever guessed.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context, Decimal
from functools import cache, cached_property
from operator import itemgetter
from pathlib import Path

import numpy as np
import sqlglot
from sqlglot import exp

from ecommerce_platform.settings import SQL_DIR

METRICS_FILE = SQL_DIR / "ddl" / "070_metrics.sql"

# More digits than PostgreSQL keeps in a numeric division; metrics round to a few places afterwards.
EXACT = Context(prec=60, rounding=ROUND_HALF_UP)

Value = Decimal | dt.date | None

_FUNCTION = re.compile(
    r"create or replace function warehouse\.(\w+)\s*\(([^)]*)\)\s*returns \w+\s*"
    r"language sql immutable parallel safe\s*return (.*?);",
    re.DOTALL,
)
_COMMENT = re.compile(r"comment on function warehouse\.(\w+)\([^)]*\) is\s*'((?:[^']|'')*)';")


class MetricError(RuntimeError):
    """A metric is undefined, or its definition uses unsupported SQL."""


@dataclass(frozen=True)
class Metric:
    """A function in sql/ddl/070_metrics.sql: its name, its parameters in order, its expression, and its comment."""

    name: str
    parameters: tuple[str, ...]
    expression: exp.Expr
    comment: str

    def __call__(self, *values: Value | int) -> Decimal | None:
        """Evaluate the metric as PostgreSQL does for numeric; None stands for null.

        Raises:
            MetricError: the expression uses unsupported SQL.
        """
        given = [Decimal(value) if isinstance(value, int) else value for value in values]
        result = self._formula(dict(zip(self.parameters, given, strict=True)))
        assert result is None or isinstance(result, Decimal)
        return result

    @cached_property
    def _formula(self) -> Formula:
        return _compiled(self.expression)

    def of_columns(self, *columns: np.ndarray) -> np.ndarray:
        """Evaluate the metric for each row of some columns, in floating point; NaN stands for null.

        This is for sparklines and rankings of many members. Numbers that people read come from ``__call__``.

        Raises:
            MetricError: the expression uses unsupported SQL.
        """
        with np.errstate(divide="ignore", invalid="ignore"):
            return _evaluate_columns(self.expression, dict(zip(self.parameters, columns, strict=True)))

    def dax(self, **arguments: str) -> str:
        """Translate the metric to DAX, given a DAX expression for each parameter; null becomes BLANK.

        Raises:
            MetricError: the expression uses SQL that cannot be translated to DAX.
        """
        return _dax(self.expression, arguments)


@cache
def metrics(path: Path = METRICS_FILE) -> Mapping[str, Metric]:
    """All functions in the file whose body is a single expression, by name."""
    text = path.read_text(encoding="utf-8")
    comments = {name: comment.replace("''", "'") for name, comment in _COMMENT.findall(text)}
    found = {}
    for name, parameters, body in _FUNCTION.findall(text):
        names = tuple(part.split()[0] for part in parameters.split(","))
        found[name] = Metric(name, names, sqlglot.parse_one(body, dialect="postgres"), comments[name])
    return found


def metric(name: str) -> Metric:
    """One metric.

    Raises:
        MetricError: sql/ddl/070_metrics.sql does not define it.
    """
    try:
        return metrics()[name]
    except KeyError:
        raise MetricError(
            f"{METRICS_FILE.name} does not define warehouse.{name}. Available metrics: {', '.join(metrics())}"
        ) from None


def _round(value: Decimal, places: Decimal | None) -> Decimal:
    digits = 0 if places is None else int(places)
    return value.quantize(Decimal(1).scaleb(-digits), rounding=ROUND_HALF_UP, context=EXACT)


Formula = Callable[[Mapping[str, Value]], Value]
"""Computes an expression from the values of its parameters."""


def _compiled(node: exp.Expr) -> Formula:
    """The formula of an expression. Walking the expression for each value would take several times as long."""

    def of(name: str) -> Formula:
        return _compiled(node.args[name])

    if isinstance(node, exp.Column):
        return itemgetter(node.name)
    if isinstance(node, exp.Literal) and not node.is_string:
        constant = Decimal(node.name)
        return lambda values: constant
    if isinstance(node, exp.Paren):
        return of("this")
    if isinstance(node, exp.Round):
        return _rounded(of("this"), of("decimals") if node.args.get("decimals") else lambda values: None)
    if isinstance(node, exp.Nullif):
        return _nullif(of("this"), of("expression"))
    if isinstance(node, exp.Greatest):
        return _greatest([_compiled(child) for child in (node.this, *node.expressions)])
    if type(node) in _ARITHMETIC:
        return _calculated(_ARITHMETIC[type(node)], of("this"), of("expression"))
    raise MetricError(f"{METRICS_FILE.name}: {node.sql('postgres')} is not supported by dashboards/spec/metrics.py")


def _rounded(number: Formula, decimals: Formula) -> Formula:
    def formula(values: Mapping[str, Value]) -> Value:
        value = number(values)
        return None if value is None else _round(_number(value), _optional(decimals(values)))

    return formula


def _nullif(number: Formula, null: Formula) -> Formula:
    def formula(values: Mapping[str, Value]) -> Value:
        value = number(values)
        return None if value == null(values) else value

    return formula


def _greatest(numbers: Sequence[Formula]) -> Formula:
    def formula(values: Mapping[str, Value]) -> Value:
        known = [_number(value) for number in numbers if (value := number(values)) is not None]
        return max(known) if known else None

    return formula


def _calculated(operator: Callable[[Decimal, Decimal], Decimal], first: Formula, second: Formula) -> Formula:
    def formula(values: Mapping[str, Value]) -> Value:
        left, right = first(values), second(values)
        if left is None or right is None:
            return None
        if isinstance(left, dt.date) and isinstance(right, dt.date):
            return Decimal((left - right).days)
        return operator(_number(left), _number(right))

    return formula


def _evaluate_columns(node: exp.Expr, values: Mapping[str, np.ndarray]) -> np.ndarray:
    def of(name: str) -> np.ndarray:
        return _evaluate_columns(node.args[name], values)

    if isinstance(node, exp.Column):
        return np.asarray(values[node.name], np.float64)
    if isinstance(node, exp.Literal) and not node.is_string:
        return np.array(node.name, np.float64)
    if isinstance(node, exp.Paren):
        return of("this")
    if isinstance(node, exp.Round):
        scale, value = 10.0 ** int(of("decimals")), of("this")
        # Half away from zero. The nudge lifts a half that floating point stores slightly too low.
        return np.copysign(np.floor(np.abs(value) * scale + (0.5 + 1e-7)) / scale, value)
    if isinstance(node, exp.Nullif):
        value = of("this")
        return np.where(value == of("expression"), np.nan, value)
    if type(node) in _COLUMN_ARITHMETIC:
        return _COLUMN_ARITHMETIC[type(node)](of("this"), of("expression"))
    raise MetricError(f"{METRICS_FILE.name}: {node.sql('postgres')} is not supported by dashboards/spec/metrics.py")


_COLUMN_ARITHMETIC: dict[type[exp.Expr], Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    exp.Add: np.add,
    exp.Sub: np.subtract,
    exp.Mul: np.multiply,
    exp.Div: np.divide,
}


def _number(value: Value) -> Decimal:
    assert isinstance(value, Decimal)
    return value


def _optional(value: Value) -> Decimal | None:
    return None if value is None else _number(value)


_ARITHMETIC: dict[type[exp.Expr], Callable[[Decimal, Decimal], Decimal]] = {
    exp.Add: EXACT.add,
    exp.Sub: EXACT.subtract,
    exp.Mul: EXACT.multiply,
    exp.Div: EXACT.divide,
}


def _dax(node: exp.Expr, arguments: Mapping[str, str]) -> str:
    def of(name: str) -> str:
        return _dax(node.args[name], arguments)

    if isinstance(node, exp.Column):
        return arguments[node.name]
    if isinstance(node, exp.Literal) and not node.is_string:
        return node.name
    if isinstance(node, exp.Paren):
        return f"( {of('this')} )"
    if isinstance(node, exp.Round):
        return f"ROUND ( {of('this')}, {of('decimals')} )"
    if isinstance(node, exp.Div):
        # DIVIDE returns BLANK for a zero denominator, which is what nullif does in SQL.
        below = node.expression
        return f"DIVIDE ( {of('this')}, {_dax(below.this if isinstance(below, exp.Nullif) else below, arguments)} )"
    if isinstance(node, exp.Greatest):
        children = [_dax(child, arguments) for child in (node.this, *node.expressions)]
        return f"MAX ( {', '.join(children)} )"
    if isinstance(node, exp.Literal):
        return '"' + node.name.replace('"', '""') + '"'
    if isinstance(node, exp.Case) and node.this is None:
        branches = [
            f"{_dax(branch.this, arguments)}, {_dax(branch.args['true'], arguments)}" for branch in node.args["ifs"]
        ]
        return f"SWITCH ( TRUE (), {', '.join([*branches, of('default')])} )"
    operators: dict[type[exp.Expr], str] = {
        exp.Add: "+",
        exp.Sub: "-",
        exp.Mul: "*",
        exp.EQ: "=",
        exp.LT: "<",
        exp.LTE: "<=",
        exp.GTE: ">=",
        exp.Or: "||",
        exp.And: "&&",
    }
    if type(node) in operators:
        return f"{of('this')} {operators[type(node)]} {of('expression')}"
    raise MetricError(
        f"{METRICS_FILE.name}: {node.sql('postgres')} cannot be translated to DAX by dashboards/spec/metrics.py"
    )
