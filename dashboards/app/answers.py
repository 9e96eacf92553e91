"""The numbers of each page: rows for every chart and every figure at its head, from a selection of the sales.

An answer holds exactly what its chart draws, its table lists and its CSV file holds. Ratios come from the metrics of
sql/ddl/070_metrics.sql; money is a Decimal with two places.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from functools import cached_property

import numpy as np

from dashboards.app.filters import Filters, View
from dashboards.app.selection import Selection
from dashboards.app.snapshot import WEEKDAYS, Snapshot, day_of, number_of
from dashboards.spec.fields import DIMENSIONS, HIERARCHIES, MEASURES, TIME_LEVELS, Format
from dashboards.spec.metrics import EXACT, metric
from dashboards.spec.pages import Kpi, Page, Visual
from ecommerce_platform.files import without_formula

Cell = str | int | Decimal | dt.date | dt.datetime | None
Pairs = tuple[tuple[str, str], ...]

MOST_SPARK_POINTS = 62
MOST_DAYS = 93
"""Up to so many days, a course over time begins with days."""


@dataclass(frozen=True)
class Column:
    """A column of an answer: its id, what a person reads, and how a value is written."""

    id: str
    label: str
    format: Format


@dataclass(frozen=True)
class Answer:
    """What a chart shows.

    Attributes:
        columns: the columns.
        rows: the rows, in the order in which they are drawn.
        clicks: for each row the filters that a click on it sets, or none.
        level: the level of the chart's hierarchy that is shown, if it has one.
        note: what a person must know to read it, such as that a month is not over.
        partial: positions of rows whose period is not complete.
    """

    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    clicks: tuple[Pairs, ...] = ()
    level: str | None = None
    note: str = ""
    partial: tuple[int, ...] = ()

    def column(self, column_id: str) -> list[Cell]:
        """All values of a column."""
        position = [column.id for column in self.columns].index(column_id)
        return [row[position] for row in self.rows]

    def csv(self) -> str:
        """The rows as CSV with a header, safe to open in a spreadsheet."""
        text = io.StringIO()
        # RFC 4180; Python quotes a lone carriage return only where the end of a line holds one.
        writer = csv.writer(text, lineterminator="\r\n")
        writer.writerow([column.id for column in self.columns])
        writer.writerows([[_csv_cell(cell) for cell in row] for row in self.rows])
        return text.getvalue()


def _csv_cell(cell: Cell) -> str:
    return "" if cell is None else str(without_formula(cell))


@dataclass(frozen=True)
class KpiAnswer:
    """A number at the head of a page: its value, its change against the prior period, and its course."""

    value: Decimal | int | None
    change: Decimal | None = None
    """In percent of the prior value; for a percentage in percentage points. None where there is nothing to compare."""
    spark: tuple[float, ...] = ()
    why: str = ""
    """What the change is against, or why there is none."""


def money(cents: float) -> Decimal:
    """Cents as an amount with two places."""
    return Decimal(int(cents)).scaleb(-2)


class Answers:
    """Everything that one page shows for one view of one snapshot."""

    def __init__(self, snapshot: Snapshot, view: View):
        self.snapshot = snapshot
        self.view = view
        self.window = view.filters.days(snapshot.first_day, snapshot.last_day)
        self._selections: dict[tuple[Filters, tuple[dt.date, dt.date]], Selection] = {}

    def select(
        self, without: Sequence[str] = (), window: tuple[dt.date, dt.date] | None = None, **instead: str | None
    ) -> Selection:
        """The sales of the view; without some of its filters, in another window, with other members."""
        filters = self.view.filters.without(without)
        for name, member in instead.items():
            filters = filters.with_member(name, member)
        key = (filters, window or self.window)
        if key not in self._selections:
            self._selections[key] = Selection(self.snapshot, filters, window or self.window)
        return self._selections[key]

    @cached_property
    def everything(self) -> Selection:
        """All that passes all filters."""
        return self.select()

    # The numbers at the head

    @cached_property
    def prior_window(self) -> tuple[dt.date, dt.date] | None:
        """As many days just before; None where the data do not go back that far."""
        start, end = self.everything.span
        end = min(end, self.snapshot.last_day)
        if end < start:
            return None
        before = (start - (end - start) - dt.timedelta(days=1), start - dt.timedelta(days=1))
        return before if before[0] >= self.snapshot.first_day else None

    def kpi(self, kpi: Kpi) -> KpiAnswer:
        """One number, with its change and its course."""
        value = _KPIS[kpi.id](self.everything)
        spark = self._spark(kpi.measure) if kpi.measure else ()
        if not kpi.compare:
            return KpiAnswer(value, None, spark)
        if self.prior_window is None:
            return KpiAnswer(value, None, spark, "no earlier days to compare with")
        prior = _KPIS[kpi.id](self.select(("period",), self.prior_window))
        start, end = self.prior_window
        why = f"vs {start:%-d %b}{'' if start.year == end.year else f' {start.year}'} – {end:%-d %b %Y}"
        if value is None or prior is None:
            return KpiAnswer(value, None, spark, why)
        if kpi.format == "percent":
            return KpiAnswer(value, Decimal(value) - Decimal(prior), spark, why)
        change = metric("share")(Decimal(value) - Decimal(prior), Decimal(prior))
        return KpiAnswer(value, change, spark, why)

    def _spark(self, measure: str) -> tuple[float, ...]:
        selection = self.everything
        start, end = selection.span
        end = min(end, self.snapshot.last_day)
        if end <= start:
            return ()
        step = max(1, -(-((end - start).days + 1) // MOST_SPARK_POINTS))
        # Whole steps, counted back from the end, so that no point is lower for want of days.
        points = ((end - start).days + 1) // step
        bucket = points - 1 - (number_of(end) - selection.orders("day")) // step
        kept = bucket >= 0

        def sums(column: str) -> np.ndarray:
            return np.bincount(bucket[kept], selection.orders(column)[kept], points)

        orders = np.bincount(bucket[kept], minlength=points)
        with np.errstate(divide="ignore", invalid="ignore"):
            course = {
                "orders": lambda: orders,
                "average_order_value": lambda: sums("revenue") / 100 / orders,
                "profit_margin": lambda: (sums("revenue") - sums("cost")) / sums("revenue") * 100,
                "customers": lambda: selection.distinct_customers(np.where(kept, bucket, points), points + 1)[:points],
                "units": lambda: sums("units"),
                "revenue": lambda: sums("revenue") / 100,
            }[measure]()
        return tuple(float(value) for value in course if np.isfinite(value))

    # The charts

    def answer(self, visual: Visual) -> Answer:
        """The rows of one chart."""
        special = _SPECIAL.get(visual.id)
        if special is not None:
            return special(self, visual)
        if visual.hierarchy is not None:
            dimension, parents = self.level_of(visual)
            return self.breakdown(visual, dimension, parents)
        assert visual.dimension is not None
        return self.breakdown(visual, visual.dimension)

    def level_of(self, visual: Visual) -> tuple[str, tuple[str, ...]]:
        """The level of a chart's hierarchy that is shown, and the levels above it."""
        assert visual.hierarchy is not None
        levels = HIERARCHIES[visual.hierarchy].levels
        level = self.view.level(visual.hierarchy) or first_level(visual, self.window)
        return level, levels[: levels.index(level)]

    def breakdown(self, visual: Visual, dimension: str, parents: Sequence[str] = ()) -> Answer:
        """Sales by member of a dimension, the best first; other members of a chosen one stay, to compare with."""
        without = [dimension]
        if visual.hierarchy is not None:
            # What is chosen further down would leave one bar.
            levels = HIERARCHIES[visual.hierarchy].levels
            without = [level for level in levels if level not in parents]
        selection = self.select(without)
        table = _Table(selection, dimension, visual.measures)
        order = table.ranked(visual.measures[0], natural=visual.kind == "column")
        answer = table.answer(order if visual.limit is None else order[: visual.limit])
        level = dimension if visual.hierarchy else None
        return Answer(answer.columns, answer.rows, answer.clicks, level)

    def trend(self, visual: Visual) -> Answer:
        """Sales by year, month or day, each period of the window with or without sales."""
        level, parents = self.level_of(visual)
        drilled = self.view.level("time") is not None
        period = self.view.filters.period
        parent = None
        if drilled and period is not None and parents:
            parent = period[: {"month": 4, "day": 7}[level]]
        selection = self.select(("period",), period=parent)
        start, end = selection.span
        columns = _columns("period", TIME_LEVELS[level][0], "text", visual.measures)
        if end < start:
            return Answer(columns, (), (), level)
        periods = _periods(level, start, end)
        starts = np.array([number_of(first) for first, _ in periods])
        bucket = np.searchsorted(starts, selection.orders("day"), "right") - 1
        sums = {name: np.bincount(bucket, selection.orders(name), len(periods)) for name in ("revenue", "cost")}
        orders = np.bincount(bucket, minlength=len(periods))
        rows: list[tuple[Cell, ...]] = []
        for position, (first, _) in enumerate(periods):
            values = _ratios(sums["revenue"][position], sums["cost"][position], int(orders[position]))
            rows.append((_period_name(level, first), *(values[name] for name in visual.measures)))
        clicks = tuple((("period", str(row[0])),) for row in rows)
        partial = _partial(level, periods, start, min(end, self.snapshot.last_day))
        return Answer(columns, tuple(rows), clicks, level, _partial_note(level, periods, partial), partial)

    def pareto(self, visual: Visual) -> Answer:
        """Products from best to least with their cumulative share."""
        selection = self.select(("product",))
        revenue = selection.sums("product", "revenue")
        order = np.argsort(-revenue, kind="stable")
        order = order[revenue[order] > 0]
        running = np.cumsum(revenue[order])
        total = Decimal(int(running[-1])) if len(running) else Decimal(0)
        share = metric("share")
        columns = (
            Column("rank", "Rank", "count"),
            Column("product", "Product", "text"),
            Column("cumulative_share", "Cumulative share", "percent"),
            Column("revenue", "Total revenue", "money"),
        )
        ids = self.snapshot.members["product"]
        rows = tuple(
            (
                rank + 1,
                self.snapshot.name("product", ids[code]),
                share(Decimal(int(running[rank])), total),
                money(revenue[code]),
            )
            for rank, code in enumerate(order)
        )
        clicks = tuple((("product", ids[code]),) for code in order)
        eighty = next((row[0] for row in rows if row[2] is not None and row[2] >= 80), None)
        note = f"{eighty:,} of {len(rows):,} products bring 80% of the revenue." if eighty else ""
        return Answer(columns, rows, clicks, note=note)

    def lifetime_value(self, visual: Visual) -> Answer:
        """Customer lifetime value by current segment, over the days of the window."""
        selection = self.select(("segment",))
        snapshot = self.snapshot
        size = selection.members("segment")
        revenue = selection.sums("segment", "revenue")
        orders = selection.order_counts("segment")
        customers = selection.customer_counts("segment")
        start, end = selection.span
        days = (min(end, snapshot.last_day) - max(start, snapshot.first_day)).days + 1
        first, last = selection.customer_days()
        bought = np.flatnonzero(selection.orders_of_customers)
        segment_of = np.zeros(len(snapshot.members["customer"]), np.uint8)
        segment_of[selection.orders("customer")] = selection.orders("segment")
        columns = _columns("segment", "Segment", "text", visual.measures)
        rows, clicks = [], []
        for code in range(size):
            if not orders[code]:
                continue
            spans = (last - first)[bought[segment_of[bought] == code]]
            lifespan, buyers = _mean_lifespan(spans), int(customers[code])
            values = _ratios(revenue[code], 0, int(orders[code]))
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
        """Distinct customers of each month, new and returning."""
        selection = self.select(("buyer",))
        months, size = self.snapshot.members["month"], len(self.snapshot.members["month"])
        key = selection.orders("buyer").astype(np.int64) * size + selection.orders("month")
        revenue = np.bincount(key, selection.orders("revenue"), 2 * size)
        customers = selection.distinct_customers(key, 2 * size)
        columns = (
            Column("month", "Month", "text"),
            Column("buyer", "Buyers", "text"),
            Column("customers", "Customers", "count"),
            Column("revenue", "Total revenue", "money"),
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

    def cohort_retention(self, visual: Visual) -> Answer:
        """Of the customers of each cohort, how many order so many months later; no row for months to come."""
        start, end = self.everything.span
        end = min(end, self.snapshot.last_day)
        # A cohort that begins in the middle of its month would lose customers, so the first month counts whole.
        window = (start.replace(day=1), max(start, end))
        selection = self.select(("cohort", "period"), window)
        months = self.snapshot.members["month"]
        size = len(months)
        key = selection.orders("cohort").astype(np.int64) * size + selection.orders("month")
        active = selection.distinct_customers(key, size * size).reshape(size, size)
        cohorts = selection.customer_counts("cohort")
        columns = (
            Column("cohort", "Cohort", "text"),
            Column("months_later", "Months later", "count"),
            Column("retention", "Retention", "percent"),
            Column("customers", "Customers", "count"),
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
        """Mean revenue of each day of the week, days without sales counted."""
        selection = self.select(("weekday",))
        days = _weekday_counts(selection.span[0], min(selection.span[1], self.snapshot.last_day))
        revenue, orders = selection.sums("weekday", "revenue"), selection.order_counts("weekday")
        columns = (
            Column("weekday", "Weekday", "text"),
            Column("revenue_per_day", "Revenue a day", "money"),
            Column("revenue", "Total revenue", "money"),
            Column("orders", "Orders", "count"),
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
        """Orders of each region by payment method, and their share of the region's orders."""
        selection = self.select(("region", "state", "payment"))
        regions, payments = self.snapshot.members["region"], self.snapshot.members["payment"]
        key = selection.orders("region").astype(np.int64) * len(payments) + selection.orders("payment")
        size = len(regions) * len(payments)
        orders = np.bincount(key, minlength=size).reshape(len(regions), -1)
        revenue = np.bincount(key, selection.orders("revenue"), size).reshape(len(regions), -1)
        columns = (
            Column("region", "Region", "text"),
            Column("payment", "Payment", "text"),
            Column("order_share", "Share of the region's orders", "percent"),
            Column("orders", "Orders", "count"),
            Column("revenue", "Total revenue", "money"),
        )
        share = metric("share")
        best = np.argsort(-orders.sum(axis=0), kind="stable")
        rows, clicks = [], []
        for code, region in enumerate(regions):
            whole = int(orders[code].sum())
            for payment in best:
                if orders[code, payment]:
                    here = int(orders[code, payment])
                    rows.append((region, payments[payment], share(here, whole), here, money(revenue[code, payment])))
                    clicks.append((("region", region), ("payment", payments[payment])))
        return Answer(columns, tuple(rows), tuple(clicks))

    def seasonality(self, visual: Visual) -> Answer:
        """Months of the whole history, whatever the range of days."""
        window = (self.snapshot.first_day, self.snapshot.last_day)
        selection = self.select(("period",), window)
        revenue, orders = selection.sums("month", "revenue"), selection.order_counts("month")
        columns = (
            Column("month", "Month", "text"),
            Column("revenue", "Total revenue", "money"),
            Column("orders", "Orders", "count"),
        )
        rows = tuple(
            (name, money(revenue[code]), int(orders[code]))
            for code, name in enumerate(self.snapshot.members["month"])
            if orders.any()
        )
        periods = _periods("month", *window)
        partial = _partial("month", periods, *window)
        note = _partial_note("month", periods, partial)
        return Answer(columns, rows, tuple((("period", str(row[0])),) for row in rows), note=note, partial=partial)


class _Table:
    """Sums by member of one dimension, as far as the measures ask for them."""

    def __init__(self, selection: Selection, dimension: str, measures: Sequence[str]):
        self.selection = selection
        self.dimension = dimension
        self.measures = measures
        self.revenue = selection.sums(dimension, "revenue")

    @cached_property
    def cost(self) -> np.ndarray:
        return self.selection.sums(self.dimension, "cost")

    @cached_property
    def sold(self) -> np.ndarray:
        """Codes with a sale."""
        if self.dimension in self.selection.snapshot.orders:
            return np.flatnonzero(self.selection.order_counts(self.dimension))
        return np.flatnonzero(self.selection.line_counts(self.dimension))

    def ranked(self, measure: str, natural: bool) -> np.ndarray:
        """The codes with a sale: in the order of the members, or by a measure, the highest first."""
        if natural:
            return self.sold
        if measure == "profit_margin":
            with np.errstate(divide="ignore", invalid="ignore"):
                values = np.where(self.revenue == 0, -np.inf, (self.revenue - self.cost) / self.revenue)
        else:
            values = self.revenue
        return self.sold[np.argsort(-values[self.sold], kind="stable")]

    def answer(self, codes: np.ndarray) -> Answer:
        selection, dimension = self.selection, self.dimension
        total = Decimal(int(self.revenue.sum()))
        if dimension == "product" and len(codes) < len(self.revenue):
            selection = selection.of_members(dimension, codes)
        columns: dict[str, Callable[[int], Cell]] = {}
        needs_orders = {"orders", "average_order_value"} & set(self.measures)
        orders = selection.order_counts(dimension) if needs_orders else None
        for name in ("units", "discount"):
            if name in self.measures:
                sums = selection.sums(dimension, name)
                columns[name] = lambda code, sums=sums, name=name: (
                    int(sums[code]) if name == "units" else money(sums[code])
                )
        if "customers" in self.measures:
            customers = selection.customer_counts(dimension)
            columns["customers"] = lambda code: int(customers[code])
        columns["revenue_share"] = lambda code: metric("share")(Decimal(int(self.revenue[code])), total)
        needs_cost = {"cost", "profit", "profit_margin"} & set(self.measures)
        cost = selection.sums(dimension, "cost") if needs_cost else None
        rows, clicks = [], []
        members = selection.snapshot.members[dimension]
        for code in codes.tolist():
            values = _ratios(
                self.revenue[code],
                cost[code] if cost is not None else 0,
                int(orders[code]) if orders is not None else 0,
            )
            row = [values[name] if name in values else columns[name](code) for name in self.measures]
            rows.append((selection.snapshot.name(dimension, members[code]), *row))
            clicks.append(((dimension, members[code]),))
        header = _columns(dimension, DIMENSIONS[dimension].label, "text", self.measures)
        return Answer(header, tuple(rows), tuple(clicks))


def first_level(visual: Visual, window: tuple[dt.date, dt.date]) -> str:
    """The level at which a chart with a hierarchy begins; time by what can be read: days of a quarter, else months."""
    assert visual.hierarchy is not None
    if visual.hierarchy != "time":
        return HIERARCHIES[visual.hierarchy].levels[0]
    return "day" if (window[1] - window[0]).days < MOST_DAYS else "month"


def _columns(first: str, label: str, format_: Format, measures: Sequence[str]) -> tuple[Column, ...]:
    return (
        Column(first, label, format_),
        *(Column(name, MEASURES[name].label, MEASURES[name].format) for name in measures),
    )


def _ratios(revenue: float, cost: float, orders: int) -> dict[str, Cell]:
    money_in, money_out = money(revenue), money(cost)
    return {
        "revenue": money_in,
        "cost": money_out,
        "profit": money_in - money_out,
        "orders": orders,
        "average_order_value": metric("average_order_value")(money_in, orders),
        "profit_margin": metric("profit_margin")(money_in, money_out),
    }


def _mean_lifespan(spans: np.ndarray) -> Decimal:
    """Mean of the lifespans of customers in years, not rounded, given the days from their first to their last order."""
    total = Decimal(0)
    for length, count in zip(*(part.tolist() for part in np.unique(spans, return_counts=True)), strict=True):
        years = metric("customer_lifespan")(dt.date(2000, 1, 1), dt.date(2000, 1, 1) + dt.timedelta(days=length))
        assert years is not None
        total = EXACT.add(total, EXACT.multiply(years, Decimal(count)))
    return EXACT.divide(total, Decimal(len(spans)))


def _periods(level: str, start: dt.date, end: dt.date) -> list[tuple[dt.date, dt.date]]:
    """The years, months or days that touch a window, each with its own first and last day."""
    periods = []
    first = {"year": start.replace(month=1, day=1), "month": start.replace(day=1), "day": start}[level]
    while first <= end:
        if level == "year":
            after = first.replace(year=first.year + 1) if first.year < dt.MAXYEAR else dt.date.max
        elif level == "month":
            after = (first.replace(day=28) + dt.timedelta(days=4)).replace(day=1)
        else:
            after = first + dt.timedelta(days=1)
        periods.append((first, after - dt.timedelta(days=1)))
        first = after
    return periods


def _period_name(level: str, first: dt.date) -> str:
    return first.isoformat()[: {"year": 4, "month": 7, "day": 10}[level]]


Periods = Sequence[tuple[dt.date, dt.date]]


def _partial(level: str, periods: Periods, start: dt.date, end: dt.date) -> tuple[int, ...]:
    """Positions of the periods of which a window holds a part only."""
    if level == "day":
        return ()
    return tuple(place for place, (first, last) in enumerate(periods) if first < start or last > end)


def _partial_note(level: str, periods: Periods, partial: Sequence[int]) -> str:
    if not partial:
        return ""
    names = [periods[place][0].strftime("%Y" if level == "year" else "%b %Y") for place in partial]
    return f"{' and '.join(names)} {'is' if len(names) == 1 else 'are'} not complete in this range."


def _weekday_counts(start: dt.date, end: dt.date) -> list[int]:
    days = (end - start).days + 1
    return [max(0, (days - (weekday - start.weekday()) % 7 + 6) // 7) for weekday in range(7)]


def _share_of_best(selection: Selection, dimension: str, best: int) -> Decimal | None:
    revenue = np.sort(selection.sums(dimension, "revenue"))[::-1]
    return metric("share")(Decimal(int(revenue[:best].sum())), Decimal(int(revenue.sum())))


def _share_of_member(selection: Selection, dimension: str, member: str) -> Decimal | None:
    revenue = selection.sums(dimension, "revenue")
    part = revenue[selection.snapshot.codes[dimension][member]]
    return metric("share")(Decimal(int(part)), Decimal(int(revenue.sum())))


def _weekend_uplift(selection: Selection) -> Decimal | None:
    days = _weekday_counts(selection.span[0], min(selection.span[1], selection.snapshot.last_day))
    revenue = selection.sums("weekday", "revenue")
    mean = metric("average_order_value")
    weekend, week = mean(money(revenue[5:].sum()), sum(days[5:])), mean(money(revenue[:5].sum()), sum(days[:5]))
    return None if weekend is None or week is None else metric("share")(weekend - week, week)


_KPIS: Mapping[str, Callable[[Selection], Decimal | int | None]] = {
    "revenue": lambda chosen: money(chosen.total("revenue")),
    "orders": lambda chosen: chosen.count,
    "units": lambda chosen: chosen.total("units"),
    "customers": lambda chosen: chosen.customers,
    "average_order_value": lambda chosen: metric("average_order_value")(money(chosen.total("revenue")), chosen.count),
    "profit_margin": lambda chosen: metric("profit_margin")(
        money(chosen.total("revenue")), money(chosen.total("cost"))
    ),
    "products_sold": lambda chosen: int(np.count_nonzero(chosen.line_counts("product"))),
    "top_ten_share": lambda chosen: _share_of_best(chosen, "product", 10),
    "revenue_per_customer": lambda chosen: metric("average_order_value")(
        money(chosen.total("revenue")), chosen.customers
    ),
    "returning_share": lambda chosen: _share_of_member(chosen, "buyer", "returning"),
    "vip_share": lambda chosen: _share_of_member(chosen, "segment", "VIP"),
    "states": lambda chosen: int(np.count_nonzero(chosen.order_counts("state"))),
    "top_five_states_share": lambda chosen: _share_of_best(chosen, "state", 5),
    "weekend_uplift": _weekend_uplift,
}

_SPECIAL: Mapping[str, Callable[[Answers, Visual], Answer]] = {
    "revenue_trend": Answers.trend,
    "long_tail": Answers.pareto,
    "lifetime_value": Answers.lifetime_value,
    "new_and_returning": Answers.new_and_returning,
    "cohort_retention": Answers.cohort_retention,
    "weekdays": Answers.weekdays,
    "region_payments": Answers.region_payments,
    "seasonality": Answers.seasonality,
}


def page_answers(snapshot: Snapshot, page: Page, view: View) -> tuple[dict[str, KpiAnswer], dict[str, Answer]]:
    """All numbers of a page of sales, by the ids of its figures and charts."""
    answers = Answers(snapshot, view)
    return (
        {kpi.id: answers.kpi(kpi) for kpi in page.kpis},
        {visual.id: answers.answer(visual) for visual in page.visuals},
    )


__all__ = ["Answer", "Answers", "Column", "KpiAnswer", "day_of", "first_level", "money", "page_answers"]
