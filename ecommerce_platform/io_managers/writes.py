"""The two ways to write a table, each one transaction: replace a slice, or merge by key.

A write never creates, alters or guesses anything: the table stands, with its columns and constraints, and the rows
must fit. Writers of one table wait for each other; readers see the old content until the commit.
"""

from __future__ import annotations

import datetime as dt
import re
import time
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any, LiteralString, cast

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
from psycopg import IsolationLevel, sql

from ecommerce_platform.io_managers.connection import ClientConnection

EVERYTHING_OR = re.compile(r"%\(everything\)s\s+or\s+")

FEW_ROWS = 100
"""Fewer rows of a temporary table, where no effects look others up by them, are not worth statistics."""

ANALYZE_FROM_ROWS = 1_000
"""A write that changes this many rows, and a tenth of the table, refreshes the planner's statistics."""


class WriteError(ValueError):
    """What was to be written does not fit the table. Nothing was written; trying again will not help."""


@dataclass(frozen=True)
class Query:
    """Rows as SQL: they never leave the database.

    Attributes:
        select: one SELECT whose columns carry the names of the table's. Where it says ``%(everything)s or CONDITION``,
            a write that does not concern everything is given the CONDITION alone; see :func:`alone`.
        parameters: values of the ``%(name)s`` placeholders in all four texts. ``everything`` is added.
        scope: one SELECT of the keys that this write concerns. Kept as the temporary table ``scope``, which
            ``select`` may read; empty when the write covers everything.
        covers_everything: one SELECT of one boolean: whether the write concerns the whole table.
        effects: statements that run inside the transaction before the rows are written. They may read the temporary
            tables ``changes`` (key, operation I, U or D), ``before`` and ``incoming``.
        revisits: a queue table with the columns consumer and key. Keys that it holds for this table are taken out
            into the temporary table ``revisits``, which ``scope`` may read.
        window: the days that the write concerns, for an asset without partitions in a run over some days.
    """

    select: str
    parameters: Mapping[str, object] = field(default_factory=dict)
    scope: str | None = None
    covers_everything: str | None = None
    effects: str | None = None
    revisits: str | None = None
    window: Window | None = None


@dataclass(frozen=True)
class ReplaceSlice:
    """Delete the rows whose ``column`` lies in the window, insert the new ones."""

    column: str

    def to_metadata(self) -> dict[str, object]:
        """As plain JSON for an asset's metadata."""
        return {"mode": "replace slice", **asdict(self)}


@dataclass(frozen=True)
class Merge:
    """Insert what is new, update what changed, delete what is gone, compared by ``key``.

    Attributes:
        key: the table's key columns.
        slice: rows whose value lies in the window are concerned.
        scope: rows whose values are in the temporary table ``scope`` are concerned. With neither: all rows.
        locks: other tables that the effects write, as schema.table.
    """

    key: tuple[str, ...]
    slice: str | None = None
    scope: tuple[str, ...] = ()
    locks: tuple[str, ...] = ()

    def to_metadata(self) -> dict[str, object]:
        """As plain JSON for an asset's metadata."""
        return {
            "mode": "merge",
            "key": list(self.key),
            "slice": self.slice,
            "scope": list(self.scope),
            "locks": list(self.locks),
        }


def trusted(text: str) -> sql.SQL:
    """SQL that comes from a file or from the server's catalogue, never from a value."""
    return sql.SQL(cast(LiteralString, text))


def alone(select: str) -> str:
    """A SELECT whose conditions ``%(everything)s or CONDITION`` are the CONDITION alone.

    PostgreSQL makes a join of ``key in (select key from scope)``, which can walk an index, only where the condition
    stands alone. Behind ``false or`` it reads the whole table, row by row: a day cost what the history held.
    """
    return EVERYTHING_OR.sub("", select)


def write_mode(metadata: Mapping[str, Any]) -> ReplaceSlice | Merge:
    """The write mode that an asset's ``write`` metadata names.

    Raises:
        WriteError: the metadata names none.
    """
    if metadata.get("mode") == "replace slice":
        return ReplaceSlice(str(metadata["column"]))
    if metadata.get("mode") == "merge":
        names = {name: tuple(metadata[name] or ()) for name in ("key", "scope", "locks")}
        return Merge(slice=metadata["slice"], **names)
    raise WriteError(f"no write mode in {dict(metadata)!r}: give the asset ReplaceSlice(…) or Merge(…) metadata")


