"""Puts a shop's files into a scratch database of DuckDB: one table of text per kind of file.

This is the only place that opens files in DuckDB. The connector's own SQL runs later, on a connection that can open
none (:mod:`.queries`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import duckdb

from ecommerce_platform.connectors.connector import Connector, Role
from ecommerce_platform.connectors.errors import ConnectorError, shown
from ecommerce_platform.connectors.matching import Match, Matches
from ecommerce_platform.connectors.moments import ISO, best_format, business_moment, literal, wall_clock
from ecommerce_platform.connectors.source_files import free_half, readable
from ecommerce_platform.feeds.columns import BLANKS
from ecommerce_platform.money import is_currency

MEMORY = "1GB"
"""DuckDB's limit; what does not fit goes to its temporary folder."""

SCRATCH = "exports.duckdb"

UNREADABLE = 0.5
"""With a larger share of moments in no known format, a file is refused."""

MACROS = {
    "amount(t)": (
        "try_cast(case"
        " when regexp_full_match(t, '[^0-9.,-]*-?[0-9]{1,3}(,[0-9]{3})+(\\.[0-9]+)?[^0-9.,]*')"
        " then regexp_replace(t, '[^0-9.-]', '', 'g')"
        " when regexp_full_match(t, '[^0-9.,-]*-?[0-9]+(\\.[0-9]*)?[^0-9.,]*')"
        " then regexp_replace(t, '[^0-9.-]', '', 'g')"
        " end as decimal(18, 4))"
    ),
    "whole(t)": (
        "try_cast(case when regexp_full_match(t, '-?[0-9]{1,9}(\\.0+)?')"
        " then regexp_replace(t, '\\..*', '') end as bigint)"
    ),
    "money(x)": "cast(cast(x as decimal(38, 2)) as varchar)",
    "up_to_cents(x)": "cast(ceil(x * 100) / 100 as decimal(18, 2))",
    "anonymous_id(t)": "left(sha256(lower(t)), 32)",
    "state_code(t)": (
        "upper(case when regexp_full_match(t, '[A-Za-z0-9]{1,3}') then t"
        " when regexp_full_match(t, '[A-Za-z]{2}-[A-Za-z0-9]{1,3}') then substr(t, 4) end)"
    ),
    "country_code(t)": "case when regexp_full_match(t, '[A-Za-z]{2}') then upper(t) else 'ZZ' end",
    "short_code(t)": "case when length(t) <= 150 then t else left(t, 110) || '-' || md5(t) end",
}
"""What the SQL of every connector may use; docs/connectors/README.md describes them."""


@dataclass(frozen=True)
class Loaded:
    """What one file became.

    Attributes:
        match: the file and its kind.
        rows: its rows; those that a later file replaces included.
        encoding: the encoding of its text.
        format: the format of its moments; None where its kind has no moment.
        untyped: rows whose moment cannot be read.
    """

    match: Match
    rows: int
    encoding: str | None
    format: str | None
    untyped: int


def settings_of(folder: Path) -> dict[str, Any]:
    """What every connection to a scratch database has: little memory, its own temporary folder, no extensions."""
    return {
        "memory_limit": MEMORY,
        "threads": 2,
        "temp_directory": str(folder / "spilled"),
        "max_temp_directory_size": f"{free_half(folder) // 1_000_000}MB",
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "python_enable_replacements": False,
    }


def load(
    connector: Connector, matches: Matches, folder: Path, time_zone: str | None = None
) -> tuple[Sequence[Loaded], Path]:
    """Fill a scratch database in ``folder`` with the files; return what became of each, and the database's path.

    Raises:
        ConnectorError: a file cannot be read, mixes formats of dates, or names an unknown currency.
    """
    path = folder / SCRATCH
    limit = free_half(folder)
    zone = time_zone or connector.time_zone
    with duckdb.connect(str(path), config=settings_of(folder)) as database:
        for signature, body in MACROS.items():
            database.execute(f"create macro {signature} as {body}")
        moment = business_moment("t", ISO, zone, None)
        database.execute(f"create macro local_moment(t) as {moment}")
        loaded: list[Loaded] = []
        for name, role in connector.files.items():
            opened = []
            for match in matches.used:
                if match.role == name:
                    file = readable(match.file, folder, role.encodings, limit)
                    opened.append(Match(name, file, match.columns, match.day))
            loaded += _Table(database, name, role, zone, opened).load()
    return loaded, path


