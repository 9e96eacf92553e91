"""Dagster's own storage: runs, events and schedules in PostgreSQL, files under the data folder.

``dagster.yaml`` names three classes of this module. They take no configuration: locations follow from
:mod:`ecommerce_platform.settings`, so no password appears in a file, an argument list or a serialized instance.

Dagster's stock PostgreSQL storage opens a new connection for every statement and commits each event on its own.
A run over a range of daily partitions writes two events per asset and day, so that overhead dominates. Here,
connections are pooled, and events are written in batches (:mod:`.event_log`).
"""

from __future__ import annotations

import os
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
from dagster._core.storage.base_storage import DagsterStorage
from dagster._core.storage.compute_log_manager import CapturedLogContext
from dagster._core.storage.local_compute_log_manager import LocalComputeLogManager
from dagster._core.storage.root import LocalArtifactStorage
from dagster_postgres import DagsterPostgresStorage, PostgresRunStorage, PostgresScheduleStorage
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from sqlalchemy import URL

from ecommerce_platform.instance.compute_logs import StoredComputeLogs
from ecommerce_platform.instance.event_log import EventLog
from ecommerce_platform.instance.outage import survives_an_outage
from ecommerce_platform.instance.pooled import Pooled, StorageUnavailableError, current_settings
from ecommerce_platform.postgres.embedded import EmbeddedPostgres
from ecommerce_platform.postgres.server_user import EmbeddedPostgresError
from ecommerce_platform.settings import Settings
from ecommerce_platform.storage import ObjectPath

if TYPE_CHECKING:
    from dagster._serdes import ConfigurableClassData

EMBEDDED_DATABASE = "ecommerce_dagster"
EVENT_BATCH_SIZE = 1000
"""Events per batch, unless ``DAGSTER_EVENT_BATCH_SIZE`` is set."""

PATIENCE = 5.0
"""Seconds to wait for a server that is starting or failing over before giving up."""


def storage_url(settings: Settings) -> str:
    """The SQLAlchemy URL of Dagster's database, which exists and accepts connections when this returns.

    With ``ECOMMERCE_DATABASE_URL``, it is ``<name>_dagster`` on the same server. Otherwise it is
    ``ecommerce_dagster`` on the embedded server, which is started if it is not running.

    Raises:
        StorageUnavailableError: the server does not answer, or the user may not create the database.
    """
    if settings.database_url:
        conninfo = settings.database_url
        name = f"{conninfo_to_dict(conninfo)['dbname']}_dagster"
    else:
        server = EmbeddedPostgres(settings.data / "postgres")
        try:
            server.start()
        except EmbeddedPostgresError as error:
            raise StorageUnavailableError(str(error)) from error
        conninfo = server.url()
        name = EMBEDDED_DATABASE
    ensure_database(conninfo, name)
    return sqlalchemy_url(conninfo, name)


def sqlalchemy_url(conninfo: str, database: str) -> str:
    """Convert a libpq URI or connection string to a SQLAlchemy URL of another database on the same server.

    The driver is psycopg2: dagster-postgres fails with psycopg 3, which SQLAlchemy 2.1 uses by default.
    """
    parts: dict[str, Any] = {
        "connect_timeout": "10",
        "application_name": "dagster",
        **conninfo_to_dict(conninfo),
    }
    parts.pop("dbname", None)
    # A run commits about four hundred events one by one. They share the tables' write-ahead log, so a server crash can
    # lose the latest events, but never the rows that they report; those days are loaded again.
    parts["options"] = f"{parts.get('options') or ''} -c synchronous_commit=off".strip()
    url = URL.create(
        "postgresql+psycopg2",
        username=parts.pop("user", None),
        password=parts.pop("password", None),
        database=database,
        # Host and port go in the query, which passes libpq's forms (sockets, several hosts, IPv6) unchanged.
        query={key: str(value) for key, value in parts.items() if value not in (None, "")},
    )
    return url.render_as_string(hide_password=False)


