"""Compiles pandera schemas to SQL: the statement that checks a table against its contract.

pandera's Ibis backend turns each rule into a boolean expression over the columns. One statement counts the violations
of all rules in one pass over the table; no row leaves the database. Ibis and pandera are slow to import, so this module
is used only to write the manifest, for a database whose constraints differ from sql/ddl, and to show rows that break a
rule.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import ibis
import ibis.expr.operations as ops
import ibis.expr.types as ir
import sqlglot
from ibis.backends.sql.datatypes import PostgresType
from pandera.api.ibis.types import IbisData
from pandera.ibis import DataFrameSchema
from sqlglot import exp

from ecommerce_platform.checks.constraints import enforced_by_checks
from ecommerce_platform.checks.outcome import SAMPLES
from ecommerce_platform.feeds.columns import ORDER_KEY
from ecommerce_platform.postgres.facts import TableFacts
from ecommerce_platform.schemas import schema_of
from ecommerce_platform.schemas.rules import distinct_key, tolerance
from ecommerce_platform.tables.manifest import Contract

DAY = "partition_date"
ROW = "source_row"
MONTH = "month_start"
LOAD = "load_id"
OF_LOAD = (DAY, LOAD, "source_file")
"""The columns of staging that are the same for every row of a load."""
FIRST_PART = 1.2
"""How many of a file's first rows are examined for repeated keys: this factor times the number of keys it must have."""
BUYER = "customer_id"
CUSTOMER_HISTORY = "warehouse.dim_customer"
"""A run over some days checks the versions of customers whose images, orders or lines arrived. Those of other customers
change only if an order moves from one customer to another; ``verify`` checks them. The other dimensions are small."""
PERSONAL = ("staging", "production")
"""Schemas whose values may be personal: their failing rows are identified only by key."""

ONE_TEXT = re.compile(r"'(?:[^']|'')*'")
SET_OF_TEXTS = re.compile(r"IN \(\s*('(?:[^']|'')*'(?:,\s*'(?:[^']|'')*')*)\s*\)")

# Ibis writes a date as a function call; these two dates are placeholders for the statement's parameters.
START, END = dt.date(1900, 1, 2), dt.date(1900, 1, 3)


@lru_cache(maxsize=256)
def compile_contract(table: str, facts: TableFacts) -> Contract:
    """The contract of a table, given the facts from a database's catalog.

    Raises:
        ValueError: the table and its schema have different columns.
        TypeError: a rule cannot be compiled.
    """
    strangers = set(schema_of(table).columns) ^ set(dict(facts.columns))
    if strangers:
        raise ValueError(f"{table} and its schema have different columns: {', '.join(sorted(strangers))}")
    plan = plan_of(table, facts)
    of_days = plan.count((START, END)).replace("%", "%%") if plan.has_days else ""
    for day, name in ((START, "start"), (END, "end")):
        of_days = of_days.replace(f"MAKE_DATE({day.year}, {day.month}, {day.day})", f"%({name})s")
        if plan.has_days and f"%({name})s" not in of_days:
            raise TypeError(f"{table}: Ibis no longer writes a date as MAKE_DATE(…): {of_days[:200]}")
    return Contract(plan.rules, plan.enforced, plan.has_days, plan.count(None), of_days)


@lru_cache(maxsize=256)
def plan_of(table: str, facts: TableFacts) -> Plan:
    """The statements of a contract, including those that show the rows that break a rule."""
    return Plan(table, facts)


@ibis.udf.scalar.builtin(name="hashtextextended")
def _hashed(text: str, seed: int) -> int:
    """PostgreSQL's function: sorting a number takes half the time of sorting its text."""
    raise NotImplementedError