@dataclass(frozen=True)
class Window:
    """The days that a write is about: ``start`` included, ``end`` not."""

    start: dt.date = dt.date.min
    end: dt.date = dt.date.max

    @property
    def is_unbounded(self) -> bool:
        """Whether the window holds every day."""
        return self == Window()


@dataclass(frozen=True)
class WriteResult:
    """Rows inserted, updated, deleted and left as they were; seconds that the transaction took."""

    inserted: int
    updated: int
    deleted: int
    unchanged: int
    seconds: float


@dataclass(frozen=True)
class Table:
    """A table of the database: its name and its writable columns, with their types as PostgreSQL prints them."""

    schema: str
    name: str
    columns: Mapping[str, str]

    @property
    def full_name(self) -> str:
        """schema.table."""
        return f"{self.schema}.{self.name}"

    @property
    def identifier(self) -> sql.Identifier:
        """The quoted name."""
        return sql.Identifier(self.schema, self.name)


def describe(connection: ClientConnection, schema: str, name: str) -> Table:
    """Look a table up.

    Raises:
        WriteError: there is no such table; the DDL creates tables, a write never does.
    """
    rows = connection.execute(
        """
        select attribute.attname, format_type(attribute.atttypid, attribute.atttypmod)
        from pg_catalog.pg_attribute as attribute
        join pg_catalog.pg_class as class on class.oid = attribute.attrelid
        join pg_catalog.pg_namespace as namespace on namespace.oid = class.relnamespace
        where namespace.nspname = %s and class.relname = %s
            and attribute.attnum > 0 and not attribute.attisdropped and attribute.attgenerated = ''
        order by attribute.attnum
        """,
        (schema, name),
    ).fetchall()
    if not rows:
        raise WriteError(f"{schema}.{name}: no such table; apply the DDL first")
    return Table(schema, name, dict(rows))


@contextmanager
def write_transaction(
    connection: ClientConnection, tables: Sequence[str], level: IsolationLevel = IsolationLevel.REPEATABLE_READ
) -> Generator[None]:
    """One transaction, repeatable-read unless told otherwise, that no other writer of these tables overlaps.

    The locks are taken before the transaction begins, so that its snapshot holds what the writer before it left.
    """
    with ExitStack() as stack:
        for table in sorted(set(tables)):
            connection.execute("select pg_advisory_lock(hashtextextended(%s, 0))", (f"write {table}",))
            stack.callback(_unlock, connection, table)
        connection.isolation_level = level
        with connection.transaction():
            connection.execute("set constraints all deferred")
            yield


def _unlock(connection: ClientConnection, table: str) -> None:
    # A connection that is gone holds no lock.
    if not connection.closed and not connection.broken:
        connection.execute("select pg_advisory_unlock(hashtextextended(%s, 0))", (f"write {table}",))


def write(
    connection: ClientConnection,
    table: Table,
    mode: ReplaceSlice | Merge,
    rows: Query | pa.RecordBatchReader,
    window: Window,
) -> WriteResult:
    """Write rows into a table, in one transaction.

    Args:
        connection: in autocommit, as :class:`PostgresConnection` opens it.
        table: from :func:`describe`.
        mode: how.
        rows: what; the column names must be the table's, in any order.
        window: the days that the rows are about, unless a query names its own.

    Raises:
        WriteError: the columns differ from the table's, or a row lies outside the window.
        psycopg.Error: what the database says, for example of a violated constraint.
    """
    begin = time.monotonic()
    if isinstance(rows, Query) and rows.window is not None:
        window = rows.window
    locks = mode.locks if isinstance(mode, Merge) else ()
    # A merge compares what several statements read. A slice is replaced by what one brings, and COPY … FREEZE wants no
    # snapshot from before.
    level = IsolationLevel.REPEATABLE_READ if isinstance(mode, Merge) else IsolationLevel.READ_COMMITTED
    with write_transaction(connection, (table.full_name, *locks), level):
        if isinstance(mode, ReplaceSlice):
            inserted, updated, deleted, unchanged = _replace_slice(connection, table, mode, rows, window)
        else:
            inserted, updated, deleted, unchanged = _merge(connection, table, mode, rows, window)
        changed = inserted + updated + deleted
        if changed >= ANALYZE_FROM_ROWS and changed * 10 >= _estimated_rows(connection, table):
            _analyze(connection, table)
    return WriteResult(inserted, updated, deleted, unchanged, time.monotonic() - begin)


