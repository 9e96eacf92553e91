"""The data of each page: the KPIs and the rows of every chart, computed from a selection of order lines.

Ratios come from the metrics in sql/ddl/070_metrics.sql; money is a Decimal with two decimal places.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from functools import cached_property

import numpy as np

from dashboards.app.analyses import ANALYSES
from dashboards.app.annotations import Notes, with_notes
from dashboards.app.breakdown import Breakdown, ratios
from dashboards.app.chart_data import Answer, Cell, Column, KpiAnswer, dimension_column, measure_column, money
from dashboards.app.comparison import Window, change, compared_window, with_compared, with_compared_days
from dashboards.app.filters import Filters, View
from dashboards.app.formats import count_text, days_label
from dashboards.app.kpis import KPI_VALUES, sparkline_values
from dashboards.app.lifetime import lifetime_value
from dashboards.app.notes import (
    kpi_note,
    on_the_map,
    with_charges,
    with_coverage,
    with_incomplete,
    without_customers,
)
from dashboards.app.orders import orders_answer
from dashboards.app.periods import first_level, partial_note, partial_periods, period_name, periods_of, weekday_counts
from dashboards.app.selection import Selection
from dashboards.app.snapshot import BUYERS, WEEKDAYS, Snapshot, number_of
from dashboards.app.targets import Targets, progress, with_targets
from dashboards.spec.fields import HIERARCHIES, TIME_LEVELS
from dashboards.spec.metrics import metric
from dashboards.spec.page_types import Kpi, Visual

NO_TARGETS, NO_NOTES = Targets(), Notes()


class Answers:
    """The data of a page, for one view of one snapshot."""

    def __init__(
        self,
        snapshot: Snapshot,
        view: View,
        last_day: dt.date | None = None,
        targets: Targets = NO_TARGETS,
        notes: Notes = NO_NOTES,
    ):
        """``last_day`` is the last loaded day, with or without orders; by default, the day of the last order."""
        self.targets = targets
        self.notes = notes
        self.snapshot = snapshot
        self.view = view
        self.history = (snapshot.first_day, max(last_day or snapshot.last_day, snapshot.last_day))
        self.window = view.filters.days(*self.history)
        self._selections: dict[tuple[Filters, tuple[dt.date, dt.date]], Selection] = {}

    def select(
        self, without: Sequence[str] = (), window: tuple[dt.date, dt.date] | None = None, **instead: str | None
    ) -> Selection:
        """The view's order lines; optionally without some filters, in another date range, or with other members."""
        filters = self.view.filters.without(without)
        for name, member in instead.items():
            filters = filters.with_member(name, member)
        key = (filters, window or self.window)
        if key not in self._selections:
            self._selections[key] = Selection(self.snapshot, filters, window or self.window)
        return self._selections[key]

    @cached_property
    def everything(self) -> Selection:
        """The order lines that pass all filters."""
        return self.select()

    # KPIs

    def compared(self, span: Window) -> Window | None:
        """The window that some days are compared with, as the view asks; None if there is none in the data."""
        return compared_window(self.view.compare, span, self.history)

    def kpi(self, kpi: Kpi) -> KpiAnswer:
        """A KPI with its change and its sparkline."""
        answer = self._compared(kpi)
        target = progress(kpi.id, self.targets, self.everything)
        return replace(answer, note=kpi_note(kpi.id, self.everything), target=target)

    def _compared(self, kpi: Kpi) -> KpiAnswer:
        value = KPI_VALUES[kpi.id](self.everything)
        spark = sparkline_values(self.everything, kpi.measure) if kpi.measure else ()
        if not kpi.compare or self.view.compare == "none":
            return KpiAnswer(value, None, spark)
        is_prior, window = self.view.compare == "prior", self.compared(self.everything.span)
        if window is None:
            begin = days_label(self.history[0], self.history[0])
            return KpiAnswer(
                value, None, spark, "No prior period" if is_prior else f"Not compared: data begins on {begin}"
            )
        if value is None:
            return KpiAnswer(None, None, spark)
        before = self.select(("period",), window)
        difference = change(value, KPI_VALUES[kpi.id](before), kpi.format == "percent")
        if difference is None:
            what = "value" if before.count else "orders"
            where = "prior" if is_prior else "compared"
            return KpiAnswer(value, None, spark, f"No {what} in the {where} period ({days_label(*window)})")
        return KpiAnswer(value, difference, spark, f"vs {days_label(*window)}")

    # Charts

    def answer(self, visual: Visual) -> Answer:
        """The data of a chart."""
        special = _SPECIAL.get(visual.id)
        if special is not None:
            answer = special(self, visual)
            is_about_customers = visual.id in ("lifetime_value", "new_and_returning", "cohort_retention")
            return without_customers(answer, self.everything) if is_about_customers else answer
        if visual.hierarchy is not None:
            dimension, parents = self.level_of(visual)
            return self.breakdown(visual, dimension, parents)
        assert visual.dimension is not None
        return self.breakdown(visual, visual.dimension)

    def level_of(self, visual: Visual) -> tuple[str, tuple[str, ...]]:
        """The level at which a chart with a hierarchy is shown, and the levels above it."""
        assert visual.hierarchy is not None
        levels = HIERARCHIES[visual.hierarchy].levels
        level = self.view.level(visual.hierarchy) or first_level(visual, self.window)
        return level, levels[: levels.index(level)]

    def breakdown(self, visual: Visual, dimension: str, parents: Sequence[str] = ()) -> Answer:
        """Measures by member, highest first. Ignores a filter on the dimension itself, to keep members comparable."""
        without = [dimension]
        if visual.hierarchy is not None:
            # A filter on this level or below would leave a single bar.
            levels = HIERARCHIES[visual.hierarchy].levels
            without = [level for level in levels if level not in parents]
        selection = self.select(without)
        table = Breakdown(selection, dimension, visual.measures)
        order = table.ranked(visual.measures[0], natural=visual.kind == "column")
        codes = order if visual.limit is None else order[: visual.limit]
        answer = replace(table.answer(codes), level=dimension if visual.hierarchy else None)
        window = self.compared(selection.span)
        # Returns are not compared, because recent orders have had less time to come back.
        if window is not None and not visual.needs_returns:
            before = Breakdown(self.select((*without, "period"), window), dimension, visual.measures[:1])
            values = [row[1] for row in before.answer(codes).rows]
            answer = with_compared(answer, values, self.view.compare, window)
        if dimension == "customer":
            return without_customers(answer, selection)
        if visual.kind == "map":
            return on_the_map(answer)
        answer = with_coverage(answer, visual, selection)
        return with_charges(answer, selection) if dimension == "product" else answer

    def trend(self, visual: Visual) -> Answer:
        """Measures by year, month, or day, including periods without orders."""
        level, parents = self.level_of(visual)
        drilled = self.view.level("time") is not None
        period = self.view.filters.period
        parent = None
        if drilled and period is not None and parents:
            parent = period[: {"month": 4, "day": 7}[level]]
        selection = self.select(("period",), period=parent)
        start, end = selection.span
        columns = (Column("period", TIME_LEVELS[level][0], "text"), *map(measure_column, visual.measures))
        if end < start:
            return Answer(columns, (), (), level)
        periods = periods_of(level, start, end)
        starts = np.array([number_of(first) for first, _ in periods])
        begins = (starts - number_of(start)).clip(0)
        sums = [np.add.reduceat(selection.by_day(name), begins) for name in ("revenue", "costed_revenue", "cost")]
        orders = np.add.reduceat(selection.by_day("orders"), begins)
        rows: list[tuple[Cell, ...]] = []
        for position, (first, _) in enumerate(periods):
            values = ratios(*(column[position] for column in sums), int(orders[position]))
            rows.append((period_name(level, first), *(values[name] for name in visual.measures)))
        clicks = tuple((("period", str(row[0])),) for row in rows)
        partial = partial_periods(level, periods, start, end)
        note = partial_note(level, periods, partial, " in this date range")
        answer = Answer(columns, tuple(rows), clicks, level, note, partial=partial)
        parts = [(max(first, start), min(last, end)) for first, last in periods]
        window = self.compared(selection.span)
        if window is not None:
            before = self.select(("period",), window)
            answer = with_compared_days(answer, parts, before, self.view.compare, window)
        answer = with_notes(with_targets(answer, parts, self.targets, selection), parts, self.notes)
        return with_coverage(answer, visual, selection)

    def pareto(self, visual: Visual) -> Answer:
        """Products by revenue, highest first, with their cumulative share."""
        selection = self.select(("product",))
        revenue = selection.sums("product", "revenue")
        order = np.argsort(-revenue, kind="stable")
        order = order[revenue[order] > 0]
        running = np.cumsum(revenue[order])
        total = Decimal(int(running[-1])) if len(running) else Decimal(0)
        share = metric("share")
        columns = (
            Column("rank", "Rank", "count"),
            dimension_column("product"),
            Column("cumulative_share", "Cumulative share", "percent"),
            measure_column("revenue"),
        )
        ids = self.snapshot.members["product"]
        rows = tuple(
            (
                rank + 1,
                self.snapshot.name("product", ids[code]),
                share(Decimal(int(running[rank])), total),
                money(revenue[code]),
            )
            for rank, code in enumerate(order.tolist())
        )
        clicks = tuple((("product", ids[code]),) for code in order)
        eighty = next((row[0] for row in rows if row[2] is not None and row[2] >= 80), None)
        note = f"{count_text(eighty)} of {count_text(len(rows))} products generate 80% of revenue." if eighty else ""
        return with_charges(Answer(columns, rows, clicks, note=note), selection)

    def new_and_returning(self, visual: Visual) -> Answer:
        """Distinct new and returning customers in each month."""
        selection = self.select(("buyer",))
        months, size = self.snapshot.members["month"], len(self.snapshot.members["month"])
        count = size * len(self.snapshot.members["buyer"])
        key = selection.orders("buyer") * np.int32(size) + selection.orders("month")
        revenue = selection.sums_of_orders(key, "revenue", count)
        customers = self._buyers_by_month(selection)
        columns = (
            Column("month", "Month", "text"),
            dimension_column("buyer"),
            measure_column("customers"),
            measure_column("revenue"),
        )
        rows, clicks = [], []
        for month in range(size):
            for buyer, member in enumerate(self.snapshot.members["buyer"]):
                position = buyer * size + month
                if customers[position]:
                    name = self.snapshot.name("buyer", member)
                    rows.append((months[month], name, int(customers[position]), money(revenue[position])))
                    clicks.append((("buyer", member),))
        answer = Answer(columns, tuple(rows), tuple(clicks))
        return with_incomplete(answer, [row[0] for row in rows], selection.span)

    def _buyers_by_month(self, selection: Selection) -> np.ndarray:
        """Distinct customers by kind of buyer and month: new in the month of their cohort, returning after it."""
        customer, month = selection.customer_months()
        size = selection.members("month")
        is_later = self.snapshot.customers["cohort"][customer] < month
        buyer = np.where(is_later, BUYERS.index("returning"), BUYERS.index("new"))
        return np.bincount(buyer * size + month, minlength=len(BUYERS) * size)

    def cohort_retention(self, visual: Visual) -> Answer:
        """The share of each cohort that ordered in each later month; future months have no row."""
        start, end = self.everything.span
        # A cohort cut off in the middle of its month would lose customers, so include the whole first month.
        window = (start.replace(day=1), max(start, end))
        selection = self.select(("cohort", "period"), window)
        months = self.snapshot.members["month"]
        size = len(months)
        customer, month = selection.customer_months()
        key = self.snapshot.customers["cohort"][customer].astype(np.int64) * size + month
        active = np.bincount(key, minlength=size * size).reshape(size, size)
        cohorts = selection.customer_counts("cohort")
        columns = (
            dimension_column("cohort"),
            Column("months_later", "Months since first order", "count"),
            Column("retention", "Retention", "percent"),
            measure_column("customers"),
            Column("cohort_size", "Customers in cohort", "count"),
        )
        share = metric("share")
        rows, clicks = [], []
        for cohort, name in enumerate(months):
            if not cohorts[cohort] or name < f"{start:%Y-%m}":
                continue
            for month in range(cohort, size):
                if months[month] > f"{end:%Y-%m}":
                    break
                here, size_of = int(active[cohort, month]), int(cohorts[cohort])
                rows.append((name, month - cohort, share(here, size_of), here, size_of))
                clicks.append((("cohort", name),))
        answer = Answer(columns, tuple(rows), tuple(clicks))
        place = {name: code for code, name in enumerate(months)}
        return with_incomplete(answer, [months[place[row[0]] + row[1]] for row in rows], selection.span)

    def weekdays(self, visual: Visual) -> Answer:
        """Average daily revenue by day of the week, including days without orders."""
        selection = self.select(("weekday",))
        days = weekday_counts(*selection.span)
        revenue, orders = selection.sums("weekday", "revenue"), selection.order_counts("weekday")
        columns = (
            dimension_column("weekday"),
            measure_column("revenue_per_day"),
            measure_column("revenue"),
            measure_column("orders"),
            Column("days", "Days", "count"),
        )
        shown = [code for code in range(len(WEEKDAYS)) if days[code] and orders.any()]
        rows = tuple(
            (
                WEEKDAYS[code],
                metric("average_order_value")(money(revenue[code]), days[code]),
                money(revenue[code]),
                int(orders[code]),
                days[code],
            )
            for code in shown
        )
        answer = Answer(columns, rows, tuple((("weekday", str(row[0])),) for row in rows))
        window = self.compared(selection.span)
        if window is None:
            return answer
        sums, counts = self.select(("weekday", "period"), window).sums("weekday", "revenue"), weekday_counts(*window)
        before = [metric("average_order_value")(money(sums[code]), counts[code]) for code in shown]
        return with_compared(answer, before, self.view.compare, window)

    def region_payments(self, visual: Visual) -> Answer:
        """Orders by region and payment method, and their share of the region's orders."""
        selection = self.select(("region", "state", "payment"))
        regions, payments = self.snapshot.members["region"], self.snapshot.members["payment"]
        groups, size = self.snapshot.groups, len(regions) * len(payments)
        key = groups["region"].astype(np.int64) * len(payments) + groups["payment"]
        orders, revenue = (
            np.bincount(key, selection.by_group(name), size).reshape(len(regions), -1) for name in ("orders", "revenue")
        )
        columns = (
            dimension_column("region"),
            dimension_column("payment"),
            Column("order_share", "Share of region's orders", "percent"),
            measure_column("orders"),
            measure_column("revenue"),
        )
        share = metric("share")
        best = np.argsort(-orders.sum(axis=0), kind="stable")
        rows, clicks = [], []
        for code, region in enumerate(regions):
            name, whole = self.snapshot.name("region", region), int(orders[code].sum())
            for payment in best:
                if orders[code, payment]:
                    here = int(orders[code, payment])
                    rows.append((name, payments[payment], share(here, whole), here, money(revenue[code, payment])))
                    clicks.append((("region", region), ("payment", payments[payment])))
        return Answer(columns, tuple(rows), tuple(clicks))

    def seasonality(self, visual: Visual) -> Answer:
        """Months of the full history, regardless of the date range."""
        selection = self.select(("period",), self.history)
        periods = periods_of("month", *self.history)
        # The months after the last order have no code.
        later = [0] * (len(periods) - len(self.snapshot.members["month"]))
        revenue = [*selection.sums("month", "revenue"), *later]
        orders = [*selection.order_counts("month"), *later]
        columns = (
            Column("month", "Month", "text"),
            measure_column("revenue"),
            measure_column("orders"),
        )
        rows = tuple(
            (period_name("month", first), money(revenue[place]), int(orders[place]))
            for place, (first, _) in enumerate(periods)
            if selection.count
        )
        partial = partial_periods("month", periods, *self.history)
        note = partial_note("month", periods, partial)
        return Answer(columns, rows, tuple((("period", str(row[0])),) for row in rows), note=note, partial=partial)

    def orders(self, visual: Visual) -> Answer:
        """The page of orders that the view asks for."""
        return orders_answer(self.everything, self.view)


_SPECIAL: Mapping[str, Callable[[Answers, Visual], Answer]] = {
    "orders": Answers.orders,
    "revenue_trend": Answers.trend,
    "long_tail": Answers.pareto,
    "lifetime_value": lifetime_value,
    "new_and_returning": Answers.new_and_returning,
    "cohort_retention": Answers.cohort_retention,
    "weekdays": Answers.weekdays,
    "region_payments": Answers.region_payments,
    "seasonality": Answers.seasonality,
    **ANALYSES,
}
