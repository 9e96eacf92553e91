"""The measures of each member of a dimension, and the ratios among them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import cache, cached_property

import numpy as np

from dashboards.app.chart_data import Answer, Cell, dimension_column, measure_column, money
from dashboards.app.selection import Selection
from dashboards.spec.metrics import EXACT, metric


class Breakdown:
    """The measures of a breakdown by one dimension; computes only what they need."""

    def __init__(self, selection: Selection, dimension: str, measures: Sequence[str]):
        self.selection = selection
        self.dimension = dimension
        self.measures = measures
        self.revenue = selection.sums(dimension, "revenue")

    @cached_property
    def cost(self) -> np.ndarray:
        """Known cost by member, in cents."""
        return self.selection.sums(self.dimension, "cost")

    @cached_property
    def costed(self) -> np.ndarray:
        """Revenue of the lines with a known cost by member, in cents."""
        return self.selection.sums(self.dimension, "costed_revenue")

    @cached_property
    def sold(self) -> np.ndarray:
        """Codes of the members with at least one order line."""
        if not self.selection.is_of_lines(self.dimension):
            codes = np.flatnonzero(self.selection.order_counts(self.dimension))
            return codes[codes != self.selection.snapshot.guest] if self.dimension == "customer" else codes
        return np.flatnonzero(self.selection.line_counts(self.dimension))

    def ranked(self, measure: str, natural: bool) -> np.ndarray:
        """Codes of the sold members, in the dimension's natural order or by a measure, highest first."""
        if natural:
            return self.sold
        if measure == "profit_margin":
            margin = metric("profit_margin").of_columns(self.costed, self.cost)
            values = np.where(np.isnan(margin), -np.inf, margin)
        elif measure == "return_rate":
            returned, units = (self.selection.sums(self.dimension, name) for name in ("returned_units", "units"))
            values = metric("return_rate").of_columns(returned, units)
        else:
            values = self.revenue
        return self.sold[np.argsort(-values[self.sold], kind="stable")]

    def answer(self, codes: np.ndarray) -> Answer:
        """The rows of the members with these codes."""
        selection, dimension = self.selection, self.dimension
        total = Decimal(int(self.revenue.sum()))
        columns: dict[str, Callable[[int], Cell]] = {}
        needs_orders = {"orders", "average_order_value"} & set(self.measures)
        orders = selection.order_counts(dimension, codes) if needs_orders else None
        for name in ("units", "discount", "returns", "returned_units"):
            if name in self.measures:
                sums = selection.sums(dimension, name)
                columns[name] = lambda code, sums=sums, name=name: (
                    int(sums[code]) if name.endswith("units") else money(sums[code])
                )
        if "net_revenue" in self.measures:
            returns = selection.sums(dimension, "returns")
            columns["net_revenue"] = lambda code: metric("net_revenue")(money(self.revenue[code]), money(returns[code]))
        if "return_rate" in self.measures:
            back, sold = (selection.sums(dimension, name) for name in ("returned_units", "units"))
            columns["return_rate"] = lambda code: metric("return_rate")(int(back[code]), int(sold[code]))
        if "customers" in self.measures:
            customers = selection.customer_counts(dimension)
            columns["customers"] = lambda code: int(customers[code])
        columns["revenue_share"] = lambda code: metric("share")(Decimal(int(self.revenue[code])), total)
        needs_cost = {"costed_revenue", "cost", "profit", "profit_margin", "margin_coverage"} & set(self.measures)
        costed, cost = (
            (selection.sums(dimension, name) if needs_cost else np.zeros(len(self.revenue)))
            for name in ("costed_revenue", "cost")
        )
        rows, clicks = [], []
        members = selection.snapshot.members[dimension]
        for code in codes.tolist():
            values = ratios(
                self.revenue[code], costed[code], cost[code], int(orders[code]) if orders is not None else 0
            )
            row = [values[name] if name in values else columns[name](code) for name in self.measures]
            rows.append((selection.snapshot.name(dimension, members[code]), *row))
            clicks.append(((dimension, members[code]),))
        header = (dimension_column(dimension), *map(measure_column, self.measures))
        return Answer(header, tuple(rows), tuple(clicks))


def ratios(revenue: float, costed: float, cost: float, orders: int) -> dict[str, Cell]:
    """The measures that follow from the revenue, that of the lines with a known cost, their cost, and the orders.

    Money is in cents. Cost, profit and margin are None if no cost is known.
    """
    money_in, of_costed, money_out = money(revenue), money(costed), money(cost)
    is_known = bool(costed or cost)
    return {
        "revenue": money_in,
        "costed_revenue": of_costed,
        "cost": money_out if is_known else None,
        "profit": of_costed - money_out if is_known else None,
        "orders": orders,
        "average_order_value": metric("average_order_value")(money_in, orders),
        "profit_margin": metric("profit_margin")(of_costed, money_out),
        "margin_coverage": metric("share")(of_costed, money_in),
    }


def mean_lifespan(spans: np.ndarray) -> Decimal:
    """Average customer lifespan in years, unrounded, given the days between each customer's first and last order."""
    total, counts = Decimal(0), np.bincount(spans)
    for length in np.flatnonzero(counts).tolist():
        total = EXACT.add(total, EXACT.multiply(_lifespan(length), Decimal(int(counts[length]))))
    return EXACT.divide(total, Decimal(len(spans)))


@cache
def _lifespan(days: int) -> Decimal:
    """The lifespan in years of a customer whose first and last order are so many days apart."""
    years = metric("customer_lifespan")(dt.date(2000, 1, 1), dt.date(2000, 1, 1) + dt.timedelta(days=days))
    assert years is not None
    return years
