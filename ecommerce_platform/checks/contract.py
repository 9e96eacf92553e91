"""From schemas to checks: the contract of a table, evaluated where the data is.

pandera's Ibis backend gives each rule as a boolean expression over the columns. One statement counts the
violations of all rules in one pass over the table; no row is moved. For a run of some days it looks at their
rows only, where a row has a ``partition_date``, adds up the sales of a day or month, or is a customer's. Only a
failing rule fetches a few failing rows, by key. What the database itself sees to (a key, a column without null, a
CHECK) is not asked again.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache, lru_cache, partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.types.json import Jsonb

from ecommerce_platform.checks.outcome import SAMPLES, CheckOutcome, TableCheck, Value, as_sql, as_text
from ecommerce_platform.io_managers.connection import ClientConnection
from ecommerce_platform.io_managers.modes import Window
from ecommerce_platform.schemas import SCHEMAS
from ecommerce_platform.tables.loaded_days import covers_all_days

if TYPE_CHECKING:
    import ibis.expr.types as ir
    from pandera.ibis import DataFrameSchema

DAY = "partition_date"
MONTH = "month_start"
BUYER = "customer_id"
CUSTOMER_HISTORY = "warehouse.dim_customer"
"""For some days, the versions of the customers whose images, orders or lines came are judged. Those of others change
where an order goes from one customer to another, and wait for ``verify``. The other dimensions are small."""
PERSONAL = ("staging", "production")
"""Schemas whose values may be personal: their failing rows are named by key only."""


def contract(table: str) -> TableCheck:
    """The check that every row of ``table`` keeps its schema.

    Imports pandera only where the contract was not compiled before, or where a rule fails.
    """
    return TableCheck(
        "contract",
        table,
        "The columns are those of the schema, and every value and every row keeps its rules.",
        partial(_evaluate, table),
    )


@dataclass(frozen=True)
class Compiled:
    """A contract as SQL.

    Attributes:
        columns: those of the schema.
        rules: the names of the rules, in the order of the counts.
        kept: the names of the rules that the database sees to.
        has_days: whether the rows that the days of a run concern can be told.
        whole: one row over the whole table: rows tested, then the violations of each rule.
        of_days: the same over the rows that the days from ``%(start)s`` to before ``%(end)s`` concern.
    """

    columns: tuple[str, ...]
    rules: tuple[str, ...]
    kept: tuple[str, ...]
    has_days: bool
    whole: str
    of_days: str


def _evaluate(table: str, connection: ClientConnection, window: Window) -> CheckOutcome:
    facts = catalogue(connection, [table]).get(table, TableFacts((), (), (), ()))
    columns = dict(facts.columns)
    compiled = _stored(connection, table, digest(table, facts)) or compile_contract(table, facts)
    strangers = sorted(set(columns) ^ set(compiled.columns))
    if strangers:
        return CheckOutcome(
            False,
            0,
            len(strangers),
            f"{table} and its schema do not have the same columns: {', '.join(strangers)}",
            [{"column": name, "where": "table" if name in columns else "schema"} for name in strangers],
        )
    # Staging is judged before production knows its days.
    is_whole = window.is_unbounded or (not table.startswith("staging.") and covers_all_days(connection, window))
    days = (window.start, window.end) if compiled.has_days and not is_whole else None
    cursor = (
        connection.execute(as_sql(compiled.whole))
        if days is None
        else connection.execute(as_sql(compiled.of_days), {"start": window.start, "end": window.end})
    )
    rows_tested, *violations = (int(count) for count in cursor.fetchone() or (0,))
    failed = {name: count for name, count in zip(compiled.rules, violations, strict=True) if count}
    samples: list[Mapping[str, str | None]] = []
    for number, name in enumerate(compiled.rules):
        if name in failed and len(samples) < SAMPLES:
            statement = _plan(table, facts).show(number, days)
            samples += _samples(connection, statement, name, SAMPLES - len(samples))
    if failed:
        said = "; ".join(f"{name}: {count:,} of {rows_tested:,} rows" for name, count in failed.items())
        text = f"{table} breaks its contract: {said}"
        if table.startswith("staging."):
            text += ". Correct the files and materialize their days again; until then production keeps what it has"
    else:
        text = f"{rows_tested:,} rows keep {len(compiled.rules)} rules"
        text += f", and the database sees to {len(compiled.kept)} more" if compiled.kept else ""
    metadata: dict[str, Value] = {"rules": len(compiled.rules), "rule_names": "\n".join(compiled.rules)}
    if compiled.kept:
        metadata["rules_of_the_database"] = "\n".join(compiled.kept)
    return CheckOutcome(not failed, rows_tested, sum(failed.values()), text, samples, metadata)


# Ibis writes a date as a call; these two stand for the parameters of the statement.
START, END = dt.date(1900, 1, 2), dt.date(1900, 1, 3)


@lru_cache(maxsize=256)
def compile_contract(table: str, facts: TableFacts) -> Compiled:
    """The contract of a table as SQL. Imports pandera and Ibis."""
    columns = tuple(SCHEMAS[table].columns)
    if set(columns) ^ set(dict(facts.columns)):
        return Compiled(columns, (), (), False, "", "")
    plan = _plan(table, facts)
    of_days = plan.count((START, END)).replace("%", "%%") if plan.has_days else ""
    for day, name in ((START, "start"), (END, "end")):
        of_days = of_days.replace(f"MAKE_DATE({day.year}, {day.month}, {day.day})", f"%({name})s")
        if plan.has_days and f"%({name})s" not in of_days:
            raise TypeError(f"{table}: Ibis no longer writes a date as MAKE_DATE(…): {of_days[:200]}")
    return Compiled(columns, plan.rules, plan.kept, plan.has_days, plan.count(None), of_days)


def store_contracts(url: str) -> list[str]:
    """Compile what has changed since the last time, and keep it in ``platform.contract_statements``.

    A day's run in a fresh process then spares itself the import of pandera and Ibis and the compilation of every
    contract, together a third of its time in Python.

    Args:
        url: a libpq URL of the owner.

    Returns:
        The tables whose contract was compiled.
    """
    with psycopg.connect(url, cursor_factory=psycopg.ClientCursor) as connection:
        known = dict(connection.execute("select table_name, digest from platform.contract_statements").fetchall())
        tables = list(SCHEMAS)
        facts = catalogue(connection, tables)
        stale = [table for table in tables if known.get(table) != digest(table, facts[table])]
        for table in stale:
            connection.execute(
                "insert into platform.contract_statements (table_name, digest, compiled) values (%s, %s, %s)"
                " on conflict (table_name) do update set digest = excluded.digest, compiled = excluded.compiled",
                (table, digest(table, facts[table]), Jsonb(asdict(compile_contract(table, facts[table])))),
            )
        connection.execute("delete from platform.contract_statements where not table_name = any(%s)", (tables,))
    return stale


def _stored(connection: ClientConnection, table: str, wanted: str) -> Compiled | None:
    row = connection.execute(
        "select compiled from platform.contract_statements where table_name = %s and digest = %s", (table, wanted)
    ).fetchone()
    if row is None:
        return None
    stored = row[0]
    columns, rules, left_out = (tuple(stored[name]) for name in ("columns", "rules", "kept"))
    return Compiled(columns, rules, left_out, stored["has_days"], stored["whole"], stored["of_days"])


@dataclass(frozen=True)
class TableFacts:
    """What the database says of a table: its columns with their types, and what it sees to itself.

    Attributes:
        columns: name and type of each.
        unique: the sets of columns that it keeps unique.
        required: the columns that it keeps from being null.
        checks: the conditions that it keeps, of each CHECK.
    """

    columns: tuple[tuple[str, str], ...]
    unique: tuple[tuple[str, ...], ...]
    required: tuple[str, ...]
    checks: tuple[str, ...]


def catalogue(connection: ClientConnection, tables: Sequence[str]) -> dict[str, TableFacts]:
    """The facts of some tables, as schema.table; a table that is not there is left out."""
    rows = connection.execute(
        """
        select
            wanted.table_name,
            (
                select jsonb_agg(
                    jsonb_build_array(attname, format_type(atttypid, atttypmod)) order by attnum
                )
                from pg_catalog.pg_attribute
                where attrelid = to_regclass(wanted.table_name) and attnum > 0 and not attisdropped
            ),
            (
                select coalesce(jsonb_agg(keys.names order by keys.names), '[]')
                from (
                    select (
                        select jsonb_agg(attname::text order by attname::text)
                        from pg_catalog.pg_attribute
                        where attrelid = index.indrelid and attnum = any (index.indkey::smallint[])
                    ) as names
                    from pg_catalog.pg_index as index
                    where index.indrelid = to_regclass(wanted.table_name)
                        and index.indisunique and index.indisvalid and index.indpred is null
                ) as keys
            ),
            (
                select coalesce(jsonb_agg(attname::text order by attnum), '[]')
                from pg_catalog.pg_attribute
                where attrelid = to_regclass(wanted.table_name) and attnum > 0 and attnotnull and not attisdropped
                    and not exists (
                        -- PostgreSQL 18 knows constraints that old rows may break.
                        select from pg_catalog.pg_constraint
                        where conrelid = attrelid and contype = 'n' and not convalidated and attnum = any (conkey)
                    )
            ),
            (
                select coalesce(jsonb_agg(pg_get_expr(conbin, conrelid) order by conname), '[]')
                from pg_catalog.pg_constraint
                where conrelid = to_regclass(wanted.table_name) and contype = 'c' and convalidated and not connoinherit
            )
        from unnest(%s::text[]) as wanted (table_name)
        """,
        (list(tables),),
    ).fetchall()
    return {
        table: TableFacts(
            tuple((name, type_) for name, type_ in columns),
            tuple(tuple(names) for names in unique),
            tuple(required),
            tuple(checks),
        )
        for table, columns, unique, required, checks in rows
        if columns is not None
    }


def columns_of(connection: ClientConnection, table: str) -> dict[str, str]:
    """All columns of a table and their types as PostgreSQL prints them; nothing where there is no table."""
    facts = catalogue(connection, [table]).get(table)
    return dict(facts.columns) if facts else {}


def digest(table: str, facts: TableFacts) -> str:
    """What a compiled contract depends on, as a hexadecimal SHA-256."""
    return hashlib.sha256(repr((_sources(), table, facts)).encode()).hexdigest()


@cache
def _sources() -> str:
    """The texts of the schemas and of the compiler, and the versions of the libraries that they use."""
    here = Path(__file__).resolve()
    package = here.parent.parent
    files = [here, here.with_name("constraints.py"), package / "feeds" / "columns.py"]
    files += sorted((package / "schemas").glob("*.py"))
    texts = [path.read_bytes() for path in files]
    versions = [version(name) for name in ("pandera", "ibis-framework", "sqlglot")]
    return hashlib.sha256(b"".join(texts) + repr(versions).encode()).hexdigest()


def _samples(connection: ClientConnection, statement: str, rule: str, limit: int) -> list[dict[str, str | None]]:
    cursor = connection.execute(as_sql(statement))
    names = [column.name for column in cursor.description or ()]
    return [
        {"rule": rule, **{name: as_text(value) for name, value in zip(names, row, strict=True)}}
        for row in cursor.fetchmany(limit)
    ]


@dataclass(frozen=True)
class _Plan:
    """The statements of a contract, as functions of the days (first included, last not) or None.

    Attributes:
        rules: the names of the rules, in the order of the counts.
        kept: the names of the rules that the database sees to.
        has_days: whether the rows that the days of a run concern can be told.
        count: one row: rows tested, then the violations of each rule.
        show: some rows that break the rule of this number.
    """

    rules: tuple[str, ...]
    kept: tuple[str, ...]
    has_days: bool
    count: Callable[[Any], str]
    show: Callable[[int, Any], str]


@lru_cache(maxsize=256)
def _plan(table: str, facts: TableFacts) -> _Plan:
    import ibis
    from ibis.backends.sql.datatypes import PostgresType

    @ibis.udf.scalar.builtin(name="hashtextextended")
    def hashed(text: str, seed: int) -> int:
        """PostgreSQL's own: a number is sorted in half the time of its text."""
        raise NotImplementedError

    hash_of: Any = hashed
    schema = SCHEMAS[table]
    database, name = table.split(".")
    types = {column: PostgresType.from_string(type_) for column, type_ in facts.columns}
    whole = ibis.table(types, name=name, database=database)

    sold, is_customer_history = _sold_column(table), table == CUSTOMER_HISTORY

    def in_files(rows: ir.Table, days: Any) -> ir.Table:
        return rows.filter(rows[DAY] >= days[0], rows[DAY] < days[1])

    def customers_of(days: Any) -> ir.Column:
        columns = {DAY: "date", "transaction_id": "int64", BUYER: "int64"}
        images, orders, lines = (
            ibis.table({name: columns[name] for name in names}, name=each, database="production")
            for each, names in (
                ("customer_versions", (DAY, BUYER)),
                ("transactions", (DAY, "transaction_id", BUYER)),
                ("transaction_items", (DAY, "transaction_id")),
            )
        )
        late = orders.filter(orders.transaction_id.isin(in_files(lines, days).transaction_id))
        return in_files(images, days)[[BUYER]].union(in_files(orders, days)[[BUYER]]).union(late[[BUYER]])[BUYER]

    def of_days(days: Any, rows: ir.Table = whole) -> ir.Table:
        if database == "staging":
            # An earlier load may lie beside the latest one.
            slices = ibis.table({"table_name": "string", "load_id": "int64"}, name="slices", database="platform")
            rows = rows.filter(rows.load_id.isin(slices.filter(slices.table_name == table).load_id))
        if days is None:
            return rows
        if DAY in types:
            return in_files(rows, days)
        if is_customer_history:
            return rows.filter(rows[BUYER].isin(customers_of(days)))
        sales = in_files(
            ibis.table({DAY: "date", "sale_date": "date", BUYER: "int64"}, name="fact_sales", database="warehouse"),
            days,
        )
        if sold == BUYER:
            return rows.filter(rows[BUYER].isin(sales[BUYER]))
        if sold == MONTH:
            return rows.filter(rows[MONTH].isin(sales.sale_date.truncate("M")))
        return rows.filter(rows.sale_date.isin(sales.sale_date))

    def judged(days: Any, *extra: str) -> ir.Table:
        # The rules are columns of an inner SELECT, because a rule may look at other rows of its file.
        rows = of_days(days)
        broken = {f"r{i}": ~rule.holds for i, rule in enumerate(asked(rows))}
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
                key: Any = 0
                for name in rule.distinct:
                    key = hash_of(rows[name].fill_null(""), key)
                repeats = rows.group_by(DAY).aggregate(**{f"r{i}": rows.count() - key.nunique()})
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
        elif not rules:
            rows = of_days(days)
            total = rows.aggregate(rows_tested=rows.count())
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

    def asked(rows: ir.Table) -> list[Rule]:
        return [rule for rule, is_kept in zip(rules_of(schema, rows), sees_to, strict=True) if not is_kept]

    all_rules = rules_of(schema, whole)
    sees_to = _kept_by_database(all_rules, schema, whole, facts)
    rules = [rule for rule, is_kept in zip(all_rules, sees_to, strict=True) if not is_kept]
    is_by_file = any(rule.several for rule in rules)
    names = tuple(rule.name for rule in rules)
    left_out = tuple(rule.name for rule, is_kept in zip(all_rules, sees_to, strict=True) if is_kept)
    has_days = DAY in types or sold is not None or is_customer_history
    return _Plan(names, left_out, has_days, count, show)


