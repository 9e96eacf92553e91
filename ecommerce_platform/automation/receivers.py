"""Who hears of incidents: the webhook, and every service that apprise reaches."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from ecommerce_platform.addresses import service_urls
from ecommerce_platform.automation.alerts import WEBHOOK, DeliveryError, Incident, Receiver
from ecommerce_platform.settings import Settings

SHOWN = 20
"""Incidents that one message spells out; Slack takes at most 50 blocks."""

MOST_DETAIL = 500
"""Characters of the details of an incident in a message of a service."""

TIMEOUT = (5.0, 10.0)
"""Seconds to wait for a connection, and for an answer."""

BACKOFF = 0.5
"""Seconds before the second of three tries; twice as many before the third."""


def receivers(settings: Settings) -> list[Receiver]:
    """All receivers that the settings name; each alert goes to all of them."""
    urls = service_urls(settings.alert_urls or "")
    webhook = [Webhook(settings.alert_webhook_url)] if settings.alert_webhook_url is not None else []
    return [*webhook, *(Service(url, number) for number, url in enumerate(urls, 1))]


@dataclass(frozen=True)
class Webhook:
    """A Slack-compatible incoming webhook."""

    url: str
    key: str = WEBHOOK
    name: str = "the webhook"

    def tell(self, news: Sequence[Incident], over: Sequence[Incident]) -> None:
        """POST one message.

        Raises:
            DeliveryError: it was not taken.
        """
        post(self.url, message(news, over))


@dataclass(frozen=True)
class Service:
    """A service of apprise, by its URL and its place in ECOMMERCE_ALERT_URLS."""

    url: str
    number: int

    @property
    def key(self) -> str:
        """A few digits of a hash: too few to find the URL by."""
        return f"apprise {hashlib.sha256(self.url.encode()).hexdigest()[:8]}"

    @property
    def name(self) -> str:
        """Its place in the setting."""
        return f"URL {self.number} of ECOMMERCE_ALERT_URLS"

    def tell(self, news: Sequence[Incident], over: Sequence[Incident]) -> None:
        """Send one message as plain text.

        Raises:
            DeliveryError: it was not taken.
        """
        # Imported only where there is something to tell: every run and every command loads this module.
        import apprise

        # What apprise logs may contain parts of a URL, which are secrets.
        logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
        try:
            service: Any = apprise.Apprise.instantiate(self.url)
        except Exception as error:
            raise DeliveryError(f"{self.name} cannot be used: {type(error).__name__}") from None
        if service is None:
            raise DeliveryError(f"{self.name} is not a URL that apprise knows")
        if "overflow=" not in self.url:
            # Better two messages than one that is refused as too long.
            service.overflow_mode = apprise.OverflowMode.SPLIT
        kind = apprise.NotifyType.FAILURE if news else apprise.NotifyType.SUCCESS
        try:
            is_taken = service.notify(
                title=head(news, over), body=body(news, over), notify_type=kind, body_format=apprise.NotifyFormat.TEXT
            )
        except Exception as error:
            # The message of the exception may contain the URL.
            raise DeliveryError(f"{self.name} ({service.service_name}) failed: {type(error).__name__}") from None
        if not is_taken:
            raise DeliveryError(f"{self.name} ({service.service_name}) did not take the message")


def head(news: Sequence[Incident], over: Sequence[Incident]) -> str:
    """The first line of a message."""
    counts = [f"{len(news)} new" if news else "", f"{len(over)} resolved" if over else ""]
    return f"E-commerce platform: {', '.join(filter(None, counts))}"


def body(news: Sequence[Incident], over: Sequence[Incident]) -> str:
    """The text of a message, in plain text."""
    parts = []
    for item in [*news, *over][:SHOWN]:
        detail = f"{item.detail[:MOST_DETAIL]}\n" if item.detail and not item.over else ""
        parts.append(f"{'Resolved: ' if item.over else ''}{item.title}\n{detail}since {item.since}\n{item.link}")
    left = len(news) + len(over) - SHOWN
    return "\n\n".join([*parts, f"and {left} more"] if left > 0 else parts)


def message(news: Sequence[Incident], over: Sequence[Incident]) -> dict[str, Any]:
    """A message in Slack's form: ``text`` for a notification, ``blocks`` for the window."""
    told = [(":red_circle:", item) for item in news] + [(":white_check_mark: Resolved:", item) for item in over]
    title = head(news, over)
    blocks: list[dict[str, Any]] = [{"type": "header", "text": {"type": "plain_text", "text": title}}]
    for mark, item in told[:SHOWN]:
        detail = f"\n{_escape(item.detail)[:2000]}" if item.detail and not item.over else ""
        text = f"{mark} *<{item.link}|{_escape(item.title)}>*{detail}\nsince {item.since}"
        blocks.append({"type": "section", "text": {"type": "mrkdwn", "text": text}})
    if len(told) > SHOWN:
        more = f"and {len(told) - SHOWN} more"
        blocks.append({"type": "section", "text": {"type": "mrkdwn", "text": more}})
    titles = "; ".join(f"{'resolved: ' if item.over else ''}{item.title}" for _, item in told[:SHOWN])
    return {"text": f"{title}. {_escape(titles)}", "blocks": blocks}


def _escape(text: str) -> str:
    """Slack's three characters (its documentation, "Formatting text for app surfaces")."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def post(webhook: str, content: Mapping[str, Any]) -> None:
    """POST a message as JSON, three times at most, following no redirect.

    Raises:
        DeliveryError: it was not taken. Names the host only.
    """
    # Imported only where there is something to tell, as above.
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
            raise DeliveryError(f"the webhook at {host} cannot be reached: {type(error).__name__}") from None
    if not 200 <= answer.status_code < 300:
        raise DeliveryError(f"the webhook at {host} rejected the message with status {answer.status_code}")
