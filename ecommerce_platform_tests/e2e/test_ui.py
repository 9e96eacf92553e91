"""The four main user actions in a real browser: headless Chromium against the running webserver.

Each test saves a screenshot to ``screenshots`` next to the served project, in pytest's temporary folder.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from ecommerce_platform_tests.e2e.conftest import MISSED
from ecommerce_platform_tests.e2e.served import Served, wait_for

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), ""
)
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="Chromium or Chrome is not installed")


class Browser:
    """A browser page with the served UI."""

    def __init__(self, page: Any, served: Served):
        self.page = page
        self.served = served
        self.launched: list[str] = []
        page.on("response", self._hear)

    def _hear(self, response: Any) -> None:
        operation = re.search(r'"operationName": ?"(\w+)"', response.request.post_data or "")
        if operation and operation[1] in ("LaunchPipelineExecution", "LaunchPipelineReexecution"):
            self.launched += re.findall(r'"(?:id|runId)": ?"([0-9a-f-]{36})"', json.dumps(response.json()))

    def open(self, path: str, *texts: str) -> None:
        """Open a page and wait until it shows the given texts."""
        self.launched.clear()
        self.page.goto(f"{self.served.url}{path}")
        for text in texts:
            self.page.get_by_text(text).first.wait_for(timeout=20_000)

    def click(self, name: str) -> None:
        """Click the first button with this name; names include the text of icons."""
        self.page.get_by_role("button", name=re.compile(name)).first.click()

    def picture(self, name: str) -> None:
        """Save a screenshot of the page."""
        folder = self.served.project / "screenshots"
        folder.mkdir(exist_ok=True)
        self.page.wait_for_timeout(700)
        self.page.screenshot(path=folder / f"{name}.png")

    def launched_run(self) -> str:
        """Return the run that the last click launched."""

        def heard() -> str | None:
            self.page.wait_for_timeout(100)
            return self.launched.pop() if self.launched else None

        return wait_for("a launched run", heard, 20)


@pytest.fixture(scope="module")
def browser(served: Served) -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        page = chromium.new_page(viewport={"width": 1500, "height": 950})
        page.set_default_timeout(20_000)
        yield Browser(page, served)
        chromium.close()


def test_the_schedules_page_shows_the_tick_and_the_days_it_asked_for(browser: Browser) -> None:
    browser.open("/locations/ecommerce_platform/schedules/every_day", "Tick history", f"{MISSED} runs requested")
    browser.picture("schedule")


def test_a_failed_run_is_taken_up_at_the_asset_that_failed(browser: Browser, served: Served, days: list[str]) -> None:
    """The right menu item is the last of six behind the caret; it is not "From failure"."""
    failed = wait_for("the run that failed", lambda: [run for run in served.runs() if run["status"] == "FAILURE"], 150)
    served.execute("drop trigger if exists refuse on warehouse.fact_sales")
    browser.open(f"/runs/{failed[-1]['runId']}", "Re-execute", "No space left on device")
    browser.picture("failed-run")
    caret = browser.page.get_by_role("button", name=re.compile("Re-execute")).first.locator(
        "xpath=following::button[1]"
    )
    caret.click()
    browser.page.get_by_role("menuitem", name="From asset failure").click()
    again = browser.launched_run()
    assert served.wait_for_run(again) == "SUCCESS"
    browser.open(f"/runs/{again}", "warehouse__fact_sales")
    browser.picture("taken-up-run")
    browser.open("/assets/warehouse/fact_sales?view=partitions", days[-1])
    browser.picture("partitions")
    assert days[-1] in served.materialized("warehouse.fact_sales")


def test_a_failing_check_is_read_and_its_asset_materialized_again(
    browser: Browser, served: Served, days: list[str]
) -> None:
    served.execute(f"update warehouse.agg_daily_sales set profit = profit + 1 where sale_date <= '{days[1]}'")
    browser.open("/assets/warehouse/agg_daily_sales?view=checks&checkDetail=contract", "Latest execution")
    browser.click("Execute$")
    assert served.wait_for_run(browser.launched_run()) == "FAILURE"
    browser.open(
        "/assets/warehouse/agg_daily_sales?view=checks&checkDetail=contract", "profit = costed_revenue - cost", days[0]
    )
    browser.picture("failing-check")
    browser.click("Materialize")
    assert served.wait_for_run(browser.launched_run()) == "SUCCESS"
    browser.open("/assets/warehouse/agg_daily_sales?view=checks&checkDetail=contract", "Passed")
    browser.picture("healed-check")


def test_one_partition_is_materialized_from_the_dialog(browser: Browser, served: Served, days: list[str]) -> None:
    browser.open("/assets/warehouse/fact_sales", "Materialize")
    browser.click("Materialize")
    browser.page.get_by_text("Launch").first.wait_for()
    browser.click("^Latest")
    browser.picture("materialize-dialog")
    browser.click("^Launch")
    run_id = browser.launched_run()
    assert served.wait_for_run(run_id) == "SUCCESS"
    (run,) = [run for run in served.runs() if run["runId"] == run_id]
    assert run["tags"]["dagster/partition"] >= days[-1]


def test_the_lineage_page_draws_a_layer_with_what_it_reads(browser: Browser) -> None:
    # The page draws what lies in the window: the middle of the layer, a table of the layer before it, and a dashboard
    # that the platform does not run.
    browser.open("/locations/ecommerce_platform/asset-groups/warehouse/lineage", "dim_date", "agg_daily_sales")
    browser.page.get_by_text("transactions", exact=True).first.wait_for()
    browser.page.get_by_text("power_bi").first.wait_for()
    browser.picture("lineage")