@dataclass(frozen=True)
class _Table:
    database: duckdb.DuckDBPyConnection
    name: str
    role: Role
    time_zone: str | None
    matches: Sequence[Match]

    def load(self) -> Iterator[Loaded]:
        """Create the table, and tell what became of each file."""
        columns = ", ".join(f"{_quoted(column)} varchar" for column in self.role.columns)
        self.database.execute(f"create table raw (number integer, {columns})")
        for _, alike in groupby(enumerate(self.matches), key=lambda pair: _shape(pair[1])):
            self._read(list(alike))
        formats = {number: self._format(number, match) for number, match in enumerate(self.matches)}
        if self.role.currency_column is not None:
            self._require_currencies()
        self._finish(formats)
        counted = self.database.execute(
            "select number, count(*) from raw group by number"  # the files' own rows, before any is replaced
        ).fetchall()
        rows = dict(counted)
        self.database.execute("drop table raw")
        for number, match in enumerate(self.matches):
            format_, untyped = formats[number]
            yield Loaded(match, rows.get(number, 0), match.file.encoding, format_, untyped)

    def _read(self, group: list[tuple[int, Match]]) -> None:
        """Append the rows of files of one shape."""
        first = group[0][1]
        paths = [str(match.file.readable) for _, match in group]
        texts = {
            column: _trimmed(f"cast({_quoted(_internal(first, header))} as varchar)")
            for column, header in first.columns.items()
        }
        selected = ", ".join(f"{texts.get(column, 'null')} as {_quoted(column)}" for column in self.role.columns)
        numbers = ", ".join(f"({literal(path)}, {number})" for path, (number, _) in zip(paths, group, strict=True))
        statement = (
            f"insert into raw select numbers.number, {selected} from {_scan(first, paths)} as rows"
            f" inner join (values {numbers}) as numbers (path, number) on rows.filename = numbers.path"
        )
        try:
            self.database.execute(statement)
        except duckdb.Error as error:
            raise _unreadable(error, [match for _, match in group]) from None

    def _format(self, number: int, match: Match) -> tuple[str | None, int]:
        """The format of one file's moments, and how many of them it does not read."""
        if self.role.moment is None:
            return None, 0
        value = _quoted(self.role.moment)
        formats = (ISO, *self.role.formats)
        counts = ", ".join(f"count({wall_clock(value, each)})" for each in formats)
        total, *parsed = self._one(f"select count({value}), {counts} from raw where number = {number}")
        best = best_format(formats, parsed)
        read = wall_clock(value, best)
        for other in formats:
            mixed = f"number = {number} and {read} is null and {wall_clock(value, other)} is not null"
            if other != best and (row := self._one(f"select {value} from raw where {mixed} limit 1")):
                raise ConnectorError(
                    f"{match.file.path}, {self.name}",
                    f"the dates are written in two ways: {shown(row[0])} is {other}, but most are {best}",
                    "export the file with one format of dates",
                )
        untyped = total - max(parsed)
        if untyped > UNREADABLE * total:
            (example,) = self._one(f"select {value} from raw where number = {number} and {value} is not null limit 1")
            raise ConnectorError(
                f"{match.file.path}, {self.name}",
                f"{untyped:,} of {total:,} moments are in no known format, such as {shown(example)}",
                f"add their strptime format to formats in [files.{self.name}] of connector.toml",
            )
        return best, untyped

    def _require_currencies(self) -> None:
        value = _quoted(self.role.currency_column or "")
        found = self.database.execute(
            f"select upper({value}), min(number) from raw where {value} is not null group by 1 order by 1"
        ).fetchall()
        for currency, number in found:
            if not is_currency(currency):
                raise ConnectorError(
                    f"{self.matches[number].file.path}, {self.name}",
                    f"{shown(currency)} is not a currency",
                    "write ISO 4217 codes, such as EUR",
                )

    def _finish(self, formats: Mapping[int, tuple[str | None, int]]) -> None:
        """Create the table itself: with moment, day and file, and without rows that a later file replaces."""
        moment, day = "null::timestamp", "null::date"
        if self.role.moment is not None:
            value = _quoted(self.role.moment)
            cases = [
                f"when {number} then {business_moment(value, format_ or ISO, self.time_zone, self.role.written_in)}"
                for number, (format_, _) in formats.items()
            ]
            moment = f"case number {' '.join(cases)} end" if cases else moment
            day = f"cast({moment} as date)"
        if any(match.day for match in self.matches):
            cases = [f"when {number} then date '{match.day}'" for number, match in enumerate(self.matches)]
            day = f"case number {' '.join(cases)} end"
        names = [f"when {number} then {literal(match.file.path.name)}" for number, match in enumerate(self.matches)]
        file = f"case number {' '.join(names)} end" if names else "null::varchar"
        latest, kept = "", "true"
        if self.role.key is not None and len(self.matches) > 1:
            key = _quoted(self.role.key)
            latest = f"left join (select {key} as k, max(number) as latest from raw group by 1) as last"
            latest += f" on raw.{key} = last.k"
            kept = "(latest is null or number = latest)"
        columns = ", ".join(f"raw.{_quoted(column)}" for column in self.role.columns)
        self.database.execute(
            f"create table {_quoted(self.name)} as"
            f" select {columns}, {moment} as moment, {day} as day, {file} as file from raw {latest} where {kept}"
        )

    def _one(self, statement: str) -> tuple[Any, ...]:
        # A result that is not read to its end keeps the connection in use.
        rows = self.database.execute(statement).fetchall()
        return rows[0] if rows else ()


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _trimmed(value: str) -> str:
    # Trimming 31 kinds of blanks takes ten times as long as finding out that there is nothing to trim.
    trim = f"trim({value}, {literal(BLANKS)})"
    return f"nullif(case when regexp_matches({value}, '^[^!-~]|[^!-~]$') then {trim} else {value} end, '')"


