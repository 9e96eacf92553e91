"""Targets per month, for revenue and profit margin: progress on cards, and a line in the trend.

A month that is only partly in the date range counts by its days. Targets are those of the whole shop, so that they show
only without filters.
"""

from __future__ import annotations

import calendar
import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import ROUND_FLOOR, ROUND_HALF_UP, Decimal
from types import MappingProxyType

import numpy as np

from dashboards.app.chart_data import Answer, Column, Progress, money
from dashboards.app.formats import days_label, half_up, month_in_year, month_text, percent_text, rounded, short
from dashboards.app.periods import periods_of
from dashboards.app.selection import Selection
from dashboards.app.snapshot import number_of
from dashboards.spec.metrics import EXACT, metric

TARGET_COLUMNS = ("month", "revenue", "profit_margin")
_MONTH = re.compile(r"20\d{2}-(0[1-9]|1[0-2])", re.ASCII)
_AMOUNT = re.compile(r"\d{1,15}(\.\d{1,2})?", re.ASCII)
_PERCENTAGE = re.compile(r"\d{1,2}(\.\d{1,2})?", re.ASCII)

Days = tuple[dt.date, dt.date]
ByMonth = Mapping[dt.date, Decimal]
"""A value for each month, which is named by its first day."""


@dataclass(frozen=True)
class Targets:
    """The targets of each month: revenue in the reporting currency, and profit margin in percent."""

    revenue: ByMonth = field(default_factory=lambda: MappingProxyType({}))
    profit_margin: ByMonth = field(default_factory=lambda: MappingProxyType({}))


def read_targets(rows: Sequence[tuple[int, Mapping[str, str]]]) -> Targets:
    """The targets of a file's rows.

    Raises:
        ValueError: a row is wrong. The message begins with its line.
    """
    found: dict[str, dict[dt.date, Decimal]] = {"revenue": {}, "profit_margin": {}}
    months: set[str] = set()
    for line, row in rows:
        month = row["month"]
        if not _MONTH.fullmatch(month):
            raise ValueError(f", line {line}: month {_cut(month)} is not a month such as 2026-01")
        if month in months:
            raise ValueError(f", line {line}: month {month} is there twice")
        months.add(month)
        for name, shape, example in (
            ("revenue", _AMOUNT, "an amount such as 120000 or 120000.50"),
            ("profit_margin", _PERCENTAGE, "a percentage such as 35 or 35.5"),
        ):
            text = row[name]
            if text and (not shape.fullmatch(text) or not Decimal(text)):
                raise ValueError(f", line {line}: {name} {_cut(text)} is not {example}")
            if text:
                found[name][dt.date.fromisoformat(month + "-01")] = Decimal(text)
    return Targets(MappingProxyType(found["revenue"]), MappingProxyType(found["profit_margin"]))


def _cut(text: str) -> str:
    return repr(text[:40]) if text else "(blank)"


def target_of(days: Days, by_month: ByMonth) -> Decimal | None:
    """The target of some days of one month: its part of that of the month, rounded to cents."""
    first, last = days
    whole = by_month.get(first.replace(day=1))
    if whole is None:
        return None
    part = EXACT.multiply(whole, Decimal((last - first).days + 1))
    return EXACT.divide(part, Decimal(_days_of_month(first))).quantize(Decimal("0.01"), ROUND_HALF_UP)


def _days_of_month(day: dt.date) -> int:
    return calendar.monthrange(day.year, day.month)[1]


def progress(kpi: str, targets: Targets, selection: Selection) -> Progress | None:
    """How far the revenue or the profit margin of a date range has come; None without a target for it.

    It is about the days of the range whose months have a target.
    """
    by_month = {"revenue": targets.revenue, "profit_margin": targets.profit_margin}.get(kpi)
    start, end = selection.span
    if not by_month or selection.is_filtered or end < start:
        return None
    months = [(max(first, start), min(last, end)) for first, last in periods_of("month", start, end)]
    months = [days for days in months if days[0].replace(day=1) in by_month]
    if not months:
        return None
    wanted = np.zeros((end - start).days + 1, bool)
    for first, last in months:
        wanted[number_of(first) - number_of(start) : number_of(last) - number_of(start) + 1] = True
    name = _name(months)
    if kpi == "revenue":
        target = sum((target_of(days, by_month) or Decimal(0) for days in months), Decimal(0))
        return _of_revenue(money(selection.by_day("revenue")[wanted].sum()), target, name)
    costed, cost = (money(selection.by_day(column)[wanted].sum()) for column in ("costed_revenue", "cost"))
    margin = metric("profit_margin")(costed, cost)
    return None if margin is None else _of_margin(margin, _mean(months, by_month), name)


def _of_revenue(revenue: Decimal, target: Decimal, name: str) -> Progress | None:
    percent = metric("share")(revenue, target)
    if percent is None:
        return None
    whole = percent.to_integral_value(ROUND_FLOOR)
    return Progress(
        f"{percent_text(whole)} of the target of {short(target, 'money')} for {name}", _part(revenue, target)
    )


def _of_margin(margin: Decimal, target: Decimal, name: str) -> Progress:
    points = margin - target
    where = "above" if points > 0 else "below"
    text = f"{rounded(abs(points), 1)} pts {where} the" if half_up(abs(points), 1) else "On the"
    return Progress(f"{text} target of {short(target, 'percent')} for {name}", _part(margin, target))


def _part(value: Decimal, target: Decimal) -> float:
    return float(min(Decimal(1), max(Decimal(0), value / target)))


def _mean(months: Sequence[Days], by_month: ByMonth) -> Decimal:
    """The mean of the targets, in which each month counts by its days."""
    days = [Decimal((last - first).days + 1) for first, last in months]
    weighted = [
        EXACT.multiply(by_month[first.replace(day=1)], count) for (first, _), count in zip(months, days, strict=True)
    ]
    return EXACT.divide(sum(weighted, Decimal(0)), sum(days, Decimal(0))).quantize(Decimal("0.01"), ROUND_HALF_UP)


def _name(months: Sequence[Days]) -> str:
    """The months that a target is of: Mar 2024, Jan–Mar 2024, Dec 2023–Feb 2024, or days if not all are whole."""
    (first, _), (_, last) = months[0], months[-1]
    if first.day > 1 or last.day < _days_of_month(last):
        name = days_label(first, last)
    elif len(months) == 1:
        name = month_text(first)
    else:
        begin = month_in_year(first) if first.year == last.year else month_text(first)
        name = f"{begin}–{month_text(last)}"
    missing = (last.year - first.year) * 12 + last.month - first.month + 1 - len(months)
    return f"{name}, except {missing} month{'' if missing == 1 else 's'} without a target" if missing else name


def with_targets(answer: Answer, parts: Sequence[Days], targets: Targets, selection: Selection) -> Answer:
    """A trend by month with the target of each month, or of its days in the date range; unchanged without targets."""
    cells = [target_of(days, targets.revenue) for days in parts]
    if answer.level != "month" or selection.is_filtered or not any(cell is not None for cell in cells):
        return answer
    rows = tuple((*row, cell) for row, cell in zip(answer.rows, cells, strict=True))
    return replace(answer, columns=(*answer.columns, Column("target_revenue", "Target", "money")), rows=rows)
