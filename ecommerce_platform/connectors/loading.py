"""Puts a shop's files into a scratch database of DuckDB: one table of text per kind of file.

This is the only place that opens files in DuckDB. The connector's own SQL runs later, on a connection that can open
none (:mod:`.queries`).
"""

from __future__ import annotations

import glob
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

import duckdb

from ecommerce_platform.connectors.connector import Connector, Role
from ecommerce_platform.connectors.errors import ConnectorError, reading, shown
from ecommerce_platform.connectors.macros import DECIMAL_COMMA, DECIMAL_POINT, MACROS, WITH_COMMA
from ecommerce_platform.connectors.matching import Match, Matches
from ecommerce_platform.connectors.moments import ISO, business_moment, literal, wall_clock
from ecommerce_platform.connectors.source_files import readable
from ecommerce_platform.connectors.unpacking import check_size, free_half
from ecommerce_platform.feeds.columns import BLANKS
from ecommerce_platform.money import is_currency

MEMORY = "1GB"
"""DuckDB's limit; what does not fit goes to its temporary folder."""

SCRATCH = "exports.duckdb"

UNREADABLE = 0.5
"""With a larger share of moments in no known format, a file is refused."""


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


def connect(path: Path, read_only: bool = False) -> duckdb.DuckDBPyConnection:
    """A connection to a scratch database: little memory, its own temporary folder, no extensions, clocks in UTC."""
    settings: dict[str, Any] = {
        "memory_limit": MEMORY,
        "threads": 2,
        "temp_directory": str(path.parent / "spilled"),
        "max_temp_directory_size": f"{free_half(path.parent) // 1_000_000}MB",
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "python_enable_replacements": False,
    }
    database = duckdb.connect(str(path), read_only=read_only, config=settings)
    # As text, a moment with a zone would depend on the machine's.
    database.execute("set TimeZone = 'UTC'")
    return database


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
    with connect(path) as database:
        for signature, body in MACROS.items():
            database.execute(f"create macro {signature} as {body}")
        moment = business_moment("t", ISO, zone, None)
        database.execute(f"create macro local_moment(t) as {moment}")
        loaded: list[Loaded] = []
        for name, role in connector.files.items():
            found = [match for match in matches.used if match.role == name]
            opened = [
                replace(match, file=file)
                for number, match in enumerate(found)
                for file in readable(match.file, folder / f"{name}-{number}", role.encodings, limit)
            ]
            with reading(f"the files of {name}"):
                loaded += _Table(database, name, role, zone, opened, limit).load()
    return loaded, path


