"""The contract of a table: its pandera schema as one SQL statement, evaluated in the database.

A run over some days checks only their rows if the table has a ``partition_date``, is an ``agg_*`` or ``mart_*`` with
``sale_date``, ``month_start`` or ``customer_id`` in its key, or holds the versions of customers. A few failing rows are
fetched, by key, only for a failing rule. Rules that constraints enforce (a key, NOT NULL, a CHECK) are not evaluated
again.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from ecommerce_platform.checks.outcome import SAMPLES, CheckOutcome, TableCheck, Value, as_sql, as_text
from ecommerce_platform.io_managers.connection import ClientConnection
from ecommerce_platform.io_managers.modes import Window
from ecommerce_platform.postgres.facts import TableFacts, catalogue
from ecommerce_platform.tables.loaded_days import covers_all_days
from ecommerce_platform.tables.manifest import Contract, entry


def contract(table: str) -> TableCheck:
    """The check that every row of ``table`` conforms to its schema.

    Imports pandera only if the database differs from sql/ddl, or if a rule fails.
    """
    return TableCheck(
        "contract",
        table,
        "The columns match the schema, and every value and every row follows its rules.",
        partial(_evaluate, table),
    )


def _evaluate(table: str, connection: ClientConnection, window: Window) -> CheckOutcome:
    facts = catalogue(connection, [table]).get(table, TableFacts((), (), (), ()))
    columns = dict(facts.columns)
    expected = entry(table)
    strangers = sorted(set(columns) ^ {column.name for column in expected.columns})
    if strangers:
        return CheckOutcome(
            False,
            0,
            len(strangers),
            f"{table} and its schema have different columns: {', '.join(strangers)}",
            [{"column": name, "where": "table" if name in columns else "schema"} for name in strangers],
        )
    compiled = expected.contract
    if facts.is_spread and expected.contract_of_cluster is not None:
        compiled = expected.contract_of_cluster
    if replace(facts, is_spread=False) != expected.facts:
        compiled = _compiled(table, facts)
    # Staging is checked before production has its days.
    is_whole = window.is_unbounded or (
        not table.startswith("staging.")
        and (compiled.has_days or not compiled.rules)
        and covers_all_days(connection, window)
    )
    if not (is_whole or compiled.has_days or compiled.rules):
        text = f"All {len(compiled.enforced)} rules are enforced by constraints"
        return CheckOutcome(True, 0, 0, text, metadata={"enforced_by_constraints": "\n".join(compiled.enforced)})
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
            statement = _statement_to_show(table, facts, number, days)
            samples += _samples(connection, statement, name, SAMPLES - len(samples))
    if failed:
        said = "; ".join(f"{name}: {count:,} of {rows_tested:,} rows" for name, count in failed.items())
        text = f"{table} breaks its contract: {said}"
        if table.startswith("staging."):
            text += ". Correct the files and materialize their days again; until then, production's rows stay unchanged"
    else:
        text = f"{rows_tested:,} rows follow {len(compiled.rules)} rules"
        text += f"; {len(compiled.enforced)} more are enforced by constraints" if compiled.enforced else ""
    metadata: dict[str, Value] = {"rules": len(compiled.rules), "rule_names": "\n".join(compiled.rules)}
    if compiled.enforced:
        metadata["enforced_by_constraints"] = "\n".join(compiled.enforced)
    return CheckOutcome(not failed, rows_tested, sum(failed.values()), text, samples, metadata)


def _compiled(table: str, facts: TableFacts) -> Contract:
    """The contract for a database with missing or added constraints, where a different set of rules is evaluated."""
    from ecommerce_platform.checks.compiler import compile_contract

    return compile_contract(table, facts)


def _statement_to_show(
    table: str, facts: TableFacts, rule: int, days: tuple[dt.date | None, dt.date | None] | None
) -> str:
    from ecommerce_platform.checks.compiler import plan_of

    return plan_of(table, facts).show(rule, days)


def _samples(connection: ClientConnection, statement: str, rule: str, limit: int) -> list[dict[str, str | None]]:
    cursor = connection.execute(as_sql(statement))
    names = [column.name for column in cursor.description or ()]
    return [
        {"rule": rule, **{name: as_text(value) for name, value in zip(names, row, strict=True)}}
        for row in cursor.fetchmany(limit)
    ]
