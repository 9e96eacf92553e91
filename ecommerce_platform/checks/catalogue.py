"""Compares the database's catalog with sql/ddl: tables, constraints, views, functions and privileges.

The files are applied to a scratch database on the same server, so that both sides print definitions in the format of
the same version of PostgreSQL.
"""

from __future__ import annotations

import secrets
from collections.abc import Generator, Mapping
from contextlib import contextmanager

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from ecommerce_platform.checks.outcome import SAMPLES, CheckOutcome, TableCheck, show
from ecommerce_platform.io_managers.cluster import is_cluster
from ecommerce_platform.io_managers.connection import ClientConnection
from ecommerce_platform.io_managers.modes import Window
from ecommerce_platform.postgres.citus import give_shape
from ecommerce_platform.postgres.ddl import apply_ddl

Catalogue = Mapping[tuple[str, str], str]
"""The definition of each object, by kind and name."""

MARK = "Scratch database of ecommerce-platform verify: may be dropped"

MAY_BE_ADDED = {"table", "view", "function", "index", "statistics", "sequence"}
"""Kinds of objects that users may add for their own use. A trigger or a constraint would act on the platform's rows."""


def catalogue_check(url: str) -> TableCheck:
    """The check that a database matches sql/ddl.

    Args:
        url: a libpq URL of the owner, who may create databases; with another login, the check is not evaluated.
    """

    def evaluate(connection: ClientConnection, _: Window) -> CheckOutcome:
        try:
            with _scratch_database(url) as scratch:
                expected = _catalogue(scratch)
        except psycopg.errors.InsufficientPrivilege as error:
            reason = str(error).strip().splitlines()[0]
            text = f"Not evaluated: only the owner can create a database to compare with ({reason})"
            return CheckOutcome(True, 0, 0, text, is_judged=False)
        found = _catalogue(url)
        faults = sorted(
            [(kind, name, "is missing") for kind, name in expected.keys() - found.keys()]
            + [(kind, name, "was added") for kind, name in found.keys() - expected.keys() if kind not in MAY_BE_ADDED]
            + [(*key, "was changed") for key in expected.keys() & found.keys() if expected[key] != found[key]]
        )
        samples = [{"kind": kind, "name": name, "fault": fault} for kind, name, fault in faults[:SAMPLES]]
        if faults:
            text = (
                f"{len(faults):,} of {len(expected):,} objects differ from sql/ddl. First: {show(samples)}"
                " Restore them by hand or from a backup: docs/operations.md"
            )
        else:
            text = f"{len(expected):,} objects match sql/ddl"
        return CheckOutcome(not faults, len(expected), len(faults), text, samples)

    return TableCheck(
        "matches_ddl",
        "monitoring.database_health",
        "Tables, constraints, views, functions, grants and applied files match sql/ddl.",
        evaluate,
    )


@contextmanager
def _scratch_database(url: str) -> Generator[str]:
    """A database with the platform's tables and no rows, on the same server; one at a time."""
    name = f"{conninfo_to_dict(url)['dbname']}_verify_{secrets.token_hex(6)}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("select pg_advisory_lock(hashtextextended('ecommerce-platform verify', 0))")
        connection.execute(sql.SQL("create database {} template template0").format(sql.Identifier(name)))
        connection.execute(sql.SQL("comment on database {} is {}").format(sql.Identifier(name), sql.Literal(MARK)))
        try:
            scratch = make_conninfo(url, dbname=name)
            apply_ddl(scratch)
            if is_cluster(connection):
                with psycopg.connect(scratch, autocommit=True) as shaped:
                    give_shape(shaped)
            yield scratch
        finally:
            # Also drops those that a killed verification left.
            marked = connection.execute(
                "select datname from pg_database where shobj_description(oid, 'pg_database') = %s", (MARK,)
            ).fetchall()
            for (database,) in marked:
                connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(database)))


def _catalogue(url: str) -> Catalogue:
    with psycopg.connect(url) as connection:
        # With this search path, every name is printed with its schema.
        connection.execute("set local search_path = pg_catalog")
        rows = connection.execute(OBJECTS).fetchall()
    return {(kind, name): definition for kind, name, definition in rows}


