"""What is drawn over a figure: a second measure beside the first, and the values that it is compared with."""

from __future__ import annotations

from dashboards.app.drawing import Drawing, Figure, number, with_opacity
from dashboards.app.formats import axis_ticks, short


def overlaid(drawing: Drawing, figure: Figure) -> Figure:
    """The figure of a chart with everything that belongs over it."""
    if drawing.visual.beside is not None:
        return with_measure_beside(drawing, figure, drawing.visual.beside)
    if drawing.visual.kind == "trend":
        return with_lines(drawing, figure)
    return figure


def with_lines(drawing: Drawing, figure: Figure) -> Figure:
    """A trend with the line of the compared values, in the places of its own; the tooltips say their days."""
    answer, theme = drawing.answer, drawing.theme
    names = [column.id for column in answer.columns]
    compared = f"compared_{names[1]}"
    if compared not in names:
        return figure
    values = [number(cell) for cell in answer.column(compared)]
    rows = list(range(len(values)))
    line = {
        "type": "scatter",
        "mode": "lines" if len(rows) > 1 else "markers",
        "name": answer.compared,
        "x": rows,
        "y": values,
        "hoverinfo": "skip",
        "line": {"color": theme.muted, "width": 1.5, "dash": "dot"},
        "marker": {"color": theme.muted, "size": 6},
    }
    first, *others = figure["data"]
    layout = {**figure["layout"], "showlegend": True}
    layout["margin"] = {**layout["margin"], "t": 34}
    every = [*(number(row[1]) for row in answer.rows), *values]
    layout["yaxis"] = {**layout["yaxis"], **axis_ticks(answer.columns[1].format, every)}
    return {"data": [{**first, "name": answer.columns[1].label, "showlegend": True}, *others, line], "layout": layout}


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
