"""Makes what :mod:`ecommerce_platform.tables.manifest` reads. Imports sqlglot, pandera and Ibis."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import psycopg

from ecommerce_platform.checks.compiler import compile_contract
from ecommerce_platform.layers import LAYERS
from ecommerce_platform.postgres.facts import (
    Column,
    catalogue,
    column_comments,
    foreign_keys,
    table_comment,
    tables_of_schemas,
)
from ecommerce_platform.schemas import schema_of
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
        for table, facts in catalogue(connection, tables).items():
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
                    comment=table_comment(connection, table),
                    references=foreign_keys(connection, table),
                )
            )
    return found


def manifest_text(manifest: Mapping[str, Any]) -> str:
    """The manifest as the file holds it."""
    return json.dumps(manifest, indent=1, ensure_ascii=False) + "\n"
