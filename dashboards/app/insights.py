"""What stands out on a page, in two or three sentences at its top, computed from the data in view.

Each sentence is about numbers that the page shows, says what it compares them with, and links to the filter that shows
it. Those with the largest effects are chosen; where nothing stands out, there are none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from dashboards.app.chart_data import money
from dashboards.app.chart_insights import FEWEST_ORDERS, MATTERS, POINTS_APART, STANDS_OUT, Sentence, strongest
from dashboards.app.comparison import Window, change
from dashboards.app.formats import days_label, half_up, rounded, short
from dashboards.app.kpis import KPI_VALUES
from dashboards.app.selection import Selection
from dashboards.spec.metrics import metric
from dashboards.spec.page_types import Page

if TYPE_CHECKING:
    from dashboards.app.answers import Answers

MOST_SENTENCES = 3
CHANGED = Decimal(3)
"""Per cent of change from which on revenue, orders and their value have changed."""
HELD = Decimal("0.5")
"""Percentage points within which a margin has held."""
STANDARD_ERRORS = 2
MOST_OF_IT, MUCH_OF_IT = Decimal(50), Decimal(30)
"""Per cent of a change that one member must account for, to be named as most of it, or as the largest part."""
SETTLED_DAYS = 90
"""Days after which a shop's customers can have returned."""
SHOWN_PRODUCTS = 10
"""The products that the page shows, of which one may be named."""
OVERWEIGHT = Decimal(3)
"""How many times its share of the customers a segment's share of the revenue must be."""


class Compared:
    """The selection in view beside that of the compared days; only where both have enough orders."""

    def __init__(self, now: Selection, before: Selection, window: Window) -> None:
        self.now = now
        self.before = before
        self.window = window

    @property
    def label(self) -> str:
        """The compared days."""
        return days_label(*self.window)

    @property
    def dates(self) -> tuple[str, str]:
        """The compared days, as in a URL."""
        return self.window[0].isoformat(), self.window[1].isoformat()

    def percent(self, kpi: str) -> Decimal | None:
        """The change of a KPI in per cent, as its card shows it."""
        return change(KPI_VALUES[kpi](self.now), KPI_VALUES[kpi](self.before), is_percent=False)

    def points(self, kpi: str) -> Decimal | None:
        """The change of a KPI that is a percentage, in percentage points."""
        return change(KPI_VALUES[kpi](self.now), KPI_VALUES[kpi](self.before), is_percent=True)

    def is_chance(self, kpi: str) -> bool:
        """Whether the change of revenue, orders, customers, or the average order value may be chance.

        It may if it is within two standard errors, where orders come independently of each other and each brings an
        amount of its own: the variance of a number of orders is that number, that of a sum of amounts is the sum of
        their squares (the compound Poisson distribution), that of a mean the variance of an amount per order.
        """
        (now, of_now), (before, of_before) = (
            _estimate(kpi, chosen, *self._amounts[place]) for place, chosen in enumerate((self.now, self.before))
        )
        return abs(now - before) < STANDARD_ERRORS * (of_now + of_before) ** 0.5

    @cached_property
    def _amounts(self) -> list[tuple[float, float]]:
        """The sum of the orders' amounts on each side, and that of their squares."""
        amounts = [chosen.orders("revenue") / 100 for chosen in (self.now, self.before)]
        return [(float(of_side.sum()), float(of_side @ of_side)) for of_side in amounts]

    def driver(self, dimension: str) -> tuple[str, Decimal] | None:
        """The member that accounts for the largest part of the change in revenue, and that part in per cent."""
        gain = self.now.sums(dimension, "revenue") - self.before.sums(dimension, "revenue")
        whole = Decimal(int(gain.sum()))
        if not whole or len(gain) < 2:
            return None
        code = int(np.argmax(gain)) if whole > 0 else int(np.argmin(gain))
        part = metric("share")(Decimal(int(gain[code])), whole)
        return None if part is None else (self.now.snapshot.members[dimension][code], part)


def _estimate(kpi: str, chosen: Selection, total: float, squares: float) -> tuple[float, float]:
    """A KPI of some orders, whose amounts and squares of amounts have these sums; and its variance."""
    if kpi == "customers":
        return chosen.customers, chosen.customers
    if kpi == "orders":
        return chosen.count, chosen.count
    if kpi == "revenue":
        return total, squares
    mean = total / chosen.count
    return mean, (squares / chosen.count - mean * mean) / chosen.count


def compared(answers: Answers) -> Compared | None:
    """What the page is compared with; None without compared days, or with too few orders on either side."""
    window = answers.compared(answers.everything.span)
    if window is None:
        return None
    before = answers.select(("period",), window)
    if min(answers.everything.count, before.count) < FEWEST_ORDERS:
        return None
    return Compared(answers.everything, before, window)


