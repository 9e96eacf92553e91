"""The view that a URL describes: filters, drill-down levels, and charts shown as tables.

``parse`` reads a query string, which can contain anything. It ignores and reports invalid parameters instead of raising
an error. ``View.query`` writes the canonical query string, from which ``parse`` restores the same view. No text from a
URL leaves this module unless it is a known member of a dimension.
"""

from __future__ import annotations

import calendar
import datetime as dt
import re
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import parse_qsl, quote, urlencode

from dashboards.spec.fields import FILTERS, HIERARCHIES
from dashboards.spec.page_types import Page

RANGES: Mapping[str, str] = {
    "7d": "7 days",
    "30d": "30 days",
    "90d": "90 days",
    "12m": "12 months",
    "ytd": "Year to date",
    "all": "All time",
}
DEFAULT_RANGE = "12m"
COMPARISONS = ("prior", "year", "weekdays", "none")
"""What the values are compared with; the first is the default."""
EARLIEST = dt.date(2000, 1, 1)
LATEST = dt.date(2099, 12, 31)
LONGEST_VALUE = 200
"""Maximum length of a parameter value. No filterable member is longer."""
MOST_PARAMETERS = 40
SHOWN = 40
"""Characters of an ignored parameter that a notice shows."""

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_PERIOD = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?", re.ASCII)

NEWEST_FIRST = "-day"
SORTS = ("day", "state", "customer", "payment", "lines", "units", "revenue")
"""The columns that a list of orders can be sorted by; a minus before them sorts in descending order."""
PLACE: Mapping[str, tuple[re.Pattern[str], str]] = {
    "sort": (re.compile(f"-?({'|'.join(SORTS)})"), f"must be one of {', '.join(SORTS)}, optionally after a minus"),
    "page": (re.compile(r"[1-9]\d{0,8}", re.ASCII), "must be a page number, such as 2"),
    "order": (re.compile(r"0|-?[1-9]\d{0,18}", re.ASCII), "must be the key of an order, such as 1001"),
}
"""The parameters of a list of orders: what is valid, and the fault of everything else."""

Vocabulary = Mapping[str, Container[str]]
"""The members of each dimension."""


@dataclass(frozen=True)
class Dropped:
    """An ignored URL parameter: its name and value, both truncated, and why it is invalid."""

    name: str
    value: str
    reason: str

    def __str__(self) -> str:
        return f"{self.name}={self.value}: {self.reason}" if self.value else f"{self.name}: {self.reason}"


@dataclass(frozen=True)
class Filters:
    """Which order lines a view includes.

    Attributes:
        range: a key of ``RANGES``, counted back from the last loaded day; ignored if start and end are given.
        start: first day of a custom date range, or None.
        end: last day of a custom date range, inclusive, or None; set together with start.
        period: a year, month, or day within the date range: 2026, 2026-03, or 2026-03-14.
        members: at most one member per dimension, in the order of ``FILTERS``.

    Raises:
        ValueError: a field is invalid.
    """

    range: str = DEFAULT_RANGE
    start: dt.date | None = None
    end: dt.date | None = None
    period: str | None = None
    members: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        if self.range not in RANGES:
            raise ValueError(f"range is {self.range!r}; it must be one of {', '.join(RANGES)}")
        if (self.start is None) != (self.end is None):
            raise ValueError("start and end must be given together")
        if self.start is not None and self.end is not None and not EARLIEST <= self.start <= self.end <= LATEST:
            raise ValueError(f"{self.start} to {self.end} is not a date range between {EARLIEST} and {LATEST}")
        if self.period is not None:
            period_days(self.period)
        names = [name for name, _ in self.members]
        if names != [name for name in FILTERS if name in names]:
            raise ValueError(f"members {names} are unknown, repeated, or out of order")

    def get(self, dimension: str) -> str | None:
        """The selected member of a dimension, or the value of ``period``."""
        return self.period if dimension == "period" else dict(self.members).get(dimension)

    def with_member(self, dimension: str, value: str | None) -> Filters:
        """These filters with another member of a dimension, or another ``period``; None removes the filter."""
        if dimension == "period":
            return replace(self, period=value)
        members = {**dict(self.members), dimension: value}
        return replace(self, members=tuple((name, members[name]) for name in FILTERS if members.get(name) is not None))

    def without(self, dimensions: Container[str]) -> Filters:
        """These filters without those of some dimensions."""
        kept = tuple((name, value) for name, value in self.members if name not in dimensions)
        return replace(self, members=kept, period=None if "period" in dimensions else self.period)

    def select_all(self, pairs: Iterable[tuple[str, str]]) -> bool:
        """Whether these filters select all of some members."""
        return all(self.get(name) == value for name, value in pairs)

    def toggled(self, pairs: Sequence[tuple[str, str]]) -> Filters:
        """These filters after a click on a point: select its members, or clear them if all are already selected."""
        is_chosen, result = self.select_all(pairs), self
        for name, value in pairs:
            result = result.with_member(name, None if is_chosen else value)
        return result

    def days(self, first: dt.date, last: dt.date) -> tuple[dt.date, dt.date]:
        """First and last day of the date range, ignoring ``period``, for data from ``first`` to ``last``.

        The last is before the first if a custom date range is outside the data.
        """
        if self.start is not None and self.end is not None:
            return max(self.start, first), min(self.end, last)
        starts = {
            "7d": last - dt.timedelta(days=6),
            "30d": last - dt.timedelta(days=29),
            "90d": last - dt.timedelta(days=89),
            "12m": a_year_before(last) + dt.timedelta(days=1),
            "ytd": last.replace(month=1, day=1),
            "all": first,
        }
        return max(starts[self.range], first), last


