"""Dagster's event log in PostgreSQL, written in batches.

A run over a range of days has a planned and a materialization event per daily asset and day, and there the stock store
spends most of its time: it serializes each event on its own, although those of one asset differ in little more than
their partition, and commits each three times.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby, islice
from typing import TYPE_CHECKING, Any

from dagster import DagsterEventType
from dagster._core.events import ASSET_CHECK_EVENTS, ASSET_EVENTS, AssetMaterializationPlannedData
from dagster._core.storage.event_log.schema import AssetEventTagsTable, SqlEventLogStorageTable
from dagster._serdes import pack_value, serialize_value
from dagster_postgres import PostgresEventLogStorage
from sqlalchemy.exc import InternalError

from ecommerce_platform.instance.outage import survives_an_outage
from ecommerce_platform.instance.pooled import Pooled

if TYPE_CHECKING:
    from dagster._core.events.log import EventLogEntry
    from sqlalchemy import Connection

IN_FAILED_TRANSACTION = "25P02"

AT_ONCE = 1_000
"""Events per statement."""

Event = tuple["EventLogEntry", str]
"""An event, and the same serialized."""


@survives_an_outage
class EventLog(Pooled, PostgresEventLogStorage):  # ty: ignore[incompatible-method-override]
    """The stock store's rows, by fewer statements."""

    _seen: frozenset[str] = frozenset()
    """Known tables and columns of asset_keys. Dagster looks them up for every event; none is ever dropped."""

    @property
    def supports_partition_subset_in_asset_materialization_planned_events(self) -> bool:
        """Whether one planned event may stand for many partitions; :meth:`store_event_batch` stores one for each."""
        return True

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

    def store_event(self, event: EventLogEntry) -> None:
        """Store one event: the base's rows, without the NOTIFY that nothing listens to any more."""
        self.store_event_batch([event])

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Store some events of one run, in one statement per table and thousand events."""
        given = [event for event in events if event.dagster_event_type != DagsterEventType.ASSET_FAILED_TO_MATERIALIZE]
        rest = _by_partition(given)
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
        for event, key in stored:
            if event.dagster_event_type in ASSET_CHECK_EVENTS:
                self.store_asset_check_event(event, key)

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


def _by_partition(events: Iterable[EventLogEntry]) -> Iterator[EventLogEntry]:
    """The events, with a planned materialization of many partitions as one event for each, as the UI reads them."""
    for event in events:
        if event.dagster_event_type != DagsterEventType.ASSET_MATERIALIZATION_PLANNED:
            yield event
            continue
        given = event.get_dagster_event()
        planned = given.asset_materialization_planned_data
        if planned.partitions_subset is None:
            yield event
            continue
        for partition in planned.partitions_subset.get_partition_keys():
            of_one = AssetMaterializationPlannedData(planned.asset_key, partition)
            yield event._replace(dagster_event=given._replace(event_specific_data=of_one))


def _serialized(events: Iterable[EventLogEntry]) -> Iterator[Event]:
    """Each event with its serialized form, made once for events that differ in time, partition and metadata only."""
    for shell, alike in groupby(events, _shell):
        packed: Any = None
        for event in alike:
            if shell is None or packed is None:
                text = serialize_value(event)
                packed = json.loads(text) if shell is not None else None
            else:
                _adapt(packed, event)
                text = json.dumps(packed)
            yield event, text


def _shell(event: EventLogEntry) -> EventLogEntry | None:
    """What many events of one asset share; None for an event of another type."""
    given = event.dagster_event
    if given is None:
        return None
    data: Any = given.event_specific_data
    if given.event_type == DagsterEventType.ASSET_MATERIALIZATION:
        data = data._replace(materialization=data.materialization._replace(partition=None, metadata={}))
    elif given.event_type == DagsterEventType.ASSET_MATERIALIZATION_PLANNED:
        data = data._replace(partition=None)
    else:
        return None
    return event._replace(timestamp=0.0, dagster_event=given._replace(event_specific_data=data))


def _adapt(packed: Any, event: EventLogEntry) -> None:
    """Put an event's time, partition and metadata into the serialized form of another with the same shell."""
    packed["timestamp"] = event.timestamp
    data: Any = event.get_dagster_event().event_specific_data
    into = packed["dagster_event"]["event_specific_data"]
    if event.dagster_event_type == DagsterEventType.ASSET_MATERIALIZATION:
        into, data = into["materialization"], data.materialization
        into["metadata_entries"] = [_entry(label, value) for label, value in data.metadata.items()]
    into["partition"] = data.partition


def _entry(label: str, value: Any) -> Mapping[str, object]:
    return {"__class__": "EventMetadataEntry", "description": None, "entry_data": pack_value(value), "label": label}
