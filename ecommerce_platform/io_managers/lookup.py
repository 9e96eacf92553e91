"""Looking a table up in the catalog."""

from __future__ import annotations

from ecommerce_platform.io_managers.connection import ClientConnection
from ecommerce_platform.io_managers.modes import Placement, Table, WriteError


def describe(connection: ClientConnection, schema: str, name: str) -> Table:
    """Look a table up.

    Raises:
        WriteError: the table does not exist; only the DDL creates tables.
    """
    rows = connection.execute(
        """
        select
            attribute.attname,
            format_type(attribute.atttypid, attribute.atttypmod),
            to_regclass('pg_catalog.pg_dist_partition') is not null
        from pg_catalog.pg_attribute as attribute
        where attribute.attrelid = to_regclass(format('%%I.%%I', %s, %s))
            and attribute.attnum > 0 and not attribute.attisdropped and attribute.attgenerated = ''
        order by attribute.attnum
        """,
        (schema, name),
    ).fetchall()
    if not rows:
        raise WriteError(f"{schema}.{name}: no such table; apply the DDL first")
    columns = {column: type_ for column, type_, _ in rows}
    if not rows[0][2]:
        return Table(schema, name, columns)
    return Table(schema, name, columns, *_placement(connection, schema, name))


def _placement(connection: ClientConnection, schema: str, name: str) -> tuple[Placement, str | None]:
    """Where Citus keeps a table, and the column by which it is distributed."""
    row = connection.execute(
        """
        select
            case when partmethod = 'h' then 'spread' when repmodel = 't' then 'everywhere' else 'coordinator' end,
            column_to_column_name(logicalrelid, partkey)
        from pg_catalog.pg_dist_partition
        where logicalrelid = to_regclass(format('%%I.%%I', %s, %s))
        """,
        (schema, name),
    ).fetchone()
    return (row[0], row[1]) if row is not None else ("here", None)
