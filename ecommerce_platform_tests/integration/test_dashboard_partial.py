"""An incomplete month never looks like a complete one: hollow, dashed, or hatched, and named."""

from __future__ import annotations

from typing import Any

import pytest

from dashboards.app.chart_data import Answer
from dashboards.app.content import Dashboards
from dashboards.app.drawn import Drawn
from dashboards.app.store import Store
from dashboards.app.theme import LIGHT
from dashboards.spec.page_types import Page
from dashboards.spec.pages import CUSTOMERS, EXECUTIVE, GEOGRAPHY
from ecommerce_platform.io_managers import PostgresConnection
from ecommerce_platform_tests.harness import Platform

LAST, FIRST = "2025-03", "2024-03"
"""The months that the last twelve months, which end on 5 March 2025, have only in part."""


@pytest.fixture(scope="module")
def dashboards(sales: Platform) -> Dashboards:
    return Dashboards(Store(PostgresConnection(url=sales.url, role="reader")))


def drawn(dashboards: Dashboards, page: Page, name: str, query: str = "") -> tuple[Answer, list[dict[str, Any]]]:
    content = dashboards.content(page, query)
    visual = page.visual(name)
    assert visual is not None
    return content.answers[name], Drawn(content, "light", "")._figure(visual)["data"]


@pytest.mark.parametrize(
    ("page", "name", "note"),
    [
        (EXECUTIVE, "revenue_trend", "Mar 2024 and Mar 2025 are incomplete in this date range."),
        (GEOGRAPHY, "seasonality", "Mar 2025 is incomplete."),
        (CUSTOMERS, "new_and_returning", "Mar 2024 and Mar 2025 are incomplete in this date range."),
        (CUSTOMERS, "cohort_retention", "Mar 2025 is incomplete in this date range."),
    ],
)
def test_a_note_and_tooltips_name_incomplete_months(dashboards: Dashboards, page: Page, name: str, note: str) -> None:
    answer, traces = drawn(dashboards, page, name)
    assert answer.note == note
    tips: list[str] = []
    for trace in traces:
        cells = trace.get("customdata", [])
        rows = cells if trace["type"] == "heatmap" else [cells]
        tips += [cell[1] for row in rows for cell in row if trace.get("x") != [None]]
    said = [tip for tip in tips if "(incomplete)" in tip.partition("<br>")[0]]
    assert len(said) == len(answer.partial) > 0


def test_a_complete_range_has_no_incomplete_month(dashboards: Dashboards) -> None:
    for page, name in (
        (EXECUTIVE, "revenue_trend"),
        (CUSTOMERS, "new_and_returning"),
        (CUSTOMERS, "cohort_retention"),
    ):
        answer, traces = drawn(dashboards, page, name, "?from=2024-04-01&to=2025-02-28")
        assert (answer.partial, answer.note) == ((), ""), name
        assert len(traces) == (2 if name == "new_and_returning" else 1), name


@pytest.mark.parametrize(("page", "name"), [(EXECUTIVE, "revenue_trend"), (GEOGRAPHY, "seasonality")])
def test_a_line_to_an_incomplete_month_is_dashed_and_ends_hollow(dashboards: Dashboards, page: Page, name: str) -> None:
    answer, traces = drawn(dashboards, page, name)
    row = answer.column("period" if page is EXECUTIVE else "month").index(LAST)
    whole = next(trace for trace in traces if any(LAST in cell[0] for cell in trace.get("customdata", [])))
    place = next(place for place, cell in enumerate(whole["customdata"]) if LAST in cell[0])
    assert row in answer.partial
    assert whole["marker"]["color"][place] == LIGHT.surface
    assert whole["marker"]["color"][place - 1] != LIGHT.surface
    assert whole["line"]["width"] == 0
    dashed = [trace for trace in traces if trace.get("line", {}).get("dash") == "dot"]
    assert any(whole["y"][place] in trace["y"] for trace in dashed)
    solid = [trace for trace in traces if trace.get("line", {}).get("dash") == "solid"]
    assert not any(whole["y"][place] in trace["y"] for trace in solid)


def test_columns_of_incomplete_months_are_hatched(dashboards: Dashboards) -> None:
    answer, traces = drawn(dashboards, CUSTOMERS, "new_and_returning")
    hatched = {
        label
        for trace in traces
        if "pattern" in trace["marker"]
        for label, shape in zip(trace["x"], trace["marker"]["pattern"]["shape"], strict=True)
        if shape
    }
    assert hatched == {"Mar 2024", "Mar 2025"}
    # The legend does not look incomplete.
    assert not any("pattern" in trace["marker"] for trace in traces if trace.get("showlegend", True))
    assert {answer.rows[row][0] for row in answer.partial} == {FIRST, LAST}


def test_cells_of_incomplete_months_are_outlined_and_cohorts_show_their_size(dashboards: Dashboards) -> None:
    content = dashboards.content(CUSTOMERS, "")
    visual = CUSTOMERS.visual("cohort_retention")
    assert visual is not None
    answer, figure = content.answers["cohort_retention"], Drawn(content, "light", "")._figure(visual)
    assert len(figure["layout"]["shapes"]) == len(answer.partial) == len({row[0] for row in answer.rows})
    sizes = {str(row[0]): row[4] for row in answer.rows}
    (trace,) = figure["data"]
    assert trace["y"][0] == f"Mar 2024  ·  {sizes[FIRST]}"
    assert trace["text"][0][0] == "100%"
