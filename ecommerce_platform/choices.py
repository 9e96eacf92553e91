"""What a setting and a connector may name alike: a time zone, a currency, a connector that is shipped."""

from __future__ import annotations

import zoneinfo
from functools import lru_cache
from pathlib import Path

from ecommerce_platform.money import is_currency

SHIPPED = Path(__file__).parent / "connectors" / "shipped"
"""The connectors that come with the platform, one folder each."""


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
