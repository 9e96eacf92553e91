"""Rejected rows are listed, counted, and exported, and disappear when their cause is fixed."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ecommerce_platform import cli
from ecommerce_platform.settings import load_settings
from ecommerce_platform_tests.harness import Platform, customer, day, line, order, product


@pytest.fixture
def platform(platform: Platform, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Platform:
    """A platform for the commands, with three rejected rows on two days."""
    monkeypatch.setenv("ECOMMERCE_DATABASE_URL", platform.url)
    # The commands prepare .env for Dagster; tests must not change the developer's file.
    monkeypatch.setattr("ecommerce_platform.instance.home.set_key", lambda *_: None)
    monkeypatch.setattr("ecommerce_platform.cli.dotenv.load_dotenv", lambda *_, **__: None)
    load_settings.cache_clear()
    sale = {"transactions": [order(1)], "transaction_items": [line(1, 1), line(1, 2, quantity=-3)]}
    platform.load(1, customers=[customer(), customer(5, country="=1+1")], products=[product()], **sale)
    platform.load(2, transactions=[order(2, 7, on=2)])
    return platform


def rejects(*arguments: str) -> Result:
    result = CliRunner().invoke(cli.main, ["rejects", *arguments])
    assert result.exit_code == 0, result.output
    return result


def listed(*arguments: str) -> list[tuple[str, str]]:
    return [(row["feed"], row["partition_date"]) for row in json.loads(rejects(*arguments, "--json").stdout)]


def test_rows_are_listed_newest_first_and_filtered(platform: Platform) -> None:
    first, second = str(day(1)), str(day(2))
    everything = [("transactions", second), ("customers", first), ("transaction_items", first)]
    assert listed() == everything
    assert listed("list", "--limit", "1") == everything[:1]
    assert listed("--feed", "customers") == everything[1:2]
    assert listed("--day", second) == listed("--start", second) == everything[:1]
    assert listed("--end", first) == everything[1:]
    assert listed("--reason", "NOT POSITIVE") == everything[2:]
    assert listed("--reason", "'; drop table x; --%s") == []


def test_the_list_shows_the_value_and_the_parent_that_a_row_waits_for(platform: Platform) -> None:
    (row,) = json.loads(rejects("--feed", "transactions", "--json").stdout)
    assert row["missing_customer_id"] == 7
    assert "customer 7" in rejects("--feed", "transactions").stdout


def test_rows_are_counted_by_reason(platform: Platform) -> None:
    counts = json.loads(rejects("count", "--feed", "customers", "--json").stdout)
    assert [(count["reason"], count["rows"]) for count in counts] == [("country: not an ISO 3166-1 alpha-2 code", 1)]


def test_the_export_holds_the_original_fields(platform: Platform, tmp_path: Path) -> None:
    file = tmp_path / "new" / "rejects.csv"
    rejects("export", str(file))
    rows = list(csv.DictReader(io.StringIO(file.read_text(encoding="utf-8"))))
    assert [row["source_row"] for row in rows] == ["1", "2", "2"]
    assert rows[1]["source_file"] == f"customers/{day(1)}.csv"
    assert json.loads(rows[1]["original"])["country"] == "=1+1"
    assert not any(value.startswith(("=", "+", "-", "@")) for row in rows for value in row.values())


def test_a_corrected_file_and_an_arrived_parent_leave_no_rejects(platform: Platform) -> None:
    sale = {"transactions": [order(1)], "transaction_items": [line(1, 1), line(1, 2, quantity=3)]}
    platform.load(1, customers=[customer(), customer(5)], products=[product()], **sale)
    assert listed() == [("transactions", str(day(2)))]
    platform.load(3, customers=[customer(7, on=3)])
    assert listed() == []
