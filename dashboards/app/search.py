"""Finds pages and members of dimensions by what somebody types, as links that open the page or set the filter."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from dashboards.app.filters import Filters, View
from dashboards.app.members import Members
from dashboards.app.snapshot import NOBODY, Snapshot, day_of
from dashboards.spec.fields import DIMENSIONS
from dashboards.spec.page_types import Page
from dashboards.spec.pages import ORDERS, PAGES

MOST_FOUND = 20
LONGEST_SEARCH = 200
"""Characters; no identifier is longer."""
MOST_OF_A_KIND = 8
"""Matches of one dimension, so that many products don't hide a state."""
DIMENSIONS_SEARCHED = ("category", "region", "state", "segment", "payment", "price_range", "product")
EXACT, BEGINS, WORD, INSIDE = range(4)
"""How well a text matches, best first."""


@dataclass(frozen=True)
class Found:
    """A search result: what it is, its name, and the URL that it leads to."""

    kind: str
    label: str
    href: str


class SearchIndex:
    """What can be found in a snapshot."""

    def __init__(self, snapshot: Snapshot):
        self.snapshot = snapshot

    @cached_property
    def _members(self) -> list[tuple[str, str, str, str]]:
        """Dimension, member, and display name of what is searched by text, and the text in lower case."""
        return [
            (name, member, label, label.casefold())
            for name in DIMENSIONS_SEARCHED
            for member in self.snapshot.members[name]
            for label in (self.snapshot.name(name, member),)
        ]

    def find(self, text: str, page: Page, view: View, key_of: Callable[[str], int | None]) -> list[Found]:
        """The best matches of a text, at most 20.

        Args:
            text: what somebody typed; longer than any identifier, it finds nothing.
            page: the page that results with a filter stay on.
            view: the view whose other filters they keep.
            key_of: returns the key of the order with a text as its ID, or None.
        """
        typed, text = text.strip(), " ".join(text.split())
        if not typed or len(typed) > LONGEST_SEARCH or "\x00" in typed:
            return []
        stay = ORDERS if page.id == "health" else page
        pages = [
            (rank, Found("Page", other.title, other.path + View(view.filters).query()))
            for other in PAGES
            if (rank := _rank(text.casefold(), other.title.casefold())) is not None
        ]
        if self.snapshot.is_empty:
            return [found for _, found in pages]
        members = [
            (rank, Found(DIMENSIONS[name].label, label, stay.path + _with(view, name, member)))
            for rank, name, member, label in self._matching(text.casefold())
        ]
        customers = [
            (rank, Found("Customer", f"Customer {code}", stay.path + _with(view, "customer", code)))
            for rank, code in self._customers(typed)
        ]
        orders = [(EXACT, found) for found in self._orders(typed, key_of)]
        everything = [*pages, *members, *customers, *orders]
        return [found for _, found in sorted(everything, key=lambda item: item[0])][:MOST_FOUND]

    def _matching(self, text: str) -> Iterator[tuple[int, str, str, str]]:
        found: dict[str, list[tuple[int, str, str, str]]] = {}
        for name, member, label, lower in self._members:
            rank = EXACT if member.casefold() == text else _rank(text, lower)
            if rank is not None:
                found.setdefault(name, []).append((rank, name, member, label))
        for matches in found.values():
            yield from sorted(matches, key=lambda match: match[0])[:MOST_OF_A_KIND]

    def _customers(self, text: str) -> Iterator[tuple[int, str]]:
        members = self.snapshot.members["customer"]
        code = text.removeprefix("Customer ").removeprefix("customer ")
        if code in members and code != NOBODY:
            yield EXACT, code
        if isinstance(members, Members):
            for member in members.beginning_with(code, MOST_OF_A_KIND):
                if member not in (code, NOBODY):
                    yield BEGINS, member

    def _orders(self, text: str, key_of: Callable[[str], int | None]) -> Iterator[Found]:
        """The order with that ID; a number is its own key, and only shops with other IDs are asked for those."""
        snapshot = self.snapshot
        is_number = text.isascii() and text.isdigit() and len(text) < 19 and not text.startswith("0")
        if not is_number and not snapshot.has_text_orders:
            return
        key = int(text) if is_number else key_of(text)
        place = np.flatnonzero(snapshot.keys(slice(None)) == key) if key is not None else ()
        if len(place):
            day = day_of(int(snapshot.orders["day"][place[0]]))
            yield Found("Order", f"Order {text}", ORDERS.path + _order_query(day, int(key or 0)))


def _rank(text: str, label: str) -> int | None:
    """How well a label matches, both in lower case; None if it does not."""
    at = label.find(text)
    if at < 0:
        return None
    if at == 0:
        return EXACT if len(label) == len(text) else BEGINS
    return WORD if not label[at - 1].isalnum() else INSIDE


def _with(view: View, name: str, member: str) -> str:
    return view.with_filters(view.filters.with_member(name, member)).query()


def _order_query(day: dt.date, key: int) -> str:
    """An order is shown among those of its day, whatever the filters."""
    return View(Filters(start=day, end=day), order=key).query()
