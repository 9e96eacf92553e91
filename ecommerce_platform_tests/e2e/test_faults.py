"""A sequence of failures on one platform that ``up`` serves.

The tests of this module are consecutive steps of one story. Dagster polls its runs and its queue more often than by
default; nothing else is changed.
"""

from __future__ import annotations

import datetime as dt
import os
import signal
from collections.abc import Generator, Iterator
from contextlib import contextmanager

import psutil
import psycopg
import pytest

from ecommerce_platform_tests.e2e.served import QUEUE_EACH_SECOND, Served, still_running, wait_for, yesterday

GATE = 4711
HOLD = f"""
create schema fault;
grant usage on schema fault to public;
create function fault.hold() returns trigger language plpgsql as
$$ begin perform pg_advisory_lock_shared({GATE}); perform pg_advisory_unlock_shared({GATE}); return new; end $$;
"""
LOADED = 2
DAYS = [(yesterday() - dt.timedelta(days=back)).isoformat() for back in range(3, -1, -1)]


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Two loaded days, two missing days, and a daemon that comes back."""
    served = Served(tmp_path_factory.mktemp("faults") / "platform", {"FIRST_DAY": DAYS[0]})
    served.set_in_instance_file(
        {
            **QUEUE_EACH_SECOND,
            "poll_interval_seconds: 30": "poll_interval_seconds: 2",
            "free_slots_after_run_end_seconds: 30": "free_slots_after_run_end_seconds: 2",
        }
    )
    try:
        served.leave_a_daemon_that_died(dt.datetime.now(dt.UTC) - dt.timedelta(days=2, hours=1))
        assert served.command("db", "start").returncode == 0
        for database in ("ecommerce", "ecommerce_dagster"):
            with psycopg.connect(served.server.url(database)) as connection:
                connection.execute(HOLD)
        yield served
    finally:
        served.close()


@contextmanager
def held(served: Served, database: str, table: str, when: str) -> Generator[psycopg.Connection]:
    """Block writers of matching rows to the table until the context exits."""
    with psycopg.connect(served.server.url(database), autocommit=True) as connection:
        connection.execute(
            f"create trigger hold before insert or update on {table} for each row when ({when})"
            " execute function fault.hold()"
        )
        connection.execute(f"select pg_advisory_lock({GATE})")
        yield connection
        connection.execute(f"select pg_advisory_unlock({GATE})")
        connection.execute(f"drop trigger hold on {table}")


def waiting(connection: psycopg.Connection) -> int:
    """Return the number of sessions that wait at the gate."""
    row = connection.execute("select count(*) from pg_locks where locktype = 'advisory' and not granted").fetchone()
    return row[0] if row else 0


def somebody_waits(connection: psycopg.Connection) -> bool:
    return waiting(connection) > 0


def statuses(served: Served) -> dict[str, list[str]]:
    """Return the final statuses of each day's runs, oldest first."""
    by_day: dict[str, list[str]] = {}
    for run in reversed(served.runs()):
        by_day.setdefault(run["tags"].get("dagster/partition", ""), []).append(run["status"])
    return by_day


def run_worker(served: Served) -> psutil.Process:
    """Return the process that executes the run, a child of the code server."""
    workers = served.process_with("dagster", "api grpc").children()
    return wait_for(
        "a run worker", lambda: [worker for worker in workers if "spawn_main" in " ".join(worker.cmdline())]
    )[0]


def facts(served: Served, day: str) -> int:
    return served.rows(f"select count(*) from warehouse.fact_sales where partition_date = '{day}'")[0][0]


