"""Formats numbers and dates: short on charts, exact in tooltips and tables."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal
from typing import Any

from dashboards.app.chart_data import Cell
from dashboards.app.localized import DAY_IN_YEAR, MONTH, MONTH_IN_YEAR, WEEKDAY, WEEKDAY_AND_DAY, localized
from dashboards.spec.fields import Format
from ecommerce_platform.money import Currency, currency
from ecommerce_platform.settings import load_settings

NOTHING = "–"
NEXT_UNIT = {"": "K", "K": "M", "M": "B"}
"""The unit that is a thousand times another one."""


def exact(cell: Cell, format_: Format) -> str:
    """The exact value: $1,234,567.89, 12.34%, or 3 Mar 2026."""
    if cell is None:
        return NOTHING
    if isinstance(cell, dt.datetime):
        return f"{day_text(cell.date())} {cell:%H:%M} UTC"
    if isinstance(cell, dt.date):
        return day_text(cell)
    if isinstance(cell, str):
        return cell
    if format_ == "percent":
        return localized().percent(half_up(cell, 2))
    if format_ == "money":
        return amount(cell)
    return localized().number(cell)


def short(cell: Cell, format_: Format) -> str:
    """A few significant digits: $1.23M, 45.6K, or 12.3%."""
    if cell is None or isinstance(cell, str | dt.date):
        return exact(cell, format_)
    if format_ == "percent":
        return localized().percent(half_up(cell, 1))
    value, places, letter = Decimal(cell), reporting_currency().places if format_ == "money" else 0, ""
    if half_up(abs(value), places) < (1_000 if format_ == "money" else 10_000):
        return amount(value) if format_ == "money" else localized().number(cell)
    # Rounding can reach the next unit: 999,999 is 1.00M.
    while letter != "B" and half_up(abs(value), places) >= 1_000:
        value, letter = value / 1_000, NEXT_UNIT[letter]
        places = 2 if half_up(abs(value), 2) < 10 else 1
    return _with_unit(value, places, letter, format_)


def _with_unit(value: Decimal, places: int, letter: str, format_: Format) -> str:
    if format_ == "money":
        return amount(value, places, letter)
    return f"{rounded(value, places)}{letter}"


def coverage(percent: Decimal) -> str:
    """How much of something is covered, where it is not all: 100% only if it is, and 0% only if nothing is."""
    if percent < Decimal("0.1"):
        return f"less than {localized().percent(Decimal('0.1'))}"
    return localized().percent(percent.quantize(Decimal("0.1"), ROUND_FLOOR))


def reporting_currency() -> Currency:
    """The currency of all amounts."""
    return currency(load_settings().currency)


def axis_ticks(format_: Format, values: Iterable[float | None]) -> dict[str, Any]:
    """Plotly's settings for an axis that begins at zero: a few round values, with the units of the cards.

    Without any value but zero, the axis ends at one; plotly would end it at a fraction of any unit.
    """
    known = [Decimal(str(value)) for value in values if value is not None]
    low, high = min([Decimal(0), *known]), max([Decimal(0), *known])
    step = _tick_step(high - low, format_ == "count")
    first, last = (low / step).to_integral_value(ROUND_CEILING), (high / step).to_integral_value(ROUND_FLOOR)
    ticks = [step * number for number in range(int(first), int(last) + 1)]
    return {
        "tickmode": "array",
        "tickvals": [float(tick) for tick in ticks],
        "ticktext": [_tick(tick, format_) for tick in ticks],
        **({} if high > low else {"range": [0, 1]}),
    }


def _tick_step(span: Decimal, is_whole: bool) -> Decimal:
    """The distance between ticks, of which a span has at most six: 1, 2, 2.5, or 5 times a power of ten."""
    if not span:
        return Decimal(1)
    power = span.adjusted() - 1
    steps = [Decimal(step).scaleb(power) for step in ("1", "2", "2.5", "5", "10", "20", "25", "50")]
    step = next(step for step in steps if span / step <= 6)
    return max(Decimal(1), step.to_integral_value(ROUND_CEILING)) if is_whole else step


def _tick(value: Decimal, format_: Format) -> str:
    """The value of a tick without trailing zeros: $0, $500, $2.5K."""
    letter = ""
    while letter != "B" and abs(value) >= 1_000:
        value, letter = value / 1_000, NEXT_UNIT[letter]
    exponent = value.normalize().as_tuple().exponent
    return _with_unit(value, max(0, -int(exponent)), letter, format_)


def rounded(value: Decimal | int, places: int) -> str:
    """A number with a fixed number of decimals, as the locale writes it."""
    return localized().number(half_up(value, places))


def half_up(value: Decimal | int, places: int) -> Decimal:
    """A number rounded to some decimals; halves away from zero, as for numeric in PostgreSQL."""
    return Decimal(value).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)


def percent_text(value: Decimal | int) -> str:
    """A number of per cent, with all its decimals: 12.3%."""
    return localized().percent(value)


def count_text(value: Decimal | int) -> str:
    """A whole number: 12,345."""
    return localized().number(value)


def amount(value: Decimal | int, places: int | None = None, unit: str = "") -> str:
    """An amount of the reporting currency; ``places`` instead of its own, and a unit such as K or M."""
    of = reporting_currency()
    return localized().amount(half_up(value, of.places if places is None else places), of, unit)


def day_text(day: dt.date) -> str:
    """A day: 5 Mar 2026."""
    return localized().date(day)


def month_text(day: dt.date) -> str:
    """The month of a day: Mar 2026."""
    return localized().date(day, MONTH)


def day_in_year(day: dt.date) -> str:
    """A day without its year: 5 Mar."""
    return localized().date(day, DAY_IN_YEAR)


def in_currency(text: str) -> str:
    """A text of the specification whose amounts, written as ¤25, are of the reporting currency."""
    text = re.sub(r"¤(\d+)", lambda found: amount(int(found[1]), 0), text)
    return text.replace("¤", localized().symbol(reporting_currency()))


def month_in_year(day: dt.date) -> str:
    """The month of a day without its year: Mar."""
    return localized().date(day, MONTH_IN_YEAR)


def weekday_text(day: dt.date) -> str:
    """The short name of a weekday: Thu."""
    return localized().date(day, WEEKDAY)


def weekday_name(day: dt.date) -> str:
    """The full name of a weekday: Thursday."""
    return localized().weekday(day)


def days_label(first: dt.date, last: dt.date) -> str:
    """A date range: Sat 5 Mar 2011, 5 Mar – 9 Mar 2011, or 28 Dec 2010 – 9 Mar 2011."""
    if first == last:
        return localized().date(last, WEEKDAY_AND_DAY)
    return f"{day_in_year(first) if first.year == last.year else day_text(first)} – {day_text(last)}"


def tick_labels(periods: Sequence[str]) -> list[str]:
    """Short labels of periods for an axis: Nov, Dec, Jan, or 4 Feb, with the year below where it begins."""
    labels, year = [], ""
    for period in periods:
        label = period
        if len(period) > 4:
            begin = _first_day(period)
            label = day_in_year(begin) if len(period) > 7 else month_in_year(begin)
            label, year = label if period[:4] == year else f"{label}<br>{period[:4]}", period[:4]
        labels.append(label)
    return labels


def period_label(period: str) -> str:
    """2026 stays 2026, 2026-03 becomes Mar 2026, and 2026-03-14 becomes 14 Mar 2026."""
    if len(period) == 4:
        return period
    return month_text(_first_day(period)) if len(period) == 7 else day_text(_first_day(period))


def _first_day(period: str) -> dt.date:
    return dt.date.fromisoformat(period if len(period) > 7 else f"{period}-01")
