"""What customers are worth by segment: the lifetime value that the formula gives, and what they have brought so far."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING

from dashboards.app.breakdown import mean_lifespan, ratios
from dashboards.app.chart_data import Answer, Cell, dimension_column, measure_column, money
from dashboards.app.formats import day_text
from dashboards.spec.metrics import metric
from dashboards.spec.page_types import Visual

if TYPE_CHECKING:
    from dashboards.app.answers import Answers


def lifetime_value(answers: Answers, visual: Visual) -> Answer:
    """Customer lifetime value by current segment, from all orders up to the end of the date range.

    A short date range would cut off first orders and repeat purchases, so that its start doesn't count.
    """
    end = answers.everything.span[1]
    columns = (dimension_column("segment"), *map(measure_column, visual.measures))
    if end < answers.everything.span[0]:
        return Answer(columns, (), ())
    window = (answers.history[0], end)
    selection = answers.select(("segment", "period"), window)
    snapshot, days = answers.snapshot, (end - window[0]).days + 1
    revenue, orders = selection.sums("segment", "revenue"), selection.order_counts("segment")
    first, last = selection.customer_days()
    segment_of = snapshot.customers["segment"]
    rows, clicks = [], []
    for code, name in enumerate(snapshot.members["segment"]):
        buyers = selection.buyers[segment_of[selection.buyers] == code]
        if not len(buyers):
            continue
        lifespan = mean_lifespan(last[buyers] - first[buyers])
        values = _worth(revenue[code], int(orders[code]), len(buyers), days, lifespan)
        rows.append((name, *(values[measure] for measure in visual.measures)))
        clicks.append((("segment", name),))
    answer = Answer(columns, tuple(rows), tuple(clicks))
    return Answer(columns, answer.rows, answer.clicks, note=_note(answer, end))


def _worth(cents: float, orders: int, customers: int, days: int, lifespan: Decimal) -> Mapping[str, Cell]:
    """What the customers of a segment are worth, given their orders, days of history, and mean lifespan in years."""
    revenue = money(cents)
    return {
        **ratios(cents, 0, 0, orders),
        "customers": customers,
        "realized_value": metric("average_order_value")(revenue, customers),
        "purchase_frequency": metric("purchase_frequency")(orders, customers, days),
        "customer_lifespan": lifespan.quantize(Decimal("0.0001"), rounding=ROUND_HALF_UP),
        "customer_lifetime_value": metric("customer_lifetime_value")(revenue, customers, days, lifespan),
    }


def _note(answer: Answer, end: dt.date) -> str:
    """What the values mean, and why the formula puts some segments below the price of one order."""
    if not answer.rows:
        return ""
    means = (
        "What a customer of the segment brings over the time from first to last order,"
        f" up to {day_text(end)}; not a forecast."
    )
    pairs = zip(answer.column("customer_lifetime_value"), answer.column("average_order_value"), strict=True)
    low = [
        str(row[0])
        for row, (value, order) in zip(answer.rows, pairs, strict=True)
        if isinstance(value, Decimal) and isinstance(order, Decimal) and value < order
    ]
    if not low:
        return means
    return (
        f"{means} The formula counts a single order as one month of a customer's life,"
        f" which puts {' and '.join(low)} below one order."
    )
