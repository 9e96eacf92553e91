"""Spreads the tables over the nodes of a Citus cluster. Does nothing to a database without the extension.

Orders, their lines and what follows from them are distributed by order; what they are joined with is on every node; all
other tables stay on the coordinator. The reasons are in docs/scale.md.
"""

from __future__ import annotations

import re

import psycopg
from psycopg import sql

from ecommerce_platform.feeds.columns import ORDER_KEY
from ecommerce_platform.io_managers.cluster import is_cluster
from ecommerce_platform.io_managers.connection import SESSION_OPTIONS
from ecommerce_platform.io_managers.lookup import describe
from ecommerce_platform.io_managers.spread_merge import SCHEMA, create_work_tables
from ecommerce_platform.postgres.ddl import DDL_DIR, DdlError

STAGED = ("staging.transactions", "staging.transaction_items", "staging.returns")
"""Replicas of the feeds of orders: distributed by the bucket of the order, which the reader of the files computes."""

BY_ORDER = (
    *STAGED,
    "production.transactions",
    "production.transaction_items",
    "production.returns",
    "warehouse.fact_sales",
    "warehouse.fact_returns",
)
"""The tables that grow with the orders. The rows of an order are on one node, in whichever table they are."""

EVERYWHERE = (
    "platform.reporting_currency",
    "production.loaded_days",
    "production.identifiers",
    "production.customers",
    "production.customer_versions",
    "production.product_categories",
    "production.products",
    "production.product_versions",
    "production.payment_methods",
    "warehouse.dim_date",
    "warehouse.dim_customer",
    "warehouse.dim_product",
    "warehouse.dim_payment",
)
"""Reference tables: what the rows of an order are joined with or refer to."""

SHARDS_PER_WORKER = 4
"""Each shard is a table with a plan of its own in every statement: more of them cost CPU, fewer are unevenly filled."""

VIEWS = DDL_DIR / "060_rules.sql"


def spread(url: str, shards: int | None = None) -> list[str]:
    """Distribute the tables of a coordinator's database that are not distributed yet, with the rows that they hold.

    Args:
        url: a libpq URL of the owner.
        shards: the number of shards of each distributed table; by default, four per worker.

    Returns:
        The tables that were spread; none without Citus.
    """
    with psycopg.connect(
        url,
        autocommit=True,
        options="-c client_min_messages=error -c TimeZone=UTC",
        cursor_factory=psycopg.ClientCursor,
    ) as connection:
        if not is_cluster(connection):
            return []
        connection.execute("select pg_advisory_lock(hashtextextended('ecommerce-platform ddl', 0))")
        spread_already = {
            name
            for (name,) in connection.execute(
                "select logicalrelid::text from pg_dist_partition where partmethod <> 'n' or repmodel = 't'"
            )
        }
        missing = [table for table in (*EVERYWHERE, *BY_ORDER) if table not in spread_already]
        if missing:
            # Work tables belong to the tables of before, which a restored backup has replaced.
            connection.execute(sql.SQL("drop schema if exists {} cascade").format(sql.Identifier(SCHEMA)))
            for role in ("loader", "reader"):
                # Citus connects to the workers as the role that a statement runs as.
                connection.execute(sql.SQL("alter role {} login").format(sql.Identifier(role)))
            _make_functions_known(connection)
            _change_tables(connection)
            _distribute(connection, missing, shards)
            _set_options(connection)
        _make_functions_known(connection)
        if missing:
            _grant_again(connection)
        if not _are_rewritten(connection):
            _rewrite_views(connection)
        _grant_to_reader(connection)
        for table in BY_ORDER:
            if table not in STAGED:
                create_work_tables(connection, describe(connection, *table.split(".")))
    return missing


def give_shape(connection: psycopg.Connection) -> None:
    """Give a database without Citus the tables and views of one with it, for ``verify`` to compare with."""
    _change_tables(connection)
    _rewrite_views(connection)
    _grant_to_reader(connection)


