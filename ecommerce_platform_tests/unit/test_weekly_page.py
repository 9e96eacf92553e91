"""The page of the weekly summary: escaped, self-contained, and readable without its pictures."""

from __future__ import annotations

import datetime as dt
import io
import re
from collections.abc import Iterator
from decimal import Decimal
from html.parser import HTMLParser

import pytest
from PIL import Image

from dashboards.app.chart_data import Answer, dimension_column, measure_column
from dashboards.spec.pages import EXECUTIVE
from dashboards.weekly.page import html, page, pictures, subject, text
from dashboards.weekly.pictures import HEIGHT, SCALE, WIDTH, Bar, bar_chart
from dashboards.weekly.summary import Change, Day, Figure, Summary
from dashboards.weekly.weeks import Week, last_loaded_week
from ecommerce_platform.settings import load_settings

HOSTILE = "<img src=x onerror=alert(1)>\"'&\u202e{{ 7*7 }}\r\nBcc: x@y.example"
WEEK = Week.named("2026-W47")
KPIS = {kpi.id: kpi for kpi in EXECUTIVE.kpis}


@pytest.fixture(autouse=True)
def fresh_settings() -> Iterator[None]:
    load_settings.cache_clear()
    yield
    load_settings.cache_clear()


def summary(revenue: int = 700, problems: tuple[str, ...] = (), missing: tuple[dt.date, ...] = ()) -> Summary:
    columns = (dimension_column("product"), *map(measure_column, ("revenue", "revenue_share", "orders")))
    rows = ((HOSTILE, Decimal(revenue), Decimal(100), 7),) if revenue else ()
    return Summary(
        WEEK,
        missing,
        [("the week before", WEEK.before(1)), ("a year before", WEEK.before(52))],
        "",
        [
            Figure(
                KPIS["revenue"],
                Decimal(revenue),
                [Change(Decimal(500), Decimal("40.04")), Change(Decimal(0), None)],
                "",
            ),
            Figure(
                KPIS["profit_margin"],
                Decimal("35.5"),
                [Change(Decimal("36.0"), Decimal("-0.5")), Change(Decimal("35.46"), Decimal("0.04"))],
                "Based on 99.0% of revenue",
            ),
            Figure(KPIS["return_rate"], Decimal(1), [None, None], ""),
        ],
        [Day(day, Decimal(revenue) / 7, 1 if revenue else 0, Decimal(70)) for day in WEEK.days],
        [(WEEK.before(number), Decimal(500 + number)) for number in reversed(range(3))],
        [("Top products", Answer(columns, rows))],
        problems,
        "3 of 4 checks pass, 1 warns. 7 rows are rejected.",
    )


class Tags(HTMLParser):
    """The tags of a page with their attributes, and its text."""

    def __init__(self, content: str):
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(content)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_a_hostile_product_name_is_text_and_nothing_else() -> None:
    content = page(summary(problems=(HOSTILE,)), None)
    tags = Tags(content)
    assert {"script", "a"}.isdisjoint(tag for tag, _ in tags.tags)
    assert not any(name.startswith("on") for _, attributes in tags.tags for name in attributes)
    assert all(attributes["src"] != "x" for tag, attributes in tags.tags if tag == "img")
    assert "<img src=x onerror=alert(1)>\"'&?{{ 7*7 }}??Bcc: x@y.example" in tags.text
    plain = text(summary(), None)
    assert "  1. <img src=x onerror=alert(1)>\"'&?{{ 7*7 }}??Bcc: x@y.example: $700.00 (100.00%), 7 orders\n" in plain
    assert not re.search(r"^Bcc", plain, re.MULTILINE)


def test_the_file_needs_no_other_and_the_message_names_its_pictures() -> None:
    images = [attributes for tag, attributes in Tags(page(summary(), None)).tags if tag == "img"]
    assert [str(image["src"])[:22] for image in images] == ["data:image/png;base64,"] * 2
    assert str(images[0]["alt"]).startswith("Revenue per day: Mon $100.00, Tue $100.00, ")
    assert "//" not in re.sub(r"data:image/png;base64,[^\"]+", "", page(summary(), None))
    named = Tags(html(summary(), {"days": "cid:a@b", "weeks": "cid:c@d"}, "https://dash.example.com/"))
    assert [attributes["src"] for tag, attributes in named.tags if tag == "img"] == ["cid:a@b", "cid:c@d"]
    assert [attributes["href"] for tag, attributes in named.tags if tag == "a"] == [
        "https://dash.example.com/?from=2026-11-16&to=2026-11-22"
    ]


