"""What alerts report about incidents, and when."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import pytest

from ecommerce_platform.automation.alerts import FORGET_AFTER, WEBHOOK, Book, DeliveryError, Incident, compare, deliver
from ecommerce_platform.automation.receivers import SHOWN, Service, body, head, message, receivers
from ecommerce_platform.settings import Settings

NOON = dt.datetime(2024, 5, 1, 12, tzinfo=dt.UTC)
LATER = NOON + dt.timedelta(minutes=1)
RUN = Incident("run daily, 2024-05-01", "Run failed", "why", "http://ui/runs/1")
CHECK = Incident("check warehouse.fact_sales contract", "Check failed", "rule", "http://ui/assets/x")


def test_a_book_is_the_same_after_a_restart() -> None:
    book = compare(Book({}), [RUN, CHECK], (), NOON).book
    assert Book.from_text(book.to_text()) == book
    assert Book.from_text(None) == Book({}) == Book.from_text("")


def test_a_check_that_is_about_to_be_judged_keeps_its_state() -> None:
    book = compare(Book({}), [CHECK], (), NOON).book
    look = compare(book, [], {CHECK.key}, LATER)
    assert look.book == book
    assert not look.closed


def test_an_incident_that_was_resolved_before_delivery_is_not_reported() -> None:
    book = compare(Book({}), [CHECK], (), NOON).book
    look = compare(book, [], (), LATER)
    assert [item.key for item in look.closed] == [CHECK.key]
    assert look.book == Book({})


def test_a_resolution_that_could_not_be_delivered_is_kept_until_it_is() -> None:
    told = Incident(**{**vars(CHECK), "told": (WEBHOOK,), "since": NOON.isoformat()})
    look = compare(Book({told.key: told}), [], (), LATER)
    again = compare(look.book, [], (), LATER)
    assert again.closed == []
    assert again.book.incidents[told.key].over


def test_a_failed_run_that_nobody_retried_is_forgotten_silently() -> None:
    book = compare(Book({}), [RUN], (), NOON).book
    look = compare(book, [], (), NOON + FORGET_AFTER + dt.timedelta(seconds=1))
    assert look.closed == []
    assert look.book == Book({})


def test_a_failed_run_that_was_seen_late_is_forgotten_by_its_own_age() -> None:
    """A daemon that was down for two hours saw the run late, and reported it as resolved when it left the window."""
    failed = Incident(**{**vars(RUN), "since": (NOON - dt.timedelta(hours=2)).isoformat()})
    book = compare(Book({}), [failed], (), NOON).book
    assert book.incidents[RUN.key].since == failed.since
    assert compare(book, [], (), NOON + FORGET_AFTER - dt.timedelta(hours=1)).closed == []


def test_a_book_of_an_earlier_version_is_read() -> None:
    """It knew the webhook only, and told was true or false."""
    text = '[{"key": "check x", "title": "t", "detail": "", "link": "l", "since": "s", "told": %s, "over": false}]'
    assert Book.from_text(text % "true").incidents["check x"].told == (WEBHOOK,)
    assert Book.from_text(text % "false").incidents["check x"].told == ()


class Ear:
    """A receiver that notes what it hears, while it is up."""

    def __init__(self, key: str):
        self.key = self.name = key
        self.is_up = True
        self.heard: list[str] = []

    def tell(self, news: Sequence[Incident], over: Sequence[Incident]) -> None:
        if not self.is_up:
            raise DeliveryError(f"{self.name} is down")
        self.heard += [f"new {item.key}" for item in news] + [f"over {item.key}" for item in over]


def test_a_receiver_that_is_down_delays_no_other_and_hears_everything_once_it_is_up() -> None:
    first, second = Ear("first"), Ear("second")
    first.is_up = False
    book = compare(Book({}), [CHECK], (), NOON).book
    for _ in range(2):
        book, faults = deliver(Book.from_text(book.to_text()), [first, second])
        assert [str(fault) for fault in faults] == ["first is down"]
    assert second.heard == [f"new {CHECK.key}"]
    first.is_up, second.is_up = True, False
    book, faults = deliver(book, [first, second])
    assert (faults, first.heard) == ([], [f"new {CHECK.key}"])
    book, faults = deliver(compare(book, [], (), LATER).book, [first, second])
    assert [str(fault) for fault in faults] == ["second is down"]
    assert first.heard == [f"new {CHECK.key}", f"over {CHECK.key}"]
    second.is_up = True
    book, _ = deliver(book, [first, second])
    assert second.heard == [f"new {CHECK.key}", f"over {CHECK.key}"]
    assert book == Book({})


def test_a_problem_that_comes_back_before_everybody_knew_that_it_was_over() -> None:
    first, second = Ear("first"), Ear("second")
    book, _ = deliver(compare(Book({}), [CHECK], (), NOON).book, [first, second])
    second.is_up = False
    book, _ = deliver(compare(book, [], (), LATER).book, [first, second])
    second.is_up = True
    book, _ = deliver(compare(book, [CHECK], (), LATER).book, [first, second])
    assert first.heard == [f"new {CHECK.key}", f"over {CHECK.key}", f"new {CHECK.key}"]
    assert second.heard == [f"new {CHECK.key}"]
    assert book.incidents[CHECK.key].told == ("first", "second")


def test_a_receiver_that_is_gone_is_not_waited_for_and_a_new_one_hears_what_is_open() -> None:
    first, second = Ear("first"), Ear("second")
    book, _ = deliver(compare(Book({}), [CHECK, RUN], (), NOON).book, [first])
    book, _ = deliver(compare(book, [CHECK], (), LATER).book, [second])
    assert second.heard == [f"new {CHECK.key}"]
    assert set(book.incidents) == {CHECK.key}


def test_receivers_are_named_without_their_addresses() -> None:
    given = Settings(  # ty: ignore[missing-argument]
        alert_webhook_url="https://hooks.example.com/T0KEN", alert_urls="slack://T0KEN/B/C json://u:T0KEN@h"
    )
    found = receivers(given)
    assert [each.name for each in found] == [
        "the webhook", "URL 1 of ECOMMERCE_ALERT_URLS", "URL 2 of ECOMMERCE_ALERT_URLS",
    ]  # fmt: skip
    assert len({each.key for each in found}) == 3
    assert "T0KEN" not in " ".join(each.key for each in found)
    # The place of a URL in the setting does not matter to what it has heard.
    assert Service("json://h", 1).key == Service("json://h", 2).key


def test_a_message_for_a_service_is_plain_text() -> None:
    over = Incident("x", "Check failed <b>", "not shown", "http://ui/x", NOON.isoformat(), over=True)
    assert head([RUN], [over]) == "E-commerce platform: 1 new, 1 resolved"
    assert body([RUN], [over]) == (
        "Run failed\nwhy\nsince \nhttp://ui/runs/1\n\n"
        "Resolved: Check failed <b>\nsince 2024-05-01T12:00:00+00:00\nhttp://ui/x"
    )
    assert body([RUN] * (SHOWN + 3), []).endswith("\n\nand 3 more")


@pytest.mark.parametrize("url", ["nonsense://x", "slack://", "json://"])
def test_a_url_that_apprise_does_not_know_is_said_without_it(url: str) -> None:
    with pytest.raises(DeliveryError, match="URL 1 of ECOMMERCE_ALERT_URLS is not a URL that apprise knows"):
        Service(url, 1).tell([RUN], [])


def test_without_a_webhook_nothing_waits_in_the_book_for_ever() -> None:
    told = Incident(**{**vars(CHECK), "told": (WEBHOOK,), "since": NOON.isoformat()})
    look = compare(Book({told.key: told}), [], (), LATER)
    assert deliver(look.book, []) == (Book({}), [])


def test_a_storm_is_one_message_that_slack_takes() -> None:
    many = [
        Incident(f"freshness t{number}", f"No longer fresh: t{number}", "x" * 9000, "http://ui") for number in range(60)
    ]
    content = message(many, [])
    blocks = content["blocks"]
    assert isinstance(blocks, list)
    assert len(blocks) <= 50
    assert all(len(block["text"]["text"]) <= 3000 for block in blocks)
    assert blocks[-1]["text"]["text"] == "and 40 more"
    assert str(content["text"]).startswith("E-commerce platform: 60 new. ")
