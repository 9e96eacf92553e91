"""The dashboards in a real browser: all interactions, all states, both color modes, and no external requests."""

from __future__ import annotations

import csv
import datetime as dt
import io
import itertools
import re
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from urllib.parse import parse_qs, quote, unquote, urlsplit

import psycopg
import pytest
import waitress
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from dashboards.app.orders import PAGE_ROWS
from dashboards.app.server import create_app
from dashboards.app.tables import MOST_TABLE_ROWS
from dashboards.spec.pages import PAGES
from dashboards.spec.pages import Page as PageSpec
from ecommerce_platform.feeds.columns import FEEDS
from ecommerce_platform.io_managers import PostgresConnection
from ecommerce_platform_tests.conftest import SALES_DAYS, TEMPLATE
from ecommerce_platform_tests.harness import Platform, customer, day, line, order, product

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # A new page finds the scripts already compiled, in the process of the page before it: a third of a test's CPU.
    "--process-per-site",
]
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed; run: apt-get install chromium")

LAST_DAY = day(SALES_DAYS)
ON_TIME = dt.datetime.combine(LAST_DAY + dt.timedelta(days=1), dt.time(9), dt.UTC)
SLOW = 30_000
"""Maximum load time of a page on a busy machine, in milliseconds. A click changes the URL, then requests the data."""

READY = """
() => document.querySelector('.panel, main.is-broken, .card:not(.is-loading)')
    && (document.querySelector('main.is-broken') || !document.querySelector('.is-loading'))
    && !document.documentElement.hasAttribute('data-busy')
    && [...document.querySelectorAll('#nav [aria-current]')].every(link => link.pathname === location.pathname)
    && [...document.querySelectorAll('.dash-graph')].every(
        graph => !graph.matches('.dash-graph--pending') && graph.querySelector('.main-svg'))
"""
"""The numbers have come, and those of this page: the page before it stays until the frame of the next one has come."""


# A donut slice does not cover the center of its bounding box; a bar does, but under a layer that receives the clicks.
POINT_ON = """
node => {
    const box = node.getBoundingClientRect();
    if (node.matches('.heatmaplayer')) return [box.x + box.width * .08, box.y + box.height * .08];
    for (const down of [.5, .3, .7, .15, .85]) for (const right of [.5, .3, .7, .1, .9]) {
        const [x, y] = [box.x + box.width * right, box.y + box.height * down];
        if (document.elementFromPoint(x, y) === node) return [x, y];
    }
    return [box.x + box.width / 2, box.y + box.height / 2];
}
"""


@contextmanager
def served(url: str, now: dt.datetime = ON_TIME) -> Iterator[str]:
    """Dashboards of a database, served at a URL."""
    app = create_app(PostgresConnection(url=url, role="reader"), clock=lambda: now, look_every=0.0, in_background=False)
    server = waitress.create_server(app.server, host="127.0.0.1", port=0, threads=4)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.effective_port}"  # type: ignore[union-attr]
    server.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield opened
        opened.close()


REPORTS = """
insert into monitoring.pipeline_report values
('warehouse.fact_sales', 'warehouse', 20000, 1000000, '2025-03-06 00:40+00', 'r', '2025-03-05', 0),
('staging.customers', 'staging', 500, 1000, '2025-03-04 00:30+00', 'r', '2025-03-05', 0);
insert into platform.check_results values
('warehouse.fact_sales', 'revenue_agrees', '(,)', true, 'ERROR', true, 10, 0, 'good', '2025-03-06 00:41+00'),
('production.customers', 'emails_are_valid', '(,)', true, 'WARN', false, 10, 3, '3 violations', '2025-03-06 00:41+00'),
('production.customers', 'emails_are_valid', '[2025-03-05,2025-03-06)', false, 'WARN', true, 1, 0, 'good',
    '2025-03-06 00:41+00');
"""
A_FAILURE = """
insert into platform.check_results values
('staging.products', 'contract', '[2025-03-05,2025-03-06)', false, 'ERROR', false, 10, 1, '1 violation',
    '2025-03-06 00:41+00')
"""


@pytest.fixture(scope="module")
def shop(sales: Platform) -> Iterator[str]:
    sales.execute(REPORTS)
    with served(sales.url) as address:
        yield address
    sales.execute("delete from monitoring.pipeline_report")
    sales.execute("delete from platform.check_results")


@pytest.fixture
def failing(context: BrowserContext, sales: Platform, shop: str) -> Iterator[Visit]:
    """A browser window with dashboards on a database that has a failed day in staging."""
    sales.execute(A_FAILURE)
    with served(sales.url) as address:
        opened = Visit(context, address)
        yield opened
        opened.end()
    sales.execute("delete from platform.check_results where severity = 'ERROR' and not passed")


