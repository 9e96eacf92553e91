"""What is drawn over a figure: a second measure beside the first."""

from __future__ import annotations

from dashboards.app.drawing import Drawing, Figure, number, with_opacity
from dashboards.app.formats import short


def overlaid(drawing: Drawing, figure: Figure) -> Figure:
    """The figure of a chart with everything that belongs over it."""
    if drawing.visual.beside is not None:
        return with_measure_beside(drawing, figure, drawing.visual.beside)
    return figure


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