@contextmanager
def _as_owner(connection: ClientConnection) -> Generator[None]:
    """Act as the login, which owns the tables, and go back to the role."""
    row = connection.execute("select current_setting('role')").fetchone()
    connection.execute("reset role")
    yield
    if row and row[0] != "none":
        connection.execute(sql.SQL("set role {}").format(sql.Identifier(row[0])))


@contextmanager
def _filled_in_bulk(connection: ClientConnection, table: Table) -> Generator[bool]:
    """Fill an empty table first, then build its indexes and check its keys, in the same transaction.

    Row by row, four foreign keys and five indexes took 54 of 58 seconds of a load of 0.9 million rows; at the end they
    take 4. The table comes out with the same definitions, a violation undoes everything, and as the table was empty,
    no reader misses an index. What other tables' foreign keys stand on stays. A login that does not own the table
    fills it row by row.

    Yields:
        Whether the table was truncated in this transaction.
    """
    row = connection.execute(
        "select pg_has_role(session_user, relowner, 'usage') from pg_catalog.pg_class where oid = %s::regclass",
        (table.full_name,),
    ).fetchone()
    if not (row and row[0]):
        yield False
        return
    constraints = connection.execute(
        """
        select ours.conname, pg_get_constraintdef(ours.oid)
        from pg_catalog.pg_constraint as ours
        where ours.conrelid = %s::regclass and ours.contype in ('p', 'u', 'x', 'f')
            and (
                ours.contype = 'f'
                or not exists (
                    select from pg_catalog.pg_constraint as theirs
                    where theirs.contype = 'f' and theirs.conindid = ours.conindid
                )
            )
        -- Keys before the foreign keys that may stand on them.
        order by ours.contype = 'f', ours.conname
        """,
        (table.full_name,),
    ).fetchall()
    indexes = connection.execute(
        """
        select index.indexrelid::regclass::text, pg_get_indexdef(index.indexrelid)
        from pg_catalog.pg_index as index
        where index.indrelid = %s::regclass
            and not exists (select from pg_catalog.pg_constraint where conindid = index.indexrelid)
        order by 1
        """,
        (table.full_name,),
    ).fetchall()
    with _as_owner(connection):
        for name, _ in reversed(constraints):
            connection.execute(
                sql.SQL("alter table {} drop constraint {}").format(table.identifier, sql.Identifier(name))
            )
        for name, _ in indexes:
            connection.execute(sql.SQL("drop index {}").format(trusted(name)))
        is_truncated = not _is_referenced(connection, table)
        if is_truncated:
            # A table that is truncated in its transaction needs no write-ahead log where wal_level is minimal.
            connection.execute(sql.SQL("truncate {}").format(table.identifier))
    yield is_truncated
    with _as_owner(connection):
        for name, definition in constraints:
            connection.execute(
                sql.SQL("alter table {} add constraint {} {}").format(
                    table.identifier, sql.Identifier(name), trusted(definition)
                )
            )
        for _, definition in indexes:
            connection.execute(trusted(definition))


def _is_referenced(connection: ClientConnection, table: Table) -> bool:
    row = connection.execute(
        "select exists (select from pg_catalog.pg_constraint where contype = 'f' and confrelid = %s::regclass)",
        (table.full_name,),
    ).fetchone()
    return row is not None and row[0]


def _estimated_rows(connection: ClientConnection, table: Table) -> float:
    """What the planner takes the table for; below 0 where it knows nothing."""
    row = connection.execute(
        "select reltuples from pg_catalog.pg_class where oid = %s::regclass", (table.full_name,)
    ).fetchone()
    return row[0] if row else -1