def ensure_database(conninfo: str, name: str, patience: float = PATIENCE) -> None:
    """Create the database ``name`` on the server of ``conninfo`` unless it exists; safe to run concurrently.

    Args:
        conninfo: libpq URI of any database on that server; if that one refuses connections, others are tried.
        name: the database to create.
        patience: seconds to keep trying to connect.

    Raises:
        StorageUnavailableError: the server does not answer, or the user may not create the database.
    """
    with _maintenance_connection(conninfo, name, patience) as connection:
        if connection.execute("select from pg_database where datname = %s", [name]).rowcount:
            return
        try:
            connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
        except (psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
            pass  # another process was faster
        except psycopg.errors.InsufficientPrivilege:
            raise StorageUnavailableError(
                f"Dagster needs the database {name!r}, but user {connection.info.user!r} may not create it: "
                f"create it with that owner, or grant CREATEDB."
            ) from None


def _maintenance_connection(conninfo: str, name: str, patience: float) -> psycopg.Connection:
    deadline = time.monotonic() + patience
    while True:
        fault = None
        for database in (conninfo_to_dict(conninfo).get("dbname"), "postgres", name):
            try:
                return psycopg.connect(make_conninfo(conninfo, dbname=database, connect_timeout=10), autocommit=True)
            except psycopg.OperationalError as error:
                fault = fault or str(error).strip().splitlines()[0]
        if time.monotonic() > deadline:
            raise StorageUnavailableError(
                f"Dagster's database {name!r} cannot be reached: {fault}. "
                "Start the server, or correct ECOMMERCE_DATABASE_URL."
            )
        time.sleep(0.2)


@survives_an_outage
class _Runs(Pooled, PostgresRunStorage):
    def has_execution_plan_snapshot(self, execution_plan_snapshot_id: str) -> bool:
        """Whether a plan is stored; unlike the base, without reading and decoding it."""
        return self._has_snapshot_id(execution_plan_snapshot_id)


@survives_an_outage
class _Schedules(Pooled, PostgresScheduleStorage):
    pass


class _FromSettings:
    """Mixed into what dagster.yaml names: everything follows from our settings, so nothing is configured there."""

    @classmethod
    def config_type(cls) -> Mapping[str, Any]:
        """Nothing to configure."""
        return {}


class PooledPostgresStorage(_FromSettings, DagsterPostgresStorage):
    """``storage: custom:`` in dagster.yaml. Pools connections, batches events, and finds its database itself.

    Args:
        postgres_url: a SQLAlchemy URL with the psycopg2 driver.
        should_autocreate_tables: whether to create Dagster's tables in an empty database.
        inst_data: what Dagster needs to build the same storage in another process.
    """

    def __init__(
        self,
        postgres_url: str,
        should_autocreate_tables: bool = True,
        inst_data: ConfigurableClassData | None = None,
    ):
        # Do not call the base's __init__: it would build and connect the three stock stores.
        DagsterStorage.__init__(self)
        self.postgres_url = postgres_url
        self.should_autocreate_tables = should_autocreate_tables
        self._inst_data = inst_data
        self._run_storage = _Runs(postgres_url, should_autocreate_tables)
        self._event_log_storage = EventLog(postgres_url, should_autocreate_tables)
        self._schedule_storage = _Schedules(postgres_url, should_autocreate_tables)
        for store in (self._run_storage, self._event_log_storage, self._schedule_storage):
            store.optimize_for_webserver(statement_timeout=0, pool_recycle=3600, max_overflow=20)

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> PooledPostgresStorage:
        """Called by Dagster in every process that has an instance, so each of them batches its events."""
        # Dagster has no other way to set this, and reads it for each event.
        os.environ.setdefault("DAGSTER_EVENT_BATCH_SIZE", str(EVENT_BATCH_SIZE))
        return cls(storage_url(current_settings()), inst_data=inst_data)


class DataFolderArtifacts(_FromSettings, LocalArtifactStorage):
    """``local_artifact_storage:`` in dagster.yaml: stores Dagster's files in the data folder."""

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> DataFolderArtifacts:
        """Called by Dagster in every process that has an instance."""
        return cls(str(_dagster_folder()), inst_data=inst_data)


class DataFolderComputeLogs(_FromSettings, LocalComputeLogManager):
    """``compute_logs:`` in dagster.yaml: stores the output of steps in the data folder or in ECOMMERCE_STORAGE_URL."""

    is_captured = True
    """Whether helper processes capture the output. In a terminal, it is visible anyway, and Ctrl-C would reach them."""

    @contextmanager
    def capture_logs(self, log_key: Sequence[str]) -> Generator[CapturedLogContext]:
        """Same as the base, if capturing is on."""
        if self.is_captured:
            with super().capture_logs(log_key) as captured:
                yield captured
        else:
            yield CapturedLogContext(log_key)

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> Any:
        """Called by Dagster in every process that has an instance."""
        folder = current_settings().compute_logs
        if isinstance(folder, ObjectPath):
            return StoredComputeLogs(folder, cls(str(_dagster_folder() / "storage"), inst_data=inst_data))
        folder.mkdir(parents=True, exist_ok=True)
        return cls(str(folder), inst_data=inst_data)


def _dagster_folder() -> Path:
    folder = current_settings().dagster_home
    folder.mkdir(parents=True, exist_ok=True)
    return folder
