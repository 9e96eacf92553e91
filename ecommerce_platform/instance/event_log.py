"""Dagster's event log in PostgreSQL, written in batches.

A run over a range of days has a planned and a materialization event per daily asset and day, and there the stock store
spends most of its time: it serializes each event on its own, although those of one asset differ in little more than
their partition, and commits each three times.

A planned event tells something only until its partition is materialized. So a run plans all partitions of an asset in
one event, and only a run that fails writes one for each partition that it has left out, which the UI shows as failed.
"""

from __future__ import annotations

import json
import logging
import os
import re
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import lru_cache
from itertools import groupby, islice
from typing import TYPE_CHECKING, Any

from dagster import AssetKey, DagsterEventType, EventLogRecord
from dagster._core.events import ASSET_CHECK_EVENTS, ASSET_EVENTS, AssetMaterializationPlannedData
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus
from dagster._core.storage.event_log.schema import (
    AssetCheckExecutionsTable,
    AssetEventTagsTable,
    SqlEventLogStorageTable,
)
from dagster._serdes import deserialize_value, pack_value, serialize_value
from dagster_postgres import PostgresEventLogStorage
from sqlalchemy import select
from sqlalchemy.exc import DataError, InternalError

from ecommerce_platform.instance.outage import survives_an_outage
from ecommerce_platform.instance.pooled import Pooled

if TYPE_CHECKING:
    from sqlalchemy import Connection

log = logging.getLogger(__name__)

UNSTORABLE = (DataError, TypeError, ValueError)
"""What an event that cannot be stored raises, unlike a database that cannot be reached."""

IN_FAILED_TRANSACTION = "25P02"

PLANNED = DagsterEventType.ASSET_MATERIALIZATION_PLANNED
NOT_STORED = DagsterEventType.ASSET_FAILED_TO_MATERIALIZE
OF_A_STEP_END = {
    DagsterEventType.STEP_OUTPUT,
    DagsterEventType.HANDLED_OUTPUT,
    DagsterEventType.ASSET_MATERIALIZATION,
    DagsterEventType.ASSET_CHECK_EVALUATION,
    DagsterEventType.STEP_SUCCESS,
}
"""Events that are followed at once by others, up to the start of the next step or the end of the run."""
UNFINISHED = (DagsterEventType.RUN_FAILURE, DagsterEventType.RUN_CANCELED)

AT_ONCE = 1_000
"""Events per statement."""

BLANKS = {name: f"{name} {uuid.uuid4()}" for name in ("timestamp", "partition", "metadata")}
"""What stands in a serialized event for a value that is filled in later; no event contains it."""

Event = tuple[EventLogEntry, str]
"""An event, and the same serialized."""


