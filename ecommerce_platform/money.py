"""Currencies: which ISO 4217 codes there are, and how an amount of one is written."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache

DEFAULT = "USD"

LOCALE = "en_US"
"""The language of the dashboards: $1,234.50, €1,234.50, CHF 1,234.50."""


@dataclass(frozen=True)
class Currency:
    """A currency.

    Attributes:
        code: ISO 4217.
        prefix: what stands before an amount: the symbol, with a no-break space after letters.
        places: decimals of an amount.
    """

    code: str
    prefix: str
    places: int

    def text(self, amount: Decimal | int, places: int | None = None, unit: str = "") -> str:
        """An amount with its symbol; ``places`` instead of the currency's own, ``unit`` such as K or M after it."""
        rounded = Decimal(amount).quantize(
            Decimal(1).scaleb(-(self.places if places is None else places)), ROUND_HALF_UP
        )
        sign = "-" if rounded < 0 else ""
        return f"{sign}{self.prefix}{abs(rounded):,}{unit}"


@lru_cache
def currency(code: str) -> Currency:
    """How amounts of a currency are written.

    Args:
        code: ISO 4217; see :func:`is_currency`.
    """
    # Reading the locale takes longer than everything else in a short command.
    from babel.numbers import get_currency_precision, get_currency_symbol

    symbol = get_currency_symbol(code, locale=LOCALE)
    return Currency(code, f"{symbol}\u00a0" if symbol[-1].isalpha() else symbol, get_currency_precision(code))


@lru_cache
def is_currency(code: str) -> bool:
    """Whether a text is the ISO 4217 code of a currency."""
    from babel.numbers import list_currencies

    return code in list_currencies()


def named(code: str) -> str:
    """The code of a currency with its symbol, if it has one."""
    symbol = currency(code).prefix.strip()
    return code if symbol == code else f"{code} ({symbol})"
