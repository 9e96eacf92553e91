"""Every number of a comparison, compared with SQL on fact_sales for any filters."""

from __future__ import annotations

import datetime as dt
import os
from decimal import Decimal
from typing import Any

import psycopg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dashboards.app.filters import COMPARISONS, Filters, View
from dashboards.app.snapshot import Snapshot
from dashboards.spec.fields import HIERARCHIES, MEASURES
from dashboards.spec.pages import PAGES
from ecommerce_platform_tests.dashboard_sql import SUMS, Expected, Shown, kpi_values, round_half_up

EXAMPLES = int(os.environ.get("HYPOTHESIS_EXAMPLES", "100"))
FILTERED = ("category", "state", "segment", "payment", "buyer", "weekday")
BY_MEMBER = {
    "payment_methods": ("payment", "revenue"),
    "sales_map": ("state", "revenue"),
    "state_map": ("state", "revenue"),
    "state_ranking": ("state", "revenue"),
    "price_ranges": ("price_range", "revenue"),
    "discount_impact": ("discount_band", "profit_margin"),
    "segment_share": ("segment", "revenue"),
    "top_products": ("product", "revenue"),
    "top_customers": ("customer", "revenue"),
}
"""Charts that are compared by member: their dimension, and the measure that is compared."""
BY_LEVEL = {
    "top_categories": ("products", "revenue"),
    "category_margin": ("products", "profit_margin"),
    "regions": ("places", "revenue"),
}
"""The same for charts with a hierarchy."""
MEANS = "weekdays"
TREND = "revenue_trend"
WINDOWS = {
    "prior": "select %(start)s::date - n, %(end)s::date - n"
    " from (select case when %(days)s = 1 then 7 else %(days)s end) as shift (n)",
    "year": "select (%(start)s::date - interval '1 year')::date, (%(end)s::date - interval '1 year')::date",
    "weekdays": "select %(start)s::date - n, %(end)s::date - n"
    " from (select greatest(364, ceil(%(days)s / 7.0) * 7)::integer) as shift (n)",
}


@st.composite
def views(draw: st.DrawFn, snapshot: Snapshot) -> View:
    start = draw(st.dates(dt.date(2024, 1, 1), snapshot.last_day))
    end = min(snapshot.last_day, start + dt.timedelta(days=draw(st.sampled_from((0, 1, 6, 29, 59, 200, 366)))))
    chosen = draw(st.sets(st.sampled_from(FILTERED), max_size=2))
    members = tuple((name, draw(st.sampled_from(list(snapshot.members[name])))) for name in FILTERED if name in chosen)
    period = draw(st.sampled_from((None, None, f"{end:%Y-%m}", f"{start}")))
    filters = Filters(start=start, end=end, period=period)
    for name, member in members:
        filters = filters.with_member(name, member)
    levels = draw(st.sampled_from(((), (("time", "day"),), (("time", "month"),), (("time", "year"),))))
    levels += draw(st.sampled_from(((), (("places", "state"),), (("products", "product"),))))
    return View(filters, levels, compare=draw(st.sampled_from(COMPARISONS[:3])))


def span(view: View, history: tuple[dt.date, dt.date], period: str | None) -> list[dt.date]:
    """The days that the view selects."""
    first, last = view.filters.days(*history)
    every = [first + dt.timedelta(days=number) for number in range((last - first).days + 1)]
    return [day for day in every if day.isoformat().startswith(period or "")]


def window_of(connection: psycopg.Connection, view: View, days: list[dt.date]) -> tuple[dt.date, dt.date]:
    row = connection.execute(
        WINDOWS[view.compare].encode(), {"start": days[0], "end": days[-1], "days": len(days)}
    ).fetchone()
    assert row is not None
    return row[0], row[1]


def change(format_: str, now: Any, before: Any) -> Decimal | None:
    """The change in percent, or in points if the values are percentages themselves."""
    if format_ != "percent":
        return percent(now, before)
    return None if now is None or before is None else now - before


def percent(now: Any, before: Any) -> Decimal | None:
    if now is None or not before:
        return None
    return ((now - before) / Decimal(before) * 100).quantize(Decimal("0.01"), rounding="ROUND_HALF_UP")


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_cards_and_members_are_compared_with_what_sql_says(
    snapshot: Snapshot, connection: psycopg.Connection, data: st.DataObject
) -> None:
    view = data.draw(views(snapshot))
    shown = Shown(snapshot, view.query())
    expected = Expected(connection, "?" + view.query().lstrip("?"), snapshot.first_day, snapshot.last_day)
    days = span(view, shown.answers.history, view.filters.period)
    window = window_of(connection, view, days)
    is_inside = window[0] >= snapshot.first_day
    now, before = kpi_values(expected), kpi_values(expected, ["period"], window) if is_inside else {}
    for kpi in (kpi for page in PAGES if page.id != "health" for kpi in page.kpis):
        found = shown.answers.kpi(kpi).change
        if not kpi.compare or not is_inside:
            assert found is None, kpi.id
        else:
            assert found == change(kpi.format, now[kpi.id], before[kpi.id]), kpi.id
    for visual, (dimension, measure, without) in compared_members(shown).items():
        rows = shown.by_click(visual)
        if not is_inside:
            assert all(f"compared_{measure}" not in row for row in rows.values())
            continue
        others = expected.by(dimension, SUMS[measure], [*without, "period"], window)
        nothing = None if measure == "profit_margin" else Decimal(0)
        for member, row in rows.items():
            (other,) = others.get(member, (nothing,))
            assert row[f"compared_{measure}"] == other, (visual, member)
            wanted = change(MEASURES[measure].format, row[measure], other)
            assert row[f"{measure}_change"] == wanted, (visual, member)