def test_changes_are_in_words_and_a_percentage_changes_by_points() -> None:
    plain = text(summary(), "https://dash.example.com")
    assert "Total revenue: $700.00\n  the week before (9 Nov – 15 Nov 2026): $500.00, up 40.0%\n" in plain
    assert "  a year before (17 Nov – 23 Nov 2025): $0.00, –\n" in plain
    assert "  the week before (9 Nov – 15 Nov 2026): 36.00%, down 0.5 points\n" in plain
    assert "  a year before (17 Nov – 23 Nov 2025): 35.46%, unchanged\n" in plain
    assert "Return rate: 1.00%\n\nRevenue per day\n" in plain
    assert subject(summary()) == "Week 2026-W47: $700.00 revenue, up 40.0%"
    assert subject(summary(missing=(WEEK.last,))).endswith(" (incomplete)")
    assert plain.endswith("Dashboards: https://dash.example.com/?from=2026-11-16&to=2026-11-22\n")


def test_a_week_without_orders_says_so_and_has_no_pictures() -> None:
    nothing = summary(revenue=0)
    assert pictures(nothing) == {}
    assert "No orders in this week." in Tags(page(nothing, None)).text
    assert "No orders in this week.\n" in text(nothing, None)
    assert "Top products" not in page(nothing, None)


def test_problems_stand_at_the_top() -> None:
    problem = "These numbers may be wrong. 1 check is failing."
    content = Tags(page(summary(problems=(problem,)), None)).text
    assert content.index(problem) < content.index("Key figures")
    assert text(summary(problems=(problem,)), None).splitlines()[2] == f"! {problem}"


@pytest.mark.parametrize("currency", ["EUR", "JPY", "CHF", "INR"])
def test_a_picture_is_drawn_in_any_currency(monkeypatch: pytest.MonkeyPatch, currency: str) -> None:
    monkeypatch.setenv("ECOMMERCE_CURRENCY", currency)
    for picture in pictures(summary(revenue=7_654_321)).values():
        assert Image.open(io.BytesIO(picture)).size == (WIDTH * SCALE, HEIGHT * SCALE)
    assert f"in {currency}" in page(summary(), None)
    assert "?" not in text(summary(), None).split("Top products")[0]


def test_a_bar_is_as_high_as_its_value() -> None:
    image = Image.open(io.BytesIO(bar_chart([Bar("Mon", 100.0, ""), Bar("Tue", 50.0, ""), Bar("Wed", None, "")])))
    accent = image.convert("RGB").getpixel((WIDTH * SCALE // 6, HEIGHT * SCALE // 2))

    def height(third: int) -> int:
        column = WIDTH * SCALE * (2 * third + 1) // 6
        return sum(image.convert("RGB").getpixel((column, y)) == accent for y in range(HEIGHT * SCALE))

    assert height(0) == 2 * height(1) > 0
    assert height(2) == 0


@pytest.mark.parametrize("value", [0.0, -5.0, None])
def test_a_picture_without_anything_to_show_is_still_a_picture(value: float | None) -> None:
    assert bar_chart([Bar("Mon", value, "n/a", value)])[:4] == b"\x89PNG"


def test_weeks_are_named_as_iso_names_them() -> None:
    assert Week.named("2026-W53").span == (dt.date(2026, 12, 28), dt.date(2027, 1, 3))
    assert Week(dt.date(2027, 1, 3)).name == "2026-W53"
    assert Week(dt.date(2026, 11, 25)).title == "Seven days to Wed 25 Nov 2026"
    assert Week.before_day(dt.date(2026, 11, 23)).name == "2026-W47"  # a Monday
    assert Week.before_day(dt.date(2026, 11, 22)).name == "2026-W46"  # the Sunday is not over
    assert WEEK.before(52).first == dt.date(2025, 11, 17)
    assert WEEK.before(52).first.weekday() == WEEK.first.weekday()


@pytest.mark.parametrize("name", ["2025-W53", "2026-W00", "2026-47", "2026-W4", "２０２６-W47", "0000-W01", ""])
def test_a_week_that_does_not_exist_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="week"):
        Week.named(name)


def test_the_last_loaded_week_has_all_of_its_days() -> None:
    days = {dt.date(2026, 11, 1) + dt.timedelta(days=number) for number in range(25)}
    today = dt.date(2026, 11, 26)
    assert last_loaded_week(days, today) == WEEK
    assert last_loaded_week(days, dt.date(2026, 11, 22)) == WEEK.before(1)  # this Sunday may still get orders
    assert last_loaded_week(days - {dt.date(2026, 11, 18)}, today) == WEEK.before(1)
    assert last_loaded_week(set(), today) is None
    assert last_loaded_week({dt.date(2026, 11, 22)}, today) is None


def test_the_names_of_weekdays_follow_the_locale(monkeypatch: pytest.MonkeyPatch):
    """The table of days was in English in every locale."""
    sources = {"days": "cid:a@b", "weeks": "cid:c@d"}
    assert "Monday, 16 Nov" in html(summary(), sources, "")
    monkeypatch.setenv("ECOMMERCE_LOCALE", "de-DE")
    load_settings.cache_clear()
    content = html(summary(), sources, "")
    assert "Montag, 16. Nov." in content
    assert "Monday" not in content
