"""Alerts: which problems are open, which of them are new or over, and how people hear of it. Knows nothing of Dagster.

A problem is an :class:`Incident` with a key. The :class:`Book` of open incidents is kept as text between two looks. An
incident is told once when it appears and once when it is over, however often it is seen and whatever restarts in
between. What could not be delivered stays in the book and is tried at the next look.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any
from urllib.parse import urlsplit

RUN, CHECK, FRESHNESS, DATABASE = "run ", "check ", "freshness ", "database"
"""How the keys of the kinds of incidents begin."""

FORGET_AFTER = dt.timedelta(days=7)
"""A failed run that nobody ran again leaves the book after this time, without a word."""

SHOWN = 20
"""Incidents that one message spells out; Slack takes at most 50 blocks."""

TIMEOUT = (5.0, 10.0)
"""Seconds to wait for a connection, and for an answer."""

BACKOFF = 0.5
"""Seconds before the second of three tries; twice as many before the third."""


class WebhookError(RuntimeError):
    """The webhook did not take a message. Names its host only: the rest of such an address is a secret."""


@dataclass(frozen=True)
class Incident:
    """One problem.

    Attributes:
        key: the same for as long as it is the same problem.
        title: what is wrong, in one line.
        detail: what is known of it; no personal data.
        link: the page of Dagster's UI that shows it.
        since: when it began, or was first seen where that is not known; ISO 8601.
        told: whether the webhook has taken it.
        over: whether it has passed, and that is still to be told.
    """

    key: str
    title: str
    detail: str
    link: str
    since: str = ""
    told: bool = False
    over: bool = False


@dataclass(frozen=True)
class Book:
    """The open incidents by key."""

    incidents: Mapping[str, Incident]

    @classmethod
    def from_text(cls, text: str | None) -> Book:
        """The book that :meth:`to_text` gave; an empty one for nothing."""
        return cls({row["key"]: Incident(**row) for row in json.loads(text)} if text else {})

    def to_text(self) -> str:
        """As JSON."""
        return json.dumps([asdict(incident) for incident in self.incidents.values()])


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
            # It may have passed and come back before the webhook heard of either.
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


def deliver(book: Book, webhook: str | None) -> Book:
    """Send what the webhook has not heard yet, in one message; the book without what is told and over.

    Raises:
        WebhookError: it was not taken; nothing of the book counts as told.
    """
    news = [incident for incident in book.incidents.values() if not incident.told]
    over = [incident for incident in book.incidents.values() if incident.over]
    is_told = webhook is not None and bool(news or over)
    if webhook is not None and is_told:
        post(webhook, message(news, over))
    still_open = {key: item for key, item in book.incidents.items() if not item.over}
    return Book({key: replace(item, told=item.told or is_told) for key, item in still_open.items()})


def message(news: Sequence[Incident], over: Sequence[Incident]) -> dict[str, Any]:
    """A message in Slack's form: ``text`` for a notification, ``blocks`` for the window."""
    counts = [f"{len(news)} new" if news else "", f"{len(over)} resolved" if over else ""]
    head = f"E-commerce platform: {', '.join(filter(None, counts))}"
    told = [(":red_circle:", item) for item in news] + [(":white_check_mark: Resolved:", item) for item in over]
    blocks: list[dict[str, Any]] = [{"type": "header", "text": {"type": "plain_text", "text": head}}]
    for mark, item in told[:SHOWN]:
        detail = f"\n{_escape(item.detail)[:2000]}" if item.detail and not item.over else ""
        text = f"{mark} *<{item.link}|{_escape(item.title)}>*{detail}\nsince {item.since}"
        blocks.append({"type": "section", "text": {"type": "mrkdwn", "text": text}})
    if len(told) > SHOWN:
        more = f"and {len(told) - SHOWN} more"
        blocks.append({"type": "section", "text": {"type": "mrkdwn", "text": more}})
    titles = "; ".join(f"{'resolved: ' if item.over else ''}{item.title}" for _, item in told[:SHOWN])
    return {"text": f"{head}. {_escape(titles)}", "blocks": blocks}


def _escape(text: str) -> str:
    """Slack's three characters (its documentation, "Formatting text for app surfaces")."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def post(webhook: str, content: Mapping[str, Any]) -> None:
    """POST a message as JSON, three times at most, following no redirect.

    Raises:
        WebhookError: it was not taken.
    """
    # Imported only where there is something to tell: every run and every command loads this module.
    import requests
    from requests.adapters import HTTPAdapter
    from urllib3.util import Retry

    host = urlsplit(webhook).hostname
    tries = Retry(total=2, backoff_factor=BACKOFF, status_forcelist=(429, 500, 502, 503, 504), allowed_methods=None)
    with requests.Session() as session:
        session.mount("https://", HTTPAdapter(max_retries=tries))
        session.mount("http://", HTTPAdapter(max_retries=tries))
        try:
            answer = session.post(webhook, json=content, timeout=TIMEOUT, allow_redirects=False)
        except requests.RequestException as error:
            # The message of the exception contains the address, which is a secret.
            raise WebhookError(f"the webhook at {host} cannot be reached: {type(error).__name__}") from None
    if not 200 <= answer.status_code < 300:
        raise WebhookError(f"the webhook at {host} rejected the message with status {answer.status_code}")
