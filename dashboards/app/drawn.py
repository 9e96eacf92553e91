"""Turns the data of a page into the outputs of the Dash callback."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

from dash import no_update

from dashboards.app import cards, layout, tables
from dashboards.app.chart_data import Answer, Pairs
from dashboards.app.content import WITHOUT_DATES, Content
from dashboards.app.drill import orders_of_rows
from dashboards.app.figures import figure
from dashboards.app.filters import Filters, View
from dashboards.app.formats import day_text, exact
from dashboards.app.notes import joined
from dashboards.app.orders import OrdersAnswer
from dashboards.app.orders_table import orders_table
from dashboards.app.theme import THEMES
from dashboards.spec.page_types import Visual

MOST_LABELED = 8
"""Columns of a heat map whose cells have room for a label on a phone."""


class Drawn:
    """The outputs of the callback that shows the data."""

    def __init__(self, content: Content, theme: str, dagster: str):
        self.content = content
        self.theme = theme
        self.dagster = dagster
        self.page = content.page
        self.path = content.path
        self.view = content.view
        self._no_numbers = content.fault is not None or not content.answers

    def frame(self, fingerprint: str) -> list[Any]:
        """Navigation, filters, timestamps, and notices."""
        content, snapshot = self.content, self.content.snapshot
        nav = layout.nav(self.page, self.view)
        if snapshot is None:
            retry = self.path
            notice = layout.failure(
                "The data can't be shown.",
                content.fault or "",
                "To start the database, run: ecommerce-platform db start",
                retry,
            )
            return [nav, no_update, no_update, no_update, no_update, [], notice, fingerprint, "is-broken", []]
        health = content.health
        refreshed = health.refreshed_at if health else None
        last_day = day_text(content.last_day) if content.last_day and not snapshot.is_empty else ""
        stamps = layout.stamps(
            last_day,
            exact(refreshed, "moment") if refreshed else None,
            content.warnings[0].badge if content.warnings else None,
            content.is_reading,
        )
        notices = layout.notices(content.dropped, content.warnings, None if self.page.id == "health" else "/health")
        notices += layout.file_faults(content.additions.faults)
        if snapshot.is_empty:
            notices += layout.failure(
                "No data loaded yet.",
                "The warehouse contains no orders.",
                "To load data, run: ecommerce-platform up",
                self.path,
            )
            state = "" if self.page.id == "health" else "is-broken"
            return [nav, [], None, None, [], stamps, notices, fingerprint, state, []]
        history = (snapshot.first_day, content.last_day or snapshot.last_day)
        start, end = content.days(snapshot)
        return [
            nav,
            layout.presets(self.path, self.view),
            start.isoformat(),
            end.isoformat(),
            layout.chips(self.path, self.view, snapshot),
            stamps,
            notices,
            fingerprint,
            "without-dates" if self.page.id in WITHOUT_DATES else "",
            layout.compare(self.path, self.view, history),
        ]

    def parts(self, asked: Sequence[Sequence[Mapping[str, str]]]) -> list[list[Any]]:
        """The content of each KPI and chart, in the order in which the browser asked for them."""
        if self._no_numbers:
            return [[no_update for _ in group] for group in asked]
        kpis = [
            self._kpi,
            lambda kpi: cards.kpi_class(kpi, has_returns=self._has_returns),
        ]
        visuals = [
            self._figure,
            self._summary,
            self._legend,
            self._table,
            lambda visual: cards.tools(visual, self.path, self.view, self.content.csv_name(visual.id)),
            self._crumbs,
            self._note,
            self._card_class,
            lambda visual: self._sentences(visual.id),
        ]
        results: list[list[Any]] = []
        for group, build in zip(asked[: len(kpis)], kpis, strict=True):
            by_id = {kpi.id: kpi for kpi in self.page.kpis}
            results.append([build(by_id[item["kpi"]]) if item["kpi"] in by_id else no_update for item in group])
        for group, build in zip(asked[len(kpis) : -1], visuals, strict=True):
            found = [(self.page.visual(item["visual"])) for item in group]
            results.append([build(visual) if visual is not None else no_update for visual in found])
        results.append([self._sentences("") for _ in asked[-1]])
        return results

    @property
    def _has_returns(self) -> bool:
        return self.content.snapshot is not None and self.content.snapshot.has_returns

    def _kpi(self, kpi: Any) -> Any:
        return cards.kpi_card(kpi, self.content.kpis[kpi.id], self.theme)

    def _answer(self, visual: Visual) -> Answer:
        return self.content.answers[visual.id]

    def _address(self, visual: Visual) -> Callable[[Pairs], str]:
        filters, elsewhere = self.view.filters, self._answer(visual).leads_to

        @cache  # the cells of a heat map share those of their row
        def address(pairs: Pairs) -> str:
            if elsewhere:
                return self._elsewhere(elsewhere, pairs)
            toggled = filters.toggled(pairs)
            level = self.view.level("time")
            if visual.hierarchy == "time" and level in ("month", "day") and toggled.period is None and filters.period:
                # Clearing a day restores its month, which was the filter before the click.
                parent = filters.period[: {"month": 4, "day": 7}[level]]
                toggled = toggled.with_member("period", parent if parent != filters.period else None)
            return self.path + self.view.with_filters(toggled).query()

        return address

    def _elsewhere(self, path: str, pairs: Pairs) -> str:
        """The URL of another page with some filters over all time, for charts that follow no filters themselves."""
        return path + View(Filters("all").toggled(pairs), compare=self.view.compare).query()

    def _addresses(self, visual: Visual) -> list[str]:
        address = self._address(visual)
        return [address(pairs) for pairs in self._answer(visual).clicks]

    def _chosen(self, visual: Visual) -> list[bool]:
        answer = self._answer(visual)
        return [not answer.leads_to and self.view.filters.select_all(pairs) for pairs in answer.clicks]

    def _figure(self, visual: Visual) -> Any:
        return figure(visual, self._answer(visual), self.view.filters, THEMES[self.theme], self._address(visual))

    def _summary(self, visual: Visual) -> str:
        return cards.summary(visual, self._answer(visual))

    def _legend(self, visual: Visual) -> Any:
        answer = self._answer(visual)
        if visual.kind != "donut" or not answer.rows:
            return []
        return cards.legend(answer, self._addresses(visual), self._chosen(visual), self.theme)

    def _table(self, visual: Visual) -> Any:
        answer = self._answer(visual)
        if answer.missing and (visual.id not in self.view.tables or not answer.rows):
            return cards.missing(answer.missing)
        if not answer.rows:
            return cards.nothing_to_report() if self.page.id == "health" else cards.empty(self.path, self.view)
        if visual.kind != "table" and visual.id not in self.view.tables:
            return []
        if isinstance(answer, OrdersAnswer):
            return orders_table(answer, self.path, self.view)
        addresses, orders = self._addresses(visual), orders_of_rows(visual, answer, self.view)
        return tables.table(visual, answer, addresses, self._chosen(visual), self.dagster, orders)

    def _note(self, visual: Visual) -> str:
        answer = self._answer(visual)
        return joined(answer.note, answer.table_note if visual.id in self.view.tables else "")

    def _sentences(self, about: str) -> Any:
        """The sentences about the page or a chart, each with the address of the filter that shows it."""
        found: list[tuple[str, str | None]] = []
        for sentence in self.content.sentences.get(about, ()):
            filters = self.view.filters
            answer = self.content.answers.get(about)
            if answer is not None and answer.leads_to and sentence.pairs:
                found.append((sentence.text, self._elsewhere(answer.leads_to, sentence.pairs)))
                continue
            for name, member in sentence.pairs:
                filters = filters.with_member(name, member)
            if sentence.window is not None:
                start, end = map(dt.date.fromisoformat, sentence.window)
                filters = replace(filters.without(("period",)), start=start, end=end)
            address = None if filters == self.view.filters else self.path + self.view.with_filters(filters).query()
            found.append((sentence.text, address))
        return cards.sentences(found)

    def _crumbs(self, visual: Visual) -> Any:
        assert self.content.snapshot is not None
        return cards.crumbs(visual, self._answer(visual), self.path, self.view, self.content.snapshot)

    def _card_class(self, visual: Visual) -> str:
        answer, is_table = self._answer(visual), visual.id in self.view.tables
        if not answer.rows or (answer.missing and not is_table):
            return cards.card_class(visual, "is-empty", has_returns=self._has_returns)
        # Labels of two lines need twice the height.
        bars = min(len(answer.rows), visual.limit or len(answer.rows))
        is_tall = (visual.id == "rejects" and bars > 6) or (answer.columns[0].id == "product" and bars > 10)
        is_dense = visual.kind == "heatmap" and max(int(str(row[1])) for row in answer.rows) >= MOST_LABELED
        # On a phone, most names of products take two lines.
        is_two_lined = answer.columns[0].id == "product" and bars > 6
        states = (("is-table", is_table), ("is-tall", is_tall), ("is-dense", is_dense), ("is-two-lined", is_two_lined))
        return cards.card_class(visual, *(name for name, is_on in states if is_on), has_returns=self._has_returns)
