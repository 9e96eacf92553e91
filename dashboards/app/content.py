"""The data of a page for a URL: snapshot, health, filters, KPIs, and charts. Cached by filters and data version."""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from dashboards.app.additions import AdditionFiles, Additions
from dashboards.app.chart_data import Answer, KpiAnswer
from dashboards.app.chart_insights import Sentence
from dashboards.app.filters import Dropped, View, parse, period_days, within
from dashboards.app.health import Health, Notice, health_answers, read_health, warnings
from dashboards.app.orders import OrdersAnswer
from dashboards.app.orders_reader import with_details
from dashboards.app.page_answers import PageAnswers, page_answers
from dashboards.app.snapshot import DatabaseError, Snapshot
from dashboards.app.store import Store
from dashboards.spec.page_types import Page
from ecommerce_platform.checks.freshness import Clock, utc_now

MOST_CACHED = 256
A_YEAR = 366
HEALTH_SECONDS = 5.0
WITHOUT_DATES = ("health", "next")
"""The pages that do not follow the dates."""


@dataclass(frozen=True)
class Content:
    """The data of a page for one URL, before it is drawn."""

    page: Page
    path: str
    view: View
    dropped: Sequence[Dropped] = ()
    snapshot: Snapshot | None = None
    health: Health | None = None
    warnings: Sequence[Notice] = ()
    last_day: dt.date | None = None
    fault: str | None = None
    is_reading: bool = False
    additions: Additions = field(default_factory=Additions)
    kpis: Mapping[str, KpiAnswer] = field(default_factory=dict)
    answers: Mapping[str, Answer] = field(default_factory=dict)
    sentences: Mapping[str, Sequence[Sentence]] = field(default_factory=dict)

    def csv_name(self, visual_id: str) -> str:
        """The name of a chart's CSV file, with the days that the page shows if it follows the dates."""
        if self.snapshot is None or self.snapshot.is_empty or self.page.id in WITHOUT_DATES:
            return f"{visual_id}.csv"
        start, end = self.days(self.snapshot)
        if self.view.filters.period is not None:
            first, last = period_days(self.view.filters.period)
            start, end = max(start, first), min(end, last)
        return f"{visual_id}_{start}_{end}.csv"

    def days(self, snapshot: Snapshot) -> tuple[dt.date, dt.date]:
        """The date range as the page names it: the part with data, or, outside the data, as it was asked for."""
        filters = self.view.filters
        start, end = filters.days(snapshot.first_day, self.last_day or snapshot.last_day)
        if end < start:
            return filters.start or start, filters.end or end
        return start, end


class Dashboards:
    """Computes the data of a page, and caches it by filters and data version."""

    def __init__(
        self,
        store: Store,
        *,
        clock: Clock = utc_now,
        dagster_port: int = 3000,
        dagster_url: str | None = None,
        additions: AdditionFiles | None = None,
    ):
        self._additions = additions
        self.store = store
        self.clock = clock
        self.dagster_port = dagster_port
        self.dagster_url = dagster_url
        self._cache: OrderedDict[tuple, PageAnswers] = OrderedDict()
        self._version: tuple | None = None
        self._lock = threading.Lock()
        self._computing = {is_long: threading.Lock() for is_long in (False, True)}
        self._health: tuple[float, Health] | None = None

    def content(self, page: Page, query: str) -> Content:
        """The data of a page for a query string, which can contain anything."""
        try:
            snapshot = self.store.current()
            health = self._read_health()
        except DatabaseError as error:
            return Content(page, page.path, View(), fault=str(error))
        view, dropped = parse(query, snapshot.vocabulary, page)
        days = [health.loaded_through, None if snapshot.is_empty else snapshot.last_day]
        last_day = max((day for day in days if day is not None), default=None)
        if not snapshot.is_empty:
            view, dropped = within(view, dropped, snapshot.first_day, last_day or snapshot.last_day)
        now = self.clock()
        content = Content(
            page,
            page.path,
            view,
            dropped,
            snapshot,
            health,
            warnings(health, last_day, now),
            last_day,
            is_reading=self.store.is_reading,
            additions=self._additions.current() if self._additions else Additions(),
        )
        if page.id == "health":
            found = PageAnswers(*health_answers(health, now))
        elif snapshot.is_empty:
            return content
        else:
            found = self._answers(snapshot, page, view, last_day, content.additions)
        if page.lists_orders:
            return self._with_orders(content, found)
        return replace(content, kpis=found.kpis, answers=found.answers, sentences=found.sentences)

    def _with_orders(self, content: Content, found: PageAnswers) -> Content:
        """The content of a page that lists orders, with what only the database knows about these."""
        listed = found.answers["orders"]
        assert isinstance(listed, OrdersAnswer)
        try:
            listed = with_details(listed, self.store.connection)
        except DatabaseError as error:
            return Content(content.page, content.path, View(), fault=str(error))
        return replace(
            content, kpis=found.kpis, answers={"orders": listed}, dropped=(*content.dropped, *listed.dropped)
        )

    def _answers(
        self, snapshot: Snapshot, page: Page, view: View, last_day: dt.date | None, additions: Additions
    ) -> PageAnswers:
        if page.id in WITHOUT_DATES:
            view = View()  # it is the same for every filter, so it is computed once and nobody waits for it
        version = (snapshot.version, snapshot.read_at)
        place = (view.levels, view.compare, view.sort, view.page, view.order)
        key = (page.id, view.filters, place, last_day, additions.version)
        found = self._cached(version, key)
        if found is None:
            # One page at a time: it takes a core and up to some hundred megabytes, and several people may ask for it.
            # Years take many times as long as a year, which does not wait for them.
            start, end = view.filters.days(snapshot.first_day, last_day or snapshot.last_day)
            with self._computing[(end - start).days > A_YEAR]:
                found = self._cached(version, key)
                if found is None:
                    found = page_answers(snapshot, page, view, last_day, additions.targets, additions.notes)
                    self._keep(version, key, found)
        return found

    def _cached(self, version: tuple, key: tuple) -> PageAnswers | None:
        with self._lock:
            if version != self._version or key not in self._cache:
                return None
            self._cache.move_to_end(key)
            return self._cache[key]

    def _keep(self, version: tuple, key: tuple, found: PageAnswers) -> None:
        with self._lock:
            if version != self._version:
                self._cache.clear()
                self._version = version
            self._cache[key] = found
            while len(self._cache) > MOST_CACHED:
                self._cache.popitem(last=False)

    def _read_health(self) -> Health:
        if self._health is None or time.monotonic() - self._health[0] > HEALTH_SECONDS:
            self._health = (time.monotonic(), read_health(self.store.connection))
        return self._health[1]
