"""Two users, or a user and a timer, start the platform for the first time at the same moment."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ecommerce_platform_tests.e2e.served import Served


def test_two_first_ups_at_once_both_end_well_and_load_once(tmp_path: Path) -> None:
    served = Served(tmp_path / "platform", {})
    try:
        with ThreadPoolExecutor(2) as pool:
            both = list(pool.map(lambda _: served.command("up", "--days", "2", "--no-serve"), range(2)))
        assert [done.returncode for done in both] == [0, 0], [done.stderr for done in both]
        said = " ".join(done.stderr for done in both)
        assert said.count("Loaded in") == 1
        assert served.rows("select count(*) > 0 from warehouse.fact_sales") == [(True,)]
        assert served.failed_checks() == []
    finally:
        served.close()
