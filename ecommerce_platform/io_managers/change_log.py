"""The change log of each table, and the watermark of each of its readers.

A writer writes its table and, in the same transaction, the table's log ``change_log.SCHEMA_TABLE``: one entry per
change, with the columns that readers route by. ``platform.watermarks`` stores the last entry that each reader has read.
A reader takes the entries after its watermark, recomputes the rows they affect, and moves the watermark in the same
commit. A run that dies leaves the watermark unchanged, and the next run catches up.

An entry is one image of a row: I after an insert, D before a delete, U before and after an update. ``*`` stands for all
rows. Positions come from one sequence while the writer holds the table's lock until after the commit, so the entries of
a log are in commit order.

The DDL declares which tables have a log, with ``platform.log_changes``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from psycopg import sql

from ecommerce_platform.io_managers.connection import ClientConnection
from ecommerce_platform.io_managers.modes import Merge, Window, identifier

SCHEMA = "change_log"
EVERYTHING = "*"
NEVER = -1
"""The watermark of a reader that is about to read a log for the first time; it prevents pruning of that log."""

ENTRIES_WORTH_KEEPING = 1_000
"""A log with more entries than this, and more than its table has rows, collapses into one entry for all rows."""


@dataclass(frozen=True)
class Log:
    """The log of ``table`` (schema.table), and the table's columns that it records."""

    table: str
    columns: tuple[str, ...]

    @property
    def identifier(self) -> sql.Identifier:
        """The quoted name of the log."""
        return sql.Identifier(SCHEMA, self.table.replace(".", "_"))

    @property
    def relation(self) -> str:
        """The name under which a scope reads the changes."""
        return relation_of(self.table)

    def further_columns(self, prefix: str = "") -> sql.Composed:
        """The columns as the rest of a list, each after a comma; the prefix ``old_`` gives ``old_order_id``."""
        return sql.SQL("").join(sql.SQL(", {}").format(sql.Identifier(prefix + name)) for name in self.columns)


@dataclass(frozen=True)
class Source:
    """A log as one reader sees it in one snapshot.

    Attributes:
        log: the log.
        since: the reader's watermark; ``NEVER`` if it has never read the log.
        end: the position of the last entry.
        says_everything: whether an entry after the watermark stands for all rows.
    """

    log: Log
    since: int
    end: int
    says_everything: bool

    @property
    def is_everything(self) -> bool:
        """Whether the reader must treat every row as changed."""
        return self.since == NEVER or self.says_everything


def relation_of(table: str) -> str:
    """``warehouse.fact_sales`` as ``warehouse_fact_sales_changes``."""
    return f"{table.replace('.', '_')}_changes"


def logs_of(connection: ClientConnection, tables: Iterable[str]) -> list[Log]:
    """The logs of those tables (schema.table) that have one, in the given order."""
    wanted = list(dict.fromkeys(tables))
    rows = connection.execute(
        """
        select wanted.table_name, array_agg(attribute.attname::text order by attribute.attnum)
        from unnest(%s::text[]) with ordinality as wanted (table_name, number)
        join pg_catalog.pg_attribute as attribute
            on attribute.attrelid = to_regclass('change_log.' || replace(wanted.table_name, '.', '_'))
            and attribute.attnum > 0 and not attribute.attisdropped
        group by wanted.table_name, wanted.number
        order by wanted.number
        """,
        (wanted,),
    ).fetchall()
    return [Log(table, tuple(names[2:])) for table, names in rows]


def sources_of(connection: ClientConnection, reader: str, logs: Sequence[Log]) -> list[Source]:
    """The unread part of some logs, for one reader (schema.table)."""
    if not logs:
        return []
    asked = sql.SQL(" union all ").join(
        sql.SQL(
            """
            select {source}, coalesce(max(known.position), {never}), coalesce(max(log.position), 0),
                coalesce(bool_or(log.operation = '*'), false)
            from (select 1) as one
            left join platform.watermarks as known on known.reader = {reader} and known.source = {source}
            left join {log} as log on log.position > coalesce(known.position, 0)
            """
        ).format(
            source=sql.Literal(log.table), reader=sql.Literal(reader), log=log.identifier, never=sql.Literal(NEVER)
        )
        for log in logs
    )
    found = {row[0]: row[1:] for row in connection.execute(asked).fetchall()}
    return [
        Source(log, since, max(end, since), everything)
        for log in logs
        for since, end, everything in (found[log.table],)
    ]