@dataclass(frozen=True)
class View:
    """What a URL describes.

    Attributes:
        filters: which order lines the view includes.
        levels: the drill-down level of each hierarchy.
        tables: the charts shown as tables.
        compare: what the dates are compared with, one of ``COMPARISONS``.
        sort: the column that a list of orders is sorted by, with a minus for descending; empty for the newest first.
        page: the page of a list of orders, from 1.
        order: the key of the order whose lines the list shows; it determines the page.
    """

    filters: Filters = Filters()
    levels: tuple[tuple[str, str], ...] = ()
    tables: tuple[str, ...] = ()
    compare: str = COMPARISONS[0]
    sort: str = ""
    page: int = 1
    order: int | None = None

    def level(self, hierarchy: str) -> str | None:
        """The level that the user drilled down to; None for the initial level."""
        return dict(self.levels).get(hierarchy)

    def with_level(self, hierarchy: str, level: str | None) -> View:
        """This view at another level of a hierarchy; None restores the initial level."""
        levels = {**dict(self.levels), hierarchy: level}
        return replace(self, levels=tuple((name, levels[name]) for name in HIERARCHIES if levels.get(name) is not None))

    def with_filters(self, filters: Filters) -> View:
        """This view with other filters, at the first of their orders."""
        return replace(self, filters=filters, page=1, order=None)

    def with_table(self, visual: str, shown: bool) -> View:
        """This view with one chart shown as a table, or as a chart again."""
        return replace(self, tables=tuple(sorted({*self.tables, visual} if shown else {*self.tables} - {visual})))

    def cleared(self) -> View:
        """This view without filters and drill-down levels, but with its dates."""
        return replace(self, filters=replace(self.filters, period=None, members=()), levels=())

    def query(self) -> str:
        """The canonical query string, including the question mark; empty for the default view."""
        filters = self.filters
        pairs: list[tuple[str, str]] = []
        if filters.start is not None and filters.end is not None:
            pairs += [("from", filters.start.isoformat()), ("to", filters.end.isoformat())]
        elif filters.range != DEFAULT_RANGE:
            pairs.append(("range", filters.range))
        if filters.period is not None:
            pairs.append(("period", filters.period))
        pairs += filters.members
        if self.compare != COMPARISONS[0]:
            pairs.append(("compare", self.compare))
        pairs += [("level", f"{hierarchy}.{level}") for hierarchy, level in self.levels]
        pairs += [("table", visual) for visual in self.tables]
        pairs += [("sort", self.sort)] if self.sort else []
        if self.order is not None:
            pairs.append(("order", str(self.order)))
        elif self.page > 1:
            pairs.append(("page", str(self.page)))
        return "?" + urlencode(pairs, quote_via=quote) if pairs else ""


def a_year_before(day: dt.date) -> dt.date:
    """The day with the same date a year before; February 29 becomes February 28."""
    try:
        return day.replace(year=day.year - 1)
    except ValueError:
        return day.replace(year=day.year - 1, day=28)


def parse_day(text: str) -> dt.date | None:
    """A day from its ISO text; None if it is not one from ``EARLIEST`` to ``LATEST``."""
    if not _DAY.fullmatch(text):
        return None
    try:
        day = dt.date.fromisoformat(text)
    except ValueError:
        return None
    return day if EARLIEST <= day <= LATEST else None


def period_days(period: str) -> tuple[dt.date, dt.date]:
    """First and last day of a period.

    Raises:
        ValueError: it is not a year, month, or day.
    """
    match = _PERIOD.fullmatch(period)
    if match is None:
        raise ValueError(f"{period!r} is not a year, month, or day")
    year, month, day = (int(part) if part else None for part in match.groups())
    assert year is not None
    first = dt.date(year, month or 1, day or 1)
    if day:
        last = first
    elif month:
        last = first.replace(day=calendar.monthrange(year, month)[1])
    else:
        last = dt.date(year, 12, 31)
    if not EARLIEST <= first <= LATEST:
        raise ValueError(f"{period!r} is not between {EARLIEST} and {LATEST}")
    return first, last


def parse(query: str, vocabulary: Vocabulary, page: Page | None = None) -> tuple[View, tuple[Dropped, ...]]:
    """Read a query string.

    Args:
        query: any text, with or without a leading question mark.
        vocabulary: the members of each dimension; a missing dimension has none.
        page: the page being viewed, whose charts can be shown as tables.

    Returns:
        The view, and the parameters that were ignored.
    """
    try:
        pairs = parse_qsl(query.removeprefix("?"), keep_blank_values=True, max_num_fields=MOST_PARAMETERS)
    except ValueError:
        return View(), (Dropped("URL", "", f"more than {MOST_PARAMETERS} parameters"),)
    reader = _Reader(vocabulary, page)
    for name, value in pairs:
        reader.read(name, value)
    return reader.view(), tuple(reader.dropped)


