"""Links from a number to the orders behind it."""

from __future__ import annotations

from collections.abc import Sequence

from dashboards.app.chart_data import Answer, Pairs
from dashboards.app.filters import Filters, View
from dashboards.spec.fields import HIERARCHIES
from dashboards.spec.page_types import Visual
from dashboards.spec.pages import ORDERS


def orders_address(filters: Filters) -> str:
    """The URL of the orders that pass some filters."""
    return ORDERS.path + View(filters).query()


def orders_of_rows(visual: Visual, answer: Answer, view: View) -> Sequence[str]:
    """For each row of a chart that counts orders, the URL of exactly these; empty if the chart counts none."""
    # Lifetime value counts the orders of the whole history, which no filters of this page select.
    if visual.id == "lifetime_value" or not answer.clicks or "orders" not in [column.id for column in answer.columns]:
        return ()
    base = _filters_of_rows(visual, answer, view.filters)
    return [orders_address(_with(base, pairs)) for pairs in answer.clicks]


def _with(filters: Filters, pairs: Pairs) -> Filters:
    for name, member in pairs:
        filters = filters.with_member(name, member)
    return filters


def _filters_of_rows(visual: Visual, answer: Answer, filters: Filters) -> Filters:
    """The filters that the rows of a chart have in common; some charts ignore a filter, to keep members comparable."""
    if visual.id == "seasonality":
        return Filters("all", members=filters.members)
    if visual.id == "region_payments":
        return filters.without(("region", "state", "payment"))
    if visual.hierarchy in (None, "time") or answer.level is None:
        return filters
    levels = HIERARCHIES[visual.hierarchy].levels
    return filters.without(levels[levels.index(answer.level) :])