class Plan:
    """The statements of a contract, for some days (start included, end excluded) or None for the whole table.

    Attributes:
        rules: the names of the rules, in the order of the counts.
        enforced: the names of the rules that constraints enforce.
        has_days: whether the rows affected by the days of a run can be determined.
    """

    def __init__(self, table: str, facts: TableFacts):
        self._table = table
        self._schema = schema_of(table)
        self._database, name = table.split(".")
        self._types = {column: PostgresType.from_string(type_) for column, type_ in facts.columns}
        self._whole = ibis.table(self._types, name=name, database=self._database)
        self._is_spread = facts.is_spread
        self._name = name
        self._sold = _sold_column(table)
        self._is_customer_history = table == CUSTOMER_HISTORY
        every = rules_of(self._schema, self._whole)
        self._is_enforced = _enforced_by_database(every, self._schema, self._whole, facts)
        self._asked = self._of_those_asked(every)
        self._is_by_file = any(rule.several for rule in self._asked)
        self.rules = tuple(rule.name for rule in self._asked)
        self.enforced = tuple(
            rule.name for rule, is_enforced in zip(every, self._is_enforced, strict=True) if is_enforced
        )
        self.has_days = DAY in self._types or self._sold is not None or self._is_customer_history

    def count(self, days: Any) -> str:
        """One row: rows tested, then the violations of each rule."""
        if self._is_by_file:
            files = self._by_file(days)
            names = ("rows_tested", *(f"r{i}" for i in range(len(self._asked))))
            total = files.aggregate(**{name: files[name].sum().fill_null(0) for name in names})
        elif not self._asked:
            rows = self._of_days(days, self._whole)
            total = rows.aggregate(rows_tested=rows.count())
        else:
            rows = self._judged(days)
            counts: dict[str, Any] = {"rows_tested": rows.count()}
            counts |= {f"r{i}": rows.count(where=rows[f"r{i}"]) for i in range(len(self._asked))}
            total = rows.aggregate(**counts)
        return _text_of(total)

    def show(self, rule: int, days: Any) -> str:
        """Some rows that break the rule with the given number."""
        shown = list(self._schema.unique or []) if self._database in PERSONAL else list(self._types)
        shown += [name for name in (DAY, ROW) if name in self._types and name not in shown]
        rows = self._judged(days, *(name for name in shown if not (self._is_by_file and name == DAY)))
        rows = rows.filter(rows[f"r{rule}"])
        if self._asked[rule].several:
            files = self._by_file(days)
            rows = rows.semi_join(files.filter(files[f"r{rule}"] > 0), DAY)
        return _text_of(rows.select(*shown).limit(SAMPLES))

    def _of_those_asked(self, rules: Sequence[Rule]) -> list[Rule]:
        return [rule for rule, is_enforced in zip(rules, self._is_enforced, strict=True) if not is_enforced]

    def _of_latest(self, rows: ir.Table) -> ir.Table:
        # Earlier loads may be stored beside the latest one.
        slices = ibis.table({"table_name": "string", LOAD: "int64"}, name="slices", database="platform")
        return rows.filter(rows[LOAD].isin(slices.filter(slices.table_name == self._table)[LOAD]))

    def _of_days(self, days: Any, rows: ir.Table, is_latest: bool = True) -> ir.Table:
        if self._database == "staging" and is_latest:
            rows = self._of_latest(rows)
        if days is None:
            return rows
        if DAY in self._types:
            return _in_files(rows, days)
        if self._is_customer_history:
            return rows.filter(rows[BUYER].isin(_customers_of(days)))
        columns = {DAY: "date", "sale_date": "date", BUYER: "int64"}
        sales = _in_files(ibis.table(columns, name="fact_sales", database="warehouse"), days)
        if self._sold == BUYER:
            return rows.filter(rows[BUYER].isin(sales[BUYER]))
        if self._sold == MONTH:
            return rows.filter(rows[MONTH].isin(sales.sale_date.truncate("M")))
        return rows.filter(rows.sale_date.isin(sales.sale_date))

    def _judged(self, days: Any, *extra: str) -> ir.Table:
        # The rules are columns of an inner SELECT, because a rule may depend on other rows of its file.
        rows = self._of_days(days, self._whole)
        asked = self._of_those_asked(rules_of(self._schema, rows))
        broken = {f"r{i}": ~rule.holds for i, rule in enumerate(asked)}
        # Cast to text, because Python has no infinite date.
        return rows.select(
            *([DAY] if self._is_by_file else []), **broken, **{name: rows[name].cast("string") for name in extra}
        )

    def _by_file(self, days: Any) -> ir.Table:
        rules, table = self._asked, self._of_days(days, self._whole, is_latest=False)
        asked = self._of_those_asked(rules_of(self._schema, table))
        # What is the same for every row of a load is judged once.
        of_load = [i for i, rule in enumerate(asked) if _columns_of(rule.holds) <= set(OF_LOAD)]
        of_rows = [i for i, rule in enumerate(rules) if not rule.distinct and i not in of_load]
        rows = table.select(*OF_LOAD, **{f"r{i}": ~asked[i].holds for i in of_rows})
        loads = rows.group_by(list(OF_LOAD)).aggregate(
            rows_tested=rows.count(), **{f"r{i}": rows.count(where=rows[f"r{i}"]) for i in of_rows}
        )
        loads = self._of_latest(loads)
        same = {table[name].op(): loads[name].op() for name in OF_LOAD}
        files = loads.group_by([DAY, LOAD]).aggregate(
            rows_tested=loads.rows_tested.sum(),
            **{f"r{i}": loads[f"r{i}"].sum() for i in of_rows},
            **{
                f"r{i}": (~asked[i].holds).op().replace(same).to_expr().ifelse(loads.rows_tested, 0).sum()
                for i in of_load
            },
        )
        distinct = {f"r{i}": rule for i, rule in enumerate(rules) if rule.distinct}
        if self._is_spread:
            files = self._with_repeats(files, distinct, days)
        else:
            files = files.mutate(**{name: self._repeats(files, rule) for name, rule in distinct.items()})
        # One comparison, because PostgreSQL would count the repeats again for another.
        return files.mutate(
            **{
                f"r{i}": (files[f"r{i}"] > _most(files, rule)).ifelse(files[f"r{i}"], 0)
                for i, rule in enumerate(rules)
                if rule.several
            }
        )

    def _repeats(self, files: ir.Table, rule: Rule) -> Any:
        """How many rows of a file repeat a key, or 0 if its first rows alone have so many keys that the rule holds.

        Counted file by file, because a file's keys are sorted in memory.
        """
        # Separate views: Ibis writes an expression that two parts of a statement share as one WITH, which PostgreSQL
        # would materialize for the whole table in a temporary file.
        rows, first = (
            view.filter(view[DAY] == files[DAY], view[LOAD] == files[LOAD])
            for view in (self._whole.view(), self._whole.view())
        )
        part: Any = files.rows_tested * min(1.0, (1 - rule.share) * FIRST_PART)
        first = first.filter(first[ROW] <= part.cast("int64"))
        keys = _keys(first, rule.distinct).nunique().as_scalar()
        repeats = (rows.count() - _keys(rows, rule.distinct).nunique()).as_scalar()
        return (keys >= files.rows_tested - _most(files, rule)).ifelse(0, repeats)

    def _with_repeats(self, files: ir.Table, distinct: Mapping[str, Rule], days: Any) -> ir.Table:
        """The files, and how many of their rows repeat a key of each rule: each node of a cluster counts its orders."""
        every = ibis.table({**self._types, ORDER_KEY: "int64"}, name=self._name, database=self._database)
        every = every if days is None else _in_files(every, days)
        orders = every.group_by([DAY, LOAD, ORDER_KEY]).aggregate(
            **{name: every.count() - _keys(every, rule.distinct).nunique() for name, rule in distinct.items()}
        )
        repeats = orders.group_by([DAY, LOAD]).aggregate(**{name: orders[name].sum() for name in distinct})
        return files.join(repeats, [DAY, LOAD])


