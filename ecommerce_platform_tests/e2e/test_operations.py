"""User actions in the UI, sent to the running webserver as the UI does, with the daemon and launcher of ``up``.

The tests of this module are consecutive steps of one story: the platform comes back after three days.
"""

from __future__ import annotations

import csv
import datetime as dt
from collections import Counter

import pytest

from ecommerce_platform.feeds.columns import FEEDS
from ecommerce_platform.tables.lineage import tables_read
from ecommerce_platform_tests import model
from ecommerce_platform_tests.e2e.conftest import LOADED
from ecommerce_platform_tests.e2e.served import Served, wait_for

AFTER_THE_SALES = {"warehouse__fact_sales", "warehouse__agg_daily_sales", "analytics__geography"}
NOT_AFTER_THE_SALES = {"raw__customers", "staging__transactions", "production__transactions", "warehouse__dim_customer"}


def scheduled(served: Served) -> dict[str, dict]:
    """Return the runs that the schedule requested, by day; fails if a day was requested twice."""
    runs = [run for run in served.runs() if run["tags"].get("dagster/schedule_name") == "every_day"]
    by_day = {run["tags"]["dagster/partition"]: run for run in runs}
    assert len(by_day) == len(runs)
    return by_day


def files(served: Served, days: list[str]) -> model.Files:
    """Return the rows of the files on disk, read with the csv module."""
    read: model.Files = {}
    for day in days:
        read[dt.date.fromisoformat(day)] = {}
        for feed in FEEDS:
            with (served.data / "raw" / feed / f"{day}.csv").open(newline="", encoding="utf-8") as file:
                read[dt.date.fromisoformat(day)][feed] = list(csv.DictReader(file))
    return read


@pytest.fixture(scope="module")
def caught_up(served: Served, days: list[str]) -> dict[str, dict]:
    """The schedule's runs after all have finished."""

    def ended() -> dict[str, dict] | None:
        runs = scheduled(served)
        return runs if {run["status"] for run in runs.values()} <= {"SUCCESS", "FAILURE"} and len(runs) == 3 else None

    return wait_for("the end of the schedule's runs", ended, 150, 1)


@pytest.fixture(scope="module", autouse=True)
def backfill(served: Served, days: list[str], caught_up: dict[str, dict]) -> str:
    """A backfill, launched at the start because the daemon polls for backfills only every 30 seconds."""
    return served.backfill(["raw.customers"], days[:LOADED])


def test_after_three_days_without_a_daemon_one_tick_asks_for_the_three_days(
    served: Served, days: list[str], caught_up: dict[str, dict]
) -> None:
    (tick,) = served.ticks()
    assert tick["status"] == "SUCCESS"
    assert [key.split("@")[0] for key in tick["runKeys"]] == days[LOADED:]
    assert set(tick["runIds"]) == {run["runId"] for run in caught_up.values()}
    assert [caught_up[day]["status"] for day in days[LOADED:]] == ["SUCCESS", "SUCCESS", "FAILURE"]


def test_a_day_that_failed_is_not_shown_as_loaded(served: Served, days: list[str], caught_up: dict[str, dict]) -> None:
    assert served.materialized("warehouse.fact_sales") == set(days[:-1])
    assert served.rows(f"select count(*) from warehouse.fact_sales where partition_date = '{days[-1]}'") == [(0,)]
    steps = served.steps(caught_up[days[-1]]["runId"])
    assert steps["warehouse__fact_sales"] == "FAILURE"
    assert steps["warehouse__dim_customer"] == "SUCCESS"
    assert "warehouse__agg_daily_sales" not in {step for step, status in steps.items() if status == "SUCCESS"}


