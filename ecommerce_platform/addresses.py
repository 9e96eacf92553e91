"""Addresses of people and of services, as settings name them: e-mail addresses and URLs."""

from __future__ import annotations

import re
from email.headerregistry import Address
from email.policy import SMTP
from typing import Any
from urllib.parse import urlsplit

import psycopg
from psycopg.conninfo import conninfo_to_dict

_BETWEEN_URLS = re.compile(r"[\s,]+(?=[A-Za-z][A-Za-z0-9+.-]*://)")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s\x00-\x1f\x7f]+")


def mail_addresses(text: str) -> tuple[Address, ...]:
    """The addresses of a list like ``ada@example.com, Grace Hopper <grace@example.com>``, in its order, each once.

    Raises:
        ValueError: one of them is not an address, or the text could add lines to the header of a message.
    """
    if any(ord(letter) < 32 or ord(letter) == 127 for letter in text):
        raise ValueError("must not contain line breaks or other control characters")
    try:
        header: Any = SMTP.header_factory("To", text)
        addresses, is_list = (
            header.addresses,
            not header.defects and all(group.display_name is None for group in header.groups),
        )
    except Exception:  # the parser of the standard library raises errors of many kinds
        addresses, is_list = (), False
    if not addresses or not is_list:
        raise ValueError("must be e-mail addresses separated by commas")
    for address in addresses:
        if not address.addr_spec.isascii():
            raise ValueError("must be e-mail addresses in ASCII; write a domain with other letters as xn--…")
    return tuple({address.addr_spec: address for address in addresses}.values())


def mail_address(text: str) -> Address:
    """The only address of a text.

    Raises:
        ValueError: it is not one address.
    """
    addresses = mail_addresses(text)
    if len(addresses) != 1:
        raise ValueError("must be one e-mail address")
    return addresses[0]


def service_urls(text: str) -> tuple[str, ...]:
    """The URLs of a list for apprise, separated by blanks, line breaks or commas; a URL may itself contain commas.

    Raises:
        ValueError: one of them has no scheme. The message does not quote it: such a URL contains passwords.
    """
    urls = [url.rstrip(",") for url in _BETWEEN_URLS.split(text.strip(" \t\r\n,")) if url.strip(" ,")]
    for number, url in enumerate(urls, 1):
        if not _URL.fullmatch(url):
            raise ValueError(f"URL {number} is not like scheme://…; separate URLs by blanks or commas")
    return tuple(dict.fromkeys(urls))


def as_web_url(url: str | None) -> str | None:
    """The URL of a website; None for an empty one.

    Raises:
        ValueError: it is none.
    """
    if not url:
        return None
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise ValueError("must be an http or https URL")
    return url


def as_repository_url(url: str | None) -> str | None:
    """The URL of a repository, as it may stand in links; None for an empty one.

    Raises:
        ValueError: it is none.
    """
    if not url:
        return None
    parts = urlsplit(url)
    if re.search(r"[\s\x00-\x1f\x7f<>\"']", url) or parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be the http or https URL of a repository")
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError("must not contain a user, a query or a fragment: it becomes part of links")
    return url


def postgres_url(url: str | None) -> str | None:
    """The URL of a database as libpq takes it; None for a blank one.

    Raises:
        ValueError: it is not one. The message does not quote it, because of the password.
    """
    if not url:
        return None
    parts = urlsplit(url)
    if parts.scheme not in ("postgresql", "postgres") or not parts.path.strip("/"):
        raise ValueError("must be a PostgreSQL URL that names a database")
    try:
        conninfo_to_dict("postgresql" + url[len(parts.scheme) :])
    except psycopg.Error:
        # psycopg's message quotes the invalid part, which may be the password.
        raise ValueError("is not a valid PostgreSQL URL (write % in the password as %25)") from None
    return "postgresql" + url[len(parts.scheme) :]