def _change_tables(connection: psycopg.Connection) -> None:
    """Change the tables to what Citus needs: plain SQL, before they are distributed."""
    for table in STAGED:
        known = connection.execute(
            "select 1 from pg_catalog.pg_attribute where attrelid = %s::regclass and attname = %s", (table, ORDER_KEY)
        ).fetchone()
        if known is None:
            name = sql.Identifier(*table.split("."))
            connection.execute(sql.SQL("alter table {} add column order_key bigint").format(name))
            connection.execute(sql.SQL("update {} set order_key = coalesce(transaction_bucket, 0)").format(name))
            connection.execute(
                sql.SQL(
                    "alter table {} alter column order_key set not null, drop constraint {},"
                    " add primary key (partition_date, source_row, load_id, order_key),"
                    " add constraint {} check (order_key = coalesce(transaction_bucket, 0))"
                ).format(
                    name,
                    sql.Identifier(f"{table.split('.')[1]}_pkey"),
                    sql.Identifier(f"{table.split('.')[1]}_{ORDER_KEY}_check"),
                )
            )
    connection.execute(REFUSE_SAME_HASH)
    for table, name in connection.execute(
        "select conrelid::regclass::text, conname from pg_catalog.pg_constraint where contype = 'f'"
        " and condeferrable and not condeferred"
    ).fetchall():
        connection.execute(
            sql.SQL("alter table {} alter constraint {} deferrable initially deferred").format(
                sql.Identifier(*table.split(".")), sql.Identifier(name)
            )
        )


REFUSE_SAME_HASH = """
create or replace function platform.order_has_own_key(entity text, identifier text, key bigint) returns boolean
language plpgsql immutable as $$
begin
    if entity = 'transaction' and key & 15 <> 0 then
        raise check_violation using message = format(
            'production.identifiers: the order ID "%s" has the same hash as an earlier one, and a Citus cluster cannot'
            ' tell the two apart: correct the ID in the files of transactions, transaction_items and returns',
            identifier
        );
    end if;
    return true;
end
$$;
grant execute on function platform.order_has_own_key (text, text, bigint) to loader;
alter table production.identifiers
drop constraint if exists identifiers_order_key_check,
add constraint identifiers_order_key_check check (platform.order_has_own_key(entity, identifier, key));
"""
"""An order whose key is not its bucket would be on another node than its rows in staging."""


def _distribute(connection: psycopg.Connection, tables: list[str], shards: int | None) -> None:
    if shards is None:
        row = connection.execute(
            "select count(*) from pg_dist_node where noderole = 'primary' and shouldhaveshards"
        ).fetchone()
        shards = SHARDS_PER_WORKER * max(int(row[0]) if row else 0, 1)
    keys = connection.execute(
        """
        select key.conrelid::regclass::text, key.conname, pg_get_constraintdef(key.oid)
        from pg_catalog.pg_constraint as key
        where
            key.contype = 'f'
            and (key.conrelid::regclass::text = any (%s) or key.confrelid::regclass::text = any (%s))
        order by key.oid
        """,
        (tables, tables),
    ).fetchall()
    for table, name, _ in keys:
        connection.execute(
            sql.SQL("alter table {} drop constraint {}").format(sql.Identifier(*table.split(".")), sql.Identifier(name))
        )
    for table in tables:
        if table in BY_ORDER:
            first = BY_ORDER[0]
            with_ = {"colocate_with": first} if table != first else {"shard_count": shards}
            column = ORDER_KEY if table in STAGED else "transaction_id"
            option, value = next(iter(with_.items()))
            connection.execute(
                sql.SQL("select create_distributed_table(%s, %s, {} := %s)").format(sql.Identifier(option)),
                (table, column, value),
            )
        else:
            connection.execute("select create_reference_table(%s)", (table,))
    for table, name, definition in keys:
        connection.execute(
            sql.SQL("alter table {} add constraint {} {}").format(
                sql.Identifier(*table.split(".")), sql.Identifier(name), sql.SQL(definition)
            )
        )


def _set_options(connection: psycopg.Connection) -> None:
    """Give the nodes' own sessions the options of a session of ours: a client's options end at the coordinator."""
    row = connection.execute("select current_database()").fetchone()
    options = {name: SESSION_OPTIONS[name] for name in ("TimeZone", "DateStyle", "jit")}
    # ANALYZE reads 300 rows of each shard for each of these: with the default of 100, nearly every row of most tables.
    options["default_statistics_target"] = "25"
    # As on the embedded server. A shard is small: with the default of 4, a day's orders are looked for in all of it.
    options["random_page_cost"] = "1.1"
    # platform.currency_fault reads a table, which each node has: Citus cannot know that this is safe.
    options["citus.allow_nested_distributed_execution"] = "on"
    for name, value in options.items():
        connection.execute(
            sql.SQL("alter database {} set {} = {}").format(
                sql.Identifier(row[0] if row else ""), sql.Identifier(*name.lower().split(".")), sql.Literal(value)
            )
        )


