"""The numbers of the weekly summary. Every one is computed as the dashboards compute it for the same days."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from dashboards.app.breakdown import Breakdown
from dashboards.app.chart_data import Answer, Cell, money
from dashboards.app.filters import Filters
from dashboards.app.formats import count_text, days_label
from dashboards.app.health import Health, read_health, warnings
from dashboards.app.kpis import KPI_VALUES
from dashboards.app.notes import kpi_note
from dashboards.app.selection import Selection
from dashboards.app.snapshot import Snapshot
from dashboards.app.snapshot_reader import read_snapshot
from dashboards.spec.metrics import metric
from dashboards.spec.page_types import Kpi
from dashboards.spec.pages import EXECUTIVE
from dashboards.weekly.weeks import DAYS, YEAR, Week
from ecommerce_platform.checks.results import worst_by_check
from ecommerce_platform.feeds.days import spans_of
from ecommerce_platform.io_managers.connection import PostgresConnection

SHOWN = ("revenue", "orders", "average_order_value", "profit_margin", "net_revenue", "return_rate")
"""The KPIs of the Executive Summary that the summary has, in this order."""

TOP = 5
"""Products, categories and states."""

WEEKS = 13
"""Weeks whose revenue the summary shows, with the one that it is about: a quarter."""

TABLES = (("product", "Top products"), ("category", "Top categories"), ("state", "Top states"))
"""Dimensions, and the headings of their tables."""


class Change(NamedTuple):
    """A value of an earlier week, and the change since then: in percent, or in points for a percentage."""

    value: Cell
    change: Decimal | None


class Figure(NamedTuple):
    """A KPI: its value, its changes since the weeks that it is compared with, and what it leaves out.

    A change is None where the dashboards show none: recent orders may still be returned.
    """

    kpi: Kpi
    value: Decimal | int | None
    changes: Sequence[Change | None]
    note: str


class Day(NamedTuple):
    """A day: revenue, orders, and the revenue seven days before. None where the day is not loaded."""

    day: dt.date
    revenue: Decimal | None
    orders: int | None
    before: Decimal | None


@dataclass(frozen=True)
class Summary:
    """What the weekly summary says.

    Attributes:
        week: the week that it is about.
        missing: the days of the week that are not loaded.
        compared: the names and weeks that it is compared with: only those that are completely loaded.
        not_compared: why it isn't compared with the week before; empty if it is.
        figures: the KPIs.
        days: the seven days.
        weeks: the revenue of the last weeks, oldest first; None for a week that is not completely loaded.
        tables: headings and rows of the best products, categories and states, by revenue.
        problems: what is wrong with the data, one sentence each, as the dashboards say at their top.
        checks: one sentence about the checks.
    """

    week: Week
    missing: Sequence[dt.date]
    compared: Sequence[tuple[str, Week]]
    not_compared: str
    figures: Sequence[Figure]
    days: Sequence[Day]
    weeks: Sequence[tuple[Week, Decimal | None]]
    tables: Sequence[tuple[str, Answer]]
    problems: Sequence[str]
    checks: str

    @property
    def is_without_orders(self) -> bool:
        """Whether nothing was sold."""
        return not any(day.orders for day in self.days)


def read_summary(connection: PostgresConnection, week: Week, loaded: Collection[dt.date], now: dt.datetime) -> Summary:
    """The summary of a week, from the database.

    Args:
        connection: as the role reader.
        week: any seven days.
        loaded: the days that are loaded.
        now: the current time, for what counts as stale.

    Raises:
        DatabaseError: the database cannot be read.
    """
    return summarize(read_snapshot(connection), read_health(connection), week, loaded, now)


def summarize(snapshot: Snapshot, health: Health, week: Week, loaded: Collection[dt.date], now: dt.datetime) -> Summary:
    """The summary of a week; see :func:`read_summary`."""
    missing = week.missing(loaded)
    earlier = [("the week before", week.before(1)), ("a year before", week.before(YEAR))]
    # A part of a week is not compared with a whole one.
    compared = [(name, other) for name, other in earlier if not missing and not other.missing(loaded)]
    chosen = Selection(snapshot, Filters(), week.span)
    others = [Selection(snapshot, Filters(), other.span) for _, other in compared]
    kpis = {kpi.id: kpi for kpi in EXECUTIVE.kpis}
    figures = [
        _figure(kpis[name], chosen, others) for name in SHOWN if snapshot.has_returns or not kpis[name].needs_returns
    ]
    known = [health.loaded_through, None if snapshot.is_empty else snapshot.last_day]
    last_day = max((day for day in known if day is not None), default=None)
    if len(missing) == DAYS and not chosen.count:
        figures = [figure._replace(value=None) for figure in figures]
    return Summary(
        week,
        missing,
        compared,
        _why_not_compared(week, loaded),
        figures,
        _days(snapshot, week, loaded),
        [_revenue(snapshot, week.before(number), loaded) for number in reversed(range(WEEKS))],
        [(heading, _best(chosen, dimension)) for dimension, heading in TABLES],
        [*_missing(week, loaded), *(f"{notice.title} {notice.text}" for notice in warnings(health, last_day, now))],
        _checks(health),
    )


def _why_not_compared(week: Week, loaded: Collection[dt.date]) -> str:
    before = week.before(1)
    if week.missing(loaded):
        return "No comparison, because this week is not completely loaded."
    if not before.missing(loaded):
        return ""
    why = "is not completely loaded" if any(day < week.first for day in loaded) else "is before the first loaded day"
    return f"No comparison with the week before: {before.label} {why}."


def _figure(kpi: Kpi, chosen: Selection, others: Sequence[Selection]) -> Figure:
    value = KPI_VALUES[kpi.id](chosen)
    return Figure(
        kpi, value, [_change(kpi, value, other) if kpi.compare else None for other in others], kpi_note(kpi.id, chosen)
    )


def _change(kpi: Kpi, value: Decimal | int | None, other: Selection) -> Change:
    """As on a card of the dashboards: in points for a percentage, otherwise in percent of the earlier value."""
    before = KPI_VALUES[kpi.id](other)
    if value is None or before is None:
        return Change(before, None)
    difference = Decimal(value) - Decimal(before)
    return Change(before, difference if kpi.format == "percent" else metric("share")(difference, Decimal(before)))


def _days(snapshot: Snapshot, week: Week, loaded: Collection[dt.date]) -> Sequence[Day]:
    now, before = (Selection(snapshot, Filters(), span) for span in (week.span, week.before(1).span))
    revenue, orders, revenue_before = now.by_day("revenue"), now.by_day("orders"), before.by_day("revenue")
    rows = []
    for place, day in enumerate(week.days):
        # A day that is not loaded any more may still have the sales of an earlier file.
        has_day = day in loaded or bool(orders[place])
        rows.append(
            Day(
                day,
                money(revenue[place]) if has_day else None,
                int(orders[place]) if has_day else None,
                money(revenue_before[place]) if day - dt.timedelta(weeks=1) in loaded else None,
            )
        )
    return rows


def _revenue(snapshot: Snapshot, week: Week, loaded: Collection[dt.date]) -> tuple[Week, Decimal | None]:
    if week.missing(loaded):
        return week, None
    return week, money(Selection(snapshot, Filters(), week.span).total("revenue"))


def _best(selection: Selection, dimension: str) -> Answer:
    table = Breakdown(selection, dimension, ("revenue", "revenue_share", "orders"))
    return table.answer(table.ranked("revenue", natural=False)[:TOP])


def _missing(week: Week, loaded: Collection[dt.date]) -> Sequence[str]:
    days = week.missing(loaded)
    if not days:
        return []
    spans = ", ".join(days_label(*span) for span in spans_of(days))
    are = "is" if len(days) == 1 else "are"
    return [f"This summary is incomplete. {len(days)} of its 7 days {are} not completely loaded: {spans}."]


def _checks(health: Health) -> str:
    results = worst_by_check(health.results).values()
    failed = sum(result.is_blocking for result in results)
    warned = sum(not result.passed for result in results) - failed
    if not results:
        return "No check has run yet."
    parts = [f"{count_text(len(results) - failed - warned)} of {count_text(len(results))} checks pass"]
    parts += [f"{count_text(failed)} fail{'s' if failed == 1 else ''}"] if failed else []
    parts += [f"{count_text(warned)} warn{'s' if warned == 1 else ''}"] if warned else []
    rejected = f"{count_text(health.rejected_rows)} row{' is' if health.rejected_rows == 1 else 's are'} rejected"
    return f"{', '.join(parts)}. {rejected}."
