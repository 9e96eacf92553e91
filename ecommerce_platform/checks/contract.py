"""From schemas to checks: the contract of a table, evaluated where the data is.

pandera's Ibis backend gives each rule as a boolean expression over the columns. One statement counts the
violations of all rules in one pass over the table; no row is moved. For a run of some days it looks at their
rows only, where a row has a ``partition_date`` or adds up the sales of a day or month. Only a failing rule fetches
a few failing rows, by key. A key that the database itself keeps unique is not counted again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ecommerce_platform.checks.outcome import SAMPLES, CheckOutcome, TableCheck, as_sql, as_text, is_everything
from ecommerce_platform.io_managers.connection import ClientConnection
from ecommerce_platform.io_managers.writes import Window
from ecommerce_platform.schemas import SCHEMAS

if TYPE_CHECKING:
    import ibis.expr.types as ir
    from pandera.ibis import DataFrameSchema

DAY = "partition_date"
MONTH = "month_start"
PERSONAL = ("staging", "production")
"""Schemas whose values may be personal: their failing rows are named by key only."""


def contract(table: str) -> TableCheck:
    """The check that every row of ``table`` keeps its schema. Imports pandera when it runs."""

    def evaluate(connection: ClientConnection, window: Window) -> CheckOutcome:
        return _evaluate(connection, table, SCHEMAS[table], window)

    return TableCheck(
        "contract",
        table,
        "The columns are those of the schema, and every value and every row keeps its rules.",
        evaluate,
    )


def _evaluate(connection: ClientConnection, table: str, schema: DataFrameSchema, window: Window) -> CheckOutcome:
    columns = columns_of(connection, table)
    strangers = sorted(set(columns) ^ set(schema.columns))
    if strangers:
        return CheckOutcome(
            False,
            0,
            len(strangers),
            f"{table} and its schema do not have the same columns: {', '.join(strangers)}",
            [{"column": name, "where": "table" if name in columns else "schema"} for name in strangers],
        )
    plan = _plan(table, tuple(columns.items()), _is_unique(connection, table, schema))
    # Staging is judged before production knows its days.
    is_whole = window.is_unbounded or (not table.startswith("staging.") and is_everything(connection, window))
    days = (window.start, window.end) if plan.has_days and not is_whole else None
    counts = connection.execute(as_sql(plan.count(days))).fetchone() or (0,)
    rows_tested, *violations = (int(count) for count in counts)
    failed = {name: count for name, count in zip(plan.rules, violations, strict=True) if count}
    samples: list[Mapping[str, str | None]] = []
    for number, name in enumerate(plan.rules):
        if name in failed and len(samples) < SAMPLES:
            samples += _samples(connection, plan.show(number, days), name, SAMPLES - len(samples))
    if failed:
        said = "; ".join(f"{name}: {count:,} of {rows_tested:,} rows" for name, count in failed.items())
        text = f"{table} breaks its contract: {said}"
    else:
        text = f"{rows_tested:,} rows keep {len(plan.rules)} rules"
    metadata = {"rules": len(plan.rules), "rule_names": "\n".join(plan.rules)}
    return CheckOutcome(not failed, rows_tested, sum(failed.values()), text, samples, metadata)


def _samples(connection: ClientConnection, statement: str, rule: str, limit: int) -> list[dict[str, str | None]]:
    cursor = connection.execute(as_sql(statement))
    names = [column.name for column in cursor.description or ()]
    return [
        {"rule": rule, **{name: as_text(value) for name, value in zip(names, row, strict=True)}}
        for row in cursor.fetchmany(limit)
    ]


def columns_of(connection: ClientConnection, table: str) -> dict[str, str]:
    """All columns of a table and their types as PostgreSQL prints them; nothing where there is no table."""
    rows = connection.execute(
        """
        select attname, format_type(atttypid, atttypmod)
        from pg_catalog.pg_attribute
        where attrelid = to_regclass(%s) and attnum > 0 and not attisdropped
        order by attnum
        """,
        (table,),
    ).fetchall()
    return dict(rows)


def _is_unique(connection: ClientConnection, table: str, schema: DataFrameSchema) -> bool:
    """Whether the database itself keeps the schema's key unique."""
    row = connection.execute(
        """
        select exists (
            select 1
            from pg_catalog.pg_index as index
            where index.indrelid = to_regclass(%s)
                and index.indisunique and index.indisvalid and index.indpred is null
                and %s = (
                    select array_agg(attname::text order by attname::text)
                    from pg_catalog.pg_attribute
                    where attrelid = index.indrelid and attnum = any (index.indkey::smallint[])
                )
        )
        """,
        (table, sorted(schema.unique or [])),
    ).fetchone()
    return bool(row and row[0])