def _sold_column(table: str) -> str | None:
    """What a row of an aggregate adds up, a customer's sales or those of a day or month; None for other tables."""
    key = SCHEMAS[table].unique or []
    columns = [name for name in (BUYER, "sale_date", MONTH) if name in key]
    return columns[0] if columns and table.startswith(("warehouse.agg_", "warehouse.mart_")) else None


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


def rules_of(schema: DataFrameSchema, rows: ir.Table) -> list[Rule]:
    """Every rule of a schema over ``rows``: not null, rules of a column, rules of several, the unique key.

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


def _kept_by_database(rules: Sequence[Rule], schema: DataFrameSchema, rows: ir.Table, facts: TableFacts) -> list[bool]:
    """Of each rule of a schema over ``rows``, whether no row breaks it because the database refuses such a row."""
    import ibis
    import sqlglot
    from sqlglot import exp

    from ecommerce_platform.checks.constraints import kept

    names = {_not_null(name) for name in facts.required}
    if schema.unique and tuple(sorted(schema.unique)) in facts.unique:
        names.add(_unique(schema.unique))
    is_kept = [rule.name in names for rule in rules]
    open_ones = [i for i, rule in enumerate(rules) if not is_kept[i] and not rule.several]
    if facts.checks and open_ones:
        statement = ibis.to_sql(rows.select(**{f"r{i}": rules[i].holds for i in open_ones}), dialect="postgres")
        selected = sqlglot.parse_one(statement, dialect="postgres", into=exp.Select).selects
        conditions = [each.unalias().sql("postgres") for each in selected]
        for i, by_check in zip(open_ones, kept(conditions, facts.checks, dict(facts.columns)), strict=True):
            is_kept[i] = by_check
    return is_kept