def _shape(match: Match) -> tuple[object, ...]:
    file = match.file
    return file.kind, file.header, file.delimiter, file.skip, tuple(match.columns.items())


def _internal(match: Match, header: str) -> str:
    """The name of a column inside DuckDB: of a CSV file by position, because headers may repeat."""
    return f"c{match.file.header.index(header)}" if match.file.kind == "csv" else header


def _scan(match: Match, paths: Sequence[str]) -> str:
    files = "[" + ", ".join(literal(path) for path in paths) + "]"
    if match.file.kind == "parquet":
        return f"read_parquet({files}, filename = true)"
    if match.file.kind == "json":
        columns = ", ".join(f"{literal(header)}: 'VARCHAR'" for header in match.columns.values())
        return f"read_json({files}, format = 'newline_delimited', columns = {{{columns}}}, filename = true)"
    columns = ", ".join(f"'c{number}': 'VARCHAR'" for number in range(len(match.file.header)))
    return (
        f"read_csv({files}, auto_detect = false, header = true, skip = {match.file.skip}, columns = {{{columns}}},"
        f" delim = {literal(match.file.delimiter)}, quote = '\"', escape = '\"', strict_mode = true, filename = true)"
    )


def _unreadable(error: duckdb.Error, matches: Sequence[Match]) -> ConnectorError:
    """DuckDB's message about a file, in one line: the file as the user knows it, and the line."""
    said = str(error)
    found = re.search(r"^\s*file = (.+)$", said, flags=re.MULTILINE)
    paths = {str(match.file.readable): match.file.path for match in matches}
    path = paths.get(found.group(1).strip() if found else "", matches[0].file.path)
    line = re.search(r"Line: (\d+)", said)
    problem = next(
        (
            text.strip()
            for text in said.splitlines()
            if re.match(r"\s*(Expected Number|Value with|Invalid unicode|Maximum line)", text)
        ),
        said.splitlines()[0],
    )
    where = f"{path}, line {line.group(1)}" if line else str(path)
    return ConnectorError(
        where, f"the row cannot be split into its columns ({problem})", "correct the row, or export again"
    )
