"""Addresses in settings: lists are read as people write them, and nothing can slip a line into a header."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ecommerce_platform.addresses import mail_address, mail_addresses, service_urls
from ecommerce_platform.settings import SettingsError, load_settings


@pytest.fixture(autouse=True)
def fresh_settings() -> Iterator[None]:
    load_settings.cache_clear()
    yield
    load_settings.cache_clear()


def test_a_list_of_recipients_may_have_names_and_repeat_one() -> None:
    found = mail_addresses(
        'ada@example.com, "Hopper, Grace" <grace@example.com>, Müller <m@example.com>, ada@example.com'
    )
    assert [(address.display_name, address.addr_spec) for address in found] == [
        ("", "ada@example.com"),
        ("Hopper, Grace", "grace@example.com"),
        ("Müller", "m@example.com"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "a@b.example\r\nBcc: x@y.example",
        "a@b.example\nx",
        "a@b.example\x00",
        "=?utf-8?q?a=0d=0aBcc:_x@y.example?= <a@b.example>",
        "a",
        "a@",
        "@b.example",
        "a b@c.example",
        "a@b..example",
        "<a@b.example",
        "a@b.example; c@d.example",
        "a@b.example,,c@d.example",
        "team: a@b.example;",
        "ü@b.example",
        "a@bü.example",
        ",",
    ],
)
def test_what_is_not_a_list_of_addresses_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must"):
        mail_addresses(text)


def test_a_sender_is_one_address() -> None:
    assert mail_address("Shop <a@b.example>").addr_spec == "a@b.example"
    with pytest.raises(ValueError, match="must be one"):
        mail_address("a@b.example, c@d.example")


def test_urls_of_services_are_separated_by_blanks_or_commas_and_may_contain_commas() -> None:
    text = "json://h/a, mailto://u:p@example.com?to=a@b.c,d@e.f\n slack://A/B/C,\tjson://h/a"
    assert service_urls(text) == ("json://h/a", "mailto://u:p@example.com?to=a@b.c,d@e.f", "slack://A/B/C")


@pytest.mark.parametrize("text", ["hooks.example.com/secret", "json://h secret", "json://", "://x"])
def test_a_url_that_is_none_is_refused_without_quoting_it(text: str) -> None:
    with pytest.raises(ValueError, match=r"URL \d is not like scheme") as caught:
        service_urls(text)
    assert "secret" not in str(caught.value)


MAIL = {"REPORT_TO": "a@b.example", "REPORT_FROM": "c@d.example", "SMTP_HOST": "smtp.example.com"}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"REPORT_FROM": ""}, "ECOMMERCE_REPORT_TO is set, but ECOMMERCE_REPORT_FROM is not"),
        ({"SMTP_HOST": ""}, "ECOMMERCE_REPORT_TO is set, but ECOMMERCE_SMTP_HOST is not"),
        ({"SMTP_USER": "u"}, "ECOMMERCE_SMTP_USER and ECOMMERCE_SMTP_PASSWORD must be set together"),
        ({"SMTP_PASSWORD": "hunter2"}, "ECOMMERCE_SMTP_USER and ECOMMERCE_SMTP_PASSWORD must be set together"),
        ({"SMTP_USER": "u", "SMTP_PASSWORD": "hunter2", "SMTP_SECURITY": "none"}, "in clear text"),
        ({"SMTP_SECURITY": "ssl"}, "ECOMMERCE_SMTP_SECURITY: 'ssl'"),
        ({"SMTP_PORT": "0"}, "ECOMMERCE_SMTP_PORT: '0'"),
        ({"SMTP_HOST": "smtp.example.com\r\nx"}, "ECOMMERCE_SMTP_HOST"),
        ({"REPORT_TO": "a@b.example\r\nBcc: x@y.example"}, "must not contain line breaks"),
        ({"REPORT_FROM": "nobody"}, "ECOMMERCE_REPORT_FROM: 'nobody': must be e-mail addresses"),
        ({"ALERT_URLS": "hunter2"}, "ECOMMERCE_ALERT_URLS: URL 1"),
        ({"DASHBOARD_URL": "javascript:alert(1)"}, "ECOMMERCE_DASHBOARD_URL"),
    ],
)
def test_a_mail_server_that_cannot_work_is_refused_without_its_password(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, str], said: str
) -> None:
    for name, value in {**MAIL, **changes}.items():
        monkeypatch.setenv(f"ECOMMERCE_{name}", value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert said in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_secrets_come_from_files_and_are_never_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("hunter2\n")
    (tmp_path / "urls").write_text("json://user:hunter2@127.0.0.1/\njson://127.0.0.1/hunter2\n")
    for name, value in MAIL.items():
        monkeypatch.setenv(f"ECOMMERCE_{name}", value)
    monkeypatch.setenv("ECOMMERCE_SMTP_USER", "u")
    monkeypatch.setenv("ECOMMERCE_SMTP_PASSWORD_FILE", str(tmp_path / "password"))
    monkeypatch.setenv("ECOMMERCE_ALERT_URLS_FILE", str(tmp_path / "urls"))
    settings = load_settings()
    assert settings.smtp_password == "hunter2"
    assert service_urls(settings.alert_urls or "") == ("json://user:hunter2@127.0.0.1/", "json://127.0.0.1/hunter2")
    assert "hunter2" not in repr(settings)
