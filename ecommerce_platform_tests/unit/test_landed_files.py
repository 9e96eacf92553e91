"""The sensor of the user's own files: when they are whole, and which days it requests in which runs."""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import duckdb
import pytest

from ecommerce_platform.automation.landed import (
    MOST_AGAIN,
    Seen,
    Step,
    days_due,
    landed_sensors,
    look,
    request,
    state_of_files,
)
from ecommerce_platform.connectors.connector import shipped_connectors
from ecommerce_platform.connectors.errors import ConnectorError
from ecommerce_platform.connectors.loading import MACROS
from ecommerce_platform.feeds.columns import FEEDS
from ecommerce_platform.partitions import days_of_run
from ecommerce_platform.settings import PROJECT_DIR, Settings, load_settings
from ecommerce_platform_tests import exports
from ecommerce_platform_tests.harness import day

NOON = dt.datetime(2024, 1, 9, 12, tzinfo=dt.UTC)
REST = dt.timedelta(seconds=30)


def after(seconds: float) -> dt.datetime:
    return NOON + dt.timedelta(seconds=seconds)


# ---- when files are whole ------------------------------------------------------------------------


def test_files_are_whole_once_they_have_not_changed_for_a_while() -> None:
    seen = look(None, "a", NOON, REST)
    assert seen.step == Step.RESTING
    seen = look(seen, "a", after(29), REST)
    assert seen.step == Step.RESTING
    assert look(seen, "a", after(30), REST).step == Step.WHOLE


def test_files_that_keep_changing_are_never_whole() -> None:
    seen = None
    for number in range(10):
        seen = look(seen, f"{number} rows", after(number * 60), REST)
        assert seen.step == Step.RESTING


def test_what_has_been_done_stays_done_until_a_file_changes() -> None:
    done = Seen("a", NOON.isoformat(), Step.DONE, "a column is missing")
    assert look(done, "a", after(3600), REST) == done
    changed = look(done, "b", after(3600), REST)
    assert (changed.step, changed.fault) == (Step.RESTING, "")


def test_a_clock_that_was_set_back_does_not_stop_the_sensor() -> None:
    seen = look(None, "a", after(86400), REST)
    seen = look(seen, "a", NOON, REST)
    assert look(seen, "a", after(30), REST).step == Step.WHOLE


def test_the_cursor_survives_a_restart_and_is_small() -> None:
    seen = Seen("a" * 64, NOON.isoformat(), Step.CONVERTED, "x" * 1000)
    assert Seen.from_text(seen.to_text()) == seen
    assert len(seen.to_text()) < 1300


@pytest.mark.parametrize("text", [None, "", "yesterday", "[]", "{}", '{"state": "a", "since": "b", "step": "c"}', "1"])
def test_a_cursor_that_somebody_else_wrote_counts_as_none(text: str | None) -> None:
    assert Seen.from_text(text) is None


# ---- what makes them other files -----------------------------------------------------------------


def connected(folder: Path, source: str = "online_retail") -> Settings:
    return Settings(source=source, landing_dir=folder)


def test_the_state_of_exports_changes_with_their_size_time_name_and_last_day(tmp_path: Path) -> None:
    path = exports.write_text(tmp_path / "invoices.csv", "a,b\n1,2\n")
    states = [state_of_files(connected(tmp_path), day(9))]

    def is_another() -> bool:
        states.append(state_of_files(connected(tmp_path), day(9)))
        return states[-1] not in states[:-1]

    assert not is_another()
    os.utime(path, ns=(1, 1))
    assert is_another()
    path.write_text("a,b\n1,2\n3,4\n", encoding="utf-8")
    os.utime(path, ns=(1, 1))
    assert is_another()
    path.rename(tmp_path / "sales.csv")
    assert is_another()
    exports.write_text(tmp_path / "invoice.pdf", "no export")
    exports.write_text(tmp_path / ".sales.csv.part", "not there yet")
    assert not is_another()
    assert state_of_files(connected(tmp_path), day(10)) not in states
    assert state_of_files(connected(tmp_path, "shopify"), day(9)) not in states


def test_the_state_of_feed_files_is_that_of_days_that_are_over(tmp_path: Path) -> None:
    exports.write_text(tmp_path / "customers" / f"{day(1)}.csv", "x\n")
    before = state_of_files(connected(tmp_path, "landing"), day(2))
    exports.write_text(tmp_path / "customers" / f"{day(3)}.csv", "x\n")
    assert state_of_files(connected(tmp_path, "landing"), day(2)) == before
    exports.write_text(tmp_path / "products" / f"{day(2)}.csv", "x\n")
    assert state_of_files(connected(tmp_path, "landing"), day(2)) != before


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConnectorError, match="there is no such folder"):
        state_of_files(connected(tmp_path / "gone"), day(1))


# ---- which runs ----------------------------------------------------------------------------------


def days(*numbers: int) -> set[dt.date]:
    return {day(number) for number in numbers}


def due(
    complete: Iterable[int], changed: Iterable[int] = (), passed: Iterable[int] = (), refused: Iterable[int] = ()
) -> list[tuple[int, int]]:
    """The ranges of days as numbers."""
    spans = days_due(days(*complete), days(*changed), days(*passed), days(*refused))
    return [((first - day(0)).days, (last - day(0)).days) for first, last in spans]