def test_from_asset_failure_runs_the_failed_asset_and_what_follows_and_ends_as_a_clean_run_does(
    served: Served, days: list[str], caught_up: dict[str, dict]
) -> None:
    """The expected values are computed from the CSV files in plain Python, without the platform's SQL."""
    served.execute("drop trigger refuse on warehouse.fact_sales")
    again = served.reexecute(caught_up[days[-1]]["runId"], "FROM_ASSET_FAILURE")
    assert served.wait_for_run(again) == "SUCCESS"
    steps = set(served.steps(again))
    assert steps >= AFTER_THE_SALES
    assert not steps & NOT_AFTER_THE_SALES
    (run,) = [run for run in served.runs() if run["runId"] == again]
    assert run["tags"]["dagster/partition"] == days[-1]
    assert served.materialized("warehouse.fact_sales") == set(days)
    expected = model.expect(files(served, days))
    for table, rows in expected.content.items():
        assert Counter(served.rows(model.SELECTS[table])) == rows, table


def test_one_asset_a_selection_and_a_range_of_partitions_can_be_materialized(
    served: Served, days: list[str], backfill: str
) -> None:
    one = served.launch(["warehouse.agg_daily_sales"], {"dagster/partition": days[0]})
    some = served.launch(
        ["warehouse.dim_product", "warehouse.agg_product_performance"],
        {"dagster/asset_partition_range_start": days[0], "dagster/asset_partition_range_end": days[1]},
    )
    assert served.wait_for_run(one) == "SUCCESS"
    assert set(served.steps(one)) == {"warehouse__agg_daily_sales", "check__warehouse__agg_daily_sales"}
    assert served.wait_for_run(some) == "SUCCESS"
    assert {step for step in served.steps(some) if not step.startswith("check")} == {
        "warehouse__dim_product",
        "warehouse__agg_product_performance",
    }

    def run_of_the_backfill() -> list[dict]:
        return [run for run in served.runs() if run["tags"].get("dagster/backfill") == backfill]

    (ranged,) = wait_for("the backfill's run", run_of_the_backfill, 60)
    assert served.wait_for_run(ranged["runId"]) == "SUCCESS"
    assert ranged["tags"]["dagster/asset_partition_range_start"] == days[0]
    assert ranged["tags"]["dagster/asset_partition_range_end"] == days[LOADED - 1]


def test_lineage_in_the_ui_is_what_the_sql_reads(served: Served) -> None:
    nodes = served.graphql("{ assetNodes { assetKey { path } dependencyKeys { path } } }")["assetNodes"]
    lineage = {
        ".".join(node["assetKey"]["path"]): {".".join(key["path"]) for key in node["dependencyKeys"]} for node in nodes
    }
    for table in (
        "production.transactions",
        "warehouse.fact_sales",
        "warehouse.agg_daily_sales",
        "analytics.geography",
    ):
        assert lineage[table] == set(tables_read(table)), table


def test_a_failing_check_shows_which_rule_how_many_rows_and_some_of_them(served: Served, days: list[str]) -> None:
    served.execute(f"update warehouse.agg_daily_sales set profit = profit + 1 where sale_date <= '{days[1]}'")
    checks = [("warehouse.agg_daily_sales", "contract")]
    assert served.wait_for_run(served.launch([], {}, checks)) == "FAILURE"
    shown = served.check("warehouse.agg_daily_sales", "contract")
    assert (shown["success"], shown["severity"]) == (False, "ERROR")
    assert "profit = costed_revenue - cost" in shown["description"]
    assert shown["metadata"]["violations"] == 2
    assert shown["metadata"]["rows_tested"] == len(days)
    assert {day for day in days[:2] if any(day in row for row in shown["metadata"]["failing_rows"])} == set(days[:2])


def test_materializing_the_asset_again_heals_it_and_everything_agrees(served: Served, days: list[str]) -> None:
    # Without a day, as when the UI materializes an unpartitioned asset: the whole table is recomputed.
    run = served.launch(["warehouse.agg_daily_sales"], {})
    assert served.wait_for_run(run) == "SUCCESS"
    assert served.check("warehouse.agg_daily_sales", "contract")["success"]
    assert served.failed_checks() == []