def _analyze(connection: ClientConnection, table: Table) -> None:
    # Only an owner may ANALYZE before PostgreSQL 17.
    with _as_owner(connection):
        connection.execute(sql.SQL("analyze {}").format(table.identifier))


def _replace_slice(
    connection: ClientConnection,
    table: Table,
    mode: ReplaceSlice,
    rows: Query | pa.RecordBatchReader,
    window: Window,
) -> tuple[int, int, int, int]:
    inside = _inside(sql.Identifier(mode.column), window)
    if isinstance(rows, Query):
        connection.execute(
            sql.SQL("create temp table incoming on commit drop as {}").format(trusted(rows.select)),
            dict(rows.parameters),
        )
        columns = _checked_columns(connection, table)
        outside = connection.execute(
            sql.SQL("select count(*) from incoming where ({}) is not true").format(inside)
        ).fetchone()
        if outside and outside[0]:
            raise _outside(table, mode, window, outside[0])
    else:
        columns = _same_columns(table, rows.schema.names)
    deleted = connection.execute(sql.SQL("delete from {} where {}").format(table.identifier, inside)).rowcount
    if isinstance(rows, Query):
        inserted = _insert_incoming(connection, table, columns)
    elif not deleted and _is_empty(connection, table):
        with _filled_in_bulk(connection, table) as is_truncated:
            inside_rows = _only_inside(rows, table, mode, window)
            inserted = _copy(connection, table.identifier, columns, inside_rows, freeze=is_truncated)
    else:
        inserted = _copy(connection, table.identifier, columns, _only_inside(rows, table, mode, window))
    return inserted, 0, deleted, 0


def _outside(table: Table, mode: ReplaceSlice, window: Window, count: int | str) -> WriteError:
    return WriteError(
        f"{table.full_name}: {count} rows lie outside the slice {window.start} <= {mode.column} < {window.end};"
        " nothing was written"
    )


def _only_inside(
    rows: pa.RecordBatchReader, table: Table, mode: ReplaceSlice, window: Window
) -> Generator[pa.RecordBatch]:
    for batch in rows:
        days = batch.column(batch.schema.names.index(mode.column))
        span = pc.call_function("min_max", [days]).as_py()
        if batch.num_rows and (days.null_count or span["min"] < window.start or span["max"] >= window.end):
            raise _outside(table, mode, window, "some")
        yield batch


def _inside(column: sql.Composable, window: Window) -> sql.Composable:
    if window.is_unbounded:
        return sql.SQL("true")
    return sql.SQL("{column} >= {start} and {column} < {end}").format(
        column=column, start=sql.Literal(window.start), end=sql.Literal(window.end)
    )


def _merge(
    connection: ClientConnection,
    table: Table,
    mode: Merge,
    rows: Query | pa.RecordBatchReader,
    window: Window,
) -> tuple[int, int, int, int]:
    everything = True
    if isinstance(rows, Query):
        everything = _prepare_scope(connection, table, mode, rows, window)
        parameters = {**rows.parameters, "everything": everything}
        # CREATE TABLE AS may use parallel workers, INSERT may not: that pays for writing the rows twice.
        arrived = connection.execute(
            sql.SQL("create temp table incoming on commit drop as {}").format(
                trusted(rows.select if everything else alone(rows.select))
            ),
            parameters,
        ).rowcount
        if everything and _is_empty(connection, table):
            columns = _checked_columns(connection, table)
            with _filled_in_bulk(connection, table):
                return _insert_incoming(connection, table, columns), 0, 0, 0
    else:
        parameters = {}
        everything = mode.slice is None or window.is_unbounded
        connection.execute(sql.SQL("create temp table incoming (like {}) on commit drop").format(table.identifier))
        arrived = _copy(connection, sql.Identifier("incoming"), _same_columns(table, rows.schema.names), rows)
    columns = _checked_columns(connection, table)
    effects = rows.effects if isinstance(rows, Query) else None
    if effects is not None or arrived >= FEW_ROWS:
        connection.execute("analyze incoming")
    key = [sql.Identifier(name) for name in mode.key]
    _refuse_duplicates(connection, table, key)

    connection.execute(
        sql.SQL("create temp table before on commit drop as {}").format(
            sql.SQL("select * from {}").format(table.identifier) if everything else _concerned(table, mode, window)
        )
    )
    same_key = _join(sql.SQL(" and "), [sql.SQL("before.{0} = incoming.{0}").format(name) for name in key])
    row_of = [
        sql.SQL("({})").format(_join(sql.SQL(", "), [sql.SQL("{}.{}").format(trusted(side), name) for name in columns]))
        for side in ("before", "incoming")
    ]
    connection.execute(
        sql.SQL(
            """
            create temp table changes on commit drop as
            select {keys},
                case when {old} is null then 'I' when {new} is null then 'D' else 'U' end as operation
            from before full join incoming on {same_key}
            where {old} is null or {new} is null or {before} is distinct from {incoming}
            """
        ).format(
            keys=_join(
                sql.SQL(", "),
                [sql.SQL("coalesce(before.{0}, incoming.{0}) as {0}").format(name) for name in key],
            ),
            old=sql.SQL("before.{}").format(key[0]),
            new=sql.SQL("incoming.{}").format(key[0]),
            same_key=same_key,
            before=row_of[0],
            incoming=row_of[1],
        )
    )
    counts = dict(connection.execute("select operation, count(*) from changes group by operation").fetchall())
    if counts:
        if effects is not None or sum(counts.values()) >= FEW_ROWS:
            connection.execute("analyze changes")
        if effects is not None:
            connection.execute(trusted(effects), parameters)
        _apply(connection, table, key, columns, counts)
    inserted, updated, deleted = (counts.get(operation, 0) for operation in "IUD")
    return inserted, updated, deleted, arrived - inserted - updated