def changes(sources: Iterable[Source], window: Window, day_column: str | None) -> sql.Composed:
    """The relations that a scope reads, as the list of a WITH clause: one ``SCHEMA_TABLE_changes`` per source.

    Each has the columns ``operation`` and those of the log, and holds the images after the watermark. A run over some
    days may be a repair: where the log has ``day_column``, the rows of those days are included with the operation R
    (recompute), whether they changed or not.
    """
    return sql.SQL(",\n").join(_changes(source, window, day_column) for source in sources)


def _changes(source: Source, window: Window, day_column: str | None) -> sql.Composed:
    log = source.log
    columns = log.further_columns()
    since = sql.SQL("position > {}").format(sql.Literal(source.since))
    select = sql.SQL("select distinct operation{} from {} where {}").format(columns, log.identifier, since)
    if day_column in log.columns and not window.is_unbounded:
        select = sql.SQL("{} union select 'R'{} from {} where {}").format(
            select, columns, identifier(log.table), inside(sql.Identifier(str(day_column)), window)
        )
    return sql.SQL("{} as ({})").format(sql.Identifier(log.relation), select)


def inside(column: sql.Composable, window: Window) -> sql.Composable:
    """The condition that a column lies in the window."""
    if window.is_unbounded:
        return sql.SQL("true")
    return sql.SQL("{column} >= {start} and {column} < {end}").format(
        column=column, start=sql.Literal(window.start), end=sql.Literal(window.end)
    )


# ---- a writer's own log --------------------------------------------------------------------------


def record(connection: ClientConnection, log: Log, mode: Merge) -> None:
    """Log the rows of the temporary table ``changes``: the log's columns before and after, as old_NAME and new_NAME."""
    told = sql.SQL("and is_told") if mode.derived else sql.SQL("")
    images = [
        sql.SQL("select operation{} from changes where operation in ({}) {}").format(
            log.further_columns(f"{side}_"),
            sql.SQL(", ").join(map(sql.Literal, operations)),
            told,
        )
        for side, operations in (("old", "UD"), ("new", "IU"))
    ]
    insert_images(connection, log, sql.SQL(" union ").join(images))


def record_everything(connection: ClientConnection, log: Log) -> None:
    """Log that any row may have changed."""
    connection.execute(
        sql.SQL("insert into {} (operation) values ({})").format(log.identifier, sql.Literal(EVERYTHING))
    )


def insert_images(connection: ClientConnection, log: Log, images: sql.Composable) -> None:
    """Add entries to a log: each image is the operation, and the log's columns."""
    connection.execute(sql.SQL("insert into {} (operation{}) {}").format(log.identifier, log.further_columns(), images))


def prune(connection: ClientConnection, log: Log, *, is_root: bool) -> None:
    """Delete the entries that every reader has read; without readers, all of them.

    A new reader registers before it begins, and begins with every row. The caller holds the lock of the log's table.

    The log of a table that itself reads no log also shows what indirect readers still wait for, so it is pruned only
    once all tables are up to date.
    """
    has_entries = connection.execute(sql.SQL("select exists (select 1 from {})").format(log.identifier)).fetchone()
    if not (has_entries and has_entries[0]) or (is_root and behind(connection)):
        return
    connection.execute(
        sql.SQL(
            "delete from {} where position <="
            " (select coalesce(min(position), 9223372036854775807) from platform.watermarks where source = {})"
        ).format(log.identifier, sql.Literal(log.table))
    )


