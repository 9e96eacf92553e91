"""What alerts report about incidents, and when."""

from __future__ import annotations

import datetime as dt

from ecommerce_platform.automation.alerts import FORGET_AFTER, Book, Incident, compare, deliver, message

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
    told = Incident(**{**vars(CHECK), "told": True, "since": NOON.isoformat()})
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


def test_without_a_webhook_nothing_waits_in_the_book_for_ever() -> None:
    told = Incident(**{**vars(CHECK), "told": True, "since": NOON.isoformat()})
    look = compare(Book({told.key: told}), [], (), LATER)
    assert deliver(look.book, None) == Book({})


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
