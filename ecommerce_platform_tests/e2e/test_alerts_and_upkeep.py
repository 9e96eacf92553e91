"""Runbook commands: backups can be restored, an outage is reported in one message, and a clean start is clean."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import psycopg2.errors
import pytest
import sqlalchemy.exc
from click.testing import CliRunner

from ecommerce_platform import cli
from ecommerce_platform.cli import terminal
from ecommerce_platform.cli.supervisor import FolderLock
from ecommerce_platform.postgres.ddl import apply_ddl
from ecommerce_platform.resources.database import database_url, embedded_server
from ecommerce_platform.settings import PROJECT_DIR, load_settings
from ecommerce_platform.tables.loaded_days import note_what_is_expected


@pytest.fixture
def url(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An embedded server in a separate data folder, with empty tables."""
    monkeypatch.setattr("ecommerce_platform.cli.dotenv.load_dotenv", lambda *_, **__: None)
    settings = load_settings()
    url = database_url(settings)
    apply_ddl(url)
    yield url
    embedded_server(settings).stop("immediate")


def run(*arguments: str) -> None:
    """Run a command that replaces itself with another program, in a separate process."""
    program = "from ecommerce_platform import cli; cli.dotenv.load_dotenv = lambda *_, **__: None; cli.main()"
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=PROJECT_DIR,
        env={**os.environ, "PYTHONPATH": str(PROJECT_DIR)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_a_backup_comes_back_and_a_clean_start_is_clean(url: str, data_dir: Path, tmp_path: Path) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("insert into warehouse.dim_payment values (1, 'Cash', 'Other')")
    backup = tmp_path / "backup.dump"
    run("db", "dump", "--", "--format=custom", f"--file={backup}")
    with psycopg.connect(url) as connection:
        connection.execute("truncate warehouse.dim_payment cascade")
    run("db", "restore", "--", "--clean", "--if-exists", "--exit-on-error", "--single-transaction", str(backup))
    with psycopg.connect(url) as connection:
        assert connection.execute("select payment_method from warehouse.dim_payment").fetchall() == [("Cash",)]
    cleaned = CliRunner().invoke(cli.main, ["clean-data", "--yes"])
    assert cleaned.exit_code == 0, cleaned.output
    assert not data_dir.exists()
    assert not embedded_server(load_settings()).is_running()


def test_a_clean_start_also_forgets_converted_exports(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ecommerce_platform.cli.dotenv.load_dotenv", lambda *_, **__: None)
    monkeypatch.setenv("ECOMMERCE_SOURCE", "online_retail")
    load_settings.cache_clear()
    settings = load_settings()
    settings.feed_files.mkdir(parents=True)
    settings.currency_file.write_text("GBP")
    settings.first_day_file.write_text("2010-12-01")
    cleaned = CliRunner().invoke(cli.main, ["clean-data", "--yes"])
    assert cleaned.exit_code == 0, cleaned.output
    assert not data_dir.exists()


@pytest.mark.parametrize(("held", "source"), [("synthetic", "online_retail"), ("online_retail", "synthetic")])
def test_a_real_shop_is_not_added_to_the_synthetic_one(
    url: str, data_dir: Path, monkeypatch: pytest.MonkeyPatch, held: str, source: str
) -> None:
    settings = load_settings()
    note_what_is_expected(url, settings.first_day if held == "synthetic" else None)
    if held == "online_retail":
        settings.converted.mkdir(parents=True)
    with psycopg.connect(url) as connection:
        connection.execute("insert into platform.slices values ('staging.products', '2024-01-01', null, 0)")
    monkeypatch.setenv("ECOMMERCE_SOURCE", source)
    load_settings.cache_clear()
    refused = CliRunner().invoke(cli.main, ["up", "--no-serve"])
    assert refused.exit_code != 0
    said = " ".join(refused.output.split())
    assert f"ECOMMERCE_SOURCE is {source}, but the database holds days of" in said
    assert "make clean-data" in said
    assert not settings.raw.exists()
    assert held == "online_retail" or not settings.converted.exists()


def test_a_clean_start_needs_a_yes(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ecommerce_platform.cli.dotenv.load_dotenv", lambda *_, **__: None)
    (data_dir / "raw").mkdir(parents=True)
    assert CliRunner().invoke(cli.main, ["clean-data"], input="n\n").exit_code == 1
    assert (data_dir / "raw").exists()


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            sqlalchemy.exc.OperationalError(
                "insert", {"secret": 1}, psycopg2.errors.DiskFull("No space left on device")
            ),
            "PostgreSQL failed: No space left on device",
        ),
        (psycopg.errors.AdminShutdown("terminating connection"), "PostgreSQL failed: terminating connection"),
    ],
)
def test_an_outage_is_one_message_without_a_traceback(
    error: Exception, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """On a full disk, `materialize` failed with a 200-line SQLAlchemy traceback that contained the event's text."""

    @terminal.one_clear_error
    def command() -> None:
        raise RuntimeError("wrapped") from error

    with pytest.raises(SystemExit) as ended:
        command()
    assert ended.value.code == terminal.EXIT_FAILED
    shown = capsys.readouterr().err
    assert said in " ".join(shown.split())
    assert "secret" not in shown
    assert len(shown.splitlines()) < 6


def test_a_fault_of_ours_keeps_its_traceback() -> None:
    @terminal.one_clear_error
    def command() -> None:
        raise ValueError("ours")

    with pytest.raises(ValueError, match="ours"):
        command()


def test_a_test_alert_goes_to_every_receiver_and_names_those_that_fail(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ecommerce_platform.cli.dotenv.load_dotenv", lambda *_, **__: None)
    result = CliRunner().invoke(cli.main, ["alert-test"])
    assert result.exit_code == 2
    assert "Neither ECOMMERCE_ALERT_WEBHOOK_URL nor ECOMMERCE_ALERT_URLS is set" in result.stderr
    monkeypatch.setenv("ECOMMERCE_ALERT_WEBHOOK_URL", "http://127.0.0.1:1/a-secret")
    monkeypatch.setenv("ECOMMERCE_ALERT_URLS", "json://127.0.0.1:1/a-secret")
    load_settings.cache_clear()
    result = CliRunner().invoke(cli.main, ["alert-test"])
    assert result.exit_code == 1
    said = " ".join(result.stderr.split())
    assert "Not delivered: the webhook at 127.0.0.1 cannot be reached" in said
    assert "Not delivered: URL 1 of ECOMMERCE_ALERT_URLS (JSON) did not take the message" in said
    assert "a-secret" not in result.output


def test_a_clean_start_says_what_it_has_removed(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ecommerce_platform.cli.dotenv.load_dotenv", lambda *_, **__: None)
    (data_dir / "raw").mkdir(parents=True)
    (data_dir / "raw" / "a.csv").write_bytes(b"x" * 2_000_000)
    done = CliRunner().invoke(cli.main, ["clean-data"], input="y\n")
    # Lines break anywhere in a long path.
    assert f"Deleted{data_dir}:2files,2MB." in "".join(done.stderr.split())


def test_nothing_is_removed_while_it_is_being_served(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ecommerce_platform.cli.dotenv.load_dotenv", lambda *_, **__: None)
    (data_dir / "raw").mkdir(parents=True)
    lock = FolderLock(data_dir / "up.lock")
    lock.take({"address": "http://127.0.0.1:3000"})
    try:
        done = CliRunner().invoke(cli.main, ["clean-data", "--yes"])
    finally:
        lock.give_back()
    assert done.exit_code == 1
    assert "Another `up` is already serving" in done.stderr
    assert (data_dir / "raw").exists()


def test_a_colon_name_in_a_file_is_no_picture(tmp_path: Path) -> None:
    (tmp_path / "customers").mkdir()
    (tmp_path / "customers" / ":x:.txt").touch()
    assert ":x:.txt" in CliRunner().invoke(cli.main, ["source", "check", str(tmp_path)]).stdout


def test_yesterday_is_a_day() -> None:
    assert terminal.Day().convert("yesterday", None, None) == terminal.yesterday()
