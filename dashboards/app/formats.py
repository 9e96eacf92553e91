"""Formats numbers and dates: short on charts, exact in tooltips and tables."""

from __future__ import annotations

import datetime as dt
from decimal import ROUND_FLOOR, ROUND_HALF_UP, Decimal

from dashboards.app.chart_data import Cell
from dashboards.spec.fields import Format
from ecommerce_platform.money import Currency, currency
from ecommerce_platform.settings import load_settings

NOTHING = "–"


def exact(cell: Cell, format_: Format) -> str:
    """The exact value: $1,234,567.89, 12.34%, or 3 Mar 2026."""
    if cell is None:
        return NOTHING
    if isinstance(cell, dt.datetime):
        return f"{cell:%-d %b %Y %H:%M} UTC"
    if isinstance(cell, dt.date):
        return f"{cell:%-d %b %Y}"
    if isinstance(cell, str):
        return cell
    if format_ == "percent":
        return f"{rounded(cell, 2)}%"
    if format_ == "money":
        return reporting_currency().text(cell)
    return f"{cell:,}"


def short(cell: Cell, format_: Format) -> str:
    """A few significant digits: $1.23M, 45.6K, or 12.3%."""
    if cell is None or isinstance(cell, str | dt.date):
        return exact(cell, format_)
    if format_ == "percent":
        return f"{rounded(cell, 1)}%"
    value = Decimal(cell)
    for size, letter in ((10**9, "B"), (10**6, "M"), (10**3, "K")):
        if abs(value) >= size * 10 or (abs(value) >= size and (letter != "K" or format_ == "money")):
            places = 2 if abs(value) < size * 10 else 1
            if format_ == "money":
                return reporting_currency().text(value / size, places, letter)
            return f"{rounded(value / size, places)}{letter}"
    if format_ == "money":
        return reporting_currency().text(value, None if abs(value) < 1000 else 0)
    return f"{cell:,}"


def coverage(percent: Decimal) -> str:
    """How much of something is covered, where it is not all: 100% only if it is, and 0% only if nothing is."""
    if percent < Decimal("0.1"):
        return "less than 0.1%"
    return f"{percent.quantize(Decimal('0.1'), ROUND_FLOOR)}%"


def reporting_currency() -> Currency:
    """The currency of all amounts."""
    return currency(load_settings().currency)


def axis_ticks(format_: Format) -> dict[str, object]:
    """Plotly's settings for the ticks of an axis of values: few, with the symbol where they are money."""
    prefix = {"tickprefix": reporting_currency().prefix} if format_ == "money" else {}
    return {"tickformat": "~s", "nticks": 5, **prefix}


def rounded(value: Decimal | int, places: int) -> str:
    """A number with a fixed number of decimals; halves round away from zero, as for numeric in PostgreSQL."""
    return f"{Decimal(value).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP):,}"


def days_label(first: dt.date, last: dt.date) -> str:
    """A date range: 5 Mar 2011, 5 Mar – 9 Mar 2011, or 28 Dec 2010 – 9 Mar 2011."""
    if first == last:
        return f"{last:%-d %b %Y}"
    return f"{first:%-d %b}{'' if first.year == last.year else f' {first.year}'} – {last:%-d %b %Y}"


def period_label(period: str) -> str:
    """2026 stays 2026, 2026-03 becomes Mar 2026, and 2026-03-14 becomes 14 Mar 2026."""
    if len(period) == 4:
        return period
    if len(period) == 7:
        return f"{dt.date.fromisoformat(period + '-01'):%b %Y}"
    return f"{dt.date.fromisoformat(period):%-d %b %Y}"
