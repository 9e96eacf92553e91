"""The executor runs two steps at a time, and stops both when the run is interrupted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Mapping, Sequence

import dagster as dg
import psycopg
import pytest

from ecommerce_platform.instance.side_by_side import AT_ONCE, execute_job, side_by_side_executor

pytestmark = pytest.mark.integration

PATIENCE = 60


def run(
    *assets: dg.AssetsDefinition,
    checks: Sequence[dg.AssetChecksDefinition] = (),
    resources: Mapping[str, object] | None = None,
) -> dg.ExecuteInProcessResult:
    definitions = dg.Definitions(
        assets=assets,
        asset_checks=checks,
        resources=resources,
        jobs=[dg.define_asset_job("all")],
        executor=side_by_side_executor,
    )
    with dg.DagsterInstance.ephemeral() as instance:
        return execute_job(
            definitions.resolve_job_def("all"),
            instance,
            run_id=str(uuid.uuid4()),
            run_config={},
            tags={},
            assets=None,
        )


def outcomes(result: dg.ExecuteInProcessResult) -> dict[str, str]:
    ends = {"STEP_SUCCESS", "STEP_FAILURE", "STEP_SKIPPED", "STEP_UP_FOR_RETRY"}
    return {event.step_key: event.event_type_value for event in result.all_events if event.event_type_value in ends}


def test_independent_steps_run_side_by_side_and_no_more_than_two() -> None:
    both, at_work, most = threading.Barrier(2), [], []

    def meets_another(name: str) -> dg.AssetsDefinition:
        @dg.asset(name=name)
        def build() -> None:
            at_work.append(name)
            most.append(len(at_work))
            both.wait(PATIENCE)
            at_work.remove(name)

        return build

    result = run(*map(meets_another, ["a", "b", "c", "d"]))
    assert set(outcomes(result).values()) == {"STEP_SUCCESS"}
    assert max(most) == AT_ONCE


def test_a_step_waits_for_what_it_reads() -> None:
    order = []

    @dg.asset
    def first() -> None:
        time.sleep(0.2)
        order.append("first")

    @dg.asset(deps=[first])
    def second() -> None:
        order.append("second")

    assert run(second, first).success
    assert order == ["first", "second"]


def test_a_failed_step_stops_what_reads_it_and_nothing_else() -> None:
    @dg.asset
    def bad() -> None:
        raise ValueError("no good")

    @dg.asset
    def good() -> None: ...

    @dg.asset(deps=[bad])
    def reads_bad() -> None: ...

    @dg.asset(deps=[good])
    def reads_good() -> None: ...

    result = run(bad, good, reads_bad, reads_good)
    assert not result.success
    assert outcomes(result) == {"bad": "STEP_FAILURE", "good": "STEP_SUCCESS", "reads_good": "STEP_SUCCESS"}


def test_a_step_that_asks_for_a_retry_is_tried_again() -> None:
    tries = []

    @dg.asset
    def flaky() -> None:
        tries.append(1)
        if len(tries) == 1:
            raise dg.RetryRequested(max_retries=1, seconds_to_wait=0.1)

    assert run(flaky).success
    assert len(tries) == 2


INTERRUPTED = """
import sys, time
import dagster as dg
from ecommerce_platform.io_managers import PostgresConnection
from ecommerce_platform_tests.integration.test_side_by_side import outcomes, run

@dg.asset
def in_the_server():
    with PostgresConnection(url=sys.argv[1]).connect() as connection:
        connection.execute("select pg_sleep(600)")

@dg.asset
def in_python():
    while True:
        time.sleep(0.01)

print(sorted(outcomes(run(in_the_server, in_python)).items()))
"""

CHECKS_INTERRUPTED = """
import sys
import dagster as dg
from ecommerce_platform.checks.dagster_checks import asset_checks
from ecommerce_platform.checks.outcome import CheckOutcome, TableCheck
from ecommerce_platform.io_managers import PostgresConnection
from ecommerce_platform_tests.integration.test_side_by_side import outcomes, run

def sleeps(connection, window):
    connection.execute("select pg_sleep(600)")

@dg.asset(key=["warehouse", "fact"])
def fact():
    pass

checks = [TableCheck(f"slow_{number}", "warehouse.fact", "Never ends.", sleeps) for number in range(5)]
database = PostgresConnection(url=sys.argv[1])
print(sorted(outcomes(run(fact, checks=asset_checks(checks), resources={"database": database})).items()))
"""


@pytest.mark.parametrize(
    ("program", "statements", "ends"),
    [
        (INTERRUPTED, 1, {"in_python": "STEP_FAILURE", "in_the_server": "STEP_FAILURE"}),
        (CHECKS_INTERRUPTED, 2, {"check__warehouse__fact": "STEP_FAILURE", "warehouse__fact": "STEP_SUCCESS"}),
    ],
    ids=["two steps", "a step of five checks"],
)
def test_an_interrupt_stops_what_runs_in_the_server_and_in_python(
    database_url: str, program: str, statements: int, ends: dict[str, str]
) -> None:
    sleeping = "select count(*) from pg_stat_activity where query = 'select pg_sleep(600)' and state = 'active'"
    child = subprocess.Popen([sys.executable, "-c", program, database_url], stdout=subprocess.PIPE, text=True)
    with psycopg.connect(database_url, autocommit=True) as connection:

        def wait_for(number: int) -> None:
            deadline = time.monotonic() + PATIENCE
            while connection.execute(sleeping).fetchone() != (number,):
                assert time.monotonic() < deadline
                assert child.poll() is None or number == 0
                time.sleep(0.05)

        try:
            wait_for(statements)
            os.kill(child.pid, signal.SIGINT)
            output, _ = child.communicate(timeout=PATIENCE)
            wait_for(0)
        finally:
            child.kill()
    assert output.strip() == str(sorted(ends.items()))