def _most(files: ir.Table, rule: Rule) -> Any:
    """The most rows of a file that may break a rule."""
    return ibis.greatest(rule.several - 1, rule.share * files.rows_tested)


def _keys(rows: ir.Table, key: Sequence[str]) -> Any:
    """A number for each row, the same for those with the same key."""
    hash_of: Any = _hashed
    hashed: Any = 0
    for name in key:
        hashed = hash_of(rows[name].fill_null(""), hashed)
    return hashed


def _columns_of(expression: ir.Value) -> set[str]:
    fields: Any = expression.op().find(ops.Field)
    return {field.name for field in fields}


def _in_files(rows: ir.Table, days: Any) -> ir.Table:
    return rows.filter(rows[DAY] >= days[0], rows[DAY] < days[1])


def _customers_of(days: Any) -> ir.Column:
    """The customers whose images, orders or order lines came in the files of the days."""
    columns = {DAY: "date", "transaction_id": "int64", BUYER: "int64"}
    images, orders, lines = (
        ibis.table({name: columns[name] for name in names}, name=each, database="production")
        for each, names in (
            ("customer_versions", (DAY, BUYER)),
            ("transactions", (DAY, "transaction_id", BUYER)),
            ("transaction_items", (DAY, "transaction_id")),
        )
    )
    late = orders.filter(orders.transaction_id.isin(_in_files(lines, days).transaction_id))
    return _in_files(images, days)[[BUYER]].union(_in_files(orders, days)[[BUYER]]).union(late[[BUYER]])[BUYER]


