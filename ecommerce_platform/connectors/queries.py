"""Runs the SELECTs of a connector on the scratch database, where they can read its tables and nothing else.

The connection is read-only and opens no file, no network and no extension; its settings are locked. The text of a step
or feed must be one SELECT, and is run as a subquery, where a statement that changes something is refused, too.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from ecommerce_platform.connectors.connector import Connector
from ecommerce_platform.connectors.currencies import PRICED, Money, convert_feeds
from ecommerce_platform.connectors.errors import ConnectorError, shown
from ecommerce_platform.connectors.loading import connect, shortage
from ecommerce_platform.feeds.columns import FEEDS, OPTIONAL_COLUMNS

EARLIEST, LATEST = "2000-01-01", "2100-01-01"
"""A day outside is taken for a misprint; the row goes to the first day of the data, where the platform judges it."""

BATCH = 50_000

DAY = "greatest(day, (select min(day) from feed_transactions))"
"""SQL of the day to whose file a row goes: what is known before the first order, or at no known day, to the first."""


@dataclass(frozen=True)
class Outputs:
    """The feeds of a connector as temporary tables ``feed_NAME``: their columns as text, and ``day``."""

    database: duckdb.DuckDBPyConnection
    connector: Connector
    currency: str
    """The reporting currency."""

    @property
    def feeds(self) -> list[str]:
        """The feeds that the connector writes, in flow order."""
        return [feed for feed in FEEDS if feed in self.connector.queries]

    def days(self) -> tuple[dt.date, dt.date] | None:
        """The first day with an order, and the last day of any feed; None without an order."""
        first = self.value("select min(day) from feed_transactions")
        last = [self.value(f"select max(day) from feed_{feed}") for feed in self.feeds]
        return (first, max(filter(None, last))) if first else None

    def orders_after(self, day: dt.date) -> int:
        """How many orders are of a later day."""
        return self.value(f"select count(*) from feed_transactions where day > date '{day}'")

    def rows(self, feed: str) -> int:
        """The number of rows in a feed."""
        return self.value(f"select count(*) from feed_{feed}")

    def columns(self, feed: str) -> tuple[str, ...]:
        """The columns of a feed, with ``currency`` where an amount has no rate."""
        return FEEDS[feed] + (("currency",) if self.foreign_days(feed) else ())

    def foreign_days(self, feed: str) -> set[dt.date]:
        """The days of whose files one has an amount in another currency, for which there is no rate."""
        if feed not in PRICED:
            return set()
        statement = f"select distinct {DAY} from feed_{feed} where currency is not null"
        return {day for (day,) in self.database.execute(statement).fetchall()}

    def first_rows(self, feed: str, limit: int) -> list[tuple[str | None, ...]]:
        """The first rows of a feed, by day."""
        columns = ", ".join(self.columns(feed))
        return self.database.execute(f"select {columns} from feed_{feed} order by all limit {limit:d}").fetchall()

    def row(self, statement: str) -> tuple[Any, ...]:
        """The first row of a query over the feeds."""
        # A result that is not read to its end keeps the connection in use.
        rows = self.database.execute(statement).fetchall()
        return rows[0] if rows else ()

    def value(self, statement: str) -> Any:
        """The first value of a query over the feeds."""
        return self.row(statement)[0]

    def left_out(self) -> list[tuple[str, int]]:
        """What is deliberately not in the feeds: the reasons, and how many rows or orders each is about."""
        found = self._told("left_out", self.connector.left_out, "reason, rows")
        return [(str(reason), int(rows)) for reason, rows in found if rows]

    def findings(self) -> list[tuple[str, int, str, str]]:
        """What the connector finds wrong: the feed, how many of its rows, why, and the identifier of one of them."""
        found = self._told("findings", self.connector.findings, "feed, rows, reason, example")
        return [(str(feed), int(rows), str(reason), str(example)) for feed, rows, reason, example in found if rows]

    def _told(self, name: str, sql: str | None, columns: str) -> list[tuple[Any, ...]]:
        """The rows of a SELECT that only tells something; none where the connector has none."""
        if sql is None:
            return []
        query = _select(self.database, self.connector, name, sql)
        try:
            return self.database.execute(f"select {columns} from (\n{query}\n)").fetchall()
        except duckdb.Error as error:
            raise _failed(self.connector.folder / f"{name}.sql", error, 1) from None

    def lines(self, feed: str) -> Iterator[tuple[dt.date, bytes]]:
        """The rows of a feed as lines of CSV, joined by day and ordered by day and text. A day may come in parts.

        The order depends on nothing but the rows, so that the same rows always give the same bytes.
        """
        fields = " || ',' || ".join(
            f"case when regexp_matches({column}, '[\",\\r\\n]') then '\"' || replace({column}, '\"', '\"\"') || '\"'"
            f" else coalesce({column}, '') end"
            for column in FEEDS[feed]
        )
        foreign = ", ".join(f"date '{day}'" for day in sorted(self.foreign_days(feed)))
        if foreign:
            fields += f" || case when {DAY} in ({foreign}) then ',' || coalesce(currency, '') else '' end"
        ordered = f"select {DAY} as day, {fields} || chr(10) as line from feed_{feed} order by day, line"
        try:
            for batch in self.database.sql(ordered).to_arrow_reader(BATCH):
                yield from _by_day(batch)
        except duckdb.Error as error:
            raise _failed(self.connector.folder / f"{feed}.sql", error, 1) from None


@contextmanager
def outputs_of(connector: Connector, scratch: Path, money: Money) -> Generator[Outputs]:
    """Run the steps and feeds of a connector, and convert what they hold into the reporting currency.

    Raises:
        ConnectorError: a SELECT fails, is none, or does not give its feed's columns; names the file and line of SQL.
    """
    with connect(scratch, read_only=True) as database:
        database.execute("set enable_external_access = false")
        database.execute("set lock_configuration = true")
        for name, sql in connector.steps.items():
            query = _select(database, connector, name, sql)
            _create(database, connector.folder / f"{name}.sql", name, f"select * from (\n{query}\n)")
        for feed, sql in connector.queries.items():
            _create_feed(database, connector, feed, _select(database, connector, feed, sql))
        currency = convert_feeds(database, connector.currency, money, has_returns="returns" in connector.queries)
        yield Outputs(database, connector, currency)


def _by_day(batch: pa.RecordBatch) -> Iterator[tuple[dt.date, bytes]]:
    # The lines of a batch are contiguous in the buffer of their array, and its days are sorted.
    lines = batch.column(1).cast(pa.large_string())
    _, positions, text = lines.buffers()
    ends = np.frombuffer(positions, dtype=np.int64)[lines.offset : lines.offset + len(lines) + 1]
    days = batch.column(0).cast(pa.int32()).to_numpy()
    starts = [0, *(np.flatnonzero(np.diff(days)) + 1).tolist(), len(days)]
    for start, end in pairwise(starts):
        if start < end:
            part = text[int(ends[start]) : int(ends[end])].to_pybytes()
            yield dt.date(1970, 1, 1) + dt.timedelta(days=int(days[start])), part


def _select(database: duckdb.DuckDBPyConnection, connector: Connector, name: str, sql: str) -> str:
    """The text of one SELECT, without a semicolon at its end."""
    where = connector.folder / f"{name}.sql"
    try:
        statements = database.extract_statements(sql)
    except duckdb.Error as error:
        raise _failed(where, error, 0) from None
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        kinds = ", ".join(statement.type.name for statement in statements) or "nothing"
        raise ConnectorError(str(where), f"the file must hold one SELECT, but holds {kinds}", "write one SELECT")
    text = statements[0].query
    # A comment may follow the semicolon.
    tokens = [start for start, kind in duckdb.tokenize(text) if kind != duckdb.token_type.comment]
    return text[: tokens[-1]] if text[tokens[-1]] == ";" else text


def _create(database: duckdb.DuckDBPyConnection, where: Path, table: str, query: str) -> None:
    try:
        database.execute(f'create temp table "{table}" as {query}')
    except duckdb.Error as error:
        raise _failed(where, error, 1) from None


def _create_feed(database: duckdb.DuckDBPyConnection, connector: Connector, feed: str, sql: str) -> None:
    """Create ``feed_NAME``: the columns as text, and the day, null where it is none."""
    where = connector.folder / f"{feed}.sql"
    try:
        described = database.execute(f"describe select * from (\n{sql}\n)").fetchall()
    except duckdb.Error as error:
        raise _failed(where, error, 1) from None
    types = {row[0].lower(): row[1] for row in described}
    wanted = (*FEEDS[feed], "day")
    missing = [column for column in wanted if column not in types]
    if missing:
        raise ConnectorError(
            str(where), f"the SELECT lacks the column {missing[0]}", f"its columns must be {', '.join(wanted)}"
        )
    optional = OPTIONAL_COLUMNS.get(feed, ())
    more = [column for column in types if column not in (*wanted, *optional)]
    if more:
        raise ConnectorError(
            str(where), f"{shown(more[0])} is not a column of the feed {feed}", f"the columns are {', '.join(wanted)}"
        )
    if types["day"] != "DATE":
        raise ConnectorError(
            str(where), f"the column day is {types['day']}, not DATE", "cast it: cast(… as date) as day"
        )
    columns = ", ".join(f"cast({column} as varchar) as {column}" for column in FEEDS[feed])
    for column in optional:
        value = f"nullif(upper(cast({column} as varchar)), '')" if column in types else "cast(null as varchar)"
        columns += f", {value} as {column}"
    day = f"case when day >= date '{EARLIEST}' and day < date '{LATEST}' then day end as day"
    # The connector's text begins a line, so that DuckDB's line numbers are those of its file plus one.
    _create(database, where, f"feed_{feed}", f"select {columns}, {day} from (\n{sql}\n)")


def _failed(where: Path, error: duckdb.Error, lines_before: int) -> ConnectorError:
    """DuckDB's message in one line, with the line of the connector's file where DuckDB names one."""
    if (short := shortage(str(where), error)) is not None:
        return short
    said = str(error)
    found = re.search(r"LINE (\d+):", said)
    place = f"{where}, line {int(found.group(1)) - lines_before}" if found else str(where)
    return ConnectorError(place, said.split("\n\n")[0], "correct the SELECT")
