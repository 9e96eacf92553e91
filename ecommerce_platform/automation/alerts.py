"""Alerts: which problems are open, which of them are new or over, and how people hear of it. Knows nothing of Dagster.

A problem is an :class:`Incident` with a key. The :class:`Book` of open incidents is kept as text between two looks.
Each receiver (:mod:`.receivers`) is told of an incident once when it appears and once when it is over, however often it
is seen and whatever restarts in between. What a receiver did not take stays in the book and is tried at the next look.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Protocol

RUN, CHECK, FRESHNESS, DATABASE = "run ", "check ", "freshness ", "database"
"""How the keys of the kinds of incidents begin."""

FORGET_AFTER = dt.timedelta(days=7)
"""A failed run that nobody ran again leaves the book after this time, without a word."""

WEBHOOK = "webhook"
"""The key of the webhook as a receiver."""


class DeliveryError(RuntimeError):
    """A receiver did not take a message. Names it without its address, which is a secret."""


@dataclass(frozen=True)
class Incident:
    """One problem.

    Attributes:
        key: the same for as long as it is the same problem.
        title: what is wrong, in one line.
        detail: what is known of it; no personal data.
        link: the page of Dagster's UI that shows it.
        since: when it began, or was first seen where that is not known; ISO 8601.
        told: the keys of the receivers that have taken it and, once it is over, of those that have yet to hear of that.
        over: whether it has passed, and that is still to be told.
    """

    key: str
    title: str
    detail: str
    link: str
    since: str = ""
    told: Sequence[str] = ()
    over: bool = False


class Receiver(Protocol):
    """Whoever hears of incidents."""

    @property
    def key(self) -> str:
        """Identifies it in the book, for as long as its address stays the same; not secret."""
        ...

    @property
    def name(self) -> str:
        """What people call it; not secret."""
        ...

    def tell(self, news: Sequence[Incident], over: Sequence[Incident]) -> None:
        """Take one message about new incidents and those that are over.

        Raises:
            DeliveryError: it was not taken.
        """
        ...


@dataclass(frozen=True)
class Book:
    """The open incidents by key."""

    incidents: Mapping[str, Incident]

    @classmethod
    def from_text(cls, text: str | None) -> Book:
        """The book that :meth:`to_text` gave; an empty one for nothing."""
        rows = json.loads(text) if text else []
        for row in rows:
            row["told"] = _told(row["told"])
        return cls({row["key"]: Incident(**row) for row in rows})

    def to_text(self) -> str:
        """As JSON."""
        return json.dumps([asdict(incident) for incident in self.incidents.values()])


def _told(kept: bool | list[str]) -> Sequence[str]:
    """Books of earlier versions knew the webhook only."""
    return ((WEBHOOK,) if kept else ()) if isinstance(kept, bool) else tuple(kept)


@dataclass(frozen=True)
class Look:
    """What one look found: the book to keep, the incidents that are new, and those that have passed."""

    book: Book
    opened: Sequence[Incident]
    closed: Sequence[Incident]


def compare(book: Book, failing: Iterable[Incident], undecided: Collection[str], now: dt.datetime) -> Look:
    """Hold what is wrong now against the book.

    Args:
        book: as the last look left it.
        failing: every problem there is now.
        undecided: keys about which nothing can be said now; what the book says of them stays.
        now: the moment of the look, with its time zone.
    """
    seen = {incident.key: incident for incident in failing}
    kept: dict[str, Incident] = {}
    opened, closed = [], []
    for key, incident in seen.items():
        if key not in book.incidents:
            kept[key] = replace(incident, since=incident.since or now.isoformat(timespec="seconds"))
            opened.append(kept[key])
        else:
            # It may have passed and come back before a receiver heard of either.
            kept[key] = replace(book.incidents[key], over=False)
    for key, incident in book.incidents.items():
        if key in seen:
            continue
        if key in undecided or incident.over:
            kept[key] = incident
        elif incident.key.startswith(RUN) and dt.datetime.fromisoformat(incident.since) < now - FORGET_AFTER:
            continue
        else:
            closed.append(incident)
            if incident.told:
                kept[key] = replace(incident, over=True)
    return Look(Book(kept), opened, closed)


def deliver(book: Book, receivers: Sequence[Receiver]) -> tuple[Book, Sequence[DeliveryError]]:
    """Send each receiver what it has not heard yet, in one message. One that is down keeps no other from hearing it.

    Returns:
        The book without what is over and told, and why receivers did not take their message.
    """
    told = {key: set(item.told) for key, item in book.incidents.items()}
    faults = []
    for receiver in receivers:
        news = [item for item in book.incidents.values() if not item.over and receiver.key not in item.told]
        over = [item for item in book.incidents.values() if item.over and receiver.key in item.told]
        if not news and not over:
            continue
        try:
            receiver.tell(news, over)
        except DeliveryError as error:
            faults.append(error)
            continue
        for item in news:
            told[item.key].add(receiver.key)
        for item in over:
            told[item.key].discard(receiver.key)
    # A receiver that is gone from the settings hears nothing more, and nothing waits for it.
    known = {receiver.key for receiver in receivers}
    kept = {key: replace(item, told=tuple(sorted(told[key] & known))) for key, item in book.incidents.items()}
    return Book({key: item for key, item in kept.items() if item.told or not item.over}), faults