def _prepare_scope(connection: ClientConnection, table: Table, mode: Merge, rows: Query, window: Window) -> bool:
    everything = window.is_unbounded or (mode.slice is None and not mode.scope)
    if not everything and rows.covers_everything is not None:
        answer = connection.execute(trusted(rows.covers_everything), dict(rows.parameters)).fetchone()
        everything = bool(answer and answer[0])
    if rows.revisits is not None:
        connection.execute("create temp table revisits (key bigint) on commit drop")
        connection.execute(
            sql.SQL(
                """
                with taken as (delete from {} where consumer = {} returning key)
                insert into revisits select distinct key from taken
                """
            ).format(sql.Identifier(*rows.revisits.split(".")), sql.Literal(table.full_name))
        )
    if rows.scope is not None:
        empty = sql.SQL("select * from ({}) as nothing where false").format(trusted(rows.scope))
        scope = empty if everything else trusted(rows.scope)
        connection.execute(sql.SQL("create temp table scope on commit drop as {}").format(scope), dict(rows.parameters))
        connection.execute("analyze scope")
    return everything


def _is_empty(connection: ClientConnection, table: Table) -> bool:
    row = connection.execute(sql.SQL("select exists (select from {})").format(table.identifier)).fetchone()
    return row is not None and not row[0]


def _checked_columns(connection: ClientConnection, table: Table) -> list[sql.Identifier]:
    described = connection.execute("select * from incoming limit 0").description or ()
    return _same_columns(table, [column.name for column in described])


def _same_columns(table: Table, names: Sequence[str]) -> list[sql.Identifier]:
    missing = [name for name in table.columns if name not in names]
    unknown = [name for name in names if name not in table.columns]
    if missing or unknown or len(set(names)) != len(names):
        raise WriteError(
            f"{table.full_name}: the rows' columns are not the table's"
            f" (missing: {', '.join(missing) or 'none'}; unknown: {', '.join(unknown) or 'none'}); nothing was written"
        )
    return [sql.Identifier(name) for name in names]


def _refuse_duplicates(connection: ClientConnection, table: Table, key: Sequence[sql.Identifier]) -> None:
    names = _join(sql.SQL(", "), key)
    row = connection.execute(
        sql.SQL("select {}, count(*) from incoming group by {} having count(*) > 1 limit 1").format(names, names)
    ).fetchone()
    if row is not None:
        raise WriteError(f"{table.full_name}: key {row[:-1]} comes {row[-1]} times; nothing was written")