def collapse(connection: ClientConnection, log: Log, before: int, rows: Callable[[], float]) -> None:
    """Replace the entries up to the position ``before`` by one for all rows if the log outgrew its table's ``rows``.

    A reader that has read them all is unaffected; any other treats every row as changed.
    """

    def has_more_than(most: int) -> bool:
        found = connection.execute(sql.SQL("select 1 from {} offset %s limit 1").format(log.identifier), (most,))
        return found.fetchone() is not None

    if not before or not has_more_than(ENTRIES_WORTH_KEEPING) or not has_more_than(int(rows())):
        return
    connection.execute(sql.SQL("delete from {} where position <= {}").format(log.identifier, sql.Literal(before)))
    connection.execute(
        sql.SQL("insert into {} (position, operation) values ({}, {})").format(
            log.identifier, sql.Literal(before), sql.Literal(EVERYTHING)
        )
    )


def last_position(connection: ClientConnection, log: Log) -> int:
    """The position of the last entry; 0 if there are none."""
    row = connection.execute(sql.SQL("select coalesce(max(position), 0) from {}").format(log.identifier)).fetchone()
    return int(row[0]) if row else 0


# ---- watermarks ----------------------------------------------------------------------------------


def register(connection: ClientConnection, reader: str, logs: Iterable[Log]) -> None:
    """Register a reader of some logs. Call it before taking the snapshot in which they are read."""
    connection.execute(
        """
        insert into platform.watermarks (reader, source, position)
        select %s, source, %s from unnest(%s::text[]) as logs (source)
        on conflict do nothing
        """,
        (reader, NEVER, [log.table for log in logs]),
    )


def watermarks_of(connection: ClientConnection, reader: str) -> dict[str, int]:
    """A reader's watermark for each of its sources."""
    known = connection.execute("select source, position from platform.watermarks where reader = %s", (reader,))
    return {source: int(position) for source, position in known.fetchall()}


def read_up_to(connection: ClientConnection, reader: str, tables: Iterable[str]) -> dict[str, int]:
    """The current end of some tables' logs. Call it before reading the tables: changes in between are read again."""
    logs = logs_of(connection, tables)
    register(connection, reader, logs)
    # A pruned log ends at its readers' watermarks.
    known = watermarks_of(connection, reader)
    return {log.table: max(last_position(connection, log), known[log.table], 0) for log in logs}


def move_watermarks(connection: ClientConnection, reader: str, positions: Mapping[str, int]) -> None:
    """Move a reader's (schema.table) watermark for each source; a watermark never moves back."""
    if positions:
        connection.execute(
            """
            insert into platform.watermarks as known (reader, source, position)
            select %s, * from unnest(%s::text[], %s::bigint[])
            on conflict (reader, source) do update set position = excluded.position
            where known.position < excluded.position
            """,
            (reader, list(positions), list(positions.values())),
        )


def forget_other_readers(connection: ClientConnection, sources: Mapping[str, Sequence[str]]) -> None:
    """Delete the watermarks of tables that are gone or no longer read a source: they would block pruning forever.

    A table that reads a source again begins with every row, like a new one.

    Args:
        connection: as a role that may write to the schema platform.
        sources: the tables that each table (schema.table) reads.
    """
    pairs = [(reader, source) for reader, names in sources.items() for source in names]
    connection.execute(
        "delete from platform.watermarks where (reader, source) not in (select * from unnest(%s::text[], %s::text[]))",
        ([reader for reader, _ in pairs], [source for _, source in pairs]),
    )


def behind(connection: ClientConnection, expected: Mapping[str, Sequence[str]] | None = None) -> dict[str, bool]:
    """The tables (schema.table) that are behind, and whether they have never read one of their sources.

    Args:
        connection: autocommit or in a transaction.
        expected: the sources of each table; by default, those that each table has read before.
    """
    known = {
        (reader, source): int(position)
        for reader, source, position in connection.execute("select reader, source, position from platform.watermarks")
    }
    pairs = list(known)
    if expected is not None:
        pairs = [(reader, source) for reader, sources in expected.items() for source in sources]
    ends = {log.table: last_position(connection, log) for log in logs_of(connection, {source for _, source in pairs})}
    late: dict[str, bool] = {}
    for reader, source in pairs:
        position = known.get((reader, source), NEVER)
        if source in ends and position < max(ends[source], 0):
            late[reader] = late.get(reader, False) or position == NEVER
    return late
