"""What follows from files alone: columns, lineage and contracts, read from the committed ``sql/manifest.json``.

``ecommerce-platform manifest`` writes it from sql/ddl, sql/transform, sql/scope and the pandera schemas; a test holds
it to them. So a run imports neither sqlglot nor pandera nor Ibis, and ``git diff`` shows what a change does to a
contract.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

from ecommerce_platform.postgres.facts import Column, ForeignKey, TableFacts
from ecommerce_platform.settings import SQL_DIR

MANIFEST = SQL_DIR / "manifest.json"


Lineage = Mapping[str, tuple[tuple[str, str], ...]]
"""For each column of a table, the columns (schema.table, column) that it is computed from."""


class ManifestError(RuntimeError):
    """The manifest does not know a table, or cannot be read."""


@dataclass(frozen=True)
class Contract:
    """The contract of a table as SQL.

    Attributes:
        rules: the names of the rules, in the order of the counts.
        enforced: the names of the rules that constraints enforce; they are not counted.
        has_days: whether the rows that the days of a run concern can be told.
        whole: one row over the whole table: rows tested, then the violations of each rule.
        of_days: the same over the rows that the days from ``%(start)s`` to before ``%(end)s`` concern.
    """

    rules: tuple[str, ...]
    enforced: tuple[str, ...]
    has_days: bool
    whole: str
    of_days: str


@dataclass(frozen=True)
class Entry:
    """A table.

    Attributes:
        columns: its columns, in order.
        facts: what a database that sql/ddl has made says of it.
        key: the columns of its primary key.
        reads: the tables that its SELECT and its scope read; None where it has no transformation.
        contract: what its rows are judged by, where a database says the same of it.
        lineage: the sources of its columns; None where it has no transformation.
        comment: what a row of the table is.
        references: its foreign keys.
        contract_of_cluster: the contract where the table is distributed by order; None where it is the same.
    """

    columns: tuple[Column, ...]
    facts: TableFacts
    key: tuple[str, ...]
    reads: tuple[str, ...] | None
    contract: Contract
    lineage: Lineage | None = None
    comment: str | None = None
    references: tuple[ForeignKey, ...] = ()
    contract_of_cluster: Contract | None = None


def entry(table: str) -> Entry:
    """The entry of ``schema.table``.

    Raises:
        ManifestError: it has none.
    """
    if table not in manifest():
        raise ManifestError(f"{table} is not in {MANIFEST.name}. Regenerate it with: ecommerce-platform manifest")
    return manifest()[table]


def tables() -> tuple[str, ...]:
    """Every table of the layers, as schema.table, in the order of the DDL; bookkeeping tables are none."""
    return tuple(manifest())


@cache
def manifest() -> Mapping[str, Entry]:
    """All entries, in the order of the DDL.

    Raises:
        ManifestError: there is no manifest, or it is none.
    """
    try:
        return {table: from_json(held) for table, held in json.loads(MANIFEST.read_bytes()).items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ManifestError(f"{MANIFEST}: {error}. Regenerate it with: ecommerce-platform manifest") from None


def to_json(entry: Entry) -> dict[str, Any]:
    """An entry as plain JSON; statements as lists of lines, so that a difference can be read."""
    contract = entry.contract
    return {
        "comment": entry.comment,
        "columns": {
            column.name: {"type": column.type, "nullable": column.nullable, "comment": column.comment}
            for column in entry.columns
        },
        "key": list(entry.key),
        "references": [asdict(key) for key in entry.references],
        "unique": [list(names) for names in entry.facts.unique],
        "checks": list(entry.facts.checks),
        "reads": None if entry.reads is None else list(entry.reads),
        "lineage": None
        if entry.lineage is None
        else {column: [f"{table}.{name}" for table, name in sources] for column, sources in entry.lineage.items()},
        "contract": _contract_to_json(contract),
        **(
            {}
            if entry.contract_of_cluster is None
            else {"contract_of_cluster": _contract_to_json(entry.contract_of_cluster)}
        ),
    }


def _contract_to_json(contract: Contract) -> dict[str, Any]:
    return {
        "rules": list(contract.rules),
        "enforced": list(contract.enforced),
        "has_days": contract.has_days,
        "whole": contract.whole.splitlines(),
        "of_days": contract.of_days.splitlines(),
    }


def _contract_from_json(contract: Mapping[str, Any]) -> Contract:
    return Contract(
        tuple(contract["rules"]),
        tuple(contract["enforced"]),
        contract["has_days"],
        "\n".join(contract["whole"]),
        "\n".join(contract["of_days"]),
    )


def from_json(held: Mapping[str, Any]) -> Entry:
    """The entry that :func:`to_json` was given."""
    columns = tuple(Column(name, **known) for name, known in held["columns"].items())
    return Entry(
        columns,
        TableFacts(
            tuple((column.name, column.type) for column in columns),
            tuple(tuple(names) for names in held["unique"]),
            tuple(column.name for column in columns if not column.nullable),
            tuple(held["checks"]),
        ),
        tuple(held["key"]),
        None if held["reads"] is None else tuple(held["reads"]),
        _contract_from_json(held["contract"]),
        lineage=_lineage(held["lineage"]),
        comment=held["comment"],
        references=tuple(
            ForeignKey(tuple(key["columns"]), key["table"], tuple(key["referenced"])) for key in held["references"]
        ),
        contract_of_cluster=(
            _contract_from_json(held["contract_of_cluster"]) if "contract_of_cluster" in held else None
        ),
    )


def _lineage(held: Mapping[str, list[str]] | None) -> Lineage | None:
    if held is None:
        return None
    pairs = {column: [source.rpartition(".") for source in sources] for column, sources in held.items()}
    return {column: tuple((table, name) for table, _, name in sources) for column, sources in pairs.items()}