def within(view: View, dropped: Sequence[Dropped], first: dt.date, last: dt.date) -> tuple[View, tuple[Dropped, ...]]:
    """A view and its ignored parameters, without a period of which no day is in the data or in the date range."""
    period = view.filters.period
    if period is None:
        return view, tuple(dropped)
    days = period_days(period)
    for (start, end), what in (((first, last), "data"), (view.filters.days(first, last), "date range")):
        if days[1] < start or days[0] > end:
            reason = f"not in the {what}, which is from {start} to {end}" if start <= end else f"not in the {what}"
            return view.with_filters(replace(view.filters, period=None)), (*dropped, Dropped("period", period, reason))
    return view, tuple(dropped)


class _Reader:
    """Reads a URL one parameter at a time."""

    def __init__(self, vocabulary: Vocabulary, page: Page | None):
        self.vocabulary = vocabulary
        self.page = page
        self.dropped: list[Dropped] = []
        self.given: dict[str, str] = {}
        self.levels: dict[str, str] = {}
        self.tables: set[str] = set()
        self.place: dict[str, str] = {}

    def drop(self, name: str, value: str, reason: str) -> None:
        self.dropped.append(Dropped(_short(name), _short(value), reason))

    def read(self, name: str, value: str) -> None:
        """Accept a parameter, or record why it is ignored."""
        if name in PLACE:
            fault = self._read_place(name, value)
        elif name in ("level", "table"):
            fault = self._read_state(name, value)
        elif name not in ("range", "from", "to", "period", "compare", *FILTERS):
            fault = "unknown filter"
        elif name in self.given:
            fault = "given more than once; the first value is used"
        else:
            fault = self._fault(name, value)
            if fault is None:
                self.given[name] = value
        if fault is not None:
            self.drop(name, value, fault)

    def _read_state(self, name: str, value: str) -> str | None:
        if name == "table":
            if self.page is not None and self.page.visual(value) is not None:
                self.tables.add(value)
                return None
            return "this page has no such chart"
        hierarchy, _, level = value.partition(".")
        if hierarchy not in HIERARCHIES or level not in HIERARCHIES[hierarchy].levels:
            return "unknown level"
        self.levels[hierarchy] = level
        return None

    def _read_place(self, name: str, value: str) -> str | None:
        """Accept a parameter of a list of orders."""
        if self.page is None or not self.page.lists_orders:
            return "this page has no list of orders"
        if name in self.place:
            return "given more than once; the first value is used"
        pattern, fault = PLACE[name]
        if not pattern.fullmatch(value) or (name == "order" and not -(2**63) <= int(value) < 2**63):
            return fault
        self.place[name] = value
        return None

    def _fault(self, name: str, value: str) -> str | None:
        if len(value) > LONGEST_VALUE:
            return f"longer than {LONGEST_VALUE} characters"
        if name == "range":
            return None if value in RANGES else f"must be one of {', '.join(RANGES)}"
        if name == "compare":
            return None if value in COMPARISONS else f"must be one of {', '.join(COMPARISONS)}"
        if name in ("from", "to"):
            return None if parse_day(value) else f"must be a date between {EARLIEST} and {LATEST}, such as 2026-01-31"
        if name == "period":
            try:
                period_days(value)
            except ValueError:
                return "must be a year, month, or day, such as 2026, 2026-03, or 2026-03-14"
            return None
        return None if value in self.vocabulary.get(name, ()) else "unknown value"

    def view(self) -> View:
        """The view that the accepted parameters describe."""
        start, end = (parse_day(self.given.get(name, "")) for name in ("from", "to"))
        if start and end and start > end:
            self.drop("from", f"{start} to {end}", "the start date is after the end date")
            start = end = None
        elif (start is None) != (end is None):
            present = "from" if start else "to"
            self.drop(present, self.given[present], "a date range needs both from and to")
            start = end = None
        filters = Filters(
            self.given.get("range", DEFAULT_RANGE) if start is None else DEFAULT_RANGE,
            start,
            end,
            self.given.get("period"),
            tuple((name, self.given[name]) for name in FILTERS if name in self.given),
        )
        levels = tuple((name, self.levels[name]) for name in HIERARCHIES if name in self.levels)
        order = self.place.get("order")
        if order is not None and "page" in self.place:
            self.drop("page", self.place.pop("page"), "the order determines the page")
        return View(
            filters,
            levels,
            tuple(sorted(self.tables)),
            self.given.get("compare", COMPARISONS[0]),
            self.place.get("sort", "").replace(NEWEST_FIRST, ""),
            int(self.place.get("page", 1)),
            None if order is None else int(order),
        )


def _short(text: str) -> str:
    printable = "".join(character if character.isprintable() else "�" for character in text[: SHOWN + 1])
    return printable if len(printable) <= SHOWN else printable[:SHOWN] + "…"
