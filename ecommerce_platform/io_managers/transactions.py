"""The transaction of a write: its snapshot, its constraints, and on a cluster its role."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager, nullcontext

from psycopg import IsolationLevel

from ecommerce_platform.io_managers.bulk import can_be_filled, is_empty
from ecommerce_platform.io_managers.connection import ClientConnection, as_owner
from ecommerce_platform.io_managers.modes import Table


@contextmanager
def transaction(
    connection: ClientConnection,
    level: IsolationLevel = IsolationLevel.REPEATABLE_READ,
    *,
    table: Table | None = None,
    is_whole: bool = False,
) -> Generator[None]:
    """A transaction that writes ``table``, repeatable read by default, with deferred constraints.

    If it writes a whole table of a cluster, and the table is empty, the owner does so from the beginning: Citus has
    a connection to each node for each role, so the owner's DDL would wait for the locks of the other role's reads.
    """
    connection.isolation_level = level
    placement = "here" if table is None else table.placement
    is_filled = (
        table is not None
        and is_whole
        and placement in ("spread", "everywhere")
        and is_empty(connection, table)
        and can_be_filled(connection, table)
    )
    with as_owner(connection) if is_filled else nullcontext(), connection.transaction():
        connection.execute("set constraints all deferred")
        if is_filled or placement == "everywhere":
            # Citus changes no definition, and writes no table that others refer to, after it has read in parallel.
            connection.execute("set local citus.multi_shard_modify_mode = 'sequential'")
        yield