def page_sentences(answers: Answers, page: Page) -> tuple[Sentence, ...]:
    """The sentences at the top of a page."""
    rules = _RULES.get(page.id, ())
    if answers.everything.count < FEWEST_ORDERS or not rules:
        return ()
    against = compared(answers)
    return strongest([rule(answers, against) for rule in rules], MOST_SENTENCES)


Rule = Callable[["Answers", Compared | None], Sentence | None]


def revenue_changed(*dimensions: str) -> Rule:
    """The rule for a change in revenue, with the member of one of some dimensions that accounts for most of it."""

    def rule(answers: Answers, against: Compared | None) -> Sentence | None:
        percent = against.percent("revenue") if against is not None else None
        if against is None or percent is None or abs(percent) < CHANGED or against.is_chance("revenue"):
            return None
        moved = "rose" if percent > 0 else "fell"
        text = f"Revenue {moved} {short(abs(percent), 'percent')} against {against.label}"
        size = float(abs(percent) / CHANGED)
        free = [dimension for dimension in dimensions if answers.view.filters.get(dimension) is None]
        drivers = [(dimension, *found) for dimension in free if (found := against.driver(dimension)) is not None]
        if not drivers or max(part for _, _, part in drivers) < MUCH_OF_IT:
            # Without a member to look at, the link shows the days that the revenue is compared with.
            return Sentence(f"{text}.", size=size, window=against.dates)
        dimension, member, part = next(
            (driver for driver in drivers if driver[2] >= MOST_OF_IT), max(drivers, key=lambda driver: driver[2])
        )
        how_much = "more than all" if part > 100 else "most" if part >= MOST_OF_IT else short(part, "percent")
        name = answers.snapshot.name(dimension, member)
        return Sentence(f"{text}, {how_much} of it from {name}.", ((dimension, member),), size)

    return rule


def orders_and_value(answers: Answers, against: Compared | None) -> Sentence | None:
    """Whether a change comes from the number of orders or from their value."""
    if against is None:
        return None
    orders, value = against.percent("orders"), against.percent("average_order_value")
    if orders is None or value is None:
        return None
    orders, value = (
        Decimal(0) if against.is_chance(name) else moved
        for name, moved in (("orders", orders), ("average_order_value", value))
    )
    if max(abs(orders), abs(value)) < CHANGED:
        return None
    more = f"{short(abs(orders), 'percent')} {'more' if orders > 0 else 'fewer'} orders"
    larger = f"the average order was {short(abs(value), 'percent')} {'larger' if value > 0 else 'smaller'}"
    if abs(orders) < CHANGED:
        text = f"{larger[0].upper()}{larger[1:]}, with about as many orders as in {against.label}."
    elif abs(value) < CHANGED:
        text = f"There were {more} than in {against.label}, of about the same average value."
    else:
        text = f"There were {more} than in {against.label}, and {larger}."
    return Sentence(text, size=float(max(abs(orders), abs(value)) / CHANGED), window=against.dates)


def margin(answers: Answers, against: Compared | None) -> Sentence | None:
    """How the profit margin moved; that it held, only if revenue did not."""
    if against is None:
        return None
    points, now = against.points("profit_margin"), KPI_VALUES["profit_margin"](answers.everything)
    revenue = against.percent("revenue")
    if points is None or now is None or revenue is None:
        return None
    points = half_up(points, 1)
    if abs(points) < HELD:
        if abs(revenue) < CHANGED or against.is_chance("revenue"):
            return None
        return Sentence(f"The margin held at {short(now, 'percent')}.", window=against.dates)
    moved = f"{'rose' if points > 0 else 'fell'} by {rounded(abs(points), 1)} points"
    text = f"The margin {moved} to {short(now, 'percent')}, against {against.label}."
    return Sentence(text, size=float(abs(points) / HELD), window=against.dates)


def product_moved(answers: Answers, against: Compared | None) -> Sentence | None:
    """The one of the top products whose revenue changed most, if that is a notable part of the revenue."""
    if against is None or answers.view.filters.get("product") is not None:
        return None
    now, before = (chosen.sums("product", "revenue") for chosen in (against.now, against.before))
    gain = now - before
    best = np.argsort(-now, kind="stable")[:SHOWN_PRODUCTS]
    code = int(best[np.argmax(np.abs(gain[best]))])
    part = metric("share")(Decimal(int(abs(gain[code]))), Decimal(answers.everything.total("revenue")))
    if part is None or part < 1:
        return None
    member = answers.snapshot.members["product"][code]
    amount = short(money(abs(int(gain[code]))), "money")
    text = (
        f"Of the top products, {answers.snapshot.name('product', member)}"
        f" {'gained' if gain[code] > 0 else 'lost'} most: {amount}"
        f" {'more' if gain[code] > 0 else 'less'} than in {against.label}."
    )
    return Sentence(text, (("product", member),), float(part))


