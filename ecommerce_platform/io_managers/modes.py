"""What is written and how: the words that assets and the IO manager share. No SQL runs here."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, LiteralString, cast

from psycopg import sql


class WriteError(ValueError):
    """What was to be written does not fit the table. Nothing was written; trying again will not help."""


@dataclass(frozen=True)
class Window:
    """The days that a write is about: ``start`` included, ``end`` not."""

    start: dt.date = dt.date.min
    end: dt.date = dt.date.max

    @property
    def is_unbounded(self) -> bool:
        """Whether the window holds every day."""
        return self == Window()

    @property
    def days(self) -> list[dt.date]:
        """Its days, in order; none of a window that holds every day."""
        if self.is_unbounded:
            return []
        return [self.start + dt.timedelta(days=number) for number in range((self.end - self.start).days)]


@dataclass(frozen=True)
class Query:
    """Rows as SQL: they never leave the database.

    Attributes:
        select: one SELECT whose columns carry the names of the table's: what the table holds. Where the write has a
            scope, it joins the temporary table ``scope`` and keeps a row where
            ``%(is_full_refresh)s or scope.KEY is not null``.
        parameters: values of the ``%(name)s`` placeholders. ``is_full_refresh`` is added.
        scope: one SELECT of the keys that some changes concern. It reads, for each source, the relation
            ``SCHEMA_TABLE_changes``; see :mod:`.change_log`.
        reads: the tables that ``select`` and ``scope`` read, as schema.table: the sources of this table.
        window: the days that the write is about, for an asset without partitions in a run over some days.
        is_full_refresh: compute the whole table again, whatever has changed.
    """

    select: str
    parameters: Mapping[str, object] = field(default_factory=dict)
    scope: str | None = None
    reads: tuple[str, ...] = ()
    window: Window | None = None
    is_full_refresh: bool = False


@dataclass(frozen=True)
class ReplaceSlice:
    """Delete the rows whose ``column`` lies in the window, insert the new ones.

    Attributes:
        column: the column of the slice.
        load: a column with the number of the load that brought a row; no two slices share one. With it,
            ``platform.slices`` records the latest load of each slice, and a slice that a reader still needs stays
            beside the new one.
        pinned_by: the table, as schema.table, whose column of the same name says which loads its readers use.
    """

    column: str
    load: str | None = None
    pinned_by: str | None = None

    def to_metadata(self) -> dict[str, object]:
        """As plain JSON for an asset's metadata."""
        return {"mode": "replace slice", **asdict(self)}


@dataclass(frozen=True)
class Merge:
    """Insert what is new, update what changed, delete what is gone, compared by ``key``.

    Attributes:
        key: the table's key columns.
        slice: rows whose value lies in the window of the run are always computed again.
        scope: the columns of the scope: rows whose values are in it are computed again. With neither ``slice`` nor
            ``scope``, all rows are.
        derived: columns that follow from the table's other rows, such as the end of a version. A change of these alone
            is not logged, because it comes with a change of another row that is.
    """

    key: tuple[str, ...]
    slice: str | None = None
    scope: tuple[str, ...] = ()
    derived: tuple[str, ...] = ()

    def to_metadata(self) -> dict[str, object]:
        """As plain JSON for an asset's metadata."""
        return {
            "mode": "merge",
            "key": list(self.key),
            "slice": self.slice,
            "scope": list(self.scope),
            "derived": list(self.derived),
        }


def write_mode(metadata: Mapping[str, Any]) -> ReplaceSlice | Merge:
    """The write mode that an asset's ``write`` metadata names.

    Raises:
        WriteError: the metadata names none.
    """
    if metadata.get("mode") == "replace slice":
        return ReplaceSlice(str(metadata["column"]), metadata.get("load"), metadata.get("pinned_by"))
    if metadata.get("mode") == "merge":
        names = {name: tuple(metadata.get(name) or ()) for name in ("key", "scope", "derived")}
        return Merge(slice=metadata.get("slice"), **names)
    raise WriteError(f"no write mode in {dict(metadata)!r}: give the asset ReplaceSlice(…) or Merge(…) metadata")


@dataclass(frozen=True)
class WriteResult:
    """What a write did.

    Attributes:
        inserted: rows inserted.
        updated: rows updated.
        deleted: rows deleted.
        unchanged: rows that were looked at and left as they were.
        seconds: how long the transaction took.
        total: rows of the whole table after the write; None where the write looked at a part of it only.
        by_day: rows of each day of the window after the write, for a table with a slice; empty without a window.
    """

    inserted: int
    updated: int
    deleted: int
    unchanged: int
    seconds: float
    total: int | None = None
    by_day: Mapping[dt.date, int] = field(default_factory=dict)


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


def trusted(text: str) -> sql.SQL:
    """SQL that comes from a file or from the server's catalogue, never from a value."""
    return sql.SQL(cast(LiteralString, text))


def columns_of(names: Sequence[str], of: str | None = None) -> sql.Composed:
    """Quoted column names with commas between, each of the relation ``of`` where that is named."""
    columns = [sql.Identifier(name) if of is None else sql.Identifier(of, name) for name in names]
    return sql.SQL(", ").join(columns)


def identifier(table: str) -> sql.Identifier:
    """``schema.table``, quoted."""
    return sql.Identifier(*table.split("."))
