"""A payment method, a segment, or a year has the same color on every page, under every filter, and in Power BI."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from dashboards.app.content import Content, Dashboards
from dashboards.app.drawn import Drawn
from dashboards.app.store import Store
from dashboards.app.theme import DARK, LIGHT
from dashboards.spec import powerbi, powerbi_files
from dashboards.spec.page_types import Page
from dashboards.spec.pages import CUSTOMERS, EXECUTIVE, GEOGRAPHY
from ecommerce_platform.io_managers import PostgresConnection
from ecommerce_platform_tests.harness import Platform

QUERIES = [
    "?range=all",
    "?range=7d",
    "?state=US-WY&range=all",
    "?category=Books&weekday=Monday",
    "?customer=3&range=all",
    "?payment=PayPal&segment=New",
]


@pytest.fixture(scope="module")
def dashboards(sales: Platform) -> Dashboards:
    return Dashboards(Store(PostgresConnection(url=sales.url, role="reader")))


def colors(content: Content, name: str, theme: str = "light") -> Iterator[tuple[str, str]]:
    """Each member that a chart shows, and its color."""
    visual = content.page.visual(name)
    assert visual is not None
    answer = content.answers[name]
    if not answer.rows:
        return
    place = 1 if visual.kind in ("stack", "share_stack") else 0
    for trace in Drawn(content, theme, "")._figure(visual)["data"]:
        if trace["type"] == "pie":
            for label, color in zip(trace["labels"], trace["marker"]["colors"], strict=True):
                channels = color.removeprefix("rgba(").split(",")[:3]
                yield label, "#" + "".join(f"{int(channel):02x}" for channel in channels)
        elif trace["type"] == "scatter":
            yield trace["name"], (trace["line"] if "line" in trace else trace["marker"])["color"]
        elif place:
            yield trace["name"], trace["marker"]["color"]
        else:
            yield from zip(trace["x"], trace["marker"]["color"], strict=True)


@pytest.mark.parametrize(
    ("charts", "members"),
    [
        ([(EXECUTIVE, "payment_methods"), (GEOGRAPHY, "region_payments")], 7),
        ([(CUSTOMERS, "segment_share")], 4),
        ([(CUSTOMERS, "new_and_returning")], 2),
        ([(GEOGRAPHY, "seasonality")], 2),
    ],
    ids=["payment", "segment", "buyer", "year"],
)
@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_a_member_keeps_its_color(dashboards: Dashboards, charts: list[tuple[Page, str]], members: int, theme) -> None:
    """A payment method had the color of its rank, which changed with every filter."""
    seen: dict[str, set[str]] = {}
    for query in QUERIES:
        for page, name in charts:
            for member, color in colors(dashboards.content(page, query), name, theme.name):
                seen.setdefault(member, set()).add(color)
    assert len(seen) == members
    assert [member for member, found in seen.items() if len(found) > 1] == []
    assert len({color for found in seen.values() for color in found}) == members
    palette = {*theme.series, theme.neutral}
    assert {color for found in seen.values() for color in found} <= palette


def test_a_legend_has_the_colors_of_its_chart(dashboards: Dashboards) -> None:
    content = dashboards.content(EXECUTIVE, "?payment=PayPal&range=7d")
    visual = EXECUTIVE.visual("payment_methods")
    assert visual is not None
    (items,) = Drawn(content, "dark", "")._legend(visual)
    shown = [entry.children.children[0].style["background"] for entry in items.children]
    assert shown == [color for _, color in colors(content, "payment_methods", "dark")]


@pytest.mark.parametrize(
    ("page", "name"),
    [
        (EXECUTIVE, "payment_methods"),
        (GEOGRAPHY, "region_payments"),
        (CUSTOMERS, "segment_share"),
        (CUSTOMERS, "new_and_returning"),
    ],
)
def test_power_bi_gives_known_members_the_same_colors(dashboards: Dashboards, page: Page, name: str) -> None:
    file = f"{powerbi_files.REPORT}/definition/pages/{page.id}/visuals/{name}/visual.json"
    points = json.loads(powerbi.project()[file])["visual"]["objects"]["dataPoint"]
    fixed = {}
    for point in points:
        (scope,) = point["selector"]["data"]
        member = scope["scopeId"]["Comparison"]["Right"]["Literal"]["Value"].strip("'")
        fixed[member] = point["properties"]["fill"]["solid"]["color"]["expr"]["Literal"]["Value"].strip("'")
    shown = dict(colors(dashboards.content(page, "?range=all"), name))
    assert shown.items() <= fixed.items()


def test_the_report_of_power_bi_has_the_palette_as_its_theme() -> None:
    files = powerbi.project()
    theme = json.loads(files[f"{powerbi_files.REPORT}/StaticResources/RegisteredResources/Ecommerce.json"])
    assert theme["dataColors"] == [*LIGHT.series, LIGHT.neutral]
    report = json.loads(files[f"{powerbi_files.REPORT}/definition/report.json"])
    (package,) = report["resourcePackages"]
    assert report["themeCollection"]["customTheme"]["name"] == package["items"][0]["name"] == "Ecommerce.json"