OBJECTS = """
with schemas as (
    select oid, nspname
    from pg_namespace
    where nspname in (
        'platform', 'change_log', 'staging', 'production', 'warehouse', 'analytics', 'monitoring'
    )
),

relations as (
    select class.*
    from pg_class as class
    join schemas on schemas.oid = class.relnamespace
)

select 'table' as kind, oid::regclass::text as name, concat_ws(' ', relrowsecurity, relpersistence) as definition
from relations
where relkind in ('r', 'p')

union all
select 'view', oid::regclass::text, pg_get_viewdef(oid)
from relations
where relkind in ('v', 'm')

union all
select 'sequence', oid::regclass::text, ''
from relations
where relkind = 'S'

union all
select
    'column',
    relations.oid::regclass || '.' || attribute.attname,
    concat_ws(
        ' ', format_type(attribute.atttypid, attribute.atttypmod), attribute.attnotnull, attribute.attgenerated,
        pg_get_expr(adbin, adrelid)
    )
from relations
join pg_attribute as attribute on attribute.attrelid = relations.oid and attnum > 0 and not attisdropped
left join pg_attrdef on adrelid = attribute.attrelid and adnum = attribute.attnum
where relkind in ('r', 'p')

union all
select
    'constraint',
    conrelid::regclass || '.' || conname,
    concat_ws(' ', pg_get_constraintdef(pg_constraint.oid), convalidated)
from pg_constraint
join relations on relations.oid = conrelid

union all
select 'index', indexrelid::regclass::text, concat_ws(' ', pg_get_indexdef(indexrelid), indisvalid)
from pg_index
join relations on relations.oid = indrelid

union all
select 'trigger', tgrelid::regclass || '.' || tgname, concat_ws(' ', pg_get_triggerdef(pg_trigger.oid), tgenabled)
from pg_trigger
join relations on relations.oid = tgrelid
where not tgisinternal

union all
-- What enforces the foreign keys: these triggers can be switched off.
select
    'foreign key trigger',
    concat_ws(' ', tgrelid::regclass, conname, tgtype),
    tgenabled::text
from pg_trigger
join relations on relations.oid = tgrelid
join pg_constraint on pg_constraint.oid = tgconstraint
where tgisinternal

union all
select 'rule', ev_class::regclass || '.' || rulename, pg_get_ruledef(pg_rewrite.oid)
from pg_rewrite
join relations on relations.oid = ev_class
where rulename <> '_RETURN'

union all
select 'statistics', stxnamespace::regnamespace || '.' || stxname, pg_get_statisticsobjdef(pg_statistic_ext.oid)
from pg_statistic_ext
join schemas on schemas.oid = stxnamespace

union all
select 'function', pg_proc.oid::regprocedure::text, pg_get_functiondef(pg_proc.oid)
from pg_proc
join schemas on schemas.oid = pronamespace
where prokind in ('f', 'p')

union all
select
    'right',
    concat_ws(' ', acl.what, acl.grantee, acl.privilege_type),
    acl.is_grantable::text
from (
    select 'schema ' || nspname as what, nspowner as owner, given.*
    from pg_namespace, aclexplode(coalesce(nspacl, acldefault('n', nspowner))) as given
    where pg_namespace.oid in (select oid from schemas)
    union all
    select 'table ' || relations.oid::regclass, relowner, given.*
    from relations, aclexplode(coalesce(relacl, acldefault('r', relowner))) as given
    where relkind in ('r', 'p', 'v', 'm')
    union all
    select 'function ' || pg_proc.oid::regprocedure, proowner, given.*
    from pg_proc, aclexplode(coalesce(proacl, acldefault('f', proowner))) as given
    where pronamespace in (select oid from schemas)
) as granted
cross join lateral (
    select
        granted.what,
        case when granted.grantee = 0 then 'everybody' else granted.grantee::regrole::text end as grantee,
        granted.privilege_type,
        granted.is_grantable
) as acl
where granted.grantee <> granted.owner

union all
select 'applied file', file, sha256
from platform.applied_ddl
"""