def compared_members(shown: Shown) -> dict[str, tuple[str, str, list[str]]]:
    """Each chart that is compared by member: its dimension, its measure, and the filters that it ignores."""
    charts = {visual: (dimension, measure, [dimension]) for visual, (dimension, measure) in BY_MEMBER.items()}
    for visual, (hierarchy, measure) in BY_LEVEL.items():
        level, levels = str(shown.all[visual].level), HIERARCHIES[hierarchy].levels
        charts[visual] = level, measure, [*levels[levels.index(level) :]]
    compared = {
        visual
        for visual, answer in shown.all.items()
        if any(column.id.startswith("compared_") for column in answer.columns)
    }
    assert compared <= {*charts, MEANS, TREND}
    return charts


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_means_per_weekday_are_compared_with_what_sql_says(
    snapshot: Snapshot, connection: psycopg.Connection, data: st.DataObject
) -> None:
    view = data.draw(views(snapshot))
    shown = Shown(snapshot, view.query())
    expected = Expected(connection, "?" + view.query().lstrip("?"), snapshot.first_day, snapshot.last_day)
    window = window_of(connection, view, span(view, shown.answers.history, view.filters.period))
    rows = shown.by_click(MEANS)
    if window[0] < snapshot.first_day:
        assert all("compared_revenue_per_day" not in row for row in rows.values())
        return
    sums = expected.by("weekday", "sum(revenue)", ["weekday", "period"], window)
    days = [window[0] + dt.timedelta(days=number) for number in range((window[1] - window[0]).days + 1)]
    for name, row in rows.items():
        count = sum(f"{day:%A}" == name for day in days)
        (revenue,) = sums.get(name, (Decimal(0),))
        before = round_half_up(revenue / count) if count else None
        assert row["compared_revenue_per_day"] == before, name
        assert row["revenue_per_day_change"] == percent(row["revenue_per_day"], before), name


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_trend_is_compared_with_what_sql_says(
    snapshot: Snapshot, connection: psycopg.Connection, data: st.DataObject
) -> None:
    view = data.draw(views(snapshot))
    shown = Shown(snapshot, view.query())
    expected = Expected(connection, "?" + view.query().lstrip("?"), snapshot.first_day, snapshot.last_day)
    level = shown.all[TREND].level
    parent = None
    if dict(view.levels).get("time") and level != "year" and view.filters.period:
        parent = view.filters.period[: {"month": 4, "day": 7}[str(level)]]
    days = span(view, shown.answers.history, parent)
    window = window_of(connection, view, days)
    rows = shown.by_click(TREND)
    if window[0] < snapshot.first_day:
        assert all("compared_revenue" not in row for row in rows.values())
        return
    sums = dict(
        expected.rows("sale_date, sum(revenue)", "group by sale_date", ["period"], window),
    )
    wanted: dict[str, Decimal | None] = {}
    before = dict(zip(days, (day for (day,) in dates(connection, days, window)), strict=True))
    for day in days:
        name = day.isoformat()[: {"year": 4, "month": 7, "day": 10}[str(level)]]
        other = before[day]
        if view.compare == "year":
            is_leap_day = f"{day:%m-%d}" == "02-29" and day != days[0]
            wanted.setdefault(name, None)
            if not is_leap_day:
                wanted[name] = (wanted[name] or 0) + sums.get(other, Decimal(0))
                lost = other + dt.timedelta(days=1)
                if level != "day" and f"{lost:%m-%d}" == "02-29" and lost <= window[1]:
                    wanted[name] = wanted[name] + sums.get(lost, Decimal(0))
        else:
            wanted[name] = wanted.get(name, 0) + sums.get(other, Decimal(0))
    assert {name: row["compared_revenue"] for name, row in rows.items()} == wanted
    for row in rows.values():
        assert row["revenue_change"] == percent(row["revenue"], row["compared_revenue"])


def dates(connection: psycopg.Connection, days: list[dt.date], window: tuple[dt.date, dt.date]) -> list[tuple]:
    """For each day, the one with which it is compared: as many days before, or with the same date a year before."""
    shift = (days[0] - window[0]).days
    is_year = shift in (365, 366) and (days[-1] - window[1]).days in (365, 366)
    return connection.execute(
        "select case when %s then (day - interval '1 year')::date else day - %s end from unnest(%s::date[]) as day",
        (is_year, shift, days),
    ).fetchall()
