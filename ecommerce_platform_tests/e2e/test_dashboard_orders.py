# ruff: noqa: F811  (fixtures of another module)
"""In a real browser: from a chart to its orders, search, saved views, pictures, and paper."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from ecommerce_platform_tests.e2e.test_dashboards import (  # noqa: F401
    BAR,
    CHROMIUM,
    Visit,
    browser,
    context,
    grave,
    shop,
    visit,
)
from ecommerce_platform_tests.harness import Platform

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed; run: apt-get install chromium")


def rows(visit: Visit) -> list[str]:
    return visit.card("orders").locator("tbody > tr > th").all_inner_texts()


def test_a_click_on_a_bar_and_one_more_lead_to_its_orders(visit: Visit) -> None:
    visit.go("/?range=90d").click_mark("top_categories", BAR)
    (category,) = visit.query["category"]
    orders = visit.kpi("Orders")
    visit.card("payment_methods").locator('[data-tool="orders"]').click()
    visit.settle()
    assert "/orders?" in visit.page.url
    assert visit.query == {"range": ["90d"], "category": [category]}
    assert visit.kpi("Orders") == orders
    expect(visit.page.locator(".pager-count")).to_have_text(f"1–50 of {orders} orders")
    expect(visit.card("orders").locator(".note")).to_contain_text("only the lines that match the filters")


def test_the_number_of_orders_in_a_table_leads_to_these(visit: Visit) -> None:
    visit.go("/?range=all&table=top_categories")
    cell = visit.card("top_categories").locator('a[title="Show these orders"]').nth(1)
    count = cell.inner_text()
    cell.click()
    visit.settle()
    assert visit.kpi("Orders") == count
    assert list(visit.query) == ["range", "category"]


def test_orders_are_paged_sorted_and_opened_by_links(visit: Visit) -> None:
    visit.go("/orders?range=30d")
    first = rows(visit)
    assert len(first) == 50
    visit.page.get_by_role("link", name="Next page").click()
    visit.settle()
    assert visit.query["page"] == ["2"]
    assert not {*first} & {*rows(visit)}
    visit.page.get_by_role("link", name="Last page").click()
    visit.settle()
    assert visit.page.get_by_role("link", name="Next page").count() == 0
    visit.page.get_by_role("columnheader", name="Total revenue").get_by_role("link").click()
    visit.settle()
    assert visit.query == {"range": ["30d"], "sort": ["-revenue"]}
    expect(visit.page.get_by_role("columnheader", name="Total revenue")).to_have_attribute("aria-sort", "descending")
    cells = visit.card("orders").locator("tbody > tr > td:last-child").all_inner_texts()
    amounts = [float(re.sub(r"[$,]", "", text)) for text in cells]
    assert amounts == sorted(amounts, reverse=True)
    visit.card("orders").locator("tbody > tr > th a").nth(3).click()
    visit.settle()
    assert visit.query["order"] == [rows(visit)[3]]
    lines = visit.card("orders").locator(".order-lines tbody tr")
    shown = int(visit.card("orders").locator("tbody > tr.is-chosen > td").nth(4).inner_text())
    assert lines.count() == shown > 0
    assert grave(visit) == []
    visit.switch_mode()
    assert grave(visit) == []
    visit.page.go_back()
    visit.settle()
    assert lines.count() == 0


def test_an_order_that_is_searched_for_is_in_view(visit: Visit, sales: Platform) -> None:
    ((key, on),) = sales.rows(
        "select min(transaction_id), sale_date from warehouse.fact_sales group by 2 order by count(*) desc limit 1"
    )
    visit.go("/health")
    visit.page.keyboard.press("Control+k")
    visit.page.get_by_role("combobox", name="Search").fill(str(key))
    expect(visit.page.get_by_role("option")).to_have_text([f"Order {key}Order"])
    visit.page.keyboard.press("Enter")
    visit.settle()
    assert visit.query == {"from": [str(on)], "to": [str(on)], "order": [str(key)]}
    assert rows(visit)[-1] == str(key)
    expect(visit.card("orders").get_by_role("link", name=str(key))).to_be_in_viewport()


def test_a_page_beyond_the_last_is_the_last_and_says_so(visit: Visit) -> None:
    visit.go("/orders?range=7d&page=999&order=x")
    expect(visit.page.locator(".notice.is-info")).to_contain_text("order=x: must be the key of an order")
    expect(visit.page.locator(".notice.is-info")).to_contain_text("this is the last one")
    expect(visit.page.locator(".pager-here")).to_have_text(re.compile(r"Page (\d+) of \1"))


def test_a_filter_is_found_and_set_with_the_keyboard_alone(visit: Visit) -> None:
    visit.go("/products?range=90d")
    visit.page.keyboard.press("Control+k")
    box = visit.page.get_by_role("combobox", name="Search")
    expect(box).to_be_focused()
    box.press_sequentially("ca")
    options = visit.page.get_by_role("option")
    expect(options.first).to_contain_text("California")
    expect(box).to_have_attribute("aria-expanded", "true")
    assert grave(visit) == []
    visit.page.keyboard.press("ArrowDown")
    expect(options.nth(1)).to_have_attribute("aria-selected", "true")
    expect(box).to_have_attribute("aria-activedescendant", "search-result-1")
    visit.page.keyboard.press("ArrowUp")
    visit.page.keyboard.press("Enter")
    visit.settle()
    assert visit.query == {"range": ["90d"], "state": ["US-CA"]}
    visit.page.locator("h1").click()
    visit.page.keyboard.press("/")
    expect(box).to_be_focused()
    expect(box).to_have_value("")
    box.press_sequentially("<img src=x onerror=alert(1)>")
    expect(visit.page.locator(".search-status")).to_have_text("Nothing found")
    visit.page.keyboard.press("Escape")
    expect(visit.page.locator("#search")).to_be_hidden()
    visit.page.get_by_role("button", name="Search").click()
    expect(box).to_be_focused()


@pytest.mark.parametrize("is_dark", [False, True])
def test_orders_and_search_are_open_to_everybody_on_a_phone(visit: Visit, is_dark: bool) -> None:
    visit.page.set_viewport_size({"width": 390, "height": 844})
    visit.go("/orders?range=30d&category=Books")
    if is_dark:
        visit.switch_mode()
    assert (visit.page.evaluate("document.documentElement.dataset.theme") == "dark") == is_dark
    assert grave(visit) == []
    visit.card("orders").locator("tbody > tr > th a").nth(2).click()
    visit.settle()
    expect(visit.card("orders").locator(".order-lines")).to_be_visible()
    assert grave(visit) == []
    visit.page.get_by_role("button", name="Search").click()
    assert grave(visit) == []
    box = visit.page.get_by_role("combobox", name="Search")
    box.press_sequentially("ca")
    expect(visit.page.get_by_role("option").first).to_contain_text("California")
    assert grave(visit) == []
    box.fill("nothing has this name")
    expect(visit.page.locator(".search-status")).to_have_text("Nothing found")
    assert grave(visit) == []
    dialog = visit.page.locator(".search").bounding_box()
    assert dialog is not None
    assert dialog["x"] >= 0
    assert dialog["x"] + dialog["width"] <= 390
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_page_that_follows_no_filters_offers_none_and_its_pictures_name_none(visit: Visit) -> None:
    """What next had date fields without effect, and its pictures said that they are about these dates."""
    visit.go("/?range=90d&state=US-CA")
    expect(visit.page.locator("#dates")).to_be_visible()
    for name in ("What next", "Data Health"):
        visit.page.get_by_role("link", name=name, exact=True).click()
        visit.settle()
        for gone in ("#presets", "#dates", "#compare", "#chips"):
            expect(visit.page.locator(gone)).to_be_hidden()
        visit.page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
        assert visit.page.locator(".toolbar").get_attribute("data-scope") == ""
    visit.page.get_by_role("link", name="Executive Summary").click()
    visit.settle()
    assert visit.query == {"range": ["90d"], "state": ["US-CA"]}


def test_a_view_is_saved_by_name_in_the_browser_only(visit: Visit) -> None:
    name = "<img src=x onerror=alert(1)> Texas"
    visit.go("/geography?range=90d&state=US-TX")
    visit.page.evaluate("localStorage.clear()")
    visit.page.get_by_text("Views", exact=True).click()
    visit.page.get_by_label("Name of this view").fill(name)
    asked = len(visit.asked)
    visit.page.keyboard.press("Enter")
    saved = visit.page.get_by_role("list", name="Saved views")
    expect(saved.get_by_role("link")).to_have_text([name])
    assert grave(visit) == []
    assert visit.asked[asked:] == []
    stored = json.loads(visit.page.evaluate("localStorage.getItem('saved-views')"))
    assert stored == [{"name": name, "address": "/geography?range=90d&state=US-TX"}]
    visit.page.keyboard.press("Escape")
    expect(saved).to_be_hidden()
    visit.go("/")
    visit.page.get_by_text("Views", exact=True).click()
    saved.get_by_role("link", name=name).click()
    visit.settle()
    assert visit.page.url.endswith("/geography?range=90d&state=US-TX")
    visit.page.get_by_text("Views", exact=True).click()
    visit.page.get_by_role("button", name=f"Delete {name}").click()
    assert saved.get_by_role("link").count() == 0


def test_stored_views_that_lead_elsewhere_are_not_shown(visit: Visit) -> None:
    visit.go("/")
    bad = ["https://example.com/", "//example.com/", "/\\example.com", "javascript:alert(1)", 5, None]
    views = [{"name": f"view {place}", "address": address} for place, address in enumerate(bad)]
    good = {"name": "good", "address": "/products"}
    visit.page.evaluate("text => localStorage.setItem('saved-views', text)", json.dumps([*views, "x", None, good]))
    visit.page.get_by_text("Views", exact=True).click()
    expect(visit.page.get_by_role("list", name="Saved views").get_by_role("link")).to_have_text(["good"])
    visit.page.evaluate("localStorage.setItem('saved-views', '{')")
    visit.go("/")
    visit.page.get_by_text("Views", exact=True).click()
    expect(visit.page.locator(".menu-status")).to_contain_text("No saved views yet")
    visit.page.evaluate("localStorage.clear()")


@pytest.mark.parametrize("visual", ["revenue_trend", "payment_methods", "sales_map"])
def test_a_chart_is_downloaded_as_a_picture(visit: Visit, tmp_path: Path, visual: str) -> None:
    visit.go("/?range=90d")
    asked = len(visit.asked)
    with visit.page.expect_download() as download:
        visit.card(visual).get_by_role("button", name=re.compile("as PNG")).click()
    assert download.value.suggested_filename == f"{visual}_2024-12-06_2025-03-05.png"
    download.value.save_as(tmp_path / "chart.png")
    content = (tmp_path / "chart.png").read_bytes()
    assert content.startswith(b"\x89PNG")
    assert len(content) > 10_000
    assert [
        url for url in visit.asked[asked:] if not url.startswith(("data:", "blob:")) and "topojson" not in url
    ] == []


@pytest.mark.parametrize("is_dark", [False, True])
def test_paper_is_light_and_says_what_is_in_view(visit: Visit, is_dark: bool) -> None:
    visit.go("/?range=90d&state=US-CA")
    if is_dark:
        visit.switch_mode()
    visit.page.emulate_media(media="print")
    visit.page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    for gone in ("#nav", "#presets", "#dates", "#chips", ".tools", "#theme-toggle", "#search-open", "#views"):
        expect(visit.page.locator(gone).first).to_be_hidden()
    said = visit.page.evaluate("getComputedStyle(document.querySelector('.toolbar'), '::before').content")
    assert said == '"6 Dec 2024 – 5 Mar 2025 · State California"'
    assert visit.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    boxes = visit.page.locator(".card.chart").evaluate_all(
        "cards => cards.map(card => [card, card.querySelector('.main-svg')]"
        ".map(part => part.getBoundingClientRect().width))"
    )
    assert all(0 < chart <= card for card, chart in boxes)
    visit.page.emulate_media(media="screen")
    visit.page.evaluate("window.addEventListener('beforeprint', () => { window.printed = true; })")
    assert visit.page.pdf(format="A4", landscape=True).startswith(b"%PDF")
    assert visit.page.evaluate("window.printed")


def test_no_table_is_wider_than_its_card_on_paper(visit: Visit) -> None:
    """On the sheets of What next, two tables side by side ran into each other."""
    visit.page.set_viewport_size({"width": 711, "height": 1040})  # A4 within its margins
    visit.go("/next")
    visit.page.emulate_media(media="print")
    boxes = visit.page.locator(".card:has(.table)").evaluate_all(
        "cards => cards.map(card => [card, card.querySelector('.table')]"
        ".map(part => part.getBoundingClientRect().width))"
    )
    assert len(boxes) == 3
    assert all(table <= card for card, table in boxes), boxes
    visit.page.emulate_media(media="screen")
