"""What is drawn over a figure: a second measure, compared values, targets, and notes."""

from __future__ import annotations

from collections.abc import Sequence

from dashboards.app.drawing import Drawing, Figure, escape, number, with_opacity
from dashboards.app.figures_analyses import with_percent_line
from dashboards.app.formats import axis_ticks, short


def overlaid(drawing: Drawing, figure: Figure) -> Figure:
    """The figure of a chart with everything that belongs over it."""
    if drawing.visual.beside is not None:
        return with_measure_beside(drawing, figure, drawing.visual.beside)
    if drawing.visual.line is not None:
        return with_percent_line(drawing, figure, drawing.visual.line)
    if drawing.visual.kind == "trend":
        return with_lines(drawing, figure)
    return figure


def with_lines(drawing: Drawing, figure: Figure) -> Figure:
    """A trend with the compared values, the targets, and marks where there are notes. Its own tooltips tell of them."""
    answer, theme = drawing.answer, drawing.theme
    first, *others = figure["data"]
    own = answer.columns[1]
    columns = {column.id: answer.column(column.id) for column in answer.columns}
    compared, targets = (
        [number(cell) for cell in columns.get(name, [])] for name in (f"compared_{own.id}", "target_revenue")
    )
    more: list[Figure] = []
    if compared:
        more.append(_line(answer.compared, compared, {"color": theme.muted, "width": 1.5, "dash": "dot"}))
    if targets:
        # A month without neighbors is a point.
        step = {"color": theme.series[1], "width": 2, "shape": "hvh"}
        more.append({**_line("Target", targets, step), "mode": "lines+markers"})
    if any(columns.get("notes", [])):
        places = [row for row, text in enumerate(columns["notes"]) if text]
        marker = {
            "symbol": "diamond",
            "size": 8,
            "color": theme.series[1],
            "line": {"color": theme.surface, "width": 1},
        }
        more.append(
            {
                **_line("Notes", [0.0] * len(places), {}),
                "x": places,
                "mode": "markers",
                "marker": marker,
                "cliponaxis": False,
            }
        )
    if not more:
        return figure
    every = [number(row[1]) for row in answer.rows] + compared + targets
    layout = {**figure["layout"], "showlegend": True}
    layout["margin"] = {**layout["margin"], "t": 34}
    layout["yaxis"] = {**layout["yaxis"], **axis_ticks(own.format, every)}
    parts = [{**trace, "showlegend": trace.get("showlegend", "name" in trace)} for trace in others]
    return {"data": [{**first, "name": own.label, "showlegend": True}, *parts, *more], "layout": layout}


def _line(name: str, values: Sequence[float | None], line: Figure) -> Figure:
    """A line in the places of the rows; a single value is a point."""
    return {
        "type": "scatter",
        "mode": "lines" if sum(value is not None for value in values) > 1 else "markers",
        "name": escape(name),
        "x": list(range(len(values))),
        "y": list(values),
        "hoverinfo": "skip",
        "line": line,
        "marker": {"color": line.get("color"), "size": 5},
    }


def with_measure_beside(drawing: Drawing, figure: Figure, measure: str) -> Figure:
    """A column chart with the columns of another measure beside those of the first, and a legend of both."""
    answer, theme = drawing.answer, drawing.theme
    place = [column.id for column in answer.columns].index(measure)
    column, (first, *_) = answer.columns[place], figure["data"]
    opacities = first["marker"]["opacity"]
    traces = []
    for label, cells, color in (
        (answer.columns[1].label, [row[1] for row in answer.rows], with_opacity(theme.accent, 0.5)),
        (column.label, [row[place] for row in answer.rows], theme.accent),
    ):
        traces.append(
            {
                **{name: value for name, value in first.items() if name != "width"},
                "name": label,
                "y": [number(cell) or 0 for cell in cells],
                "text": [short(cell, column.format) for cell in cells],
                "textfont": {"color": theme.text, "size": 11},
                "marker": {**first["marker"], "color": color, "opacity": opacities},
            }
        )
    layout = {**figure["layout"], "barmode": "group", "bargap": 0.2, "bargroupgap": 0.06, "showlegend": True}
    layout["margin"] = {**layout["margin"], "t": 46}
    layout["legend"] = {**layout["legend"], "y": 1.1}
    return {"data": traces, "layout": layout}
