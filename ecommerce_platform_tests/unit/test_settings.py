"""A wrong setting fails at start, with its name and an example."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import pytest

from ecommerce_platform.settings import PROJECT_DIR, SettingsError, load_settings


@pytest.fixture(autouse=True)
def fresh_settings() -> Iterator[None]:
    load_settings.cache_clear()
    yield
    load_settings.cache_clear()


def test_the_defaults_are_the_documented_history() -> None:
    settings = load_settings()
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
    ],
)
def test_a_wrong_setting_is_named_with_an_example(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert f"{name}: " in str(caught.value)
    assert f"for example {name}=" in str(caught.value)


def test_all_wrong_settings_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
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