@survives_an_outage
class EventLog(Pooled, PostgresEventLogStorage):  # ty: ignore[incompatible-method-override]
    """The stock store's rows, by fewer statements."""

    _seen: frozenset[str] = frozenset()
    """Known tables and columns of asset_keys. Dagster looks them up for every event; none is ever dropped."""

    @property
    def supports_partition_subset_in_asset_materialization_planned_events(self) -> bool:
        """Whether one planned event may stand for many partitions."""
        return True

    def __init__(self, *arguments: Any, **named: Any):
        self._forget()
        self._indexed: dict[frozenset[str], set[str]] = {}
        super().__init__(*arguments, **named)

    def _forget(self) -> None:
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._held: list[EventLogEntry] = []
        """Events to be stored with the next."""

    def _forget_after_a_fork(self) -> None:
        """A forked process has inherited what its parent stores."""
        if self._process != os.getpid():
            self._forget()

    def _connect(self) -> AbstractContextManager[Connection]:
        self._forget_after_a_fork()
        if self._held:
            self.store_event_batch([])
        return super()._connect()

    def dispose(self) -> None:
        """Store what is held, and close the connections."""
        if self._held:
            self.store_event_batch([])
        super().dispose()

    def has_table(self, table_name: str) -> bool:
        """Whether Dagster's database has a table; cached once it exists."""
        return self._has(table_name, lambda: super(EventLog, self).has_table(table_name))

    def has_asset_key_col(self, column_name: str) -> bool:
        """Whether asset_keys has a column; cached once it exists."""
        return self._has(f"asset_keys.{column_name}", lambda: super(EventLog, self).has_asset_key_col(column_name))

    def _has_asset_key_col_on_connection(self, conn: Connection, column_name: str) -> bool:
        return self._has(
            f"asset_keys.{column_name}",
            lambda: super(EventLog, self)._has_asset_key_col_on_connection(conn, column_name),
        )

    def _has(self, name: str, ask: Callable[[], bool]) -> bool:
        if name not in self._seen and ask():
            self._seen |= {name}
        return name in self._seen

    def initialize_concurrency_limit_to_default(self, concurrency_key: str) -> bool:
        """Like the base, which fails in its aborted transaction if another process inserts the row first."""
        try:
            return super().initialize_concurrency_limit_to_default(concurrency_key)
        except InternalError as error:
            if getattr(error.orig, "pgcode", None) != IN_FAILED_TRANSACTION:
                raise
            return True

    def get_asset_tags_to_index(self, tag_keys: set[str]) -> set[str]:
        """As the base, which goes through a list for each of a thousand events with the same tags."""
        names = frozenset(tag_keys)
        if names not in self._indexed:
            self._indexed[names] = super().get_asset_tags_to_index(set(names))
        return self._indexed[names]

    def _get_latest_materialization_records(
        self, raw_asset_rows: Iterable[Any]
    ) -> Mapping[AssetKey, EventLogRecord | None]:
        """As the base, which asks the event log even if each asset's row has its latest materialization.

        Every step asks for the records of its inputs. Assets that were wiped or never materialized go through the base.
        """
        found: dict[AssetKey, EventLogRecord | None] = {}
        rest = []
        for row in raw_asset_rows:
            key, record = AssetKey.from_db_string(row["asset_key"]), _record(row["last_materialization"])
            if key is None or record is None or row["asset_details"]:
                rest.append(row)
            else:
                found[key] = record
        return {**found, **(super()._get_latest_materialization_records(rest) if rest else {})}

    def store_event(self, event: EventLogEntry) -> None:
        """Store one event: the base's rows, without the NOTIFY that nothing listens to any more.

        What a step reports at its end is held until the next step begins, the run ends, or this process asks the
        database for something.
        """
        self._forget_after_a_fork()
        if event.dagster_event_type in OF_A_STEP_END and event.get_dagster_event().step_key:
            with self._lock:
                self._held.append(event)
        else:
            self.store_event_batch([event])

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Store some events of one run, in one statement per table and thousand events."""
        self._forget_after_a_fork()
        with self._lock:
            held, self._held = self._held, []
        given = [event for event in events if event.dagster_event_type != NOT_STORED]
        try:
            self._store_some([*held, *given])
        except UNSTORABLE as error:
            if not held:
                raise
            self._store_one_by_one(held, error)
            self._store_some(given)
        except BaseException:
            with self._lock:
                self._held = held + self._held
            raise
        for event in events:
            if event.dagster_event_type in UNFINISHED:
                self._store_some(self._left_out(event.run_id))

    def _store_one_by_one(self, events: Sequence[EventLogEntry], error: Exception) -> None:
        """Store those of some events that can be stored: one that cannot must not keep others, or a read, from it."""
        for event in events:
            try:
                self._store_some([event])
            except UNSTORABLE:
                log.exception("An event of step %r cannot be stored: %s", event.step_key, error)

    def _left_out(self, run_id: str) -> Iterator[EventLogEntry]:
        """The planned event of each partition that a run has planned with others and nobody has materialized since."""
        columns = SqlEventLogStorageTable.c
        of_type = columns.dagster_event_type == PLANNED.value
        with self._connect() as connection:
            planned = connection.execute(
                select(columns.id, columns.asset_key, columns.event).where(
                    columns.run_id == run_id, of_type, columns.partition.is_(None)
                )
            ).all()
            if not planned:
                return
            assets = columns.asset_key.in_([row.asset_key for row in planned])
            told = (columns.run_id == run_id) & of_type
            since = (columns.dagster_event_type == DagsterEventType.ASSET_MATERIALIZATION.value) & (
                columns.id > min(row.id for row in planned)
            )
            done = connection.execute(
                select(columns.asset_key, columns.partition).where(assets, columns.partition.is_not(None), told | since)
            )
            known = {(row.asset_key, row.partition) for row in done}
        for row in planned:
            event = deserialize_value(row.event, EventLogEntry)
            given = event.get_dagster_event()
            plan = given.asset_materialization_planned_data
            for partition in plan.partitions_subset.get_partition_keys() if plan.partitions_subset else ():
                if (row.asset_key, partition) not in known:
                    of_one = AssetMaterializationPlannedData(plan.asset_key, partition)
                    yield event._replace(dagster_event=given._replace(event_specific_data=of_one))

    def _store_some(self, events: Iterable[EventLogEntry]) -> None:
        rest = iter(events)
        while some := list(islice(rest, AT_ONCE)):
            self._store(some)

    def _store(self, events: Sequence[EventLogEntry]) -> None:
        each = list(_serialized(events))
        with self._connect() as connection:
            insert = SqlEventLogStorageTable.insert().returning(
                SqlEventLogStorageTable.c.id, sort_by_parameter_order=True
            )
            rows = [self._row(event, text) for event, text in each]
            ids = [int(row.id) for row in connection.execute(insert, rows)]
        stored = [(event, key) for (event, _), key in zip(each, ids, strict=True)]
        of_assets = [
            (event, key)
            for event, key in stored
            if event.dagster_event_type in ASSET_EVENTS and event.get_dagster_event().asset_key
        ]
        if of_assets:
            self._store_asset_rows(of_assets)
        planned = [
            self._row_of_planned_check(event, text, key)
            for (event, text), key in zip(each, ids, strict=True)
            if _is_one_planned_check(event)
        ]
        if planned:
            with self.index_connection() as connection:
                connection.execute(AssetCheckExecutionsTable.insert(), planned)
        for event, key in stored:
            if event.dagster_event_type in ASSET_CHECK_EVENTS and not _is_one_planned_check(event):
                self.store_asset_check_event(event, key)

    def _row_of_planned_check(self, event: EventLogEntry, text: str, key: int) -> dict[str, Any]:
        """The row of a check that a run is to evaluate, as the base makes it."""
        planned: Any = event.get_dagster_event().event_specific_data
        return {
            "asset_key": planned.asset_key.to_string(),
            "check_name": planned.check_name,
            "partition": None,
            "run_id": event.run_id,
            "execution_status": AssetCheckExecutionRecordStatus.PLANNED.value,
            "evaluation_event": text,
            "evaluation_event_timestamp": self._event_insert_timestamp(event),
            "evaluation_event_storage_id": key,
        }

    def _store_asset_rows(self, stored: Sequence[tuple[EventLogEntry, int]]) -> None:
        with self.index_transaction() as connection:
            tags = [tag for event, key in stored for tag in self._tags(event, key)]
            if tags:
                connection.execute(AssetEventTagsTable.insert(), tags)
            # An asset's row stores only its latest event. The assets are sorted, so that two runs that write the same
            # rows lock them in the same order.
            latest = {str(event.get_dagster_event().asset_key): (event, key) for event, key in stored}
            for _, (event, key) in sorted(latest.items()):
                self._store_asset_event(connection, event, key)

    def _tags(self, event: EventLogEntry, key: int) -> Iterator[Mapping[str, object]]:
        asset = event.get_dagster_event().asset_key
        assert asset is not None
        for name, value in self._tags_for_asset_event(event).items():
            yield {
                "event_id": key,
                "asset_key": asset.to_string(),
                "key": name,
                "value": value,
                "event_timestamp": self._event_insert_timestamp(event),
            }

    def _row(self, event: EventLogEntry, text: str) -> dict[str, Any]:
        """The row of the event log, as the base makes it."""
        given = event.dagster_event
        asset = given.asset_key if given else None
        return {
            "run_id": event.run_id,
            "event": text,
            "dagster_event_type": given.event_type_value if given else None,
            "timestamp": self._event_insert_timestamp(event),
            "step_key": given.step_key if given else event.step_key,
            "asset_key": asset.to_string() if asset else None,
            "partition": (given.partition if given else None) or None,
        }


@lru_cache(maxsize=256)
def _record(text: str | None) -> EventLogRecord | None:
    """An asset's latest materialization as its row has it; None if there is none, or in a former format."""
    record = deserialize_value(text) if text else None
    return record if isinstance(record, EventLogRecord) else None


