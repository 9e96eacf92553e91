"""Failures that Dagster does not report: a code server that hangs, and sensors that no longer tick."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest
from dagster import DagsterInstance
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.remote_origin import (
    ManagedGrpcPythonEnvCodeLocationOrigin,
    RemoteInstigatorOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    SensorInstigatorData,
    TickData,
    TickStatus,
)
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._utils.error import SerializableErrorInfo

from ecommerce_platform.automation.pulse import TICKS_STOP_AFTER, Answer, CodeServerWatch, TickWatch

BEGIN = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)


class Watched:
    """A sensor and the messages about it."""

    def __init__(self, instance: DagsterInstance):
        self.instance = instance
        self.said: list[str] = []
        self.watch = TickWatch(instance, self.said.append, [], "http://ui", BEGIN)
        location = ManagedGrpcPythonEnvCodeLocationOrigin(LoadableTargetOrigin(module_name="x"), "here")
        origin = RemoteInstigatorOrigin(RemoteRepositoryOrigin(location, "all"), "alerts")
        self.state = InstigatorState(
            origin, InstigatorType.SENSOR, InstigatorStatus.DECLARED_IN_CODE, SensorInstigatorData()
        )

    def tick(self, minutes: float, status: TickStatus = TickStatus.SKIPPED) -> None:
        if not self.instance.all_instigator_state():
            self.instance.add_instigator_state(self.state)
        self.instance.create_tick(
            TickData(
                self.state.instigator_origin_id,
                "alerts",
                InstigatorType.SENSOR,
                status,
                (BEGIN + dt.timedelta(minutes=minutes)).timestamp(),
                selector_id=self.state.selector_id,
                error=SerializableErrorInfo("no", [], None) if status == TickStatus.FAILURE else None,
            )
        )

    def look(self, minutes: float) -> list[str]:
        """Return the new messages at a point in time."""
        already = len(self.said)
        self.watch.look(BEGIN + dt.timedelta(minutes=minutes))
        return self.said[already:]


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    with DagsterInstance.local_temp(str(tmp_path)) as instance:
        yield Watched(instance)


def test_nothing_is_said_while_sensors_tick(watched: Watched) -> None:
    for minute in range(0, 30, 2):
        watched.tick(minute)
        assert watched.look(minute + 1) == []


def test_silence_is_reported_once_and_its_end_once(watched: Watched) -> None:
    watched.tick(1)
    after = 1 + TICKS_STOP_AFTER.total_seconds() / 60
    assert watched.look(after) == []
    (told,) = watched.look(after + 1)
    assert told.startswith("Dagster has stopped working. No sensor has ticked since 2026-03-01 12:01 UTC")
    assert watched.look(after + 2) == []
    watched.tick(after + 3)
    assert watched.look(after + 4) == ["Sensors are ticking again."]


def test_a_daemon_that_never_began_is_told_too(watched: Watched) -> None:
    assert watched.look(4) == []
    assert len(watched.look(6)) == 1


def test_ticks_that_fail_do_not_count(watched: Watched) -> None:
    watched.tick(1)
    watched.tick(5.9, TickStatus.FAILURE)
    assert len(watched.look(7)) == 1


def test_sensors_that_somebody_has_stopped_are_not_missed(watched: Watched) -> None:
    watched.instance.add_instigator_state(watched.state.with_status(InstigatorStatus.STOPPED))
    assert watched.look(60) == []


def test_a_code_server_that_stops_to_work_is_named_and_one_that_loads_is_not() -> None:
    answers = iter(
        [
            *[Answer.NOBODY] * 20,
            Answer.WORKS,
            *[Answer.NOBODY] * 2,
            Answer.WORKS,
            *[Answer.NOBODY] * 3,  # it responded before
            *[Answer.BROKEN] * 3,  # the parent process runs, but the process with the code does not
        ]
    )
    watch = CodeServerWatch("The code server", lambda: next(answers))
    assert [watch() for _ in range(26)] == [None] * 26
    assert watch() == "The code server"
    assert [watch(), watch()] == [None, None]
    assert watch() == "The code server"
