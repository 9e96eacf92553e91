"""Every sentence at the top of a page, proved by SQL on the sales of its dates and filters."""

from __future__ import annotations

import datetime as dt
import os
import random
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import psycopg
import pytest

from dashboards.app.answers import Answers
from dashboards.app.filters import parse
from dashboards.app.formats import days_label, rounded, short
from dashboards.app.page_answers import page_answers
from dashboards.app.snapshot import Snapshot
from dashboards.spec.pages import PAGES
from ecommerce_platform_tests.dashboard_sql import SUMS, Expected, round_half_up

QUERIES = [
    "?range=7d",
    "?range=30d",
    "?range=90d&state=US-CA",
    "?range=90d&category=Electronics",
    "?range=ytd",
    "?from=2024-11-01&to=2024-12-31",
    "?from=2024-09-01&to=2024-10-31&payment=PayPal",
    "?from=2024-05-17&to=2024-11-03&category=Books",
    "?from=2024-10-01&to=2024-12-31&segment=VIP",
    "?from=2024-07-01&to=2024-12-31&region=South",
    "?from=2024-10-01&to=2024-12-31&buyer=returning&discount_band=None",
    "?from=2024-11-01&to=2024-12-31&payment=Apple%20Pay",
    "?range=all",
]
VIEWS = int(os.environ.get("HYPOTHESIS_EXAMPLES", "40"))


class Proof:
    """What SQL says about the dates in view and those before."""

    def __init__(self, snapshot: Snapshot, connection: psycopg.Connection, query: str):
        self.snapshot = snapshot
        self.expected = Expected(connection, query, snapshot.first_day, snapshot.last_day)
        start, end = self.expected.start, self.expected.end
        length = end - start + dt.timedelta(days=1)
        self.before = (start - length, end - length)

    def pair(self, columns: str) -> tuple[Any, Any]:
        return self.expected.one(columns), self.expected.one(columns, window=self.before)

    def percent(self, columns: str) -> str:
        now, before = self.pair(columns)
        return rounded(round_half_up((Decimal(now) - Decimal(before)) / Decimal(before) * 100), 1)

    def change_by(self, dimension: str) -> dict[str, Decimal]:
        """Change of revenue by member."""
        now, before = (
            dict(
                self.expected.rows(
                    f"{dimension}, sum(revenue)", f"group by {dimension}", **({"window": window} if window else {})
                )
            )
            for window in (None, self.before)
        )
        return {member: now.get(member, Decimal(0)) - before.get(member, Decimal(0)) for member in {*now, *before}}

    def name(self, dimension: str, member: str) -> str:
        return self.snapshot.name(dimension, member)


def revenue(proof: Proof, words: re.Match, pairs: tuple) -> None:
    now, before = proof.pair("sum(revenue)")
    assert words["moved"] == ("rose" if now > before else "fell")
    assert words["percent"] == proof.percent("sum(revenue)").lstrip("-")
    if not pairs:
        assert words["part"] is None
        return
    ((dimension, member),) = pairs
    if dimension == "region":
        change: dict[str, Decimal] = {}
        for state, amount in proof.change_by("state").items():
            region = proof.snapshot.name("region", _region(proof.snapshot, state))
            change[region] = change.get(region, Decimal(0)) + amount
    else:
        change = proof.change_by(dimension)
    sign = 1 if now > before else -1
    best = max(change, key=lambda one: sign * change[one])
    assert (member, words["name"]) == (best, proof.name(dimension, best))
    part = change[best] / (now - before) * 100
    if words["part"] == "most":
        assert 50 <= round_half_up(part) <= 100
    elif words["part"] == "more than all":
        assert part > 100
    else:
        assert words["part"] == short(round_half_up(part), "percent")
        assert 30 <= part < 50


def _region(snapshot: Snapshot, state: str) -> str:
    code = snapshot.code("state", state)
    group = list(snapshot.groups["state"]).index(code)
    return snapshot.members["region"][snapshot.groups["region"][group]]


def orders(proof: Proof, words: re.Match, pairs: tuple) -> None:
    percent = proof.percent(SUMS["orders"])
    assert (words["percent"], words["moved"]) == (percent.lstrip("-"), "fewer" if percent[0] == "-" else "more")
    if words["value"] is not None:
        value = proof.percent(SUMS["average_order_value"])
        assert (words["value"], words["larger"]) == (value.lstrip("-"), "smaller" if value[0] == "-" else "larger")


def value(proof: Proof, words: re.Match, pairs: tuple) -> None:
    percent = proof.percent(SUMS["average_order_value"])
    assert (words["percent"], words["moved"]) == (percent.lstrip("-"), "smaller" if percent[0] == "-" else "larger")


