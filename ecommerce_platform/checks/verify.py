"""Verification of a whole database: every promise about the data, over all days, row by row.

The daily checks compare adjacent layers for the rows that a run affected. Verification is the thorough check after an
accident, a restore or a manual change: every table that has a SELECT is recomputed and compared row by row, which finds
each row that was deleted, added or changed anywhere between staging and the extracts.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from psycopg import sql

from ecommerce_platform.checks import table_checks
from ecommerce_platform.checks.catalogue import catalogue_check
from ecommerce_platform.checks.outcome import (
    CheckOutcome,
    Severity,
    TableCheck,
    as_sql,
    count_and_samples,
    show,
)
from ecommerce_platform.checks.reconciliation import raw_folder_of_settings
from ecommerce_platform.checks.results import record_results
from ecommerce_platform.io_managers.change_log import NEVER, Source, changes, logs_of
from ecommerce_platform.io_managers.connection import ClientConnection
from ecommerce_platform.io_managers.modes import Window
from ecommerce_platform.postgres.facts import column_types
from ecommerce_platform.resources.published import difference, file_of
from ecommerce_platform.storage import Location
from ecommerce_platform.tables.lineage import scope_path, tables_read, transform_path, transformed_tables
from ecommerce_platform.tables.manifest import entry
from ecommerce_platform.tables.manifest import tables as every_table


@dataclass(frozen=True)
class Verdict:
    """One line of the report: a check, its result for the whole table, and its duration in seconds.

    The fields are those of :class:`TableCheck` and :class:`CheckOutcome`.
    """

    table: str
    name: str
    severity: Severity
    passed: bool
    is_judged: bool
    rows_tested: int
    violations: int
    description: str
    samples: Sequence[Mapping[str, str | None]]
    seconds: float


def whole_database_checks(raw_folder: Callable[[], Location] = raw_folder_of_settings) -> list[TableCheck]:
    """The checks of tables for :func:`verify`, in flow order: all but those about the current time, and all SELECTs."""
    tables = list(every_table())
    checks = [check for check in table_checks(raw_folder=raw_folder) if not check.is_about_now]
    checks += [matches_transform(table) for table in transformed_tables()]
    return sorted(checks, key=lambda check: tables.index(check.table))


def file_checks() -> list[TableCheck]:
    """The checks of published files for :func:`verify`."""
    return [is_published(table) for table in every_table() if file_of(table) is not None]


def all_verification_checks(url: str) -> list[TableCheck]:
    """All checks of the command ``verify``: of the catalog, the tables, and the published files.

    Args:
        url: a libpq URL of the owner; with another login, the catalog is not evaluated.
    """
    return [catalogue_check(url), *whole_database_checks(), *file_checks()]


def verify(connection: ClientConnection, checks: Iterable[TableCheck]) -> Iterator[Verdict]:
    """Check the whole database, one check at a time, and store each result.

    Args:
        connection: in autocommit mode, as loader; all layers are read, and temporary tables are created and dropped.
        checks: the checks, such as :func:`all_verification_checks`.

    Raises:
        psycopg.Error: a query fails.
    """
    for check in checks:
        begin = time.monotonic()
        outcome = check.run(connection)
        record_results(connection, Window(), [(check, outcome)])
        yield Verdict(
            check.table,
            check.name,
            check.severity,
            outcome.passed,
            outcome.is_judged,
            outcome.rows_tested,
            outcome.violations,
            outcome.description,
            outcome.samples,
            time.monotonic() - begin,
        )


def matches_transform(table: str) -> TableCheck:
    """The check that a table holds exactly the result of sql/transform/SCHEMA/TABLE.sql over all days."""
    return TableCheck(
        "matches_transform",
        table,
        f"The rows match the result of sql/transform/{table.replace('.', '/')}.sql.",
        partial(_compare, table),
    )


def is_published(table: str) -> TableCheck:
    """The check that a table's file has the table's rows, and that a report is not empty."""

    def evaluate(connection: ClientConnection, _: Window) -> CheckOutcome:
        counted = connection.execute(sql.SQL("select count(*) from {}").format(sql.Identifier(*table.split("."))))
        rows = int((counted.fetchone() or (0,))[0])
        is_loaded = connection.execute("select exists (select 1 from production.loaded_days)").fetchone()
        # Without sales, extracts are empty, but reports never are.
        if not rows and table.startswith("monitoring.") and is_loaded and is_loaded[0]:
            return CheckOutcome(False, 0, 1, f"{table} is empty: materialize it again.")
        if not (is_loaded and is_loaded[0]) and not rows:
            return CheckOutcome(True, 0, 0, "Not evaluated: nothing is loaded", is_judged=False)
        wrong = difference(connection, table)
        path = file_of(table)
        if wrong:
            return CheckOutcome(False, rows, 1, f"{path}: {wrong}; materialize {table} again", [{"file": str(path)}])
        return CheckOutcome(True, rows, 0, f"{path} matches the {rows:,} rows of the table")

    return TableCheck("is_published", table, "The published file matches the table.", evaluate)


def _compare(table: str, connection: ClientConnection, _: Window) -> CheckOutcome:
    with connection.transaction(force_rollback=True):
        key = [sql.Identifier(name) for name in entry(table).key]
        expected = _compute_again(connection, table)
        this = sql.Identifier(*table.split("."))
        columns = [sql.Identifier(name) for name in expected]

        def rows(side: str) -> sql.Composable:
            names = sql.SQL(", ").join(sql.SQL("{}.{}").format(sql.Identifier(side), name) for name in columns)
            return sql.SQL("({})").format(names)

        statement = sql.SQL(
            """
            select {keys},
                case when held.{first} is null then 'missing from the table'
                    when expected.{first} is null then 'not returned by the SELECT'
                    else 'different in ' || concat_ws(', ', {differences}) end as fault
            from {table} as held
            full join expected on {same_key}
            where held.{first} is null or expected.{first} is null or {held} is distinct from {expected}
            """
        ).format(
            keys=sql.SQL(", ").join(
                sql.SQL("coalesce(held.{0}, expected.{0})::text as {0}").format(name) for name in key
            ),
            first=key[0],
            differences=sql.SQL(", ").join(
                sql.SQL("case when held.{0} is distinct from expected.{0} then {1} end").format(
                    name, sql.Literal(label)
                )
                for name, label in zip(columns, expected, strict=True)
            ),
            table=this,
            same_key=sql.SQL(" and ").join(sql.SQL("held.{0} = expected.{0}").format(name) for name in key),
            held=rows("held"),
            expected=rows("expected"),
        )
        violations, samples = count_and_samples(connection, statement)
        counts = sql.SQL("select (select count(*) from {}), (select count(*) from expected)").format(this)
        rows_tested, rows_expected = connection.execute(counts).fetchone() or (0, 0)
    if not violations and rows_tested != rows_expected:
        # A table can have duplicate rows only if its primary key is missing.
        violations = abs(rows_tested - rows_expected)
        text = f"the table has {rows_tested:,} rows but the SELECT returns {rows_expected:,}: some rows are duplicated"
    elif violations:
        text = f"{violations:,} rows differ from the result of the SELECT. First: {show(samples)}"
    else:
        text = f"{rows_tested:,} rows match the result of the SELECT"
    return CheckOutcome(not violations, rows_tested, violations, text, samples)


def _compute_again(connection: ClientConnection, table: str) -> list[str]:
    """Create the temporary table ``expected`` with the types of the table; return the names of its columns."""
    parameters: dict[str, object] = {
        "window_start": Window().start,
        "window_end": Window().end,
        "judged": [],  # A slice that no run has checked yet is in no table.
        "is_full_refresh": True,
    }
    scope = scope_path(table)
    if scope is not None:
        # The SELECT refers to the scope, but does not read it when it computes all rows.
        make_empty_scope(connection, table, scope.read_text(encoding="utf-8"))
    select = as_sql(transform_path(table).read_text(encoding="utf-8"))
    given = connection.execute(sql.SQL("select * from ({}) as given limit 0").format(select), parameters)
    names = [column.name for column in given.description or ()]
    # Unlike INSERT, CREATE TABLE AS can use parallel workers; the casts round as storing in the table does.
    types = column_types(connection, table)
    columns = sql.SQL(", ").join(
        sql.SQL("given.{name}::{type} as {name}").format(name=sql.Identifier(name), type=as_sql(types[name]))
        for name in names
    )
    connection.execute(
        sql.SQL("create temp table expected on commit drop as select {} from ({}) as given").format(columns, select),
        parameters,
    )
    connection.execute("analyze expected")
    return names


def make_empty_scope(connection: ClientConnection, table: str, scope: str) -> None:
    """Create the temporary table ``scope`` with the columns of a table's scope, without rows."""
    unread = [Source(log, NEVER, 0, True) for log in logs_of(connection, tables_read(table))]
    nothing = sql.SQL("with {}").format(changes(unread, Window(), None)) if unread else sql.SQL("")
    connection.execute(
        sql.SQL("create temp table scope on commit drop as {} select * from ({}) as asked with no data").format(
            nothing, as_sql(scope)
        )
    )