@dataclass(frozen=True)
class _Plan:
    """The statements of a contract, as functions of the days (first included, last not) or None.

    Attributes:
        rules: the names of the rules, in the order of the counts.
        has_days: whether the rows that the days of a run concern can be told.
        count: one row: rows tested, then the violations of each rule.
        show: some rows that break the rule of this number.
    """

    rules: tuple[str, ...]
    has_days: bool
    count: Callable[[Any], str]
    show: Callable[[int, Any], str]


@lru_cache(maxsize=256)
def _plan(table: str, columns: tuple[tuple[str, str], ...], is_unique: bool) -> _Plan:
    import ibis
    from ibis.backends.sql.datatypes import PostgresType

    schema = SCHEMAS[table]
    database, name = table.split(".")
    types = {column: PostgresType.from_string(type_) for column, type_ in columns}
    whole = ibis.table(types, name=name, database=database)

    sold = _sold_column(table)

    def of_days(days: Any, table: ir.Table = whole) -> ir.Table:
        if days is None:
            return table
        if sold is None:
            return table.filter(table[DAY] >= days[0], table[DAY] < days[1])
        facts = ibis.table({DAY: "date", "sale_date": "date"}, name="fact_sales", database="warehouse")
        facts = facts.filter(facts[DAY] >= days[0], facts[DAY] < days[1])
        return table.filter(table[sold].isin(facts.sale_date.truncate("M") if sold == MONTH else facts.sale_date))

    def judged(days: Any, *extra: str) -> ir.Table:
        # The rules are columns of an inner SELECT, because a rule may look at other rows of its file.
        rows = of_days(days)
        broken = {f"r{i}": ~rule.holds for i, rule in enumerate(rules_of(schema, rows, is_unique))}
        # As text: Python has no date for infinity.
        return rows.select(
            *([DAY] if is_by_file else []), **broken, **{name: rows[name].cast("string") for name in extra}
        )

    def by_file(days: Any) -> ir.Table:
        rows = judged(days)
        counts = {f"r{i}": rows.count(where=rows[f"r{i}"]) for i, rule in enumerate(rules) if not rule.distinct}
        files = rows.group_by(DAY).aggregate(rows_tested=rows.count(), **counts)
        for i, rule in enumerate(rules):
            if rule.distinct:
                # A view of its own: what two parts of a statement share, Ibis writes as one WITH, and PostgreSQL
                # then puts the whole table into a file.
                rows = of_days(days, whole.view())
                keys: Any = ibis.literal("|")
                keys = keys.join([rows[name].fill_null("") for name in rule.distinct])
                repeats = rows.group_by(DAY).aggregate(**{f"r{i}": rows.count() - keys.nunique()})
                files = files.join(repeats, DAY)
        return files.mutate(
            **{
                f"r{i}": ((files[f"r{i}"] >= rule.several) & (files[f"r{i}"] > rule.share * files.rows_tested)).ifelse(
                    files[f"r{i}"], 0
                )
                for i, rule in enumerate(rules)
                if rule.several
            }
        )

    def count(days: Any) -> str:
        if is_by_file:
            files = by_file(days)
            names = ("rows_tested", *(f"r{i}" for i in range(len(rules))))
            total = files.aggregate(**{name: files[name].sum().fill_null(0) for name in names})
        else:
            rows = judged(days)
            counts: dict[str, Any] = {"rows_tested": rows.count()}
            counts |= {f"r{i}": rows.count(where=rows[f"r{i}"]) for i in range(len(rules))}
            total = rows.aggregate(**counts)
        return ibis.to_sql(total, dialect="postgres")

    def show(rule: int, days: Any) -> str:
        shown = list(schema.unique or []) if database in PERSONAL else list(types)
        shown += [name for name in (DAY, "source_row") if name in types and name not in shown]
        rows = judged(days, *(name for name in shown if not (is_by_file and name == DAY)))
        rows = rows.filter(rows[f"r{rule}"])
        if rules[rule].several:
            files = by_file(days)
            rows = rows.semi_join(files.filter(files[f"r{rule}"] > 0), DAY)
        return ibis.to_sql(rows.select(*shown).limit(SAMPLES), dialect="postgres")

    rules = rules_of(schema, whole, is_unique)
    is_by_file = any(rule.several for rule in rules)
    return _Plan(tuple(rule.name for rule in rules), DAY in types or sold is not None, count, show)