def margin(proof: Proof, words: re.Match, pairs: tuple) -> None:
    now, before = proof.pair(SUMS["profit_margin"])
    assert words["now"] == short(now, "percent")
    if words["points"] is None:
        assert Decimal(rounded(abs(now - before), 1)) < Decimal("0.5")
    else:
        assert words["points"] == rounded(abs(now - before), 1)
        assert words["moved"] == ("rose" if now > before else "fell")


def product(proof: Proof, words: re.Match, pairs: tuple) -> None:
    rows = proof.expected.rows("product, sum(revenue)", "group by product order by sum(revenue) desc limit 10")
    change = proof.change_by("product")
    best = max((member for member, _ in rows), key=lambda member: abs(change[member]))
    assert pairs == (("product", best),)
    assert words["name"] == proof.name("product", best)
    assert words["amount"] == short(abs(change[best]), "money")
    assert words["moved"] == ("gained" if change[best] > 0 else "lost")


def category(proof: Proof, words: re.Match, pairs: tuple) -> None:
    rows = proof.expected.rows(
        f"category, {SUMS['profit_margin']}, 100 * coalesce(sum(revenue) filter (where cost is not null), 0)"
        " / sum(sum(revenue)) over ()",
        "group by category",
    )
    heavy = {member: margin for member, margin, share in rows if share >= 2}
    low = min(heavy, key=lambda member: heavy[member])
    whole = proof.expected.one(SUMS["profit_margin"])
    assert (pairs, words["margin"]) == ((("category", low),), short(heavy[low], "percent"))
    assert (words["whole"], words["below"]) == (short(whole, "percent"), rounded(whole - heavy[low], 1))


def customers(proof: Proof, words: re.Match, pairs: tuple) -> None:
    percent = proof.percent(SUMS["customers"])
    assert words["count"] == short(proof.expected.one(SUMS["customers"]), "count")
    assert (words["percent"], words["moved"]) == (percent.lstrip("-"), "fewer" if percent[0] == "-" else "more")


def returning(proof: Proof, words: re.Match, pairs: tuple) -> None:
    share = "round(sum(revenue) filter (where buyer = 'returning') / sum(revenue) * 100, 2)"
    now, before = proof.pair(share)
    assert words["share"] == short(now, "percent")
    assert (words["points"], words["moved"]) == (rounded(abs(now - before), 1), "more" if now > before else "less")


def vip(proof: Proof, words: re.Match, pairs: tuple) -> None:
    of_customers = (
        "round(100.0 * count(distinct customer) filter (where segment = 'VIP') / count(distinct customer), 2)"
    )
    of_revenue = "round(sum(revenue) filter (where segment = 'VIP') / sum(revenue) * 100, 2)"
    assert words["customers"] == short(proof.expected.one(of_customers), "percent")
    assert words["revenue"] == short(proof.expected.one(of_revenue), "percent")


def weekend(proof: Proof, words: re.Match, pairs: tuple) -> None:
    is_weekend = "weekday in ('Saturday', 'Sunday')"
    sums = proof.expected.one(
        f"array[coalesce(sum(revenue) filter (where {is_weekend}), 0),"
        f" coalesce(sum(revenue) filter (where not {is_weekend}), 0)]"
    )
    start, end = max(proof.expected.start, proof.snapshot.first_day), proof.expected.end
    days = [start + dt.timedelta(days=number) for number in range((end - start).days + 1)]
    counts = [sum(day.weekday() >= 5 for day in days), sum(day.weekday() < 5 for day in days)]
    on, off = (round_half_up(total / count) for total, count in zip(sums, counts, strict=True))
    percent = rounded(round_half_up((on - off) / off * 100), 1)
    assert (words["percent"], words["moved"]) == (percent.lstrip("-"), "less" if percent[0] == "-" else "more")


