"""Targets and notes on the pages of a loaded shop: their numbers against SQL, and where they show."""

from __future__ import annotations

import calendar
import datetime as dt
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest

from dashboards.app.additions import AdditionFiles
from dashboards.app.chart_data import Progress
from dashboards.app.content import Content, Dashboards
from dashboards.app.drawn import Drawn
from dashboards.app.server import PARTS
from dashboards.app.store import Store
from dashboards.spec.pages import EXECUTIVE
from ecommerce_platform.io_managers import PostgresConnection
from ecommerce_platform_tests.harness import Platform

TARGETS = """month,revenue,profit_margin
2024-02,120000,34
2024-03,100000.50,36.5
2024-05,90000,
2024-06,,33
"""
REVENUE = {"2024-02": Decimal(120000), "2024-03": Decimal("100000.50"), "2024-05": Decimal(90000)}
MARGIN = {"2024-02": Decimal(34), "2024-03": Decimal("36.5"), "2024-06": Decimal(33)}


@pytest.fixture(scope="module")
def store(sales: Platform) -> Store:
    return Store(PostgresConnection(url=sales.url, role="reader"))


@pytest.fixture
def pages(store: Store, tmp_path: Path) -> Dashboards:
    (tmp_path / "targets.csv").write_text(TARGETS)
    (tmp_path / "notes.csv").write_text("day,text\n2024-03-29,Easter <b>campaign</b>\n")
    return Dashboards(store, additions=AdditionFiles(tmp_path / "targets.csv", tmp_path / "notes.csv", "US"))


def target(content: Content, kpi: str) -> Progress:
    found = content.kpis[kpi].target
    assert found is not None
    return found


def days_with_targets(first: dt.date, last: dt.date, months: dict[str, Decimal]) -> list[dt.date]:
    every = [first + dt.timedelta(days=number) for number in range((last - first).days + 1)]
    return [day for day in every if f"{day:%Y-%m}" in months]


def of_day(day: dt.date, months: dict[str, Decimal]) -> Fraction:
    return Fraction(months[f"{day:%Y-%m}"]) / calendar.monthrange(day.year, day.month)[1]


RANGES = [
    ("2024-02-01", "2024-03-31", "Feb–Mar 2024"),
    ("2024-02-11", "2024-03-10", "11 Feb – 10 Mar 2024"),
    ("2024-02-29", "2024-02-29", "Thu 29 Feb 2024"),
    ("2024-01-20", "2024-07-20", "Feb–May 2024, except 1 month without a target"),
]


@pytest.mark.parametrize(("first", "last", "name"), RANGES)
def test_the_progress_of_revenue_is_that_of_the_days_with_a_target(
    pages: Dashboards, sales: Platform, first: str, last: str, name: str
) -> None:
    content = pages.content(EXECUTIVE, f"?from={first}&to={last}")
    days = days_with_targets(dt.date.fromisoformat(first), dt.date.fromisoformat(last), REVENUE)
    revenue = sales.rows("select sum(revenue) from warehouse.fact_sales where sale_date = any(%s)", days)[0][0]
    goal = sum(of_day(day, REVENUE) for day in days)
    progress = target(content, "revenue")
    assert progress.text.startswith(f"{int(Fraction(revenue) / goal * 100)}% of the target of $")
    assert progress.text.endswith(f" for {name}")
    assert progress.part == pytest.approx(min(1.0, float(Fraction(revenue) / goal)), abs=1e-4)


