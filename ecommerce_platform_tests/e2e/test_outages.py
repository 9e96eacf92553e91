"""A run survives the death of its database server: the server is restarted and the run completes correctly."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from dagster import DagsterEventType, DagsterInstance
from sqlalchemy.exc import OperationalError

from ecommerce_platform.automation.daily import what_is_loaded_now
from ecommerce_platform.automation.runner import run_days
from ecommerce_platform.definitions import defs
from ecommerce_platform.instance.outage import WAITS, survives_an_outage
from ecommerce_platform.postgres.ddl import apply_ddl
from ecommerce_platform.resources.database import database_url, embedded_server
from ecommerce_platform.settings import PROJECT_DIR, load_settings
from ecommerce_platform_tests.harness import day


@pytest.fixture
def instance(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DagsterInstance]:
    for name, value in {"ORDERS_PER_DAY": "30", "CUSTOMERS": "100", "PRODUCTS": "40"}.items():
        monkeypatch.setenv(f"ECOMMERCE_{name}", value)
    load_settings.cache_clear()
    apply_ddl(database_url(load_settings()))
    with DagsterInstance.from_config(str(PROJECT_DIR)) as instance:
        yield instance
    embedded_server(load_settings()).stop("immediate")


def kill_the_server_when(url: str, table: str) -> None:
    """Wait until a table contains rows, then kill the postmaster with SIGKILL."""
    with psycopg.connect(url, autocommit=True) as connection:
        deadline = time.monotonic() + 60
        while not connection.execute(f"select exists (select from {table})").fetchone()[0]:  # type: ignore[index,arg-type]
            assert time.monotonic() < deadline
            time.sleep(0.002)
    postmaster = embedded_server(load_settings()).cluster / "postmaster.pid"
    os.kill(int(postmaster.read_text().split()[0]), signal.SIGKILL)


def test_a_server_killed_twice_under_a_run_is_started_again_and_the_run_succeeds(instance: DagsterInstance) -> None:
    """The step requested a retry, but Dagster could not record it: its storage is on the same server."""
    url = database_url(load_settings())

    def totals() -> tuple:
        with psycopg.connect(url) as connection:
            return (
                connection.execute(
                    "select (select sum(line_total) from production.transaction_items),"
                    " (select sum(revenue) from warehouse.fact_sales),"
                    " (select sum(revenue) from warehouse.agg_daily_sales),"
                    " (select count(distinct partition_date) from warehouse.fact_sales)"
                ).fetchone()
                or ()
            )

    def kill() -> None:
        for table in ("staging.products", "warehouse.fact_sales"):
            kill_the_server_when(database_url(load_settings()), table)

    killer = threading.Thread(target=kill)
    killer.start()
    outcome = run_days(defs, instance, day(1), day(2))
    killer.join()
    assert outcome.failures == []
    assert outcome.success
    before = totals()
    lines, facts, days, loaded = before
    assert lines == facts == days
    assert loaded == 2
    # Dagster's storage commits asynchronously, so its latest events may be lost with the server. The rows, which decide
    # what is loaded, must not be.
    assert what_is_loaded_now().missing(day(1), day(2)) == []
    events = [entry.dagster_event_type for entry in instance.all_logs(outcome.run_id)]
    assert events.count(DagsterEventType.RUN_SUCCESS) == 1
    assert totals() == before


class Store:
    """A store that fails several times before it responds."""

    def __init__(self, failures: int, invalidated: bool):
        self.failures, self.invalidated, self.calls = failures, invalidated, 0

    def _answer(self) -> str:
        self.calls += 1
        if self.calls <= self.failures:
            raise OperationalError("select", {}, Exception("cut"), connection_invalidated=self.invalidated)
        return "answer"

    def get_runs(self) -> str:
        return self._answer()

    def add_run(self) -> str:
        return self._answer()


survives_an_outage(Store)


@pytest.mark.parametrize(
    ("failures", "invalidated", "calls"), [(1, True, 2), (2, True, 3), (9, True, 3), (1, False, 1)]
)
def test_only_an_operation_whose_connection_broke_is_repeated(
    failures: int, invalidated: bool, calls: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ecommerce_platform.instance.outage.time.sleep", lambda _: None)
    store = Store(failures, invalidated)
    if failures < calls:
        assert store.get_runs() == "answer"
    else:
        with pytest.raises(OperationalError):
            store.get_runs()
    assert store.calls == calls
    assert len(WAITS) + 1 == 3


def test_what_must_not_happen_twice_is_not_repeated() -> None:
    store = Store(1, True)
    with pytest.raises(OperationalError):
        store.add_run()
    assert store.calls == 1
