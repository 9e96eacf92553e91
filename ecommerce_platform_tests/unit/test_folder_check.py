"""The report on a folder of exports before anything is loaded."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from ecommerce_platform import cli
from ecommerce_platform.cli import loading
from ecommerce_platform.feeds.columns import FEEDS
from ecommerce_platform.feeds.files import feed_file_name, write_feed_file
from ecommerce_platform.feeds.folder_check import check_folder
from ecommerce_platform.settings import Settings, SettingsError
from ecommerce_platform_tests.harness import Row, csv_bytes, customer, day, line, order, product, returned


def drop(folder: Path, number: int, **feeds: list[Row]) -> None:
    """Write the files of a valid day, with some feeds replaced."""
    rows = {
        "customers": [customer(on=number)],
        "products": [product(on=number)],
        "transactions": [order(number, on=number)],
        "transaction_items": [line(number, 1)],
        "returns": [returned(number, 1, on=number)],
        **feeds,
    }
    for feed, columns in FEEDS.items():
        write_feed_file(feed_file_name(folder, feed, day(number)), csv_bytes(columns, rows[feed]))


def test_a_good_folder_fits(tmp_path: Path) -> None:
    drop(tmp_path, 1)
    drop(tmp_path, 2)
    report = check_folder(tmp_path)
    assert not report.prevents_a_load
    assert [(feed.rows, feed.hints) for feed in report.feeds] == [(2, ())] * 5


def test_a_missing_feed_and_a_missing_day_prevent_a_load(tmp_path: Path) -> None:
    drop(tmp_path, 1)
    drop(tmp_path, 3)
    report = check_folder(tmp_path)
    assert [feed.missing_days for feed in report.feeds] == [*[(day(2),)] * 4, ()]
    assert report.prevents_a_load
    for path in (tmp_path / "products").iterdir():
        path.unlink()
    (tmp_path / "products").rmdir()
    assert [feed.is_missing for feed in check_folder(tmp_path).feeds] == [False, True, False, False, False]


def test_returns_may_be_missing_on_a_day_or_altogether(tmp_path: Path) -> None:
    drop(tmp_path, 1)
    drop(tmp_path, 2)
    feed_file_name(tmp_path, "returns", day(1)).unlink()
    assert not check_folder(tmp_path).prevents_a_load
    feed_file_name(tmp_path, "returns", day(2)).unlink()
    assert not check_folder(tmp_path).prevents_a_load
    (tmp_path / "returns").rmdir()
    report = check_folder(tmp_path)
    assert not report.prevents_a_load
    assert "returns: no folder, so there are none" in report.lines()


def test_a_file_of_returns_that_is_there_must_be_readable(tmp_path: Path) -> None:
    drop(tmp_path, 1)
    feed_file_name(tmp_path, "returns", day(1)).write_bytes(b"return_id;item_id\n")
    assert check_folder(tmp_path).prevents_a_load


def test_other_names_are_reported_and_not_read(tmp_path: Path) -> None:
    drop(tmp_path, 1)
    for name in ("2024-1-02.csv", "2024-02-30.csv", "20240102.csv", "notes.txt"):
        (tmp_path / "customers" / name).write_text("x")
    (tmp_path / "orders").mkdir()
    report = check_folder(tmp_path)
    assert not report.prevents_a_load
    assert len(report.feeds[0].ignored) == 4
    assert report.ignored == ("orders",)


@pytest.mark.parametrize(
    ("feed", "row", "column", "advice"),
    [
        ("products", product(price="12,50"), "price", "point"),
        ("transactions", order(1, transaction_date="31.01.2024"), "transaction_date", "2024-01-31"),
        ("customers", customer(country="Germany"), "country", "two letters"),
        ("customers", customer(state="BR-SP"), "state", "not BR-SP"),
        ("transactions", order("x" * 201), "transaction_id", ""),
    ],
)
def test_an_unfit_value_is_reported_with_advice(tmp_path: Path, feed: str, row: Row, column: str, advice: str) -> None:
    drop(tmp_path, 1, **{feed: [row]})
    report = check_folder(tmp_path)
    (hint,) = next(checked.hints for checked in report.feeds if checked.feed == feed)
    assert (hint.column, hint.rows, hint.share, hint.example) == (column, 1, 1.0, row[column])
    assert advice in hint.advice
    assert not report.prevents_a_load, "one row never stops a day"


def test_a_day_that_staging_would_stop_prevents_a_load(tmp_path: Path) -> None:
    drop(tmp_path, 1, products=[product(number, price="1,5") for number in range(1, 11)])
    report = check_folder(tmp_path)
    assert report.prevents_a_load
    assert report.feeds[1].stopped_days == {"price": (day(1),)}


def test_the_command_tells_the_error_and_exits_with_1(tmp_path: Path) -> None:
    drop(tmp_path, 1)
    result = CliRunner().invoke(cli.main, ["source", "check", str(tmp_path)])
    assert result.exit_code == 0, result.output
    path = feed_file_name(tmp_path, "customers", day(1))
    path.write_bytes(path.read_bytes()[:-5])
    result = CliRunner().invoke(cli.main, ["source", "check", str(tmp_path)])
    assert result.exit_code == 1
    assert f"feed customers, day {day(1)}, file {path}" in result.stdout
    result = CliRunner().invoke(cli.main, ["source", "check", str(tmp_path), "--json"])
    assert json.loads(result.stdout)["prevents_a_load"] is True


def test_up_loads_as_far_as_files_have_landed(tmp_path: Path) -> None:
    settings = Settings(landing_dir=tmp_path, source="landing", first_day=day(2))  # ty: ignore[missing-argument]
    drop(tmp_path, 1)
    with pytest.raises(SettingsError, match=r"has no file FEED/YYYY-MM-DD\.csv from 2024-01-02 .* to 2024-01-09"):
        loading.last_landed_day(settings, day(9))
    drop(tmp_path, 3)
    drop(tmp_path, 12)
    assert loading.last_landed_day(settings, day(9)) == day(3)
    # A file of one feed is enough: the load reports that the other feeds are missing.
    feed_file_name(tmp_path, "products", day(5)).write_bytes(b"not looked into")
    assert loading.last_landed_day(settings, day(9)) == day(5)
