"""Databases on the Citus cluster that ECOMMERCE_TEST_CITUS_URL names, each on all of its nodes.

The URL is a superuser's, of a database of the coordinator that has the extension and knows the workers; see
docs/scale.md. Nothing in that database is changed.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg.conninfo import make_conninfo

from ecommerce_platform.postgres.citus import spread
from ecommerce_platform.postgres.ddl import apply_ddl

URL = os.environ.get("ECOMMERCE_TEST_CITUS_URL")


@contextmanager
def empty_database() -> Iterator[str]:
    """A database with the extension and the nodes, and without tables; dropped afterwards."""
    assert URL is not None
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(URL) as connection:
        nodes = connection.execute(
            "select nodename, nodeport, groupid from pg_dist_node where noderole = 'primary' order by groupid"
        ).fetchall()
    addresses = [make_conninfo(URL, host=host, port=port, dbname="postgres") for host, port, _ in nodes]
    quiet = "-c client_min_messages=error"
    for address in addresses:
        with psycopg.connect(address, autocommit=True, options=quiet) as connection:
            connection.execute(f"create database {name}")
        with psycopg.connect(make_conninfo(address, dbname=name), autocommit=True, options=quiet) as connection:
            connection.execute("create extension citus")
    url = make_conninfo(URL, dbname=name)
    with psycopg.connect(url, autocommit=True, options=quiet) as connection:
        for host, port, group in nodes:
            if group == 0:
                connection.execute("select citus_set_coordinator_host(%s, %s)", (host, port))
            else:
                connection.execute("select citus_add_node(%s, %s)", (host, port))
    try:
        yield url
    finally:
        for address in addresses:
            with psycopg.connect(address, autocommit=True, options=quiet) as connection:
                connection.execute(f"drop database {name} with (force)")


@contextmanager
def fresh_database(shards: int | None = None) -> Iterator[str]:
    """A database with all tables, spread over the nodes, and without rows; dropped afterwards."""
    with empty_database() as url:
        apply_ddl(url)
        spread(url, shards)
        yield url
