"""What a setting may name, and some of it a connector, too: a time zone, a currency, holidays, a shipped connector."""

from __future__ import annotations

import re
import zoneinfo
from functools import lru_cache
from pathlib import Path

from ecommerce_platform.money import is_currency

SHIPPED = Path(__file__).parent / "connectors" / "shipped"
"""The connectors that come with the platform, one folder each."""

_LOCALE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")


def shipped_names() -> list[str]:
    """The names of the connectors that come with the platform."""
    return sorted(path.parent.name for path in SHIPPED.glob("*/connector.toml"))


@lru_cache
def time_zones() -> frozenset[str]:
    """The time zones that DuckDB knows, too: without the machine's own, and without those of posix/ and right/."""
    return frozenset(zoneinfo.available_timezones() - {"localtime"})


def known_time_zone(name: str | None) -> str | None:
    """Validate a time zone; None and a blank name are none."""
    if name and name not in time_zones():
        raise ValueError("is not a time zone")
    return name or None


def known_currency(code: str | None) -> str | None:
    """Validate the ISO 4217 code of a currency; None and a blank code are none."""
    if code and not is_currency(code):
        raise ValueError("is not the ISO 4217 code of a currency")
    return code or None


def known_locale(name: str) -> str:
    """Validate a locale as in BCP 47, such as de-DE, whose formats are known."""
    if name == "en-US":
        return name
    from babel import Locale, UnknownLocaleError  # takes a tenth of a second

    try:
        if not _LOCALE.fullmatch(name):  # Babel reads what follows a semicolon as nothing
            raise ValueError
        Locale.parse(name, sep="-")
    except (ValueError, UnknownLocaleError):
        raise ValueError("is not a locale whose formats are known, such as de-DE") from None
    return name


def known_holidays(place: str) -> str:
    """Validate the country (ISO 3166-1) or state whose public holidays count, such as US or US-CA; blank is none."""
    place = place.strip()
    if not place:
        return ""
    import holidays  # takes a tenth of a second, and most shops use none

    country, dash, state = place.partition("-")
    states = holidays.list_supported_countries(include_aliases=False).get(country)
    if states is None or (dash and state not in states):
        raise ValueError("is not a country whose public holidays are known, or one of its states")
    return place