def _sold_column(table: str) -> str | None:
    """The day or month of the sales that a row of an aggregate adds up; None for other tables."""
    key = SCHEMAS[table].unique or []
    columns = [name for name in ("sale_date", MONTH) if name in key]
    return columns[0] if columns and table.startswith("warehouse.") else None


@dataclass(frozen=True)
class Rule:
    """One rule of a schema.

    Attributes:
        name: the column, where it is about one, and what must hold.
        holds: a boolean column over the rows; null counts as kept.
        several: where above 0, the rows of one day's file break the rule only if at least so many do,
        share: and more than this share of the file.
        distinct: for a rule against repeated keys, the columns of the key.
    """

    name: str
    holds: ir.BooleanColumn
    several: int = 0
    share: float = 0.0
    distinct: tuple[str, ...] = ()


def rules_of(schema: DataFrameSchema, rows: ir.Table, is_unique: bool) -> list[Rule]:
    """Every rule of a schema over ``rows``: not null, rules of a column, rules of several, the unique key.

    The unique key is left out where ``is_unique`` says that the database keeps it.

    Raises:
        TypeError: a check gives no boolean column.
    """
    import ibis.expr.types as ir
    from pandera.api.ibis.types import IbisData

    from ecommerce_platform.schemas.rules import distinct_key, tolerance

    def rule(check: Any, column: str | None) -> Rule:
        result: Any = check._check_fn(IbisData(rows, column), **check._check_kwargs)
        if isinstance(result, ir.Table):
            # pandera's own checks give a projection of one column: the expression behind it is over ``rows``.
            (result,) = (value.to_expr() for value in result.op().values.values())
        if not isinstance(result, ir.BooleanColumn):
            raise TypeError(f"{schema.name}: rule {check.error!r} gives {type(result).__name__}, not a boolean column")
        share, several = tolerance(check) or (0.0, 0)
        name = f"{column}: {check.error}" if column else str(check.error)
        return Rule(name, result, several, share, distinct_key(check))

    rules: list[Rule] = []
    for name, column in schema.columns.items():
        if not column.nullable:
            rules.append(Rule(f"{name}: not null", rows[name].notnull()))
        rules += [rule(check, name) for check in column.checks]
    rules += [rule(check, None) for check in schema.checks or ()]
    if schema.unique and not is_unique:
        keys = [rows[name] for name in schema.unique]
        same_key: Any = rows.count().over(group_by=keys)
        rules.append(Rule(f"unique: {', '.join(schema.unique)}", same_key == 1))
    return rules
