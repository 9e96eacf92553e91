"""How the locale of the settings writes numbers, amounts and dates. The words of the pages are always English."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from functools import lru_cache

from babel import Locale
from babel.dates import format_date, format_skeleton, get_day_names
from babel.numbers import format_decimal, get_currency_symbol

from ecommerce_platform.money import Currency
from ecommerce_platform.settings import load_settings

DEFAULT = "en-US"

DAY, MONTH, DAY_IN_YEAR, WEEKDAY_AND_DAY, MONTH_IN_YEAR, WEEKDAY = "yMMMd", "yMMM", "MMMd", "yMMMEd", "MMM", "E"
"""What a date shows, as skeletons of Unicode: 5 Mar 2026, Mar 2026, 5 Mar, Thu 5 Mar 2026, Mar, and Thu."""

UNMISTAKABLE = {DAY: "d MMM y", MONTH: "MMM y", DAY_IN_YEAR: "d MMM", WEEKDAY_AND_DAY: "EEE d MMM y"}
"""Dates of the default locale, which readers from elsewhere understand, too."""


class Localized:
    """The formats of one locale.

    Args:
        name: a locale as in BCP 47, such as de-DE.
    """

    def __init__(self, name: str):
        self.name = name
        self.locale = Locale.parse(name, sep="-")
        symbols = self.locale.number_symbols["latn"]
        self._symbols = str.maketrans({",": symbols["group"], ".": symbols["decimal"]})
        self._is_regular = self.locale.decimal_formats[None].grouping == (3, 3)
        percent, amount = self.locale.percent_formats[None], self.locale.currency_formats["standard"]
        self._percent = percent.prefix[0], percent.suffix[0]
        self._amount = amount.prefix[0], amount.suffix[0]

    def number(self, value: Decimal | int) -> str:
        """A number with all its decimals: 1,234.50 or 1.234,50."""
        if not self._is_regular:  # 12,34,567 in India
            places = max(0, -int(Decimal(value).as_tuple().exponent))
            pattern = f"{self.locale.decimal_formats[None].pattern.split('.')[0]}.{'0' * places}"
            return format_decimal(value, pattern, self.locale, decimal_quantization=False)
        return f"{value:,}".translate(self._symbols)

    def percent(self, value: Decimal | int) -> str:
        """A number of per cent: 12.3% or 12,3 %."""
        before, after = self._percent
        return f"{before}{self.number(value)}{after}"

    def amount(self, value: Decimal | int, of: Currency, unit: str = "") -> str:
        """An amount of a currency, with a unit such as K or M after its number: $1.2K or 1,2K €."""
        symbol = self.symbol(of)
        before, after = (part.replace("¤", symbol) for part in self._amount)
        space = "\u00a0" if before and before[-1].isalpha() else ""
        return f"{'-' if value < 0 else ''}{before}{space}{self.number(abs(value))}{unit}{after}"

    def symbol(self, of: Currency) -> str:
        """The symbol of a currency."""
        return get_currency_symbol(of.code, self.locale)

    @lru_cache(maxsize=8192)  # noqa: B019  (there is one object per locale, for the life of the process)
    def date(self, day: dt.date, shows: str = DAY) -> str:
        """A date, or a part of it."""
        if self.name == DEFAULT and shows in UNMISTAKABLE:
            return format_date(day, UNMISTAKABLE[shows], self.locale)
        return format_skeleton(shows, day, locale=self.locale)

    def weekday(self, day: dt.date) -> str:
        """The full name of a weekday."""
        return get_day_names(locale=self.locale)[day.weekday()]


@lru_cache
def _of(name: str) -> Localized:
    return Localized(name)


def localized() -> Localized:
    """The formats of the locale of the settings."""
    return _of(load_settings().locale)
