"""What a number or a chart leaves out, in words: orders without a customer, revenue without a cost, other countries."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from dashboards.app.chart_data import Answer
from dashboards.app.formats import amount, count_text, coverage
from dashboards.app.kpis import known_states
from dashboards.app.periods import partial_note, partial_periods, periods_of
from dashboards.app.selection import Selection
from dashboards.spec.page_types import Visual

MOST_BARS = 15
"""Bars that stand in for a map."""
GUEST_NOTES = {
    "orders": "{} without a customer",
    "customers": "Excludes {} guest order{}",
    "revenue_per_customer": "Excludes {} guest order{}",
    "returning_share": "Share of all revenue, including guests",
    "vip_share": "Share of all revenue, including guests",
}
CHARGES = "Charges"
"""The category of what a shop bills without selling a product, as connectors name it."""


def kpi_note(kpi: str, selection: Selection) -> str:
    """What a KPI leaves out: orders without a customer, or revenue without a known cost; empty if nothing."""
    if kpi == "profit_margin":
        return coverage_note(selection)
    if kpi in ("returns", "net_revenue", "return_rate"):
        return waiting_note(selection)
    if kpi in ("states", "top_five_states_share") and selection.count:
        return "" if known_states(selection, selection.order_counts("state")).any() else "No order has a known state"
    guests = selection.guest_orders if kpi in GUEST_NOTES else 0
    return GUEST_NOTES[kpi].format(count_text(guests), "" if guests == 1 else "s") if guests else ""


def waiting_note(selection: Selection) -> str:
    """The refunds of the date range that no figure has, because the shop exported no such order line; empty if none.

    Such a refund belongs to no category, customer or payment method, so that it is named only without filters.
    """
    first, last = selection.span
    waiting = [(rows, sum_) for day, rows, sum_ in selection.snapshot.waiting_refunds if first <= day <= last]
    if not waiting or selection.is_filtered:
        return ""
    rows, refunds = (sum(column) for column in zip(*waiting, strict=True))
    name = "refund" if rows == 1 else "refunds"
    return f"Excludes {count_text(rows)} {name} ({amount(refunds)}) whose order is not in the data"


def coverage_note(selection: Selection) -> str:
    """The share of the revenue that a margin is based on; empty if it is all of it, or if there is no revenue."""
    revenue, costed = selection.total("revenue"), selection.total("costed_revenue")
    if costed == revenue:
        return ""
    if not costed:
        return "No cost is known"
    return f"Based on {coverage(Decimal(costed) / Decimal(revenue) * 100)} of revenue (lines with a known cost)"


def with_coverage(answer: Answer, visual: Visual, selection: Selection) -> Answer:
    """Say how much of the revenue margins are based on: below a chart that draws them, or below the table of others."""
    note = coverage_note(selection) if "profit_margin" in visual.measures else ""
    if not note or not answer.rows:
        return answer
    text = f"The margin is {note[0].lower()}{note[1:]}."
    if not selection.total("costed_revenue"):
        text = "Margins are blank because no product cost is known."
    if visual.measures[0] != "profit_margin":
        return replace(answer, table_note=text)
    if not any(value is not None for value in answer.column("profit_margin")):
        return replace(answer, missing="No margin: the export contains no costs for these products.", table_note=text)
    return replace(answer, note=joined(answer.note, text))


def with_incomplete(answer: Answer, months: Sequence[str], span: tuple[dt.date, dt.date]) -> Answer:
    """Mark the rows whose month, such as 2026-03, is only partly within a date range, and name these months."""
    names = sorted(set(months))
    periods = [
        periods_of("month", first, first)[0] for first in (dt.date.fromisoformat(f"{name}-01") for name in names)
    ]
    partial = partial_periods("month", periods, *span)
    incomplete = {names[place] for place in partial}
    rows = tuple(row for row, month in enumerate(months) if month in incomplete)
    note = partial_note("month", periods, partial, " in this date range")
    return replace(answer, note=joined(answer.note, note), partial=rows)


def with_charges(answer: Answer, selection: Selection) -> Answer:
    """Say of a chart of products that postage and the like are among them."""
    code = selection.snapshot.code("category", CHARGES)
    if code < 0 or not selection.line_counts("category")[code]:
        return answer
    text = "Includes charges such as postage and corrections; filter by category to leave them out."
    return replace(answer, note=joined(answer.note, text))


def joined(*notes: str) -> str:
    """Several notes as one text."""
    return " ".join(filter(None, notes))


def on_the_map(answer: Answer) -> Answer:
    """Say how much of the revenue is from places that the map of the US does not show; of most, draw bars."""
    revenue = [Decimal(value) for value in answer.column("revenue") if isinstance(value, int | Decimal)]
    is_shown = [clicks[0][1].startswith("US-") and not clicks[0][1].endswith("-Unknown") for clicks in answer.clicks]
    elsewhere = sum((value for value, here in zip(revenue, is_shown, strict=True) if not here), Decimal(0))
    if not elsewhere and any(is_shown):
        return answer
    if not any(is_shown) or elsewhere * 2 > sum(revenue):
        count = f"The first {MOST_BARS} of {count_text(len(answer.rows))}. " if len(answer.rows) > MOST_BARS else ""
        return replace(answer, drawn_as="bar", note=f"{count}A map is shown if most of the revenue is from US states.")
    return replace(answer, note=f"Not on this map: {coverage(elsewhere / sum(revenue) * 100)} of revenue.")


def without_customers(answer: Answer, selection: Selection) -> Answer:
    """Say why a chart of customers is empty, if only guests ordered."""
    is_missing = not answer.rows and selection.count > 0 and not selection.customers
    return replace(answer, missing="None of these orders has a customer.") if is_missing else answer
