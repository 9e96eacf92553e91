"""Load test: 200 concurrent users request pages with random filters from the served dashboards for one minute.

Each user looks at a page for one to three seconds. LOAD_USERS and LOAD_SECONDS override the defaults.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import random
import statistics
import threading
import time
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from dashboards.app.filters import RANGES
from dashboards.spec.page_types import Page
from dashboards.spec.pages import PAGES
from ecommerce_platform_tests.e2e.served import Served, yesterday

USERS = int(os.environ.get("LOAD_USERS", "200"))
SECONDS = float(os.environ.get("LOAD_SECONDS", "60"))
LONGEST = 5
"""Maximum response time in seconds."""

SHOP = {"ORDERS_PER_DAY": "600", "CUSTOMERS": "20000", "PRODUCTS": "500"}
DAYS = 365
CHOICES = {
    "state": ["US-CA", "US-TX", "US-NY", "US-FL", "US-OH", "US-WY"],
    "category": ["Electronics", "Books", "Clothing", "Groceries"],
    "payment": ["Credit Card", "PayPal", "Debit Card"],
    "segment": ["New", "Regular", "VIP"],
}


def question(page: Page, query: str, callback: dict[str, Any]) -> bytes:
    """Return the requests that a browser sends to open a page with these filters."""
    asked = []
    for output in callback["output"].strip(".").split("..."):
        name, property_ = output.rsplit(".", 1)
        if not name.startswith("{"):
            asked.append({"id": name, "property": property_})
            continue
        kind = json.loads(name)
        part = "kpi" if "kpi" in kind else "visual"
        members = page.kpis if part == "kpi" else page.visuals
        asked.append([{"id": {"type": kind["type"], part: member.id}, "property": property_} for member in members])
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
        self.seconds: list[float] = []
        self.errors: list[str] = []

    def _query(self) -> str:
        chosen = {"range": self._random.choice(list(RANGES))} if self._random.random() < 0.6 else {}
        chosen |= {name: self._random.choice(some) for name, some in CHOICES.items() if self._random.random() < 0.35}
        return f"?{urlencode(chosen)}" if chosen else ""

    def work(self, deadline: float) -> None:
        connection = HTTPConnection("127.0.0.1", self._port, timeout=60)
        while time.monotonic() < deadline:
            time.sleep(self._random.uniform(1, 3))
            body = question(self._random.choice(PAGES), self._query(), self._callback)
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
            self.seconds.append(time.monotonic() - begin)
        connection.close()


def test_two_hundred_people_are_answered(tmp_path: Path) -> None:
    first = yesterday() - dt.timedelta(days=DAYS - 1)
    served = Served(tmp_path / "platform", {**SHOP, "FIRST_DAY": first.isoformat()})
    try:
        served.up(seconds=1200)
        facts = served.rows("select count(*) from warehouse.fact_sales")[0][0]
        port = int(served.environment["ECOMMERCE_DASHBOARD_PORT"])
        connection = HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request("GET", "/_dash-dependencies")
        callback = max(json.load(connection.getresponse()), key=lambda one: len(one["output"]))
        people = [Person(number, port, callback) for number in range(USERS)]
        deadline = time.monotonic() + SECONDS
        threads = [threading.Thread(target=person.work, args=(deadline,)) for person in people]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        served.close()
    seconds = sorted(second for person in people for second in person.seconds)
    errors = [error for person in people for error in person.errors]
    hundredths = statistics.quantiles(seconds, n=100)
    print(
        f"{facts} order lines, {USERS} people, {SECONDS:g} s: {len(seconds)} pages, {len(errors)} errors;"
        f" seconds {hundredths[49]:.2f} at the median, {hundredths[94]:.2f} at p95, {seconds[-1]:.2f} at most"
    )
    assert errors == []
    assert seconds[-1] < LONGEST
