"""Looking a table up in the catalog."""

from __future__ import annotations

from ecommerce_platform.io_managers.connection import ClientConnection
from ecommerce_platform.io_managers.modes import Table, WriteError


def describe(connection: ClientConnection, schema: str, name: str) -> Table:
    """Look a table up.

    Raises:
        WriteError: the table does not exist; only the DDL creates tables.
    """
    rows = connection.execute(
        """
        select attribute.attname, format_type(attribute.atttypid, attribute.atttypmod)
        from pg_catalog.pg_attribute as attribute
        where attribute.attrelid = to_regclass(format('%%I.%%I', %s, %s))
            and attribute.attnum > 0 and not attribute.attisdropped and attribute.attgenerated = ''
        order by attribute.attnum
        """,
        (schema, name),
    ).fetchall()
    if not rows:
        raise WriteError(f"{schema}.{name}: no such table; apply the DDL first")
    return Table(schema, name, dict(rows))