@pytest.mark.parametrize(("first", "last", "name"), RANGES)
def test_the_progress_of_the_margin_weighs_months_by_their_days(
    pages: Dashboards, sales: Platform, first: str, last: str, name: str
) -> None:
    content = pages.content(EXECUTIVE, f"?from={first}&to={last}")
    days = days_with_targets(dt.date.fromisoformat(first), dt.date.fromisoformat(last), MARGIN)
    margin = sales.rows(
        "select round((sum(revenue) filter (where cost is not null) - sum(cost))"
        " / sum(revenue) filter (where cost is not null) * 100, 2)"
        " from warehouse.fact_sales where sale_date = any(%s)",
        days,
    )[0][0]
    goal = sum(Fraction(MARGIN[f"{day:%Y-%m}"]) for day in days) / len(days)
    progress = target(content, "profit_margin")
    where = "above" if margin > goal else "below"
    points = abs(margin - Decimal(round(goal * 100)) / 100).quantize(Decimal("0.1"), "ROUND_HALF_UP")
    assert progress.text.startswith(f"{points} pts {where} the target of ")
    assert progress.text.endswith(" for " + name.replace("Feb–May", "Feb–Jun").replace("1 month ", "2 months "))


def test_a_trend_by_month_has_the_target_of_its_days(pages: Dashboards) -> None:
    trend = pages.content(EXECUTIVE, "?from=2024-02-11&to=2024-06-30&level=time.month").answers["revenue_trend"]
    assert dict(zip(trend.column("period"), trend.column("target_revenue"), strict=True)) == {
        "2024-02": (Decimal(120000) * 19 / 29).quantize(Decimal("0.01")),
        "2024-03": Decimal("100000.50"),
        "2024-04": None,
        "2024-05": Decimal("90000.00"),
        "2024-06": None,
    }
    by_day = pages.content(EXECUTIVE, "?from=2024-02-11&to=2024-03-30").answers["revenue_trend"]
    assert "target_revenue" not in by_day.csv()


def test_targets_are_those_of_the_whole_shop(pages: Dashboards) -> None:
    for query in ("&category=Books", "&segment=VIP"):
        content = pages.content(EXECUTIVE, f"?from=2024-02-01&to=2024-03-31&level=time.month{query}")
        assert content.dropped == ()
        assert all(kpi.target is None for kpi in content.kpis.values())
        assert "target_revenue" not in content.answers["revenue_trend"].csv()
    content = pages.content(EXECUTIVE, "?from=2024-02-01&to=2024-05-31&period=2024-03")
    assert target(content, "revenue").text.endswith("for Mar 2024")


def test_a_wrong_file_is_one_notice_and_the_pages_go_on(pages: Dashboards, tmp_path: Path) -> None:
    query = "?from=2024-02-01&to=2024-03-31"
    before = pages.content(EXECUTIVE, query)
    (tmp_path / "targets.csv").write_text(TARGETS + "2024-07,<script>,1\n")
    after = pages.content(EXECUTIVE, query)
    assert after.kpis["revenue"].target is None
    assert after.kpis["revenue"].value == before.kpis["revenue"].value
    frame = Drawn(after, "light", "").frame("")
    notice = str(frame[6])
    assert "targets.csv, line 6: revenue '<script>' is not an amount such as 120000 or 120000.50" in notice
    assert notice.count("Not shown:") == 1
    (tmp_path / "targets.csv").unlink()
    gone = pages.content(EXECUTIVE, query)
    assert (gone.additions.faults, gone.kpis["revenue"].target) == ((), None)


def test_the_card_and_the_trend_show_what_was_added(pages: Dashboards) -> None:
    content = pages.content(EXECUTIVE, "?from=2024-02-01&to=2024-06-30")
    drawn = Drawn(content, "light", "")
    visual = EXECUTIVE.visual("revenue_trend")
    assert visual is not None
    names = [trace["name"] for trace in drawn._figure(visual)["data"]]
    assert names[0] == "Total revenue"
    assert names[-2:] == ["Target", "Notes"]
    texts = dict(
        zip(
            content.answers["revenue_trend"].column("period"),
            content.answers["revenue_trend"].column("notes"),
            strict=True,
        )
    )
    assert texts["2024-02"] == "19 Feb: Washington's Birthday"
    assert texts["2024-03"] == "29 Mar: Easter <b>campaign</b>"
    assert "<b>campaign" not in str(drawn._figure(visual))
    card = str(drawn.parts([[{"kpi": "revenue"}], *[[] for _ in PARTS[1:]]])[0])
    assert "kpi-target" in card