def _text_of(rows: ir.Table) -> str:
    """SQL that is the same in every process: Ibis writes the values of a set in varying order, so they are sorted."""

    def in_order(found: re.Match[str]) -> str:
        return f"IN ({', '.join(sorted(ONE_TEXT.findall(found[1])))})"

    return SET_OF_TEXTS.sub(in_order, str(ibis.to_sql(rows, dialect="postgres")))


def _sold_column(table: str) -> str | None:
    """The column by which an aggregate sums sales: customer, day or month; None for other tables."""
    key = schema_of(table).unique or []
    columns = [name for name in (BUYER, "sale_date", MONTH) if name in key]
    return columns[0] if columns and table.startswith(("warehouse.agg_", "warehouse.mart_")) else None


@dataclass(frozen=True)
class Rule:
    """One rule of a schema.

    Attributes:
        name: the column, if the rule is about one, and the condition.
        holds: a boolean column over the rows; null counts as true.
        several: if above 0, a day's file breaks the rule only if at least this many of its rows do,
        share: and more than this share of its rows.
        distinct: for a rule against duplicate keys, the columns of the key.
    """

    name: str
    holds: ir.BooleanColumn
    several: int = 0
    share: float = 0.0
    distinct: tuple[str, ...] = ()


def rules_of(schema: DataFrameSchema, rows: ir.Table) -> list[Rule]:
    """Every rule of a schema over ``rows``: not null, rules of one column, rules of several columns, the unique key.

    Raises:
        TypeError: a check does not return a boolean column.
    """

    def rule(check: Any, column: str | None) -> Rule:
        result: Any = check._check_fn(IbisData(rows, column), **check._check_kwargs)
        if isinstance(result, ir.Table):
            # pandera's own checks return a projection of one column, whose expression is over ``rows``.
            (result,) = (value.to_expr() for value in result.op().values.values())
        if not isinstance(result, ir.BooleanColumn):
            raise TypeError(f"{schema.name}: rule {check.error!r} returns {type(result).__name__}, not a boolean")
        share, several = tolerance(check) or (0.0, 0)
        name = f"{column}: {check.error}" if column else str(check.error)
        return Rule(name, result, several, share, distinct_key(check))

    rules: list[Rule] = []
    for name, column in schema.columns.items():
        if not column.nullable:
            rules.append(Rule(_not_null(name), rows[name].notnull()))
        rules += [rule(check, name) for check in column.checks]
    rules += [rule(check, None) for check in schema.checks or ()]
    if schema.unique:
        keys = [rows[name] for name in schema.unique]
        same_key: Any = rows.count().over(group_by=keys)
        rules.append(Rule(_unique(schema.unique), same_key == 1))
    return rules


def _not_null(column: str) -> str:
    return f"{column}: not null"


def _unique(columns: Sequence[str]) -> str:
    return f"unique: {', '.join(columns)}"


def _enforced_by_database(
    rules: Sequence[Rule], schema: DataFrameSchema, rows: ir.Table, facts: TableFacts
) -> list[bool]:
    """Whether each rule of a schema over ``rows`` is enforced by a constraint."""
    names = {_not_null(name) for name in facts.required}
    if schema.unique and tuple(sorted(schema.unique)) in facts.unique:
        names.add(_unique(schema.unique))
    is_enforced = [rule.name in names for rule in rules]
    open_ones = [i for i, rule in enumerate(rules) if not is_enforced[i] and not rule.several]
    if facts.checks and open_ones:
        statement = ibis.to_sql(rows.select(**{f"r{i}": rules[i].holds for i in open_ones}), dialect="postgres")
        selected = sqlglot.parse_one(statement, dialect="postgres", into=exp.Select).selects
        conditions = [each.unalias().sql("postgres") for each in selected]
        for i, by_check in zip(
            open_ones, enforced_by_checks(conditions, facts.checks, dict(facts.columns)), strict=True
        ):
            is_enforced[i] = by_check
    return is_enforced