def category_below(answers: Answers, against: Compared | None) -> Sentence | None:
    """The category of some weight whose margin is furthest below that of all."""
    chosen = answers.everything
    whole = KPI_VALUES["profit_margin"](chosen)
    if whole is None or answers.view.filters.get("category") is not None:
        return None
    costed, cost = (chosen.sums("category", name) for name in ("costed_revenue", "cost"))
    heavy = np.flatnonzero(costed * 100 >= float(MATTERS) * chosen.total("revenue"))
    margins = {
        int(code): value
        for code in heavy
        if (value := metric("profit_margin")(money(costed[code]), money(cost[code]))) is not None
    }
    if len(margins) < 2:
        return None
    code = min(margins, key=lambda one: margins[one])
    below = Decimal(whole) - margins[code]
    if below < POINTS_APART:
        return None
    member = answers.snapshot.members["category"][code]
    text = (
        f"The margin of {answers.snapshot.name('category', member)} is {short(margins[code], 'percent')},"
        f" {rounded(below, 1)} points below the {short(whole, 'percent')} of all products in view."
    )
    return Sentence(text, (("category", member),), float(below / POINTS_APART))


def returning_share(answers: Answers, against: Compared | None) -> Sentence | None:
    """How the share of revenue from returning customers moved."""
    points = against.points("returning_share") if against is not None else None
    if against is None or points is None or abs(points) < MATTERS or answers.view.filters.get("buyer") is not None:
        return None
    # All customers of a shop's first months are new.
    if (against.window[0] - answers.history[0]).days < SETTLED_DAYS:
        return None
    now = KPI_VALUES["returning_share"](answers.everything)
    text = (
        f"Returning customers brought {short(now, 'percent')} of revenue, {rounded(abs(points), 1)} points"
        f" {'more' if points > 0 else 'less'} than in {against.label}."
    )
    return Sentence(text, (("buyer", "returning"),), float(abs(points) / MATTERS))


def segment_overweight(answers: Answers, against: Compared | None) -> Sentence | None:
    """The VIPs' share of the revenue beside their share of the customers."""
    chosen = answers.everything
    code = chosen.snapshot.code("segment", "VIP")
    if code < 0 or answers.view.filters.get("segment") is not None:
        return None
    revenue = KPI_VALUES["vip_share"](chosen)
    customers = metric("share")(int(chosen.customer_counts("segment")[code]), chosen.customers)
    if revenue is None or not customers or Decimal(revenue) < OVERWEIGHT * customers:
        return None
    part = short(customers, "percent")
    text = f"VIP customers are {part} of the customers and bring {short(revenue, 'percent')} of revenue."
    return Sentence(text, (("segment", "VIP"),), float(Decimal(revenue) / customers / OVERWEIGHT))


def customers_changed(answers: Answers, against: Compared | None) -> Sentence | None:
    """How the number of customers moved."""
    percent = against.percent("customers") if against is not None else None
    if against is None or percent is None or abs(percent) < CHANGED or against.is_chance("customers"):
        return None
    text = (
        f"{short(answers.everything.customers, 'count')} customers ordered, {short(abs(percent), 'percent')}"
        f" {'more' if percent > 0 else 'fewer'} than in {against.label}."
    )
    return Sentence(text, size=float(abs(percent) / CHANGED), window=against.dates)


def weekend(answers: Answers, against: Compared | None) -> Sentence | None:
    """How much more or less a weekend day sells than a weekday."""
    if answers.view.filters.get("weekday") is not None:
        return None
    start, end = answers.everything.span
    uplift = KPI_VALUES["weekend_uplift"](answers.everything)
    if uplift is None or abs(Decimal(uplift)) < STANDS_OUT or (end - start).days < 27:
        return None
    how = "more" if uplift > 0 else "less"
    text = f"A weekend day sells {short(abs(Decimal(uplift)), 'percent')} {how} than a weekday."
    return Sentence(text, size=float(abs(Decimal(uplift)) / STANDS_OUT))


_RULES: Mapping[str, tuple[Rule, ...]] = {
    "executive": (revenue_changed("category", "state"), orders_and_value, margin),
    "products": (revenue_changed("category"), product_moved, category_below),
    "customers": (customers_changed, returning_share, segment_overweight),
    "geography": (revenue_changed("region", "state"), weekend),
}
