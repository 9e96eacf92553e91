"""What a page is made of: KPIs and charts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal[
    "trend",
    "bar",
    "column",
    "donut",
    "map",
    "pareto",
    "heatmap",
    "stack",
    "share_stack",
    "lines",
    "band",
    "curves",
    "table",
]


@dataclass(frozen=True)
class Kpi:
    """A key performance indicator at the top of a page.

    Attributes:
        id: identifies the KPI in the application and in Power BI.
        label: its name on the page.
        format: how its value is formatted.
        meaning: its definition; shown as a tooltip and in the README.
        measure: the measure that its sparkline plots; None for no sparkline.
        compare: whether to show the change from the prior period.
        needs_returns: whether the application shows it only if the shop has returns.
    """

    id: str
    label: str
    format: Literal["money", "count", "percent"]
    meaning: str
    measure: str | None = None
    compare: bool = True
    needs_returns: bool = False


@dataclass(frozen=True)
class Visual:
    """One chart.

    Attributes:
        id: unique across all pages; also the name of its CSV file.
        title: its heading.
        meaning: one or two sentences that explain it; shown below the title and in the README. A ¤ stands for
            the symbol of the reporting currency.
        kind: the chart type.
        dimension: the dimension that it breaks revenue down by, if any.
        measures: its columns; the chart plots the first.
        hierarchy: the hierarchy that users can drill down, if any.
        limit: the maximum number of members shown; None for all.
        span: width in columns of a 12-column grid.
        powerbi: the Power BI visual type; None if the report omits the chart.
        needs_returns: whether the application shows it only if the shop has returns.
        share_beside: whether bars show the share of revenue beside their value.
        beside: the measure that a column chart draws beside the first, if any.
        line: the column in per cent that a column chart draws as a line over the columns, if any.
    """

    id: str
    title: str
    meaning: str
    kind: Kind
    dimension: str | None = None
    measures: tuple[str, ...] = ("revenue", "revenue_share")
    hierarchy: str | None = None
    limit: int | None = None
    span: int = 6
    powerbi: str | None = None
    needs_returns: bool = False
    share_beside: bool = False
    beside: str | None = None
    line: str | None = None


@dataclass(frozen=True)
class Page:
    """A page: its URL path, its title, the question that it answers, its KPIs, and its charts or its list of orders."""

    id: str
    path: str
    title: str
    question: str
    kpis: tuple[Kpi, ...]
    visuals: tuple[Visual, ...]
    in_powerbi: bool = True
    lists_orders: bool = False

    def visual(self, visual_id: str) -> Visual | None:
        """The chart with that ID, or None if the page has no such chart."""
        return next((visual for visual in self.visuals if visual.id == visual_id), None)