def _concerned(table: Table, mode: Merge, window: Window) -> sql.Composable:
    """A SELECT of the rows in the slice and of those in the scope: two SELECTs, because an OR reads the whole table."""
    selects: list[sql.Composable] = []
    rows = sql.SQL("select target.* from {} as target where {}")
    inside = sql.SQL("false")
    if mode.slice is not None:
        inside = _inside(sql.SQL("target.{}").format(sql.Identifier(mode.slice)), window)
        selects.append(rows.format(table.identifier, inside))
    if mode.scope:
        columns = [sql.Identifier(name) for name in mode.scope]
        in_scope = sql.SQL("({}) in (select {} from scope) and ({}) is not true").format(
            _join(sql.SQL(", "), [sql.SQL("target.{}").format(name) for name in columns]),
            _join(sql.SQL(", "), columns),
            inside,
        )
        selects.append(rows.format(table.identifier, in_scope))
    return _join(sql.SQL(" union all "), selects) if selects else sql.SQL("select * from {}").format(table.identifier)


def _apply(
    connection: ClientConnection,
    table: Table,
    key: Sequence[sql.Identifier],
    columns: Sequence[sql.Identifier],
    counts: Mapping[str, int],
) -> None:
    def match(left: str, right: str) -> sql.Composable:
        return _join(
            sql.SQL(" and "),
            [sql.SQL("{}.{} = {}.{}").format(trusted(left), name, trusted(right), name) for name in key],
        )

    names = _join(sql.SQL(", "), columns)
    if counts.get("D"):
        connection.execute(
            sql.SQL("delete from {} as target using changes where changes.operation = 'D' and {}").format(
                table.identifier, match("target", "changes")
            )
        )
    others = [name for name in columns if name not in key]
    if counts.get("U"):
        connection.execute(
            sql.SQL(
                "update {} as target set {} from incoming, changes where changes.operation = 'U' and {} and {}"
            ).format(
                table.identifier,
                _join(sql.SQL(", "), [sql.SQL("{0} = incoming.{0}").format(name) for name in others]),
                match("incoming", "changes"),
                match("target", "changes"),
            )
        )
    if counts.get("I"):
        connection.execute(
            sql.SQL(
                "insert into {} ({}) select {} from incoming join changes on {} where changes.operation = 'I'"
            ).format(
                table.identifier,
                names,
                _join(sql.SQL(", "), [sql.SQL("incoming.{}").format(name) for name in columns]),
                match("incoming", "changes"),
            )
        )


def _insert_incoming(connection: ClientConnection, table: Table, columns: Sequence[sql.Identifier]) -> int:
    names = _join(sql.SQL(", "), columns)
    return connection.execute(
        sql.SQL("insert into {} ({}) select {} from incoming").format(table.identifier, names, names)
    ).rowcount


def _copy(
    connection: ClientConnection,
    target: sql.Composable,
    columns: Sequence[sql.Identifier],
    rows: Iterable[pa.RecordBatch],
    *,
    freeze: bool = False,
) -> int:
    # Rows of a table that was truncated in this transaction can be written as visible to all: whoever reads them first
    # need not look up, and write down, that their transaction has been committed.
    # Every value is quoted and a null is not, so that COPY tells an empty text from a null.
    options = pyarrow.csv.WriteOptions(include_header=False, quoting_style="all_valid")
    statement = sql.SQL("copy {} ({}) from stdin (format csv, freeze {})").format(
        target, _join(sql.SQL(", "), columns), sql.Literal(freeze)
    )
    count = 0
    with connection.cursor() as cursor:
        with cursor.copy(statement) as copy:
            for batch in rows:
                if batch.num_rows:
                    sink = pa.BufferOutputStream()
                    pyarrow.csv.write_csv(_as_text(batch), sink, options)
                    copy.write(memoryview(sink.getvalue()))
                    count += batch.num_rows
        return cursor.rowcount if cursor.rowcount >= 0 else count


def _as_text(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Types that Arrow's CSV writer does not print are cast to text first."""
    columns = [
        column if pa.types.is_string(column.type) or pa.types.is_integer(column.type) else column.cast(pa.string())
        for column in batch.columns
    ]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _join(separator: sql.SQL, parts: Sequence[sql.Composable]) -> sql.Composed:
    return separator.join(parts)