PROOFS: dict[str, Callable[[Proof, re.Match, tuple], None]] = {
    r"Revenue (?P<moved>rose|fell) (?P<percent>[\d.,]+)% against (?P<days>[^,.]+)"
    r"(, (?P<part>most|more than all|[\d.]+%) of it from (?P<name>.+))?\.": revenue,
    r"There were (?P<percent>[\d.,]+)% (?P<moved>more|fewer) orders than in (?P<days>[^,.]+)"
    r"(, of about the same average value|, and the average order was (?P<value>[\d.]+)% (?P<larger>larger|smaller))"
    r"\.": orders,
    r"The average order was (?P<percent>[\d.,]+)% (?P<moved>larger|smaller), with about as many orders as in"
    r" (?P<days>[^,.]+)\.": value,
    r"The margin (held at|(?P<moved>rose|fell) by (?P<points>[\d.]+) points to) (?P<now>-?[\d.]+%)"
    r"(, against (?P<days>[^,.]+))?\.": margin,
    r"Of the top products, (?P<name>.+) (?P<moved>gained|lost) most: (?P<amount>\S+) (more|less) than in"
    r" (?P<days>[^,.]+)\.": product,
    r"The margin of (?P<name>.+) is (?P<margin>-?[\d.]+%), (?P<below>[\d.]+) points below the (?P<whole>-?[\d.]+%)"
    r" of all products in view\.": category,
    r"(?P<count>[\d.,K]+) customers ordered, (?P<percent>[\d.,]+)% (?P<moved>more|fewer) than in"
    r" (?P<days>[^,.]+)\.": customers,
    r"Returning customers brought (?P<share>[\d.]+%) of revenue, (?P<points>[\d.]+) points (?P<moved>more|less) than in"
    r" (?P<days>[^,.]+)\.": returning,
    r"VIP customers are (?P<customers>[\d.]+%) of the customers and bring (?P<revenue>[\d.]+%) of revenue\.": vip,
    r"A weekend day sells (?P<percent>[\d.,]+)% (?P<moved>more|less) than a weekday\.": weekend,
}


def prove(snapshot: Snapshot, connection: psycopg.Connection, query: str) -> int:
    """Check all sentences at the top of the pages of a query, and return their number."""
    view, dropped = parse(query, snapshot.vocabulary)
    assert dropped == ()
    proof, found = Proof(snapshot, connection, query), 0
    for page in PAGES:
        for sentence in page_answers(snapshot, page, view).sentences.get("", ()) if page.id != "health" else ():
            matched = [(words, check) for text, check in PROOFS.items() if (words := re.fullmatch(text, sentence.text))]
            assert len(matched) == 1, sentence.text
            words, check = matched[0]
            if words.groupdict().get("days") is not None:
                assert words["days"] == days_label(*proof.before)
            if sentence.window is not None:
                assert sentence.window == tuple(day.isoformat() for day in proof.before)
            check(proof, words, sentence.pairs)
            found += 1
    return found


@pytest.mark.parametrize("query", QUERIES)
def test_each_sentence_of_a_page_is_true(snapshot: Snapshot, connection: psycopg.Connection, query: str) -> None:
    prove(snapshot, connection, query)


def test_each_sentence_is_true_for_any_dates_and_filters(snapshot: Snapshot, connection: psycopg.Connection) -> None:
    chance, found = random.Random(20), 0
    for _ in range(VIEWS):
        length = chance.choice([14, 28, 30, 61, 91, 150])
        last = snapshot.last_day - dt.timedelta(days=chance.randrange((snapshot.last_day - snapshot.first_day).days))
        first = max(snapshot.first_day, last - dt.timedelta(days=length - 1))
        names = chance.sample(["category", "state", "segment", "payment", "price_range", "discount_band"], 2)
        pairs = [(name, chance.choice(snapshot.members[name])) for name in names[: chance.choice([0, 0, 1, 1, 2])]]
        found += prove(snapshot, connection, "?" + urlencode([("from", first), ("to", last), *pairs]))
    assert found >= VIEWS


def test_the_sentences_of_all_kinds_are_proved(snapshot: Snapshot) -> None:
    """A pattern that no query reaches proves nothing."""
    found = set()
    for query in QUERIES:
        view, _ = parse(query, snapshot.vocabulary)
        for page in PAGES:
            for sentence in page_answers(snapshot, page, view).sentences[""] if page.id != "health" else ():
                found |= {check.__name__ for text, check in PROOFS.items() if re.fullmatch(text, sentence.text)}
    assert found >= {check.__name__ for check in PROOFS.values()} - {"value"}


def test_few_orders_say_nothing(snapshot: Snapshot) -> None:
    """Half as many orders of a handful are chance."""
    view, _ = parse("?from=2024-06-01&to=2024-06-01", snapshot.vocabulary)
    answers = Answers(snapshot, view)
    assert 0 < answers.everything.count < 30
    for page in PAGES:
        if page.id != "health":
            assert page_answers(snapshot, page, view).sentences[""] == ()


def test_there_is_nothing_to_compare_with_before_the_first_day(snapshot: Snapshot) -> None:
    view, _ = parse("?range=all", snapshot.vocabulary)
    for page in PAGES:
        if page.id != "health":
            texts = [sentence.text for sentence in page_answers(snapshot, page, view).sentences[""]]
            assert not [text for text in texts if "against" in text or "than in" in text]