def test_a_daemon_killed_in_the_middle_of_a_tick_is_started_again(platform: Served) -> None:
    """The daemon has requested the first of two days when it dies. `up` keeps running and starts a new daemon.

    The first run is held in the queue: a run that was being launched when the daemon died waits for run monitoring.
    """
    first, last = DAYS[LOADED], DAYS[-1]
    moments = f"new.partition = '{last}' or (new.partition = '{first}' and new.status = 'STARTING')"
    with held(platform, "ecommerce_dagster", "public.runs", moments) as connection:
        platform.up("--days", str(LOADED))
        wait_for("the second run of the tick, and the launch of the first", lambda: waiting(connection) == 2, 60)
        killed = platform.process_with("dagster._daemon", "run")
        killed.kill()
        wait_for("another daemon", lambda: platform.pids_with("dagster._daemon", "run") - {killed.pid}, 30)
        assert "The daemon exited (SIGKILL). Restarting it in 1 s." in platform.log.read_text()
        # Stop before any run is launched: the next test sets its own hold.
        assert platform.signal_the_parent_alone(signal.SIGTERM) == (0, [])


def test_the_tick_is_finished_without_asking_twice_and_a_killed_worker_is_replaced(platform: Served) -> None:
    first = DAYS[LOADED]
    with held(platform, "ecommerce", "warehouse.fact_sales", f"new.partition_date = '{first}'") as connection:
        platform.up("--days", str(LOADED))
        wait_for("the run of the first day at its sales", lambda: somebody_waits(connection), 60)
        run_worker(platform).kill()
        wait_for("the end of the dead worker's statement", lambda: not somebody_waits(connection), 5)
        assert facts(platform, first) == 0
    wait_for(
        "the first day after a second try",
        lambda: statuses(platform).get(first, [])[-2:] == ["FAILURE", "SUCCESS"],
        90,
    )
    asked = [run for run in platform.runs() if run["tags"].get("dagster/partition") == first]
    assert len([run for run in asked if "dagster/parent_run_id" not in run["tags"]]) == 1
    assert facts(platform, first) > 0


def test_a_database_server_killed_under_a_run_is_started_again_and_the_day_is_loaded(platform: Served) -> None:
    last = DAYS[-1]
    assert len(statuses(platform).get(last, [])) <= 1
    wait_for("the last day", lambda: statuses(platform).get(last) == ["SUCCESS"], 90)
    platform.execute(f"delete from warehouse.fact_sales where partition_date = '{last}'")
    platform.execute(
        "create trigger hold before insert on warehouse.fact_sales for each row execute function fault.hold()"
    )
    with psycopg.connect(platform.server.url("ecommerce"), autocommit=True) as connection:
        connection.execute(f"select pg_advisory_lock({GATE})")
        run_id = platform.launch(["warehouse.fact_sales"], {"dagster/partition": last})
        wait_for("the run at its sales", lambda: somebody_waits(connection), 60)
        postmaster = int((platform.server.cluster / "postmaster.pid").read_text().split()[0])
        os.kill(abs(postmaster), signal.SIGKILL)

    def answers() -> bool:
        # The dead server's processes may still exist, and the new server rejects connections until it has recovered.
        try:
            platform.execute("select 1")
        except psycopg.OperationalError:
            return False
        return True

    wait_for("another server", answers, 60)
    platform.execute("drop trigger hold on warehouse.fact_sales")
    assert platform.process is not None
    assert platform.process.poll() is None

    # The run's own retries may or may not outlast the recovery; if it fails, re-execute it as a user would.
    if platform.wait_for_run(run_id, 90) == "FAILURE":
        assert platform.wait_for_run(platform.reexecute(run_id, "FROM_ASSET_FAILURE"), 60) == "SUCCESS"
    assert facts(platform, last) > 0
    assert platform.failed_checks() == []


def test_ctrl_c_ends_up_and_everything_below_it(platform: Served) -> None:
    """A terminal sends the signal to the whole process group. PostgreSQL keeps running, as `up` reports."""
    assert platform.process is not None
    everything = platform.processes()
    assert len(everything) >= 5
    os.killpg(platform.process.pid, signal.SIGINT)
    assert platform.process.wait(30) == 0
    assert still_running(everything) == []
    assert platform.server.is_running()
