"""An invalid setting fails at startup, with its name and an example."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest

from ecommerce_platform.settings import PROJECT_DIR, Settings, SettingsError, load_settings


@pytest.fixture(autouse=True)
def fresh_settings() -> Iterator[None]:
    load_settings.cache_clear()
    yield
    load_settings.cache_clear()


def test_the_defaults_are_the_documented_history(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ECOMMERCE_DATA_DIR")
    # Not load_settings: the developer's data folder may set its own first day.
    settings = Settings()
    assert settings.first_day == dt.date(2024, 1, 1)
    assert (settings.orders_per_day, settings.customers, settings.products) == (300, 10_000, 1_000)
    assert settings.data == PROJECT_DIR / "data"


def test_everything_that_is_written_lies_below_the_data_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECOMMERCE_DATA_DIR", "/somewhere/else")
    settings = load_settings()
    for path in (settings.raw, settings.extracts, settings.reports, settings.dagster_home):
        assert path.is_relative_to("/somewhere/else")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ECOMMERCE_FIRST_DAY", "2024-02-30"),
        ("ECOMMERCE_FIRST_DAY", "1999-12-31"),
        ("ECOMMERCE_FIRST_DAY", "yesterday"),
        ("ECOMMERCE_ORDERS_PER_DAY", "0"),
        ("ECOMMERCE_ORDERS_PER_DAY", "many"),
        ("ECOMMERCE_DEFECT_RATE", "1.5"),
        ("ECOMMERCE_SEED", "-1"),
        ("ECOMMERCE_SOURCE", "ftp"),
        ("ECOMMERCE_DAGSTER_PORT", "70000"),
        ("ECOMMERCE_HOST", "127.0.0.1; rm -rf /"),
        ("ECOMMERCE_DATABASE_URL", "mysql://host/db"),
        ("ECOMMERCE_DATABASE_URL", "postgresql://host"),
        ("ECOMMERCE_ALERT_WEBHOOK_URL", "file:///etc/passwd"),
        ("ECOMMERCE_DATA_DIR", "/"),
        ("ECOMMERCE_DATA_DIR", "~"),
        ("ECOMMERCE_DATA_DIR", "~nobody-of-this-name/data"),
        ("ECOMMERCE_DATA_DIR", "."),
        ("ECOMMERCE_DATA_DIR", ".."),
        ("ECOMMERCE_DATA_DIR", "data/../.."),
        ("ECOMMERCE_DATA_DIR", "Makefile"),
        ("ECOMMERCE_DATA_DIR", "data\nof\nmine"),
        ("ECOMMERCE_DATA_DIR", "data\x7f"),
        ("ECOMMERCE_LANDING_DIR", "pyproject.toml"),
        ("ECOMMERCE_LANDING_DIR", "/"),
        ("ECOMMERCE_DATABASE_URL_FILE", "/no/such/file"),
        ("ECOMMERCE_ALERT_WEBHOOK_URL_FILE", "/"),
        ("ECOMMERCE_DAGSTER_URL", "dagster.example.com"),
        ("ECOMMERCE_REPOSITORY_URL", "git@github.com:shop/platform.git"),
        ("ECOMMERCE_REPOSITORY_URL", "https://user:token@github.com/shop/platform"),
        ("ECOMMERCE_REPOSITORY_URL", "https://github.com/shop/platform?x=1#y"),
        ("ECOMMERCE_REPOSITORY_URL", 'https://github.com/shop/"><script>'),
        ("ECOMMERCE_REPOSITORY_URL", "https://github.com/shop\nplatform"),
        ("ECOMMERCE_RETENTION_DAYS", "13"),
        ("ECOMMERCE_STAGING_RETENTION_DAYS", "1"),
        ("ECOMMERCE_HOST", "a b"),
        ("ECOMMERCE_CURRENCY", "dollars"),
        ("ECOMMERCE_CURRENCY", "usd"),
        ("ECOMMERCE_RATES", "no/such/file.csv"),
        ("ECOMMERCE_RATES", "docs"),
        ("ECOMMERCE_TARGETS_FILE", "targets\n.csv"),
        ("ECOMMERCE_HOLIDAYS", "us"),
        ("ECOMMERCE_HOLIDAYS", "Germany"),
        ("ECOMMERCE_HOLIDAYS", "US-"),
        ("ECOMMERCE_HOLIDAYS", "US-ZZ"),
        ("ECOMMERCE_HOLIDAYS", "__class__"),
    ],
)
def test_a_wrong_setting_is_named_with_an_example(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert f"{name}: " in str(caught.value)
    assert f"for example {name}=" in str(caught.value)


def test_the_currency_of_the_first_conversion_counts_until_another_is_set(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ECOMMERCE_DATA_DIR", str(tmp_path / "data"))
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "currency").write_text("GBP\n")
    assert load_settings().currency == "USD"  # the synthetic shop's
    for name, value, expected in (
        ("ECOMMERCE_SOURCE", "online_retail", "GBP"),
        ("ECOMMERCE_CURRENCY", "EUR", "EUR"),
    ):
        monkeypatch.setenv(name, value)
        load_settings.cache_clear()
        assert load_settings().currency == expected
    monkeypatch.delenv("ECOMMERCE_CURRENCY")
    (tmp_path / "data" / "currency").write_text("pounds\n")
    load_settings.cache_clear()
    with pytest.raises(SettingsError, match="does not contain a currency"):
        load_settings()


def test_targets_and_notes_lie_in_the_data_folder_unless_a_setting_names_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ECOMMERCE_DATA_DIR", str(tmp_path))
    assert (load_settings().targets, load_settings().notes) == (tmp_path / "targets.csv", tmp_path / "notes.csv")
    monkeypatch.setenv("ECOMMERCE_TARGETS_FILE", "plans/2026.csv")
    monkeypatch.setenv("ECOMMERCE_HOLIDAYS", " US-CA ")
    load_settings.cache_clear()
    assert load_settings().targets == PROJECT_DIR / "plans" / "2026.csv"
    assert load_settings().holidays == "US-CA"


def test_all_wrong_settings_are_reported_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECOMMERCE_SEED", "x")
    monkeypatch.setenv("ECOMMERCE_PRODUCTS", "x")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert len(str(caught.value).splitlines()) == 2


def test_a_password_is_never_part_of_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECOMMERCE_DATABASE_URL", "mysql://user:tell-nobody@host/db")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert "tell-nobody" not in str(caught.value)
    monkeypatch.setenv("ECOMMERCE_DATABASE_URL", "postgres://user:tell-nobody@host/db")
    assert "tell-nobody" not in repr(load_settings())
    assert load_settings().database_url == "postgresql://user:tell-nobody@host/db"


def test_a_token_in_the_url_of_the_repository_is_not_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECOMMERCE_REPOSITORY_URL", "https://user:tell-nobody@github.com/shop/platform")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert "tell-nobody" not in str(caught.value)


def test_a_secret_may_come_from_a_file_and_from_there_only(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    secret = tmp_path / "database_url"
    secret.write_text("postgres://user:tell-nobody@host/db\n")
    monkeypatch.setenv("ECOMMERCE_DATABASE_URL_FILE", str(secret))
    assert load_settings().database_url == "postgresql://user:tell-nobody@host/db"
    assert "tell-nobody" not in repr(load_settings())
    load_settings.cache_clear()
    monkeypatch.setenv("ECOMMERCE_DATABASE_URL", "postgres://user:another@host/db")
    with pytest.raises(SettingsError, match="ECOMMERCE_DATABASE_URL: is set, and so is") as caught:
        load_settings()
    assert "tell-nobody" not in str(caught.value)
    assert "another" not in str(caught.value)


def test_a_file_with_a_wrong_url_is_reported_without_its_contents(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    secret = tmp_path / "database_url"
    secret.write_text("mysql://user:tell-nobody@host/db")
    monkeypatch.setenv("ECOMMERCE_DATABASE_URL_FILE", str(secret))
    with pytest.raises(SettingsError, match="must be a PostgreSQL URL") as caught:
        load_settings()
    assert "tell-nobody" not in str(caught.value)


def test_nothing_listens_outside_of_this_machine_unless_told() -> None:
    assert load_settings().host == "127.0.0.1"
    assert load_settings().ui_url == "http://127.0.0.1:3000"


def test_links_go_where_people_reach_the_ui(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECOMMERCE_HOST", "::1")
    assert load_settings().ui_url == "http://[::1]:3000"
    load_settings.cache_clear()
    monkeypatch.setenv("ECOMMERCE_DAGSTER_URL", "https://dagster.example.com/")
    assert load_settings().ui_url == "https://dagster.example.com"


@pytest.mark.parametrize("path", ["/srv/shop data", "~/shop", "data", "../shop-data"])
def test_a_folder_of_its_own_is_taken(monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    monkeypatch.setenv("ECOMMERCE_DATA_DIR", path)
    assert load_settings().data.is_absolute()