def _is_one_planned_check(event: EventLogEntry) -> bool:
    """Whether a run is to evaluate a check, of no partitions or of all of the run's together."""
    if event.dagster_event_type != DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED:
        return False
    planned: Any = event.get_dagster_event().event_specific_data
    return planned.partitions_subset is None


def _serialized(events: Iterable[EventLogEntry]) -> Iterator[Event]:
    """Each event with its serialized form, made once for events that differ in time, partition and metadata only."""
    for shell, alike in groupby(events, _shell):
        form: _Form | None = None
        for event in alike:
            if shell is None:
                yield event, serialize_value(event)
                continue
            form = form or _Form(event)
            yield event, form.filled(event)


def _shell(event: EventLogEntry) -> EventLogEntry | None:
    """What many events of one asset share; None for an event of another type."""
    given = event.dagster_event
    if given is None:
        return None
    data: Any = given.event_specific_data
    if given.event_type == DagsterEventType.ASSET_MATERIALIZATION:
        data = data._replace(materialization=data.materialization._replace(partition=None, metadata={}))
    elif given.event_type == PLANNED:
        data = data._replace(partition=None)
    else:
        return None
    return event._replace(timestamp=0.0, dagster_event=given._replace(event_specific_data=data))


class _Form:
    """The serialized form of an event, with blanks for what differs in others with the same shell."""

    def __init__(self, event: EventLogEntry):
        packed = json.loads(serialize_value(event))
        data = packed["dagster_event"]["event_specific_data"]
        if event.dagster_event_type == DagsterEventType.ASSET_MATERIALIZATION:
            data = data["materialization"]
            data["metadata_entries"] = BLANKS["metadata"]
        data["partition"] = BLANKS["partition"]
        packed["timestamp"] = BLANKS["timestamp"]
        self._parts = re.split(f'"({"|".join(BLANKS.values())})"', json.dumps(packed))

    def filled(self, event: EventLogEntry) -> str:
        """The serialized form of another event with the same shell."""
        data: Any = event.get_dagster_event().event_specific_data
        values: dict[str, object] = {BLANKS["timestamp"]: event.timestamp}
        if event.dagster_event_type == DagsterEventType.ASSET_MATERIALIZATION:
            data = data.materialization
            values[BLANKS["metadata"]] = [_entry(label, value) for label, value in data.metadata.items()]
        values[BLANKS["partition"]] = data.partition
        return "".join(json.dumps(values[part]) if part in values else part for part in self._parts)


def _entry(label: str, value: Any) -> Mapping[str, object]:
    return {"__class__": "EventMetadataEntry", "description": None, "entry_data": pack_value(value), "label": label}
