"""What a number or a chart leaves out, in words: orders without a customer, revenue without a cost, other countries."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from dashboards.app.chart_data import Answer
from dashboards.app.formats import coverage
from dashboards.app.kpis import known_states
from dashboards.app.selection import Selection
from dashboards.spec.page_types import Visual

GUEST_NOTES = {
    "orders": "{} without a customer",
    "customers": "Without guests: {} orders have no customer",
    "revenue_per_customer": "Without guests: {} orders have no customer",
    "returning_share": "Of total revenue, guests included",
    "vip_share": "Of total revenue, guests included",
}


def kpi_note(kpi: str, selection: Selection) -> str:
    """What a KPI leaves out: orders without a customer, or revenue without a known cost; empty if nothing."""
    if kpi == "profit_margin":
        return coverage_note(selection)
    if kpi in ("states", "top_five_states_share") and selection.count:
        return "" if known_states(selection, selection.order_counts("state")).any() else "No order has a known state"
    guests = selection.guest_orders if kpi in GUEST_NOTES else 0
    return GUEST_NOTES[kpi].format(f"{guests:,}") if guests else ""


def coverage_note(selection: Selection) -> str:
    """The share of the revenue that a margin covers; empty if it covers all of it, or if there is no revenue."""
    revenue, costed = selection.total("revenue"), selection.total("costed_revenue")
    if costed == revenue:
        return ""
    return f"Covers {coverage(Decimal(costed) / Decimal(revenue) * 100)} of revenue" if costed else "No cost is known"


def with_coverage(answer: Answer, visual: Visual, selection: Selection) -> Answer:
    """Say of a chart with margins how much of the revenue they cover, and why there is nothing to draw without any."""
    note = coverage_note(selection) if "profit_margin" in visual.measures else ""
    if not note or not answer.rows:
        return answer
    if visual.measures[0] == "profit_margin" and not any(value is not None for value in answer.column("profit_margin")):
        return replace(answer, missing="The shop does not say what these products cost, so there is no margin.")
    margin = (
        f"The margin {note[0].lower()}{note[1:]}." if selection.total("costed_revenue") else f"{note}, so no margin."
    )
    return replace(answer, note=f"{answer.note} {margin}" if answer.note else margin)


def on_the_map(answer: Answer) -> Answer:
    """Say how much of the revenue is from places that the map of the US does not show."""
    revenue = [Decimal(value) for value in answer.column("revenue") if isinstance(value, int | Decimal)]
    is_shown = [clicks[0][1].startswith("US-") and not clicks[0][1].endswith("-Unknown") for clicks in answer.clicks]
    elsewhere = sum((value for value, here in zip(revenue, is_shown, strict=True) if not here), Decimal(0))
    if answer.rows and not any(is_shown):
        return replace(answer, missing="This map shows US states; no order has a known US state.")
    if not elsewhere:
        return answer
    return replace(answer, note=f"Not on this map: {coverage(elsewhere / sum(revenue) * 100)} of revenue.")


def without_customers(answer: Answer, selection: Selection) -> Answer:
    """Say why a chart of customers is empty, if only guests ordered."""
    is_missing = not answer.rows and selection.count > 0 and not selection.customers
    return replace(answer, missing="None of these orders has a customer.") if is_missing else answer