def _make_functions_known(connection: psycopg.Connection) -> None:
    """Create the functions of the schemas platform and warehouse on every node."""
    functions = connection.execute(
        """
        select p.oid::regprocedure::text
        from pg_catalog.pg_proc as p
        where
            p.pronamespace in ('platform'::regnamespace, 'warehouse'::regnamespace)
            and p.proname not in ('log_changes')
            and not exists (
                select 1 from pg_catalog.pg_dist_object where classid = 'pg_proc'::regclass and objid = p.oid
            )
        order by p.oid
        """
    ).fetchall()
    for (name,) in functions:
        connection.execute("select create_distributed_function(%s::regprocedure)", (name,))


def _grant_again(connection: psycopg.Connection) -> None:
    """Grant what 900_grants.sql grants: Citus makes the views of a table that it takes over anew."""
    for path in sorted(DDL_DIR.glob("*.sql")):
        text = path.read_text(encoding="utf-8")
        if text.startswith("-- repeatable:") and path != VIEWS:
            with connection.transaction():
                connection.execute(text.encode())


READ_BY_VIEWS = (
    "platform.slices",
    "platform.first_day",
    "platform.refused_files",
    "platform.reporting_currency",
    "production.loaded_days",
    "production.identifiers",
)
"""What the views of monitoring and warehouse.order_codes read besides tables of the reader's own schemas."""


def _grant_to_reader(connection: psycopg.Connection) -> None:
    """Let the reader read what its views read, if they read a table that Citus knows.

    Citus takes such a view apart, and reads its tables as the role of the session, not as the owner of the view. None
    of them has personal data; other tables of their schemas stay closed.
    """
    row = connection.execute(
        "select bool_and(has_schema_privilege('reader', split_part(name, '.', 1), 'usage')"
        " and has_table_privilege('reader', name, 'select')) from unnest(%s::text[]) as read (name)",
        (list(READ_BY_VIEWS),),
    ).fetchone()
    if not (row and row[0]):
        connection.execute("grant usage on schema platform, production to reader")
        tables = sql.SQL(", ").join(sql.Identifier(*table.split(".")) for table in READ_BY_VIEWS)
        connection.execute(sql.SQL("grant select on {} to reader").format(tables))


KEY_OF_ORDER = re.compile(
    r"case\s+when s\.transaction_bucket < 0 and \(select min\(entity\) from production\.displaced_identifiers\)"
    r" is not null.*?else s\.transaction_bucket\s+end as transaction_id",
    re.DOTALL,
)


def _are_rewritten(connection: psycopg.Connection) -> bool:
    """Whether neither 030_parsing.sql nor 060_rules.sql has run again since they were rewritten."""
    row = connection.execute(
        "select pg_get_viewdef('production.parsed_returns'::regclass) ~ 'order_key AS transaction_id'"
        " and pg_get_functiondef('platform.is_same_key(bigint, bigint)'::regprocedure) !~* 'coalesce'"
    ).fetchone()
    return bool(row and row[0])


SAME_KEY = """
create or replace function platform.is_same_key(a bigint, b bigint) returns boolean
language sql immutable parallel safe
return a = b
"""
"""Citus knows that rows with equal keys are on one node only from a comparison that PostgreSQL can look into."""

ANY_DISPLACED = " and (select min(entity) from production.displaced_identifiers) is not null"


def _rewrite_views(connection: psycopg.Connection) -> None:
    """Let the views of staging give the distribution column as the order, so that joins on it stay on a node.

    Whether any identifier is displaced is asked for each text: asked once, its answer would be sent to the nodes as a
    volatile function, and no index would be used.
    """
    text, count = KEY_OF_ORDER.subn("s.order_key as transaction_id", VIEWS.read_text(encoding="utf-8"))
    if count != len(STAGED):
        raise DdlError(f"{VIEWS.name}: {count} views give the key of an order in the expected form, not {len(STAGED)}")
    with connection.transaction():
        connection.execute(text.replace(ANY_DISPLACED, "").encode())
        connection.execute(SAME_KEY)
