"""A connector: its ``connector.toml`` and its SELECTs, as they lie in a folder.

This module reads and validates them; it does not open the shop's files.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from ecommerce_platform.choices import SHIPPED, known_currency, known_time_zone, shipped_names
from ecommerce_platform.connectors.errors import ConnectorError, reading
from ecommerce_platform.connectors.macros import MACROS
from ecommerce_platform.feeds.columns import FEEDS, OPTIONAL_FEEDS

ADDED = ("moment", "day", "file")
"""Columns that each table of files has besides those of connector.toml."""


def _encoding(name: str) -> str:
    try:
        "".encode(name)
    except LookupError:
        raise ValueError("is not an encoding; for example utf-8 or cp1252") from None
    return name


def _as_tuple(value: object) -> object:
    return (value,) if isinstance(value, str) else value


def _name(name: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,59}", name):
        raise ValueError("is not a name: use lower-case letters, digits and _")
    if name in ADDED:
        raise ValueError("is a name that the platform uses itself: choose another one")
    return name


Name = Annotated[str, AfterValidator(_name)]
Zone = Annotated[str | None, AfterValidator(known_time_zone)]
Texts = Annotated[tuple[str, ...], BeforeValidator(_as_tuple)]
Columns = dict[Name, Annotated[Texts, Field(min_length=1)]]


class Role(BaseModel):
    """A kind of file that a connector reads, such as the orders; its files become one table of that name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pattern: Texts = ("*",)
    """Shell patterns of file names; case does not count."""
    required: Columns = Field(min_length=1)
    """For each column of the table, the headers that it may have in a file."""
    optional: Columns = {}
    moment: str | None = None
    """The column that says when; it becomes the columns ``moment`` and ``day``."""
    formats: Texts = ()
    """The strptime formats of the moment, besides ISO 8601."""
    written_in: Zone = None
    """The time zone of moments without an offset; None: the shop's own."""
    key: str | None = None
    """A column. Where several files hold rows of one key, only those of the latest file count."""
    currency_column: str | None = None
    encodings: Annotated[tuple[Annotated[str, AfterValidator(_encoding)], ...], BeforeValidator(_as_tuple)] = (
        "utf-8",
        "cp1252",
    )
    """Encodings to try, in order. A byte order mark comes first."""
    is_optional: bool = False

    @property
    def columns(self) -> dict[str, tuple[str, ...]]:
        """All columns of the table, with the headers that each may have."""
        return {**self.required, **self.optional}

    @model_validator(mode="after")
    def _name_columns_that_there_are(self) -> Role:
        for key in ("moment", "key", "currency_column"):
            column = getattr(self, key)
            if column is not None and column not in self.columns:
                raise ValueError(f"{key} = {column!r} is not a column of required or optional")
        return self


class _Toml(BaseModel):
    model_config = ConfigDict(extra="forbid")

    title: str = Field(min_length=1)
    kind: Literal["snapshot", "daily"] = "snapshot"
    time_zone: Zone = None
    currency: Annotated[str | None, AfterValidator(known_currency)] = None
    steps: tuple[Name, ...] = ()
    files: dict[Name, Role] = Field(min_length=1)


@dataclass(frozen=True)
class Connector:
    """A connector.

    Attributes:
        name: the folder's name.
        title: one line for people.
        kind: ``snapshot`` (exported again and again as a whole) or ``daily`` (a file's name has its day).
        time_zone: the zone whose days are the business days; None: moments count as written.
        currency: the currency of products and of orders that name none, ISO 4217; None: that of most orders.
        files: the kinds of files, by name.
        steps: intermediate SELECTs, name and SQL, in the order in which they run.
        queries: the SELECT of each feed.
        left_out: a SELECT of ``reason, rows`` that counts what is deliberately not in the feeds; None: nothing.
        findings: a SELECT of ``feed, rows, reason, example`` that says which rows need a look; None: nothing.
        folder: where it lies.
        digest: SHA-256 of its TOML and its SQL.
    """

    name: str
    title: str
    kind: str
    time_zone: str | None
    currency: str | None
    files: Mapping[str, Role]
    steps: Mapping[str, str]
    queries: Mapping[str, str]
    left_out: str | None
    findings: str | None
    folder: Path
    digest: str

    def files_read_by(self, feed: str) -> list[str]:
        """The kinds of files that a feed's SELECT reads, itself or through steps, sorted; none without a SELECT."""
        # DuckDB takes a moment to import, and most processes never convert.
        import duckdb

        found: set[str] = set()
        waiting = [self.queries.get(feed, "")]
        with duckdb.connect() as database:
            for signature in (*MACROS, "local_moment(t)"):
                database.execute(f"create macro {signature} as null")
            while waiting:
                try:
                    names = {name.lower() for name in database.get_table_names(waiting.pop())} - found
                except duckdb.Error:
                    # A conversion says what is wrong with it.
                    continue
                found |= names
                waiting += [self.steps[name] for name in names if name in self.steps]
        return sorted(found & set(self.files))


def shipped_connectors() -> list[Connector]:
    """The connectors that come with the platform, by name."""
    return [read_connector(SHIPPED / name) for name in shipped_names()]


def read_connector(folder: Path) -> Connector:
    """Read a connector's folder.

    Raises:
        ConnectorError: something in it is missing or wrong; names the file and, where there is one, the key.
    """
    path = folder / "connector.toml"
    text = _text(path, "a connector is a folder with this file")
    try:
        with reading(path, tomllib.TOMLDecodeError, ValidationError):
            toml = _Toml.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ConnectorError(str(path), f"this is not TOML: {error}", "correct the file") from None
    except ValidationError as error:
        fault = error.errors()[0]
        key = ".".join(str(part) for part in fault["loc"] if part != "[key]")
        problem = str(fault["msg"]).removeprefix("Value error, ")
        raise ConnectorError(f"{path}, {key}", problem, "docs/connectors/README.md lists the keys") from None
    # The SELECT of an optional feed may be missing.
    needed = [feed for feed in FEEDS if feed not in OPTIONAL_FEEDS or (folder / f"{feed}.sql").exists()]
    steps, queries = (
        {name: _text(folder / f"{name}.sql", "write its SELECT into it") for name in names}
        for names in (toml.steps, needed)
    )
    left_out, findings = (
        _text(path, "") if path.exists() else None for path in (folder / "left_out.sql", folder / "findings.sql")
    )
    said = [text, *(part for each in (steps, queries) for pair in each.items() for part in pair)]
    said += [left_out or "", findings or ""]
    return Connector(
        name=folder.resolve().name,
        title=toml.title,
        kind=toml.kind,
        time_zone=toml.time_zone,
        currency=toml.currency,
        files=toml.files,
        steps=steps,
        queries=queries,
        left_out=left_out,
        findings=findings,
        folder=folder,
        digest=hashlib.sha256("\0".join(said).encode()).hexdigest(),
    )


def _text(path: Path, remedy: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConnectorError(str(path), "the file is missing", remedy) from None
    except UnicodeDecodeError:
        raise ConnectorError(str(path), "the file is not UTF-8", "save it as UTF-8") from None
