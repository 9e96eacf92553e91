"""An extract's CSV and a report's JSON match their table: never newer, and lost or changed files are detected."""

from __future__ import annotations

import csv
import json
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from dagster import AssetKey, DagsterInstance

from ecommerce_platform.checks.verify import is_published
from ecommerce_platform.definitions import build_definitions
from ecommerce_platform.io_managers import PostgresConnection
from ecommerce_platform.resources import published
from ecommerce_platform.resources.database import Database
from ecommerce_platform.resources.published import file_of
from ecommerce_platform.settings import load_settings
from ecommerce_platform_tests.harness import Platform, customer, day, line, order, product

EXTRACT, REPORT = "analytics.top_products", "monitoring.database_health"


@pytest.fixture
def shop(database_url: str, data_dir: Path) -> Platform:
    """A day with two products, of which the one with the greater key sells more, and its files."""
    platform = Platform(database_url, load_settings().raw)
    platform.load(
        1,
        customers=[customer()],
        products=[product(1, product_name="=1+1"), product(2)],
        transactions=[order(1, total="30.00")],
        transaction_items=[line(1, 1, 1), line(1, 2, 2, quantity=2)],
    )
    assert materialize(platform, EXTRACT, REPORT)
    return platform


def materialize(platform: Platform, *tables: str) -> bool:
    defs = build_definitions({"database": Database(url=platform.url, role="loader")})
    with DagsterInstance.ephemeral() as instance:
        result = defs.resolve_job_def("daily").execute_in_process(
            instance=instance,
            partition_key=day(1).isoformat(),
            asset_selection=[AssetKey(table.split(".")) for table in tables],
            raise_on_error=False,
        )
    return result.success


def judged(platform: Platform, table: str) -> str | None:
    """Return the verification failure of a file, or None if it passes."""
    with PostgresConnection(url=platform.url, role="loader").connect() as connection:
        outcome = is_published(table).run(connection)
    return None if outcome.passed else outcome.description


def path_of(table: str) -> Path:
    path = file_of(table)
    assert path is not None
    return path


def test_a_file_holds_the_committed_rows_in_the_order_of_the_extract(shop: Platform) -> None:
    with path_of(EXTRACT).open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["product_code"] for row in rows] == ["2", "1"]
    assert rows[1]["product_name"] == "'=1+1"
    report = json.loads(path_of(REPORT).read_text())
    assert {row["metric"] for row in report} == {m for (m,) in shop.rows(f"select metric from {REPORT}")}
    assert judged(shop, EXTRACT) is None
    assert judged(shop, REPORT) is None


def test_of_two_runs_that_publish_at_once_the_later_rows_remain(
    shop: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One read the rows, the other committed newer ones and wrote the file, and the first overwrote it."""

    def publish() -> None:
        with PostgresConnection(url=shop.url, role="loader").connect() as connection:
            published.publish(connection, EXTRACT, [], ["product_code"])

    later = threading.Thread(target=publish)
    write = published.write_atomically

    def slow(path: Path, content: bytes) -> None:
        if later.ident is None:
            shop.execute(f"update {EXTRACT} set product_name = 'newer'")
            later.start()
            while later.is_alive() and not shop.rows(
                "select from pg_locks where locktype = 'advisory' and not granted"
            ):
                time.sleep(0.01)
        write(path, content)

    monkeypatch.setattr(published, "write_atomically", slow)
    publish()
    later.join()
    assert "newer" in path_of(EXTRACT).read_text()
    assert judged(shop, EXTRACT) is None


@pytest.mark.parametrize("table", [EXTRACT, REPORT])
def test_a_write_that_fails_leaves_the_file_with_its_table(shop: Platform, table: str) -> None:
    before = path_of(table).read_bytes()
    shop.execute("update warehouse.agg_product_performance set units = units + 1")
    shop.execute(
        "create function public.fails() returns trigger language plpgsql as"
        f" $$ begin raise exception 'no'; end $$; create trigger fails before insert or update on {table}"
        " for each row execute function public.fails()"
    )
    assert not materialize(shop, table)
    assert path_of(table).read_bytes() == before
    assert judged(shop, table) is None


def test_a_run_that_dies_before_the_file_is_seen_and_healed(shop: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.execute("update warehouse.agg_product_performance set units = units + 1 where product_id = 2")
    with monkeypatch.context() as patched:

        def full(path: Path, content: bytes) -> None:
            raise OSError(28, "No space left on device")

        patched.setattr(published, "write_atomically", full)
        assert not materialize(shop, EXTRACT)
    said = judged(shop, EXTRACT)
    assert said is not None
    assert "1 rows of the file are not in the table, and 1 rows of the table are not in the file" in said
    assert materialize(shop, EXTRACT)
    assert judged(shop, EXTRACT) is None


@pytest.mark.parametrize("table", [EXTRACT, REPORT])
@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (Path.unlink, "is missing"),
        (lambda path: path.write_bytes(b""), "the file"),
        (lambda path: path.write_bytes(path.read_bytes().replace(b"2", b"3", 1)), "rows of the file are"),
        (lambda path: path.write_bytes(b'"' + path.read_bytes() + b"x" * 200_000), "cannot be parsed"),
        (lambda path: path.write_bytes(b"7"), "the file"),
        (lambda path: path.write_bytes(b"\xff\xfe["), "cannot be parsed"),
    ],
)
def test_a_file_that_somebody_changed_is_seen(
    shop: Platform, table: str, harm: Callable[[Path], object], said: str
) -> None:
    harm(path_of(table))
    assert said in (judged(shop, table) or "")


def test_an_emptied_report_is_seen_although_its_file_agrees(shop: Platform) -> None:
    shop.execute(f"delete from {REPORT}")
    path_of(REPORT).write_text("[]\n")
    assert "is empty" in (judged(shop, REPORT) or "")
