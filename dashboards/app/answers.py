"""The data of each page: the KPIs and the rows of every chart, computed from a selection of order lines.

Ratios come from the metrics in sql/ddl/070_metrics.sql; money is a Decimal with two decimal places.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import ROUND_HALF_UP, Decimal
from functools import cached_property

import numpy as np

from dashboards.app.breakdown import Breakdown, mean_lifespan, ratios
from dashboards.app.chart_data import Answer, Cell, Column, KpiAnswer, dimension_column, measure_column, money
from dashboards.app.filters import Filters, View
from dashboards.app.formats import days_label
from dashboards.app.kpis import KPI_VALUES, sparkline_values
from dashboards.app.notes import kpi_note, on_the_map, with_charges, with_coverage, without_customers
from dashboards.app.orders import orders_answer
from dashboards.app.periods import first_level, partial_note, partial_periods, period_name, periods_of, weekday_counts
from dashboards.app.selection import Selection
from dashboards.app.snapshot import BUYERS, WEEKDAYS, Snapshot, number_of
from dashboards.spec.fields import HIERARCHIES, TIME_LEVELS
from dashboards.spec.metrics import metric
from dashboards.spec.page_types import Kpi, Visual


class Answers:
    """The data of a page, for one view of one snapshot."""

    def __init__(self, snapshot: Snapshot, view: View, last_day: dt.date | None = None):
        """``last_day`` is the last loaded day, with or without orders; by default, the day of the last order."""
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

    @cached_property
    def prior_window(self) -> tuple[dt.date, dt.date] | None:
        """The preceding period of the same length; None if the data doesn't go back that far."""
        start, end = self.everything.span
        if end < start:
            return None
        before = (start - (end - start) - dt.timedelta(days=1), start - dt.timedelta(days=1))
        return before if before[0] >= self.history[0] else None

    def kpi(self, kpi: Kpi) -> KpiAnswer:
        """A KPI with its change and its sparkline."""
        answer = self._compared(kpi)
        return replace(answer, note=kpi_note(kpi.id, self.everything))

    def _compared(self, kpi: Kpi) -> KpiAnswer:
        value = KPI_VALUES[kpi.id](self.everything)
        spark = sparkline_values(self.everything, kpi.measure) if kpi.measure else ()
        if not kpi.compare:
            return KpiAnswer(value, None, spark)
        if self.prior_window is None:
            return KpiAnswer(value, None, spark, "No prior period")
        if value is None:
            return KpiAnswer(None, None, spark)
        before = self.select(("period",), self.prior_window)
        prior, days = KPI_VALUES[kpi.id](before), days_label(*self.prior_window)
        change = None
        if prior is not None:
            change = Decimal(value) - Decimal(prior)
            if kpi.format != "percent":
                change = metric("share")(change, Decimal(prior))
        if change is None:
            what = "value" if before.count else "orders"
            return KpiAnswer(value, None, spark, f"No {what} in the prior period ({days})")
        return KpiAnswer(value, change, spark, f"vs {days}")

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
        answer = table.answer(order if visual.limit is None else order[: visual.limit])
        answer = replace(answer, level=dimension if visual.hierarchy else None)
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
        note = f"{eighty:,} of {len(rows):,} products generate 80% of revenue." if eighty else ""
        return with_charges(Answer(columns, rows, clicks, note=note), selection)

    def lifetime_value(self, visual: Visual) -> Answer:
        """Customer lifetime value by current segment, for the selected date range."""
        selection = self.select(("segment",))
        snapshot = self.snapshot
        size = selection.members("segment")
        revenue = selection.sums("segment", "revenue")
        orders = selection.order_counts("segment")
        customers = selection.customer_counts("segment")
        start, end = selection.span
        days = (end - start).days + 1
        first, last = selection.customer_days()
        segment_of = snapshot.customers["segment"]
        columns = (dimension_column("segment"), *map(measure_column, visual.measures))
        rows, clicks = [], []
        for code in range(size):
            if not customers[code]:
                continue
            buyers_of = selection.buyers[segment_of[selection.buyers] == code]
            spans = last[buyers_of] - first[buyers_of]
            lifespan, buyers = mean_lifespan(spans), int(customers[code])
            values = ratios(revenue[code], 0, 0, int(orders[code]))
            values["customers"] = buyers
            values["purchase_frequency"] = metric("purchase_frequency")(int(orders[code]), buyers, days)
            values["customer_lifespan"] = lifespan.quantize(Decimal("0.0001"), rounding=ROUND_HALF_UP)
            values["customer_lifetime_value"] = metric("customer_lifetime_value")(
                money(revenue[code]), buyers, days, lifespan
            )
            name = snapshot.members["segment"][code]
            rows.append((name, *(values[measure] for measure in visual.measures)))
            clicks.append((("segment", name),))
        return Answer(columns, tuple(rows), tuple(clicks))

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
        return Answer(columns, tuple(rows), tuple(clicks))

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
        )
        share = metric("share")
        rows, clicks = [], []
        for cohort, name in enumerate(months):
            if not cohorts[cohort] or name < f"{start:%Y-%m}":
                continue
            for month in range(cohort, size):
                if months[month] > f"{end:%Y-%m}":
                    break
                here = int(active[cohort, month])
                rows.append((name, month - cohort, share(here, int(cohorts[cohort])), here))
                clicks.append((("cohort", name),))
        return Answer(columns, tuple(rows), tuple(clicks))

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
        rows = tuple(
            (
                name,
                metric("average_order_value")(money(revenue[code]), days[code]),
                money(revenue[code]),
                int(orders[code]),
                days[code],
            )
            for code, name in enumerate(WEEKDAYS)
            if days[code] and orders.any()
        )
        return Answer(columns, rows, tuple((("weekday", str(row[0])),) for row in rows))

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
    "lifetime_value": Answers.lifetime_value,
    "new_and_returning": Answers.new_and_returning,
    "cohort_retention": Answers.cohort_retention,
    "weekdays": Answers.weekdays,
    "region_payments": Answers.region_payments,
    "seasonality": Answers.seasonality,
}
