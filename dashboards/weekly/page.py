"""The weekly summary as HTML with pictures, and as plain text."""

from __future__ import annotations

import base64
import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from dashboards.app.formats import (
    NOTHING,
    count_text,
    day_in_year,
    exact,
    reporting_currency,
    rounded,
    short,
    weekday_name,
    weekday_text,
)
from dashboards.app.localized import localized
from dashboards.app.theme import LIGHT
from dashboards.weekly.pictures import BEFORE, HEIGHT, WIDTH, Bar, bar_chart
from dashboards.weekly.summary import Change, Figure, Summary
from ecommerce_platform.files import printable

DAYS, WEEKS = "days", "weeks"
"""The names of the pictures."""


def subject(summary: Summary) -> str:
    """The subject of the message, and the title of the page."""
    revenue = summary.figures[0]
    text = f"{summary.week.title}: {short(revenue.value, revenue.kpi.format)} revenue"
    change = revenue.changes[0] if revenue.changes and summary.compared[0][0] == "the week before" else None
    if change is not None and change.change is not None:
        text += f", {_change(revenue, change)}"
    return f"{text} (incomplete)" if summary.missing else text


def pictures(summary: Summary) -> Mapping[str, bytes]:
    """The pictures of the page by name, as PNG; none for a week without orders."""
    if summary.is_without_orders:
        return {}
    days = [
        Bar(weekday_text(day.day), _float(day.revenue), _amount(day.revenue), _float(day.before))
        for day in summary.days
    ]
    result = {DAYS: bar_chart(days)}
    known = [place for place, (_, revenue) in enumerate(summary.weeks) if revenue is not None]
    if len(known) > 1:
        weeks = [
            Bar(day_in_year(week.last), _float(revenue), _amount(revenue))
            for week, revenue in summary.weeks[known[0] :]
        ]
        result[WEEKS] = bar_chart(weeks, last_only=True)
    return result


def _float(value: Decimal | None) -> float | None:
    return None if value is None else float(value)


def _amount(value: Decimal | None) -> str:
    """An amount without its currency, which the caption names."""
    return (
        "n/a" if value is None else short(value, "money").replace(localized().symbol(reporting_currency()), "").strip()
    )


def html(summary: Summary, sources: Mapping[str, str], dashboards: str | None) -> str:
    """The page. Texts of the shop are escaped.

    Args:
        summary: the week to show.
        sources: the address of each picture by its name: ``cid:…`` in a message, ``data:…`` in a file.
        dashboards: the URL of the dashboards, if people can reach them.
    """
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("summary.html.j2").render(
        summary=summary,
        title=subject(summary),
        sources=sources,
        alternatives=_alternatives(summary),
        size=(WIDTH, HEIGHT),
        currency=reporting_currency().code,
        link=_link(summary, dashboards),
        exact=exact,
        day_in_year=day_in_year,
        weekday_name=weekday_name,
        printable=printable,
        change=_change,
        color=_color,
        nothing=NOTHING,
        theme=LIGHT,
        older=BEFORE,
    )


def page(summary: Summary, dashboards: str | None) -> str:
    """The page as one file that needs no other."""
    encoded = {name: base64.b64encode(picture).decode() for name, picture in pictures(summary).items()}
    return html(summary, {name: f"data:image/png;base64,{text}" for name, text in encoded.items()}, dashboards)


def _link(summary: Summary, dashboards: str | None) -> str | None:
    """The address of the same days on the Executive Summary."""
    if dashboards is None:
        return None
    return f"{dashboards.rstrip('/')}/?from={summary.week.first}&to={summary.week.last}"


def _change(figure: Figure, change: Change) -> str:
    """A change in words: up 12.3%, down 0.4 points, unchanged."""
    if change.change is None:
        return NOTHING
    if abs(change.change) < Decimal("0.05"):
        return "unchanged"
    unit = " points" if figure.kpi.format == "percent" else "%"
    return f"{'up' if change.change > 0 else 'down'} {rounded(abs(change.change), 1)}{unit}"


def _color(figure: Figure, change: Change) -> str:
    text = _change(figure, change)
    return LIGHT.good if text.startswith("up") else LIGHT.bad if text.startswith("down") else LIGHT.muted


def _alternatives(summary: Summary) -> Mapping[str, str]:
    """What the pictures show, for those who do not see them."""
    days = ", ".join(f"{weekday_text(day.day)} {exact(day.revenue, 'money')}" for day in summary.days)
    weeks = ", ".join(f"{exact(week.last, 'day')} {exact(revenue, 'money')}" for week, revenue in summary.weeks)
    return {DAYS: f"Revenue per day: {days}", WEEKS: f"Revenue per week, by its last day: {weeks}"}


def text(summary: Summary, dashboards: str | None) -> str:
    """The summary as plain text, in lines that no text of the shop can break."""
    lines = [f"{summary.week.title}, {summary.week.label}" if summary.week.is_iso else summary.week.label, ""]
    lines += [f"! {printable(problem)}" for problem in summary.problems]
    lines += [""] if summary.problems else []
    if summary.is_without_orders and not summary.missing:
        lines += ["No orders in this week.", ""]
    for figure in summary.figures:
        lines.append(f"{figure.kpi.label}: {exact(figure.value, figure.kpi.format)}")
        for (name, other), change in zip(summary.compared, figure.changes, strict=True):
            if change is not None:
                was = exact(change.value, figure.kpi.format)
                lines.append(f"  {name} ({other.label}): {was}, {_change(figure, change)}")
        lines += [f"  {figure.note}"] if figure.note else []
    lines += ["", summary.not_compared] if summary.not_compared else []
    lines += ["", "Revenue per day"]
    for day in summary.days:
        orders = "not loaded" if day.orders is None else f"{count_text(day.orders)} orders"
        before = f"seven days before: {exact(day.before, 'money')}"
        lines.append(f"  {_day(day.day)}: {exact(day.revenue, 'money')}, {orders} ({before})")
    for heading, answer in summary.tables:
        lines += ["", heading] if answer.rows else []
        for place, (name, revenue, share, orders) in enumerate(answer.rows, 1):
            sold = f"{exact(revenue, 'money')} ({exact(share, 'percent')}), {exact(orders, 'count')} orders"
            lines.append(f"  {place}. {printable(str(name))}: {sold}")
    lines += ["", f"Data health: {summary.checks}"]
    link = _link(summary, dashboards)
    lines += [f"Dashboards: {link}"] if link else []
    return "".join(f"{line}\n" for line in lines)


def _day(day: dt.date) -> str:
    return f"{weekday_text(day)} {day_in_year(day)}"
