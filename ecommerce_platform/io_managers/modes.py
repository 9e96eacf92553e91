"""The types by which an asset tells the IO manager what to write, and how. No SQL runs here."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, LiteralString, cast

from psycopg import sql

if TYPE_CHECKING:
    import pyarrow as pa


class WriteError(ValueError):
    """The rows do not fit the table. Nothing was written; a retry will not help."""


@dataclass(frozen=True)
class Window:
    """The days that a write covers: from ``start`` up to, but not including, ``end``."""

    start: dt.date = dt.date.min
    end: dt.date = dt.date.max

    @property
    def is_unbounded(self) -> bool:
        """Whether the window covers every day."""
        return self == Window()

    @property
    def days(self) -> list[dt.date]:
        """Its days, in order; an empty list if the window is unbounded."""
        if self.is_unbounded:
            return []
        return [self.start + dt.timedelta(days=number) for number in range((self.end - self.start).days)]


@dataclass(frozen=True)
class Query:
    """Rows as SQL: they never leave the database.

    Attributes:
        select: one SELECT of the table's content, with the table's column names. If the write has a scope, it joins
            the temporary table ``scope`` and returns the rows where ``%(is_full_refresh)s or scope.KEY is not null``.
        parameters: values of the ``%(name)s`` placeholders. ``is_full_refresh`` is added.
        scope: one SELECT of the keys that some changes affect. For each source, it reads the relation
            ``SCHEMA_TABLE_changes``; see :mod:`.change_log`.
        reads: the tables that ``select`` and ``scope`` read, as schema.table: the sources of this table.
        window: the days that the write covers, for an unpartitioned asset in a run over some days.
        is_full_refresh: recompute the whole table, whatever has changed.
    """

    select: str
    parameters: Mapping[str, object] = field(default_factory=dict)
    scope: str | None = None
    reads: tuple[str, ...] = ()
    window: Window | None = None
    is_full_refresh: bool = False


@dataclass(frozen=True)
class CsvRows:
    """Rows of one slice and load as text that COPY reads as it is.

    Attributes:
        columns: the columns of the text, in order; other columns of the table are null or have their default.
        text: CSV in UTF-8 without a header: comma, double quote, every row ending at a line feed. An unquoted ``\\N``
            is null, and an empty value is an empty text.
        rows: the number of rows.
        slice: the day of all rows.
        load: the number of their load.
    """

    NULL: ClassVar[str] = "\\N"

    columns: tuple[str, ...]
    text: bytes
    rows: int
    slice: dt.date
    load: int


@dataclass(frozen=True)
class RowStream:
    """Rows that are sent with COPY, some at a time.

    Attributes:
        columns: the table's columns, in any order.
        chunks: the rows; read once.
    """

    columns: Sequence[str]
    chunks: Iterable[pa.RecordBatch | CsvRows]

    @classmethod
    def of(cls, rows: pa.Table | pa.RecordBatchReader) -> RowStream:
        """The rows of an Arrow table or reader."""
        return cls(rows.schema.names, rows.to_reader() if hasattr(rows, "to_reader") else rows)


@dataclass(frozen=True)
class ReplaceSlice:
    """Delete the rows whose ``column`` lies in the window, then insert the new ones.

    Attributes:
        column: the column that defines the slice.
        load: a column with the number of the load that wrote a row; no two slices share one. With it,
            ``platform.slices`` records the latest load of each slice, and a load that a reader still needs is not
            deleted.
        pinned_by: the table, as schema.table, whose column of the same name lists the loads that its readers use.
    """

    column: str
    load: str | None = None
    pinned_by: str | None = None

    def to_metadata(self) -> dict[str, object]:
        """As plain JSON for an asset's metadata."""
        return {"mode": "replace slice", **asdict(self)}


@dataclass(frozen=True)
class Merge:
    """Insert new rows, update changed ones, and delete missing ones, compared by ``key``.

    Attributes:
        key: the table's key columns.
        slice: a column; rows whose value lies in the window of the run are always recomputed.
        scope: the columns of the scope; rows whose values are in it are recomputed. With neither ``slice`` nor
            ``scope``, all rows are.
        derived: columns that follow from the table's other rows, such as the end of a version. A change of only these
            is not logged, because it always accompanies a logged change of another row.
        is_small: a first load brings few rows, such as some for each day. Its foreign keys are then checked row by
            row, because a write that drops them cannot run beside another one that does.
    """

    key: tuple[str, ...]
    slice: str | None = None
    scope: tuple[str, ...] = ()
    derived: tuple[str, ...] = ()
    is_small: bool = False

    def to_metadata(self) -> dict[str, object]:
        """As plain JSON for an asset's metadata."""
        return {
            "mode": "merge",
            "key": list(self.key),
            "slice": self.slice,
            "scope": list(self.scope),
            "derived": list(self.derived),
            "is_small": self.is_small,
        }


def write_mode(metadata: Mapping[str, Any]) -> ReplaceSlice | Merge:
    """The write mode that an asset's ``write`` metadata names.

    Raises:
        WriteError: the metadata does not name one.
    """
    if metadata.get("mode") == "replace slice":
        return ReplaceSlice(str(metadata["column"]), metadata.get("load"), metadata.get("pinned_by"))
    if metadata.get("mode") == "merge":
        names = {name: tuple(metadata.get(name) or ()) for name in ("key", "scope", "derived")}
        return Merge(slice=metadata.get("slice"), is_small=bool(metadata.get("is_small")), **names)
    raise WriteError(f"no write mode in {dict(metadata)!r}: add ReplaceSlice(…) or Merge(…) to the asset's metadata")


@dataclass(frozen=True)
class WriteResult:
    """What a write did.

    Attributes:
        inserted: rows inserted.
        updated: rows updated.
        deleted: rows deleted.
        unchanged: rows that were compared and left unchanged.
        seconds: duration of the transaction.
        total: rows of the whole table after the write; None where the write covered only a part of it.
        by_day: rows of each day of the window after the write, for a table with a slice; empty without a window.
    """

    inserted: int
    updated: int
    deleted: int
    unchanged: int
    seconds: float
    total: int | None = None
    by_day: Mapping[dt.date, int] = field(default_factory=dict)


Placement = Literal["here", "coordinator", "everywhere", "spread"]
"""On this server. On a Citus cluster, also: on the coordinator, in a table that refers to one on every node; on every
node; distributed over the workers."""


@dataclass(frozen=True)
class Table:
    """A table of the database: its name and its writable columns, with their types as PostgreSQL prints them.

    Attributes:
        schema: its schema.
        name: its name.
        columns: types by column.
        placement: where its rows are.
        spread_by: the column by which its rows are distributed, if they are.
    """

    schema: str
    name: str
    columns: Mapping[str, str]
    placement: Placement = "here"
    spread_by: str | None = None

    @property
    def full_name(self) -> str:
        """schema.table."""
        return f"{self.schema}.{self.name}"

    @property
    def identifier(self) -> sql.Identifier:
        """The quoted name."""
        return sql.Identifier(self.schema, self.name)


def trusted(text: str) -> sql.SQL:
    """Mark text as SQL; only for text from a file or the server's catalog, never for a value."""
    return sql.SQL(cast(LiteralString, text))


def column_list(names: Sequence[str], of: str | None = None) -> sql.Composed:
    """Quoted column names, separated by commas and qualified by the relation ``of`` if given."""
    columns = [sql.Identifier(name) if of is None else sql.Identifier(of, name) for name in names]
    return sql.SQL(", ").join(columns)


def identifier(table: str) -> sql.Identifier:
    """``schema.table``, quoted."""
    return sql.Identifier(*table.split("."))
