"""Turns an answer into a plotly figure, as a plain dictionary because building plotly's own objects is slow.

Every point carries in ``customdata`` the URL that a click on it leads to, and the text of its tooltip.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from dashboards.app import figures_analyses, figures_by_member, figures_map, figures_over_time
from dashboards.app.chart_data import Answer
from dashboards.app.drawing import Address, Drawing, Figure, base_layout
from dashboards.app.filters import Filters
from dashboards.app.overlays import overlaid
from dashboards.app.theme import Theme
from dashboards.spec.page_types import Visual


def figure(visual: Visual, answer: Answer, filters: Filters, theme: Theme, address: Address) -> Figure:
    """The figure of a chart; empty if the answer has no rows."""
    if not answer.rows or visual.kind == "table":
        return {"data": [], "layout": base_layout(theme)}
    drawing = Drawing(visual, answer, filters, theme, address)
    return overlaid(drawing, _DRAW[answer.drawn_as or visual.kind](drawing))


_DRAW: Mapping[str, Callable[[Drawing], Figure]] = {
    "bar": figures_by_member.bar,
    "column": figures_by_member.column,
    "donut": figures_by_member.donut,
    "map": figures_map.state_map,
    "trend": figures_over_time.trend,
    "pareto": figures_over_time.pareto,
    "heatmap": figures_over_time.heatmap,
    "stack": figures_over_time.stack,
    "share_stack": figures_by_member.share_stack,
    "lines": figures_over_time.lines,
    "band": figures_analyses.band,
    "curves": figures_analyses.curves,
}
