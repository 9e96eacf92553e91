"""One served platform for all tests of user actions in the UI."""

from __future__ import annotations

import datetime as dt
import signal
from collections.abc import Iterator

import pytest

from ecommerce_platform_tests.e2e.served import QUEUE_EACH_SECOND, Served, yesterday

LOADED = 3
MISSED = 3


@pytest.fixture(scope="session")
def days() -> list[str]:
    """The days of the platform, oldest first: some loaded days, then three missing ones."""
    last = yesterday()
    return [(last - dt.timedelta(days=back)).isoformat() for back in range(LOADED + MISSED - 1, -1, -1)]


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory, days: list[str]) -> Iterator[Served]:
    """A platform whose daemon has just come back after three days, and whose last day has a fault.

    The last day's sales cannot be stored: the insert fails as it would on a full disk. ``test_operations`` fixes it.
    """
    served = Served(tmp_path_factory.mktemp("served") / "platform", {"FIRST_DAY": days[0]})
    served.set_in_instance_file(QUEUE_EACH_SECOND)
    try:
        served.leave_a_daemon_that_died(dt.datetime.now(dt.UTC) - dt.timedelta(days=MISSED, hours=1))
        started = served.command("db", "start")
        assert started.returncode == 0, started.stderr
        served.execute(
            f"""
            create function warehouse.refuse() returns trigger language plpgsql as
            $$ begin raise 'No space left on device' using errcode = 'disk_full'; end $$;
            create trigger refuse before insert on warehouse.fact_sales for each row
            when (new.partition_date = '{days[-1]}') execute function warehouse.refuse();
            """
        )
        served.up("--days", str(LOADED))
        yield served
        # The final check: a service manager's signal must stop everything that `up` has started.
        assert served.signal_the_parent_alone(signal.SIGTERM) == (0, [])
    finally:
        served.close()
