"""Load test: 200 concurrent users request pages with random filters from the served dashboards for one minute.

Each user looks at a page for one to three seconds. LOAD_USERS, LOAD_SECONDS and LOAD_PAUSE (such as 5-15) override the
defaults, and LOAD_ORDERS the orders per day of the year that is loaded. With LOAD_PORT, it asks dashboards that are
already served at that port.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import random
import statistics
import threading
import time
from collections.abc import Callable
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from dashboards.app.filters import COMPARISONS, RANGES, SORTS
from dashboards.spec.page_types import Page
from dashboards.spec.pages import PAGES
from ecommerce_platform_tests.e2e.served import Served, yesterday

USERS = int(os.environ.get("LOAD_USERS", "200"))
SECONDS = float(os.environ.get("LOAD_SECONDS", "60"))
PAUSE = tuple(float(part) for part in os.environ.get("LOAD_PAUSE", "1-3").split("-"))
"""Least and most seconds for which somebody looks at a page."""
LONGEST = 5
"""Maximum response time in seconds."""

SHOP = {"ORDERS_PER_DAY": os.environ.get("LOAD_ORDERS", "600"), "CUSTOMERS": "20000", "PRODUCTS": "500"}
DAYS = 365
CHOICES = {
    "state": ["US-CA", "US-TX", "US-NY", "US-FL", "US-OH", "US-WY"],
    "category": ["Electronics", "Books", "Clothing", "Groceries"],
    "payment": ["Credit Card", "PayPal", "Debit Card"],
    "segment": ["New", "Regular", "VIP"],
}


MEMBERS: dict[str, Callable[[Page], list[str]]] = {
    "kpi": lambda page: [kpi.id for kpi in page.kpis],
    "visual": lambda page: [visual.id for visual in page.visuals],
    "page": lambda page: [page.id],
}
"""What a page has of each part that its outputs consist of."""


def question(page: Page, query: str, callback: dict[str, Any]) -> bytes:
    """Return the requests that a browser sends to open a page with these filters."""
    asked = []
    for output in callback["output"].strip(".").split("..."):
        name, property_ = output.rsplit(".", 1)
        if not name.startswith("{"):
            asked.append({"id": name, "property": property_})
            continue
        kind = json.loads(name)
        part = next(part for part in MEMBERS if part in kind)
        asked.append(
            [{"id": {"type": kind["type"], part: member}, "property": property_} for member in MEMBERS[part](page)]
        )
    values = [page.id, query, "light", 0]
    inputs = [{**one, "value": value} for one, value in zip(callback["inputs"], values, strict=True)]
    return json.dumps(
        {
            "output": callback["output"],
            "outputs": asked,
            "inputs": inputs,
            "changedPropIds": ["url.search"],
            "state": [{**one, "value": None} for one in callback["state"]],
        }
    ).encode()


class Person:
    """Open one page after another until the time is up."""

    def __init__(self, number: int, port: int, callback: dict[str, Any]):
        self._random = random.Random(number)
        self._port = port
        self._callback = callback
        self.seconds: list[tuple[str, float]] = []
        self.errors: list[str] = []

    def _query(self, page: Page) -> str:
        chosen = {"range": self._random.choice(list(RANGES))} if self._random.random() < 0.6 else {}
        chosen |= {name: self._random.choice(some) for name, some in CHOICES.items() if self._random.random() < 0.35}
        if self._random.random() < 0.3:
            chosen["compare"] = self._random.choice(COMPARISONS)
        if page.lists_orders and self._random.random() < 0.5:
            chosen["sort"] = self._random.choice(["", "-"]) + self._random.choice(SORTS)
            chosen["page"] = str(self._random.randint(1, 20))
        return f"?{urlencode(chosen)}" if chosen else ""

    def work(self, deadline: float) -> None:
        connection = HTTPConnection("127.0.0.1", self._port, timeout=60)
        while time.monotonic() < deadline:
            time.sleep(self._random.uniform(*PAUSE))
            page = self._random.choice(PAGES)
            body = question(page, self._query(page), self._callback)
            begin = time.monotonic()
            try:
                connection.request("POST", "/_dash-update-component", body, {"Content-Type": "application/json"})
                answer = connection.getresponse()
                text = answer.read()
                if answer.status != 200 or not json.loads(text)["response"]:
                    self.errors.append(f"{answer.status}: {text[:200]!r}")
            except (OSError, HTTPException, ValueError) as error:
                self.errors.append(repr(error))
                connection.close()
            self.seconds.append((page.id, time.monotonic() - begin))
        connection.close()


def ask(port: int) -> list[Person]:
    """Let the users open pages until the time is up."""
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", "/_dash-dependencies")
    callback = max(json.load(connection.getresponse()), key=lambda one: len(one["output"]))
    connection.close()
    people = [Person(number, port, callback) for number in range(USERS)]
    deadline = time.monotonic() + SECONDS
    threads = [threading.Thread(target=person.work, args=(deadline,)) for person in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return people


def said(name: str, seconds: list[float]) -> str:
    hundredths = statistics.quantiles(seconds, n=100)
    return (
        f"{name:10} {len(seconds):5} pages; seconds {hundredths[49]:.2f} at the median,"
        f" {hundredths[94]:.2f} at p95, {max(seconds):.2f} at most"
    )


def test_two_hundred_people_are_answered(tmp_path: Path) -> None:
    if port := os.environ.get("LOAD_PORT"):
        people = ask(int(port))
    else:
        first = yesterday() - dt.timedelta(days=DAYS - 1)
        served = Served(tmp_path / "platform", {**SHOP, "FIRST_DAY": first.isoformat()})
        try:
            served.up(seconds=1200)
            facts = served.rows("select count(*) from warehouse.fact_sales")[0][0]
            print(f"{facts} order lines")
            people = ask(int(served.environment["ECOMMERCE_DASHBOARD_PORT"]))
        finally:
            served.close()
    errors = [error for person in people for error in person.errors]
    answered = [entry for person in people for entry in person.seconds]
    seconds = [second for _, second in answered]
    print(f"{USERS} people, {SECONDS:g} s: {len(errors)} errors")
    print(said("all", seconds))
    for page in PAGES:
        print(said(page.id, [second for name, second in answered if name == page.id]))
    assert errors == []
    assert max(seconds) < LONGEST
