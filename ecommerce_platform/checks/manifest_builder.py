"""Makes what :mod:`ecommerce_platform.tables.manifest` reads. Imports sqlglot, pandera and Ibis."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import psycopg

from ecommerce_platform.checks.compiler import compile_contract
from ecommerce_platform.layers import LAYERS
from ecommerce_platform.postgres.citus import STAGED
from ecommerce_platform.postgres.facts import (
    Column,
    catalogue,
    column_comments,
    foreign_keys,
    table_comment,
    tables_of_schemas,
)
from ecommerce_platform.schemas import schema_of
from ecommerce_platform.tables.column_lineage import LineageError, column_lineage
from ecommerce_platform.tables.manifest import Entry, to_json
from ecommerce_platform.tables.sql_reader import reads_of_files


def build_manifest(url: str) -> Mapping[str, Any]:
    """The manifest as plain JSON, from the files of sql/, the schemas, and a database that sql/ddl has made.

    Args:
        url: a libpq URL of the database; what constraints say there stands for sql/ddl.
    """
    reads = reads_of_files()
    found = {}
    with psycopg.connect(url, cursor_factory=psycopg.ClientCursor) as connection:
        tables = tables_of_schemas(connection, list(LAYERS))
        known = catalogue(connection, tables)
        names = {table: [name for name, _ in facts.columns] for table, facts in known.items()}
        lineage = column_lineage(names, _generated_columns(connection), reads)
        for table, sources in lineage.items():
            _require_within(table, sources, reads[table])
        for table, facts in known.items():
            comments = column_comments(connection, table)
            columns = [
                Column(name, type_, name not in facts.required, comments.get(name)) for name, type_ in facts.columns
            ]
            key = tuple(schema_of(table).unique or ())
            found[table] = to_json(
                Entry(
                    tuple(columns),
                    facts,
                    key,
                    reads.get(table),
                    compile_contract(table, facts),
                    lineage=lineage.get(table),
                    comment=table_comment(connection, table),
                    references=foreign_keys(connection, table),
                    contract_of_cluster=(
                        compile_contract(table, replace(facts, is_spread=True)) if table in STAGED else None
                    ),
                )
            )
    return found


def _generated_columns(connection: psycopg.Connection) -> dict[str, dict[str, str]]:
    """Of each table, the columns that the database computes from others, with their expressions."""
    rows = connection.execute(
        """
        select attribute.attrelid::regclass::text, attribute.attname, pg_get_expr(fallback.adbin, fallback.adrelid)
        from pg_catalog.pg_attribute as attribute
        join pg_catalog.pg_attrdef as fallback
            on fallback.adrelid = attribute.attrelid and fallback.adnum = attribute.attnum
        where attribute.attgenerated <> ''
        order by 1, 2
        """
    )
    found: dict[str, dict[str, str]] = {}
    for table, column, expression in rows:
        found.setdefault(table, {})[column] = expression
    return found


def _require_within(table: str, lineage: Mapping[str, tuple[tuple[str, str], ...]], reads: tuple[str, ...]) -> None:
    """The lineage of columns and that of tables are derived apart, and have to agree."""
    if unknown := {source for sources in lineage.values() for source, _ in sources} - set(reads):
        raise LineageError(f"{table}: its columns come from {', '.join(sorted(unknown))}, which it does not read")


def manifest_text(manifest: Mapping[str, Any]) -> str:
    """The manifest as the file holds it."""
    return json.dumps(manifest, indent=1, ensure_ascii=False) + "\n"