class Visit:
    """A browser window that records its errors and all requested URLs."""

    def __init__(self, context: BrowserContext, address: str):
        self.address = address
        self.page: Page = context.new_page()
        self.page.set_default_timeout(15_000)
        self.complaints: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda message: self._complain(message.type, message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))

    def _complain(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.complaints.append(text)

    def go(self, path: str) -> Visit:
        self.page.goto(self.address + path)
        return self.settle()

    def turn(self, page: PageSpec) -> Visit:
        """Go to another page by its link, which loads the data but not the application again."""
        self.page.locator("#nav").get_by_role("link", name=page.title, exact=True).click()
        return self.settle()

    def resize(self, width: int, height: int) -> Visit:
        self.page.set_viewport_size({"width": width, "height": height})
        return self

    def switch_mode(self) -> Visit:
        """Switch between light and dark; the charts follow once the server has answered."""
        with self.page.expect_response("**/_dash-update-component*"):
            self.page.get_by_role("button", name="Dark mode").click()
        return self.settle()

    def settle(self) -> Visit:
        """Wait until all requests have finished and their results are drawn."""
        self.page.wait_for_timeout(20)
        self.page.wait_for_function(READY)
        self.page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        return self

    @property
    def query(self) -> dict[str, list[str]]:
        return parse_qs(urlsplit(self.page.url).query)

    def card(self, visual: str):
        return self.page.locator(f'[data-visual="{visual}"]')

    def kpi(self, label: str) -> str:
        return str(self.page.locator(f'section[aria-label="{label}"] .kpi-value').get_attribute("data-exact"))

    def click_mark(self, visual: str, mark: str, number: int = 0) -> Visit:
        """Click the center of a bar, slice, state, or point."""
        marks = self.card(visual).locator(mark)
        marks.first.wait_for()
        marks.nth(number).scroll_into_view_if_needed()
        x, y = marks.nth(number).evaluate(POINT_ON)
        self.page.mouse.move(x - 3, y)
        self.page.mouse.move(x, y)
        self.page.wait_for_timeout(80)
        self.page.mouse.click(x, y)
        return self.settle()

    def place_of_state(self, visual: str, code: str) -> int:
        """Return which of the states that a map draws is the one with this code."""
        states = self.card(visual).locator(".choroplethlayer path.choroplethlocation")
        states.first.wait_for()
        return states.evaluate_all("nodes => nodes.map(node => node.__data__.loc)").index(code)

    def end(self) -> None:
        """Close the window; fails on errors in it and on requests to other hosts."""
        assert self.complaints == []
        foreign = [url for url in self.asked if not url.startswith((self.address + "/", "data:", "blob:"))]
        assert foreign == []
        self.page.close()


@pytest.fixture(scope="module")
def context(browser: Browser, shop: str) -> Iterator[BrowserContext]:
    opened = browser.new_context(viewport={"width": 1400, "height": 950}, color_scheme="light")
    # A window that stays open keeps the process of all others alive.
    opened.new_page().goto(f"{shop}/healthz")
    yield opened
    opened.close()


@pytest.fixture
def visit(context: BrowserContext, shop: str) -> Iterator[Visit]:
    context.clear_cookies()
    opened = Visit(context, shop)
    yield opened
    opened.end()


def grave(visit: Visit) -> list[str]:
    """What axe finds that is serious or worse: the rule, and the HTML that breaks it."""
    if not visit.page.evaluate("'axe' in window"):
        visit.page.evaluate(AXE_SCRIPT)
    found = visit.page.evaluate("axe.run({resultTypes: ['violations']}).then(results => results.violations)")
    return [
        f"{item['id']}: {node['html'][:200]}"
        for item in found
        if item["impact"] in ("serious", "critical")
        for node in item["nodes"]
    ]


def test_every_page_is_whole_in_both_modes_and_open_to_everybody(visit: Visit) -> None:
    for page in PAGES:
        visit.go(page.path)
        assert visit.page.locator("h1").inner_text() == page.title
        expect(visit.page).to_have_title(f"{page.title} · Shop dashboards")
        assert visit.page.locator(".kpi-value").count() == len(page.kpis)
        for visual in page.visuals:
            drawn = ".table tbody tr" if visual.kind == "table" else ".main-svg"
            expect(visit.card(visual.id).locator(drawn).first).to_be_visible()
        for _ in range(2):
            theme = visit.page.evaluate("document.documentElement.dataset.theme")
            assert grave(visit) == [], f"{page.id}, {theme}"
            visit.switch_mode()
            assert visit.page.evaluate("document.documentElement.dataset.theme") != theme


def test_the_comparison_is_chosen_in_a_menu_and_kept_on_every_page(visit: Visit) -> None:
    visit.go("/?range=30d")
    menu = visit.page.locator("#compare details")
    lines = visit.card("revenue_trend").locator(".scatterlayer .trace")
    change = visit.page.locator('section[aria-label="Orders"] .kpi-change')
    expect(lines).to_have_count(2)
    expect(change).to_contain_text("vs 5 Jan – 3 Feb 2025")
    menu.locator("summary").click()
    expect(menu.locator("li")).to_have_text(
        ["Prior period5 Jan – 3 Feb 2025", "Last year4 Feb – 5 Mar 2024", "Same weekdays6 Feb – 6 Mar 2024", "Nothing"]
    )
    assert grave(visit) == []
    visit.page.keyboard.press("Escape")
    expect(menu).not_to_have_attribute("open", "")
    menu.locator("summary").click()
    menu.get_by_role("link", name="Last year").click()
    visit.settle()
    expect(menu).not_to_have_attribute("open", "")
    expect(menu.locator("summary")).to_have_text("Compare with last year")
    expect(change).to_contain_text("vs 4 Feb – 5 Mar 2024")
    visit.page.get_by_role("link", name="Product Analysis").click()
    visit.settle()
    assert visit.query == {"range": ["30d"], "compare": ["year"]}
    visit.page.go_back()
    visit.settle().page.locator("#compare summary").click()
    menu.get_by_role("link", name="Nothing").click()
    visit.settle()
    expect(lines).to_have_count(1)
    expect(change).to_have_count(0)


def test_axe_does_find_what_is_wrong(visit: Visit) -> None:
    """Otherwise, the previous test would prove nothing."""
    visit.go("/")
    visit.page.evaluate("document.querySelector('#theme-toggle').removeAttribute('aria-label')")
    assert [found.partition(":")[0] for found in grave(visit)] == ["button-name"]


BAR = ".barlayer .point path"
CLICKS = [
    ("/", "payment_methods", ".slice path.surface", {"payment"}),
    ("/", "top_categories", BAR, {"category"}),
    ("/", "sales_map", ".choroplethlayer path.choroplethlocation", {"state"}),
    ("/", "revenue_trend", ".scatterlayer .points path", {"period"}),
    ("/products", "top_products", BAR, {"product"}),
    ("/products", "category_margin", BAR, {"category"}),
    ("/products", "long_tail", ".scatterlayer .js-line", {"product"}),
    ("/products", "price_ranges", BAR, {"price_range"}),
    ("/products", "discount_impact", BAR, {"discount_band"}),
    ("/customers", "segment_share", ".slice path.surface", {"segment"}),
    ("/customers", "lifetime_value", BAR, {"segment"}),
    ("/customers", "new_and_returning", BAR, {"buyer"}),
    ("/customers", "cohort_retention", ".heatmaplayer", {"cohort"}),
    ("/customers", "top_customers", "a.row-link", {"customer"}),
    ("/geography", "state_map", ".choroplethlayer path.choroplethlocation", {"state"}),
    ("/geography", "state_ranking", BAR, {"state"}),
    ("/geography", "regions", BAR, {"region"}),
    ("/geography", "weekdays", BAR, {"weekday"}),
    ("/geography", "region_payments", BAR, {"region", "payment"}),
    ("/geography", "seasonality", ".scatterlayer .points path", {"period"}),
]
NTH_MARK = {"seasonality": 9, "revenue_trend": 4}
"""Points that do not overlap another one; of other visuals, the first mark."""


@pytest.mark.parametrize("path", ["/", "/products", "/customers", "/geography"])
def test_a_click_filters_all_other_charts_and_a_second_click_clears(visit: Visit, path: str) -> None:
    label = "Customers" if path == "/customers" else "Total revenue"
    visit.go(path)
    whole, shown = visit.kpi(label), visit.page.locator(f'section[aria-label="{label}"] .kpi-value')
    for _, visual, mark, names in [click for click in CLICKS if click[0] == path]:
        is_map = mark.endswith("choroplethlocation")
        number = visit.place_of_state(visual, "TX") if is_map else NTH_MARK.get(visual, 0)
        visit.click_mark(visual, mark, number)
        assert set(visit.query) == names, visual
        expect(shown, visual).not_to_have_attribute("data-exact", whole, timeout=SLOW)
        assert {chip.get_attribute("data-chip") for chip in visit.page.locator(".chip").all()} == names
        visit.click_mark(visual, mark, number)
        assert visit.query == {}, visual
        expect(shown, visual).to_have_attribute("data-exact", whole, timeout=SLOW)


def test_back_undoes_and_a_link_restores(visit: Visit, context: BrowserContext) -> None:
    visit.go("/")
    whole = visit.kpi("Orders")
    visit.click_mark("top_categories", BAR)
    filtered, link = visit.kpi("Orders"), visit.page.url
    assert filtered != whole
    visit.page.go_back()
    assert visit.settle().kpi("Orders") == whole
    visit.page.go_forward()
    assert visit.settle().kpi("Orders") == filtered
    visit.page.get_by_role("link", name="Product Analysis").click()
    visit.settle()
    assert visit.page.locator(".chip").count() == 1
    other = Visit(context, visit.address).go(link.removeprefix(visit.address))
    assert other.kpi("Orders") == filtered
    other.end()


def test_categories_drill_to_products_and_back_up(visit: Visit) -> None:
    visit.go("/").click_mark("top_categories", BAR)
    chosen = visit.query["category"][0]
    crumbs = visit.card("top_categories").locator(".crumbs")
    crumbs.get_by_role("link", name=f"Drill down to products in {chosen}").click()
    visit.settle()
    assert crumbs.inner_text().split("\n") == ["Categories", chosen]
    visit.click_mark("top_categories", BAR)
    assert set(visit.query) == {"category", "product", "level"}
    visit.click_mark("top_categories", BAR)
    assert set(visit.query) == {"category", "level"}
    crumbs.get_by_role("link", name="Categories").click()
    visit.settle()
    assert visit.query == {}


def test_years_drill_to_months_to_days_and_back_up(visit: Visit) -> None:
    visit.go("/?range=all")
    crumbs = visit.card("revenue_trend").locator(".crumbs")
    crumbs.get_by_role("link", name="Years").click()
    visit.settle().click_mark("revenue_trend", ".scatterlayer .points path", 0)
    assert visit.query["period"] == ["2024"]
    crumbs.get_by_role("link", name="Drill down to months in 2024").click()
    visit.settle()
    assert visit.card("revenue_trend").locator(".scatterlayer .points path").count() == 12
    visit.click_mark("revenue_trend", ".scatterlayer .points path", 6)
    assert visit.query["period"] == ["2024-07"]
    crumbs.get_by_role("link", name="Drill down to days in Jul 2024").click()
    visit.settle()
    assert visit.card("revenue_trend").locator(".scatterlayer .points path").count() == 31
    assert crumbs.inner_text().split("\n") == ["Years", "2024", "Jul 2024"]
    visit.click_mark("revenue_trend", ".scatterlayer .points path", 3)
    assert visit.query["period"] == ["2024-07-04"]
    visit.click_mark("revenue_trend", ".scatterlayer .points path", 3)
    assert visit.query["period"] == ["2024-07"]
    crumbs.get_by_role("link", name="2024", exact=True).click()
    visit.settle()
    assert (visit.query["period"], visit.query["level"]) == (["2024"], ["time.month"])
    crumbs.get_by_role("link", name="Years").click()
    visit.settle()
    assert "period" not in visit.query


def test_regions_drill_to_their_states(visit: Visit) -> None:
    visit.go("/geography").click_mark("regions", BAR)
    region = visit.query["region"][0]
    visit.card("regions").get_by_role("link", name=f"Drill down to states in {region}").click()
    visit.settle()
    assert visit.card("regions").locator(".crumb-here").inner_text() == region
    visit.click_mark("regions", BAR, 1)
    assert set(visit.query) == {"region", "state", "level"}


def test_days_are_chosen_by_presets_and_by_two_inputs(visit: Visit) -> None:
    visit.go("/")
    start, end = visit.page.get_by_label("From"), visit.page.get_by_label("to", exact=True)
    assert end.input_value() == LAST_DAY.isoformat()
    visit.page.get_by_role("link", name="30 days").click()
    visit.settle()
    assert start.input_value() == (LAST_DAY - dt.timedelta(days=29)).isoformat()
    assert visit.page.locator(".kpi-change.is-up, .kpi-change.is-down").count() > 0
    start.fill("2024-06-01")
    start.press("Tab")
    visit.settle()
    assert visit.query == {"from": ["2024-06-01"], "to": [LAST_DAY.isoformat()]}
    end.fill("2024-05-10")
    end.press("Tab")
    assert end.evaluate("node => node.validationMessage") == "The end date is before the start date, 1 Jun 2024."
    assert visit.query == {"from": ["2024-06-01"], "to": [LAST_DAY.isoformat()]}
    end.fill("2024-06-10")
    end.press("Tab")
    visit.settle()
    assert end.evaluate("node => node.validationMessage") == ""
    assert visit.query == {"from": ["2024-06-01"], "to": ["2024-06-10"]}
    assert visit.page.locator(".date-text").all_inner_texts() == ["1 Jun 2024", "10 Jun 2024"]
    visit.go("/?from=2024-06-01&to=2024-06-10&state=US-CA")
    visit.page.get_by_role("link", name="Clear filters").click()
    assert visit.settle().query == {"from": ["2024-06-01"], "to": ["2024-06-10"]}
    assert visit.page.get_by_role("link", name="Clear filters").count() == 0


def test_a_definition_opens_by_keyboard_and_touch(visit: Visit) -> None:
    """It was only in a tooltip of the mouse."""
    visit.go("/")
    definition = visit.page.get_by_text("Number of distinct orders.")
    expect(definition).to_be_hidden()
    button = visit.page.get_by_label("Definition of Orders")
    button.focus()
    visit.page.keyboard.press("Enter")
    expect(definition).to_be_visible()
    visit.page.keyboard.press("Escape")
    expect(definition).to_be_hidden()
    assert visit.page.evaluate("document.activeElement.getAttribute('aria-label')") == "Definition of Orders"
    button.click()
    expect(definition).to_be_visible()
    assert grave(visit) == []
    visit.page.get_by_role("heading", name="Executive Summary").click()
    expect(definition).to_be_hidden()


def test_a_chip_takes_its_own_filter_away(visit: Visit) -> None:
    visit.go("/?state=US-CA&category=Books&range=all")
    visit.page.get_by_role("link", name="Remove filter: State California").click()
    visit.settle()
    assert visit.query == {"category": ["Books"], "range": ["all"]}


def test_every_chart_can_be_read_as_a_table_and_taken_as_csv(visit: Visit) -> None:
    for page in PAGES:
        tables = "&".join(f"table={visual.id}" for visual in page.visuals if visual.kind != "table")
        visit.go(f"{page.path}?{tables}")
        for visual in page.visuals:
            rows = visit.card(visual.id).locator("tbody tr").count()
            link = visit.card(visual.id).get_by_role("link", name=f"Download {visual.title} as CSV")
            response = visit.page.request.get(visit.address + str(link.get_attribute("href")))
            named = response.headers["content-disposition"].removeprefix("attachment; filename=").strip('"')
            days = "" if page.id in ("health", "next") else "_2024-03-06_2025-03-05"
            assert named == link.get_attribute("download") == f"{visual.id}{days}.csv"
            _, *downloaded = csv.reader(io.StringIO(response.text()))
            most = PAGE_ROWS if page.lists_orders else MOST_TABLE_ROWS
            assert rows == min(len(downloaded), most) > 0, visual.id


def test_a_table_filters_from_the_keyboard_and_shows_exact_values(visit: Visit) -> None:
    visit.go("/")
    visit.page.get_by_role("link", name="Show Top categories as a table").press("Enter")
    visit.settle()
    row = visit.card("top_categories").locator("tbody tr").first
    assert re.fullmatch(r"\$[\d,]+\.\d\d", row.locator("td").first.inner_text())
    link = row.locator("th a")
    name = link.inner_text()
    link.press("Enter")
    assert visit.settle().query["category"] == [name]
    visit.page.get_by_role("link", name="Show Top categories as a chart").press("Enter")
    assert "table" not in visit.settle().query


def test_a_csv_file_holds_what_the_filters_leave(visit: Visit, sales: Platform) -> None:
    visit.go("/?range=all&state=US-CA")
    with visit.page.expect_download() as download:
        visit.card("payment_methods").get_by_role("link", name="CSV").click()
    rows = list(csv.DictReader(download.value.path().open()))
    wanted = sales.rows(
        "select payment_method, sum(revenue) from warehouse.fact_sales join warehouse.dim_payment using (payment_key)"
        " join warehouse.dim_customer using (customer_key) where state = 'CA' group by 1"
    )
    assert {row["payment"]: Decimal(row["revenue"]) for row in rows} == dict(wanted)


def test_a_tooltip_has_exact_values(visit: Visit) -> None:
    visit.go("/")
    bar = visit.card("top_categories").locator(BAR).first
    bar.scroll_into_view_if_needed()
    box = bar.bounding_box()
    assert box is not None
    visit.page.mouse.move(box["x"] + 30, box["y"] + box["height"] / 2)
    visit.page.mouse.move(box["x"] + 40, box["y"] + box["height"] / 2)
    tooltip = visit.card("top_categories").locator(".hoverlayer")
    expect(tooltip).to_contain_text(re.compile(r"Total revenue\s+\$[\d,]+\.\d\d"))


def test_dark_mode_is_remembered_and_the_charts_follow(visit: Visit) -> None:
    visit.go("/")
    body, text = visit.page.locator("body"), visit.card("top_categories").locator(".ytick text").first
    shown = ((body, "background-color"), (text, "fill"))

    def colors() -> list[str]:
        return [part.evaluate(f"node => getComputedStyle(node)['{name}']") for part, name in shown]

    light = colors()
    visit.switch_mode()
    for (part, name), before in zip(shown, light, strict=True):
        expect(part).not_to_have_css(name, before)
    dark = colors()
    visit.page.reload()
    visit.settle()
    assert colors() == dark
    visit.switch_mode()
    for (part, name), before in zip(shown, light, strict=True):
        expect(part).to_have_css(name, before)


def test_the_mode_of_the_system_is_taken_at_first(visit: Visit) -> None:
    visit.page.emulate_media(color_scheme="dark")
    visit.go("/health")
    assert visit.page.evaluate("document.documentElement.dataset.theme") == "dark"


def test_a_narrow_screen_scrolls_down_only(visit: Visit) -> None:
    visit.resize(360, 800).go("/")
    for page in PAGES:
        visit.resize(360, 800).turn(page)
        for width in (360, 768):
            visit.resize(width, 800).settle()
            assert visit.page.evaluate("document.documentElement.scrollWidth") <= width, page.id


def test_a_phone_shows_what_a_desk_shows(visit: Visit) -> None:
    """Month labels overlapped, product names were cut on the left, and the current page was out of sight."""
    overlap = """(texts) => texts.map(text => text.getBoundingClientRect()).sort((a, b) => a.x - b.x)
        .some((box, place, all) => place && all[place - 1].right > box.left)"""
    visit.resize(390, 844)
    for path, visual in (
        ("/?range=30d", "revenue_trend"),
        ("/", "revenue_trend"),
        ("/customers", "new_and_returning"),
    ):
        visit.go(path)
        labels = visit.card(visual).locator(".xtick text")
        assert labels.count() > 3
        assert not labels.evaluate_all(overlap), path
    visit.go("/products")
    frame = visit.card("top_products").locator(".plot-frame").bounding_box()
    assert frame is not None
    for text in visit.card("top_products").locator(".ytick text, .bartext").all():
        box = text.bounding_box()
        assert box is not None
        assert frame["x"] - 0.5 <= box["x"] <= box["x"] + box["width"] <= frame["x"] + frame["width"] + 0.5
    for page in PAGES:
        visit.turn(page)
        nav, tab = (visit.page.locator(name).bounding_box() for name in ("#nav", "#nav [aria-current]"))
        assert nav is not None
        assert tab is not None
        assert nav["x"] - 1 <= tab["x"] <= tab["x"] + tab["width"] <= nav["x"] + nav["width"] + 1, page.id
    visit.go("/?range=30d")
    expect(visit.page.locator(".kpi-change .kpi-why").first).to_be_visible()


def test_a_small_laptop_has_full_rows_and_whole_tables(visit: Visit) -> None:
    """On Customers, two charts had half a row each to themselves, and tables were cut."""
    visit.resize(1024, 768).go("/")
    for page in PAGES:
        visit.turn(page)
        boxes = [box for card in visit.page.locator(".grid > .card").all() if (box := card.bounding_box())]
        rows: dict[float, float] = {}
        for box in boxes:
            rows[round(box["y"])] = max(rows.get(round(box["y"]), 0), box["x"] + box["width"])
        assert len(set(map(round, rows.values()))) == 1, page.id
        for table in visit.page.locator(".table-scroll").all():
            assert table.evaluate("node => node.scrollWidth - node.clientWidth") <= 0, page.id


def test_labels_of_several_lines_do_not_overlap(visit: Visit, sales: Platform) -> None:
    visit.go("/health")
    labels = visit.card("rejects").locator(".ytick text")
    labels.first.wait_for()
    assert labels.count() > 6
    boxes = sorted((label.bounding_box() for label in labels.all()), key=lambda box: box["y"])
    assert all(before["y"] + before["height"] <= after["y"] for before, after in itertools.pairwise(boxes))


def test_all_columns_of_the_top_customers_are_visible(visit: Visit) -> None:
    visit.resize(1280, 900).go("/customers")
    table = visit.card("top_customers").locator(".table-scroll")
    assert table.evaluate("node => node.scrollWidth - node.clientWidth") <= 0


def test_the_keyboard_reaches_the_charts_first_if_it_wants_to(visit: Visit) -> None:
    visit.go("/")
    visit.page.keyboard.press("Tab")
    assert visit.page.evaluate("document.activeElement.textContent") == "Skip to charts"
    visit.page.keyboard.press("Enter")
    assert visit.page.evaluate("document.activeElement.id") == "main"
    legend = visit.card("payment_methods").locator(".legend-link").first
    legend.focus()
    visit.page.keyboard.press("Enter")
    assert set(visit.settle().query) == {"payment"}


def test_a_chart_tells_a_screen_reader_what_it_shows(visit: Visit) -> None:
    visit.go("/")
    label = visit.card("top_categories").locator(".plot-frame").get_attribute("aria-label")
    assert re.match(r"Bar chart: Top categories, total revenue\. \S.* \d", str(label))


# States


def test_data_health_says_what_the_reports_say(failing: Visit, sales: Platform) -> None:
    visit = failing.go("/health")
    labels = ("Checks passed", "Checks failed", "Warnings", "Rejected rows")
    ((rejected, reasons),) = sales.rows("select count(*), sum(cardinality(reasons)) from production.rejected_rows")
    assert [visit.kpi(label) for label in labels] == ["1", "1", "1", f"{rejected:,}"]
    assert rejected < reasons
    assert visit.page.get_by_text(f"{reasons:,} reasons in total").count() == 1
    names = visit.card("rejects").locator(".ytick").all_text_contents()
    assert names
    assert [name for name in names if not name.startswith(tuple(FEEDS))] == []
    rows = [row.inner_text().split("\t") for row in visit.card("freshness").locator("tbody tr").all()]
    assert [row[:3] for row in rows] == [
        ["staging", "Failing", "4 Mar 2025 00:30 UTC"],
        ["warehouse", "Fresh", "6 Mar 2025 00:40 UTC"],
    ]
    bad = visit.card("failing_checks").locator("tbody tr")
    assert [row.inner_text().split("\t")[:4] for row in bad.all()] == [
        ["staging.products", "contract", "Failed", "5 Mar 2025"],
        ["production.customers", "emails_are_valid", "Warning", "All days"],
    ]
    link = bad.first.locator("a").get_attribute("href")
    assert link == "http://127.0.0.1:3000/assets/staging/products?view=checks"
    assert visit.page.get_by_role("link", name="Open Dagster").get_attribute("href") == "http://127.0.0.1:3000"


def test_every_page_says_that_a_check_fails(failing: Visit) -> None:
    visit = failing.go("/")
    for page in PAGES:
        visit.turn(page)
        notice = visit.page.locator(".notice.is-warning")
        expect(notice).to_contain_text("These numbers may be wrong.")
        expect(notice).to_contain_text("1 check is failing: staging.products contract (5 Mar 2025).")
        assert notice.get_by_role("link").count() == (page.id != "health")
        expect(visit.page.locator(".badge", has_text="Failing").first).to_be_visible()
    failing.go("/products?category=Books").page.get_by_role("link", name="See Data Health").click()
    assert failing.settle().page.locator("h1").inner_text() == "Data Health"


def test_filters_without_sales_say_so_and_offer_a_way_out(visit: Visit) -> None:
    visit.go("/products?category=Books&price_range=Premium&from=2024-01-01&to=2024-01-01&customer=1")
    assert visit.page.locator(".empty").count() > 0
    expect(visit.card("long_tail").get_by_text("No orders match these filters")).to_be_visible()
    assert visit.kpi("Total revenue") == "$0.00"
    visit.card("long_tail").get_by_role("link", name="Clear filters").click()
    assert visit.settle().query == {"from": ["2024-01-01"], "to": ["2024-01-01"]}
    assert visit.page.locator(".empty").count() == 0


HOSTILE = [
    ["state=US-ZZ", "from=2024-02-30", "to=2024-03-01", "period=%00", quote("<script>alert(1)</script>") + "=1"],
    ["category=" + quote("'; drop table warehouse.fact_sales; --"), "product=" + "9" * 10_000],
    ["from=2024-12-31&to=2024-01-01"],
]


def test_a_hand_written_address_gives_a_calm_page_that_names_what_it_dropped(visit: Visit) -> None:
    visit.go("/?range=90d")
    calm = visit.kpi("Orders")
    for bad in HOSTILE:
        visit.go(f"/?range=90d&{'&'.join(bad)}")
        notice = visit.page.locator(".notice.is-info")
        expect(notice).to_contain_text("Some filters in this link are invalid and were ignored.")
        named = [code.inner_text() for code in notice.locator("code").all()]
        assert sorted(named) == sorted(unquote(part.split("=")[0]) for part in bad)
        assert visit.kpi("Orders") == calm, bad


def test_an_address_without_a_page_leads_home(visit: Visit) -> None:
    visit.go("/nowhere?state=US-CA")
    assert [text for text in visit.complaints if "404" not in text] == []
    visit.complaints.clear()  # the browser notes that the page was not found
    expect(visit.page.get_by_role("heading", name="Page not found")).to_be_visible()
    visit.page.get_by_role("link", name="Go to Executive Summary").click()
    assert visit.settle().page.locator("h1").inner_text() == "Executive Summary"


def test_a_page_that_waits_says_so_and_one_whose_server_is_gone_does_too(
    context: BrowserContext, visit: Visit, shop: str
) -> None:
    held: list = []
    seen = False
    visit.page.route("**/_dash-update-component*", lambda route: held.append(route))
    visit.page.goto(shop)
    visit.page.wait_for_function("document.documentElement.hasAttribute('data-busy')")
    for _ in ("the page", "its numbers"):
        while not held:
            visit.page.wait_for_timeout(10)
        waiting = held.pop()
        if visit.page.locator(".card").count():
            expect(visit.page.locator(".card.is-loading").first).to_be_visible()
            seen = True
        waiting.continue_()
    assert seen
    visit.settle()
    assert visit.page.locator(".is-loading").count() == 0
    expect(visit.page.locator("#connection")).to_be_hidden()
    gone = Visit(context, shop).go("/")
    gone.page.route("**/_dash-update-component*", lambda route: route.abort())
    gone.page.get_by_role("link", name="30 days").click()
    expect(gone.page.locator("#connection")).to_be_visible()
    gone.page.unroute("**/_dash-update-component*")
    gone.page.get_by_role("link", name="90 days").click()
    expect(gone.page.locator("#connection")).to_be_hidden()
    gone.page.close()


def test_stale_data_are_called_stale(context: BrowserContext, sales: Platform) -> None:
    with served(sales.url, ON_TIME + dt.timedelta(days=3)) as address:
        visit = Visit(context, address).go("/")
        expect(visit.page.locator(".notice.is-warning")).to_contain_text(
            "The latest data is from 5 Mar 2025; 8 Mar 2025 was due."
        )
        expect(visit.page.locator(".stamps")).to_contain_text("Stale")
        visit.end()


def test_fresh_data_are_not(visit: Visit) -> None:
    visit.go("/")
    assert visit.page.locator(".notice").locator("visible=true").count() == 0
    expect(visit.page.locator(".stamps")).to_contain_text("Data through 5 Mar 2025")
    expect(visit.page.locator(".stamps")).to_contain_text("Last refresh 6 Mar 2025 00:40 UTC")


@pytest.fixture
def own_shop(postgres_server, tmp_path) -> Iterator[Platform]:
    with psycopg.connect(postgres_server.url(), autocommit=True) as connection:
        connection.execute(f"create database shop_of_one_test template {TEMPLATE}")
        yield Platform(postgres_server.url("shop_of_one_test"), tmp_path / "raw")
        connection.execute("drop database if exists shop_of_one_test with (force)")


def test_a_database_that_is_down_is_reported_and_its_return_is_noticed(
    context: BrowserContext, own_shop: Platform, postgres_server
) -> None:
    """What one browser window shows: no data, a first day, newer days, an outage, and recovery."""
    with (
        served(own_shop.url, ON_TIME) as address,
        psycopg.connect(postgres_server.url(), autocommit=True) as admin,
    ):
        visit = Visit(context, address).go("/")
        expect(visit.page.locator(".notices")).to_contain_text("No data loaded yet.")

        def sell(number: int, quantity: int) -> None:
            own_shop.load(
                number,
                customers=[customer(1)],
                products=[product(1)],
                transactions=[order(number, 1, on=number)],
                transaction_items=[line(number, number, quantity=quantity)],
            )

        sell(1, 3)
        assert visit.go("/?range=all").kpi("Total revenue") == "$30.00"
        sell(2, 4)
        assert visit.go("/?range=all").kpi("Total revenue") == "$70.00"

        admin.execute("alter database shop_of_one_test with allow_connections false")
        admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = 'shop_of_one_test'")
        visit.go("/?range=all")
        expect(visit.page.locator(".notices")).to_contain_text("The data can't be shown.")
        expect(visit.page.locator(".notices")).to_contain_text("ecommerce-platform db start")
        assert visit.page.locator(".kpi").locator("visible=true").count() == 0
        assert "password" not in visit.page.content()
        assert visit.page.request.get(f"{address}/healthz").status == 503
        assert visit.page.request.get(f"{address}/csv/regions").status == 503

        admin.execute("alter database shop_of_one_test with allow_connections true")
        visit.page.get_by_role("link", name="Try again").click()
        visit.page.locator(".kpi-value").first.wait_for()
        assert visit.settle().kpi("Total revenue") == "$70.00"
        visit.end()