@dataclass(frozen=True)
class _Table:
    database: duckdb.DuckDBPyConnection
    name: str
    role: Role
    time_zone: str | None
    matches: Sequence[Match]
    limit: int

    def load(self) -> Iterator[Loaded]:
        """Create the table, and tell what became of each file."""
        columns = ", ".join(f"{_quoted(column)} varchar" for column in self.role.columns)
        # Names that begin with _ are ours: none in connector.toml can.
        self.database.execute(f"create table _raw (_number integer, {columns})")
        for _, alike in groupby(enumerate(self.matches), key=lambda pair: _shape(pair[1])):
            self._read(list(alike))
        for column in self.role.columns:
            self._write_points(column)
        formats = self._formats()
        if self.role.currency_column is not None:
            self._require_currencies()
        self._finish(formats)
        counted = self.database.execute(
            "select _number, count(*) from _raw group by _number"  # the files' own rows, before any is replaced
        ).fetchall()
        rows = dict(counted)
        self.database.execute("drop table _raw")
        for number, match in enumerate(self.matches):
            format_, untyped = formats[number]
            yield Loaded(match, rows.get(number, 0), match.file.encoding, format_, untyped)

    def _read(self, group: list[tuple[int, Match]]) -> None:
        """Append the rows of files of one shape."""
        first = group[0][1]
        paths = [str(match.file.readable) for _, match in group]
        headers = _headers(self.role, first)
        texts = {
            column: _trimmed(f"cast(coalesce({', '.join(_internal(first, name) for name in names)}) as varchar)")
            for column, names in headers.items()
        }
        selected = ", ".join(f"{texts.get(column, 'null')} as {_quoted(column)}" for column in self.role.columns)
        numbers = ", ".join(f"({literal(path)}, {number})" for path, (number, _) in zip(paths, group, strict=True))
        statement = (
            f"insert into _raw select numbers.number, {selected} from {_scan(first, headers, paths)} as rows"
            f" inner join (values {numbers}) as numbers (path, number) on rows.__file = numbers.path"
        )
        try:
            if first.file.kind == "parquet":
                self._check_sizes(group, _scan(first, headers, paths))
            self.database.execute(statement)
        except duckdb.Error as error:
            raise _unreadable(error, [match for _, match in group]) from None

    def _check_sizes(self, group: list[tuple[int, Match]], scan: str) -> None:
        """Refuse files whose values are much larger than their footers say: a dictionary stores a long one once."""
        columns = [_quoted(name) for name in group[0][1].columns.values()]
        size = " + ".join(f"coalesce(sum(strlen(cast({column} as varchar))), 0)" for column in columns)
        sizes = dict(self.database.execute(f"select __file, {size} from {scan} group by __file").fetchall())
        for _, match in group:
            check_size(match.file.path, int(sizes.get(str(match.file.readable), 0)), self.limit)

    def _write_points(self, column: str) -> None:
        """Write the numbers of a column with decimal points in those files that write them with decimal commas.

        A file does if some numbers of the column, in it or in others, can only be read so, and none of its own has a
        point before its last one or two digits.
        """
        value = _quoted(column)
        counts = ", ".join(
            f"count(*) filter ({condition} regexp_full_match({value}, '{pattern}'))"
            for condition, pattern in (
                (f"contains({value}, ',') and", DECIMAL_COMMA),
                ("", WITH_COMMA),
                ("", DECIMAL_POINT),
            )
        )
        if not self._one(
            f"select 1 from _raw where contains({value}, ',') and regexp_full_match({value}, '{DECIMAL_COMMA}') limit 1"
        ):
            return
        found = self.database.execute(f"select _number, count({value}), {counts} from _raw group by 1").fetchall()
        alike = {number: commas for number, total, commas, read, points in found if not points and 2 * read > total}
        if any(alike.values()):
            self.database.execute(
                f"update _raw set {value} = replace(replace({value}, '.', ''), ',', '.')"
                f" where _number in ({', '.join(map(str, alike))}) and regexp_full_match({value}, '{WITH_COMMA}')"
            )

    def _formats(self) -> Sequence[tuple[str | None, int]]:
        """The format of each file's moments, and how many of them it does not read."""
        if self.role.moment is None:
            return [(None, 0)] * len(self.matches)
        read = [self._possible(number) for number in range(len(self.matches))]
        # Without rivals, a format is proven; it decides where another file of the shop could be read in two ways.
        proven = {formats[0] for formats, is_proof, _ in read if is_proof}
        chosen = []
        for number, (formats, _, untyped) in enumerate(read):
            decided = formats if len(formats) == 1 else [each for each in formats if each in proven]
            if len(decided) != 1:
                raise self._ambiguous(number, formats)
            self._require_one_format(number, decided[0], untyped)
            chosen.append((decided[0], untyped))
        return chosen

    def _possible(self, number: int) -> tuple[Sequence[str], bool, int]:
        """The formats that read most moments of a file and give different days, whether only one does, and the rest."""
        value = _quoted(self.role.moment or "")
        formats = list(dict.fromkeys((ISO, *self.role.formats)))
        counts = ", ".join(f"count({wall_clock(value, each)})" for each in formats)
        total, *parsed = self._one(f"select count({value}), {counts} from _raw where _number = {number}")
        most = max(parsed)
        first, *others = [each for each, count in zip(formats, parsed, strict=True) if count == most]
        rivals = [each for each in others if most and self._difference(number, first, each)]
        return [first, *rivals], bool(most and not others), total - most

    def _difference(self, number: int, one: str, other: str) -> tuple[Any, ...]:
        """A moment that two formats read as different days, and the days; empty if there is none."""
        value = _quoted(self.role.moment or "")
        days = [f"cast({wall_clock(value, each)} as date)" for each in (one, other)]
        return self._one(
            f"select {value}, {', '.join(days)} from _raw where _number = {number} and {days[0]} <> {days[1]} limit 1"
        )

    def _ambiguous(self, number: int, formats: Sequence[str]) -> ConnectorError:
        example, *days = self._difference(number, formats[0], formats[1])
        return ConnectorError(
            f"{self.matches[number].file.place}, {self.name}",
            f"{shown(example)} may be {days[0]} ({formats[0]}) or {days[1]} ({formats[1]}), and no other date of the"
            " shop's files tells which",
            f"export dates as 2024-03-04, or keep one of the formats in [files.{self.name}] of a connector.toml of your"
            " own (copy the connector's folder)",
        )

    def _require_one_format(self, number: int, best: str, untyped: int) -> None:
        value = _quoted(self.role.moment or "")
        where = f"{self.matches[number].file.place}, {self.name}"
        read = wall_clock(value, best)
        for other in (ISO, *self.role.formats):
            mixed = f"_number = {number} and {read} is null and {wall_clock(value, other)} is not null"
            if other != best and (row := self._one(f"select {value} from _raw where {mixed} limit 1")):
                raise ConnectorError(
                    where,
                    f"the dates are written in two ways: {shown(row[0])} is {other}, but most are {best}",
                    "export the file with one format of dates",
                )
        total, example = self._one(f"select count({value}), min({value}) from _raw where _number = {number}")
        if untyped > UNREADABLE * total:
            raise ConnectorError(
                where,
                f"{untyped:,} of {total:,} moments are in no known format, such as {shown(example)}",
                f"add their strptime format to formats in [files.{self.name}] of connector.toml",
            )

    def _require_currencies(self) -> None:
        value = _quoted(self.role.currency_column or "")
        found = self.database.execute(
            f"select upper({value}), min(_number) from _raw where {value} is not null group by 1 order by 1"
        ).fetchall()
        for currency, number in found:
            if not is_currency(currency):
                raise ConnectorError(
                    f"{self.matches[number].file.place}, {self.name}",
                    f"{shown(currency)} is not a currency",
                    "write ISO 4217 codes, such as EUR",
                )

    def _finish(self, formats: Sequence[tuple[str | None, int]]) -> None:
        """Create the table itself: with moment, day and file, and without rows that a later file replaces."""
        moment, day = "null::timestamp", "null::date"
        if self.role.moment is not None:
            value = _quoted(self.role.moment)
            cases = [
                f"when {number} then {business_moment(value, format_ or ISO, self.time_zone, self.role.written_in)}"
                for number, (format_, _) in enumerate(formats)
            ]
            moment = f"case _number {' '.join(cases)} end" if cases else moment
            day = f"cast({moment} as date)"
        if any(match.day for match in self.matches):
            cases = [f"when {number} then date '{match.day}'" for number, match in enumerate(self.matches)]
            day = f"case _number {' '.join(cases)} end"
        names = [f"when {number} then {literal(match.file.path.name)}" for number, match in enumerate(self.matches)]
        file = f"case _number {' '.join(names)} end" if names else "null::varchar"
        latest, kept = "", "true"
        if self.role.key is not None and len(self.matches) > 1:
            key = _quoted(self.role.key)
            latest = f"left join (select {key} as _key, max(_number) as _latest from _raw group by 1) as _last"
            latest += f" on _raw.{key} = _last._key"
            kept = "(_latest is null or _number = _latest)"
        columns = ", ".join(f"_raw.{_quoted(column)}" for column in self.role.columns)
        self.database.execute(
            f"create table {_quoted(self.name)} as"
            f" select {columns}, {moment} as moment, {day} as day, {file} as file from _raw {latest} where {kept}"
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


def _headers(role: Role, match: Match) -> Mapping[str, Sequence[str]]:
    """The headers of each column of a file; of JSON lines also those that only later lines may have."""
    found = {column: [header] for column, header in match.columns.items()}
    if match.file.kind == "json":
        taken = {header.lower() for header in match.columns.values()}
        for column in role.columns.keys() - found.keys():
            names = {name.lower(): name for name in role.columns[column] if name.lower() not in taken}
            taken |= names.keys()
            found |= {column: list(names.values())} if names else {}
    return found


def _internal(match: Match, header: str) -> str:
    """The name of a column inside DuckDB: of a CSV file by position, because headers may repeat."""
    return f"c{match.file.header.index(header)}" if match.file.kind == "csv" else _quoted(header)


def _scan(match: Match, headers: Mapping[str, Sequence[str]], paths: Sequence[str]) -> str:
    # The paths of the files are ours, but not that of their folder: it may look like a pattern, or like a partition.
    files = "[" + ", ".join(literal(glob.escape(path)) for path in paths) + "]"
    options = "filename = '__file', hive_partitioning = false"
    if match.file.kind == "parquet":
        return f"read_parquet({files}, {options})"
    if match.file.kind == "json":
        columns = ", ".join(f"{literal(name)}: 'VARCHAR'" for names in headers.values() for name in names)
        return f"read_json({files}, format = 'newline_delimited', columns = {{{columns}}}, {options})"
    columns = ", ".join(f"'c{number}': 'VARCHAR'" for number in range(len(match.file.header)))
    return (
        f"read_csv({files}, auto_detect = false, header = true, skip = {match.file.skip}, columns = {{{columns}}},"
        f" delim = {literal(match.file.delimiter)}, quote = '\"', escape = '\"', strict_mode = true, {options})"
    )


def _unreadable(error: duckdb.Error, matches: Sequence[Match]) -> ConnectorError:
    """DuckDB's message about a file, in one line: the file as the user knows it, and the line."""
    said = str(error)
    found = re.search(r"^\s*file = (.+)$|in file \"([^\"]+)\"", said, flags=re.MULTILINE)
    paths = {str(match.file.readable): match.file for match in matches}
    file = paths.get(next(filter(None, found.groups()), "").strip() if found else "", matches[0].file)
    if (short := shortage(str(file.place), error)) is not None:
        return short
    if file.kind != "csv":
        return ConnectorError(str(file.place), f"cannot be read ({said.splitlines()[0]})", "export it again")
    line = re.search(r"Line: (\d+)", said)
    problem = next(
        (
            text.strip()
            for text in said.splitlines()
            if re.match(r"\s*(Expected Number|Value with|Invalid unicode|Maximum line)", text)
        ),
        said.splitlines()[0],
    )
    where = f"{file.place}, line {line.group(1)}" if line else str(file.place)
    return ConnectorError(
        where, f"the row cannot be split into its columns ({problem})", "correct the row, or export again"
    )


def shortage(where: str, error: duckdb.Error) -> ConnectorError | None:
    """What to say of an error if it is a want of memory or disk space; None if it is another one."""
    said = str(error).splitlines()[0]
    is_disk = isinstance(error, duckdb.IOException) and re.search("space|disk|temporary", said, re.IGNORECASE)
    if not (is_disk or isinstance(error, duckdb.OutOfMemoryException)):
        return None
    return ConnectorError(
        where, f"memory or disk space is not enough ({said})", "free disk space in the data folder, or load fewer files"
    )