def test_all_days_that_changed_are_loaded_in_one_run() -> None:
    assert due(range(1, 10), changed=range(1, 10)) == [(1, 9)]
    assert due(range(1, 10), changed=[3, 7], passed=[1, 2, 4, 5, 6, 8, 9]) == [(3, 7)]
    assert due(range(1, 10), changed=[9], passed=range(1, 9)) == [(9, 9)]


def test_nothing_is_due_where_every_file_has_passed() -> None:
    assert due(range(1, 10), passed=range(1, 10)) == []
    assert due([]) == []


def test_a_day_without_all_its_files_waits_and_stops_no_other() -> None:
    assert due([1, 2, 4, 5], changed=[2, 3, 5], passed=[1, 4]) == [(2, 2), (5, 5)]


def test_a_day_that_failed_its_checks_does_not_take_new_days_with_it() -> None:
    assert due(range(1, 10), changed=[2, 9], passed=[1, 3, 4, 6, 7, 8]) == [(2, 2), (9, 9), (5, 5)]


def test_after_a_faulty_file_is_mended_the_days_that_failed_with_it_are_loaded_too() -> None:
    assert due(range(1, 10), changed=[5]) == [(5, 5), (1, 4), (6, 9)]


def test_refused_days_are_tried_alone_and_not_all_at_once() -> None:
    refused = range(2, 40)
    spans = due(range(1, 41), changed=range(1, 41), refused=refused)
    assert spans[:2] == [(1, 1), (40, 40)]
    assert spans[2:] == [(number, number) for number in refused][:MOST_AGAIN]


def test_a_request_has_the_key_of_its_files_and_the_days_of_its_run(tmp_path: Path) -> None:
    settings = connected(tmp_path, "landing")
    path = exports.write_text(tmp_path / "customers" / f"{day(2)}.csv", "x\n")

    def key(taken: str = "") -> str:
        made = request(settings, (day(1), day(3)), [taken])
        assert days_of_run(made.tags) == (day(1), day(3))
        assert made.run_key is not None
        return made.run_key

    first = key()
    assert key() == first
    assert key(taken="another file") != first
    os.utime(path, ns=(1, 1))
    assert key() != first


# ---- what Dagster is told ------------------------------------------------------------------------


def test_the_lineage_of_each_shipped_connector_is_what_duckdb_reads() -> None:
    with duckdb.connect() as database:
        for signature in [*MACROS, "local_moment(t)"]:
            database.execute(f"create macro {signature} as null")
        for connector in shipped_connectors():
            for feed, query in connector.queries.items():
                found, waiting = set(), [query]
                while waiting:
                    names = database.get_table_names(waiting.pop()) - found
                    found |= names
                    waiting += [connector.steps[name] for name in names if name in connector.steps]
                assert connector.files_read_by(feed) == sorted(found & set(connector.files)), (connector.name, feed)
                assert feed in FEEDS


def test_the_synthetic_shop_has_no_sensor_for_files() -> None:
    assert landed_sensors(load_settings()) == []


GRAPH = """
import json
from ecommerce_platform.definitions import defs
graph = defs.resolve_asset_graph()
landed = sorted(key for key in graph.external_asset_keys if key.path[0] == "landing")
parents = lambda key: sorted("/".join(each.path) for each in graph.get(key).parent_keys)
print(json.dumps({
    "landed": {"/".join(key.path): parents(key) for key in landed},
    "raw": {key.path[1]: parents(key) for key in graph.materializable_asset_keys if key.path[0] == "raw"},
    "sensors": sorted(each.name for each in defs.get_repository_def().sensor_defs),
    "described": all((defs.get_assets_def(key).get_asset_spec(key).description or "").endswith(".") for key in landed),
}))
"""


def graph_of(tmp_path: Path, **settings: str) -> dict:
    """The definitions of a process with other settings: they are made when they are imported."""
    environment = {**os.environ, "ECOMMERCE_DATA_DIR": str(tmp_path / "data"), **settings}
    command = [sys.executable, "-W", "ignore", "-c", GRAPH]
    done = subprocess.run(command, cwd=PROJECT_DIR, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_the_exports_of_a_connector_stand_before_the_feeds_that_are_made_of_them(tmp_path: Path) -> None:
    graph = graph_of(tmp_path, ECOMMERCE_SOURCE="shopify")
    assert graph["landed"] == {
        "landing/customers_export": ["shop/exports"],
        "landing/orders_export": ["shop/exports"],
        "landing/products_export": ["shop/exports"],
    }
    assert graph["raw"]["transactions"] == ["landing/customers_export", "landing/orders_export"]
    assert "landing/products_export" in graph["raw"]["products"]
    assert graph["sensors"] == ["alerts", "landed_files"]
    assert graph["described"]


def test_feed_files_stand_before_their_feed(tmp_path: Path) -> None:
    graph = graph_of(tmp_path, ECOMMERCE_SOURCE="landing")
    assert set(graph["landed"]) == {f"landing/{feed}" for feed in graph["raw"]}
    assert all(parents == [f"landing/{feed}"] for feed, parents in graph["raw"].items())
    assert graph["sensors"] == ["alerts", "landed_files"]
