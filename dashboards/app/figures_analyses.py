"""Figures of the page What next: a forecast with its intervals, curves of cohorts, and a line over columns."""

from __future__ import annotations

from dashboards.app.drawing import HOVER, Drawing, Figure, base_layout, escape, number, with_opacity
from dashboards.app.formats import axis_ticks, exact, period_label, tick_labels

MOST_TICKS = 5
"""Maximum number of labels of an axis of days, which have room on a phone."""
LONGEST_BAND = 4
"""Characters of a line of a label below one of nine columns, which have room on a phone."""
DASHES = ("solid", "dot")
BAND_OPACITY = {80: 0.22, 95: 0.12}


def band(drawing: Drawing) -> Figure:
    """A line of what was, and after it a dashed line of what may be, within two bands."""
    answer, theme = drawing.answer, drawing.theme
    columns = {column.id: [number(cell) for cell in answer.column(column.id)] for column in answer.columns[1:]}
    was = [row for row, value in enumerate(columns["revenue"]) if value is not None]
    may_be = [row for row, value in enumerate(columns["forecast"]) if value is not None]
    color = theme.series[1]
    data: list[Figure] = []
    for level in (95, 80):
        for end, fill in (("lower", "none"), ("upper", "tonexty")):
            data.append(
                {
                    "type": "scatter",
                    "mode": "lines",
                    "name": f"{level}% of outcomes",
                    "x": may_be,
                    "y": [columns[f"{end}_{level}"][row] for row in may_be],
                    "hoverinfo": "skip",
                    "line": {"width": 0, "color": color},
                    "fill": fill,
                    "fillcolor": with_opacity(color, BAND_OPACITY[level]),
                    "showlegend": end == "upper",
                }
            )
    for name, rows, line in (
        ("Forecast", may_be, {"color": color, "width": 2.5, "dash": "dash"}),
        ("Revenue", was, {"color": theme.accent, "width": 2.5}),
    ):
        data.append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "name": name,
                "x": rows,
                "y": [columns[name.lower()][row] for row in rows],
                "customdata": [_known(drawing, row) for row in rows],
                "hovertemplate": HOVER,
                "line": line,
                "marker": {"color": line["color"], "size": 5},
            }
        )
    every = [value for values in columns.values() for value in values]
    names = [str(row[0]) for row in answer.rows]
    step = max(1, -(-len(names) // MOST_TICKS))
    ticks = range(step // 2, len(names), step)
    layout = base_layout(
        theme,
        showlegend=True,
        xaxis={
            "tickmode": "array",
            "tickvals": list(ticks),
            "ticktext": tick_labels([names[tick] for tick in ticks]),
            "tickangle": 0,
            "range": [-2, len(names) - 0.5],
        },
        yaxis={
            "showgrid": True,
            "gridcolor": theme.grid,
            "rangemode": "tozero",
            **axis_ticks(answer.columns[1].format, every),
        },
        hoverdistance=-1,
        margin={"l": 4, "r": 14, "t": 34, "b": 4},
        shapes=[_boundary(may_be[0] - 0.5, theme.muted)],
    )
    layout["legend"] = {**layout["legend"], "traceorder": "reversed"}
    return {"data": data, "layout": layout}


def _boundary(place: float, color: str) -> Figure:
    """The line between what was and what may be."""
    line = {"color": color, "width": 1, "dash": "dot"}
    return {"type": "line", "x0": place, "x1": place, "yref": "paper", "y0": 0, "y1": 1, "line": line}


def _known(drawing: Drawing, row: int) -> list[str]:
    """No URL, and a tooltip of what is known of a day: its revenue, or its forecast."""
    (day, *cells), (column, *columns) = drawing.answer.rows[row], drawing.answer.columns
    lines = [
        f"{escape(column.label)}  <b>{escape(exact(cell, column.format))}</b>"
        for cell, column in zip(cells, columns, strict=True)
        if cell is not None
    ]
    return ["", f"<b>{escape(exact(day, column.format))}</b><br>" + "<br>".join(lines)]


def curves(drawing: Drawing) -> Figure:
    """One line per cohort over the months since its first, in the color of the cohort.

    Beyond the palette, lines are dotted: the paler colors of other charts could hardly be seen.
    """
    answer, theme = drawing.answer, drawing.theme
    data = []
    for cohort in dict.fromkeys(str(row[0]) for row in answer.rows):
        rows = [row for row, cells in enumerate(answer.rows) if cells[0] == cohort]
        label = period_label(cohort)
        index = answer.colors[rows[0]] if answer.colors else 0
        color = theme.series[index % len(theme.series)]
        data.append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "name": label,
                "x": [answer.rows[row][1] for row in rows],
                "y": [number(answer.rows[row][2]) for row in rows],
                "customdata": [drawing.custom(row, f"{label} cohort") for row in rows],
                "hovertemplate": HOVER,
                "line": {"color": color, "width": 2, "dash": DASHES[index // len(theme.series) % len(DASHES)]},
                "marker": {
                    "color": color,
                    "size": 7,
                    "line": {"color": theme.surface, "width": 1.5},
                },
            }
        )
    last = max(number(row[1]) or 0 for row in answer.rows)
    layout = base_layout(
        theme,
        showlegend=True,
        xaxis={
            "range": [-0.3, last + 0.3],
            **axis_ticks("count", [last]),
            "title": {"text": "Months since first order", "font": {"color": theme.muted, "size": 12}},
        },
        yaxis={
            "showgrid": True,
            "gridcolor": theme.grid,
            "rangemode": "tozero",
            **axis_ticks(answer.columns[2].format, (number(row[2]) for row in answer.rows)),
        },
        margin={"l": 4, "r": 8, "t": 30, "b": 4},
    )
    return {"data": data, "layout": layout}


def with_percent_line(drawing: Drawing, figure: Figure, name: str) -> Figure:
    """A column chart with a line of percentages, an axis for each, and a legend; instead of values on the columns."""
    answer, theme = drawing.answer, drawing.theme
    place = [column.id for column in answer.columns].index(name)
    (columns,) = figure["data"]
    names = [_in_lines(str(row[0])) for row in answer.rows]
    line = {
        "type": "scatter",
        "mode": "lines+markers",
        "name": answer.columns[place].label,
        "x": names,
        "y": [number(row[place]) for row in answer.rows],
        "yaxis": "y2",
        "hoverinfo": "skip",
        "line": {"color": theme.series[1], "width": 2},
        "marker": {"color": theme.series[1], "size": 6},
    }
    layout = {**figure["layout"], "showlegend": True}
    layout["margin"] = {**layout["margin"], "t": 46, "r": 40}
    layout["xaxis"] = {**layout["xaxis"], "title": {"text": "Days", "font": {"color": theme.muted, "size": 12}}}
    layout["legend"] = {**layout["legend"], "y": 1.1}
    values = [number(row[1]) for row in answer.rows]
    shown = {"showgrid": True, "gridcolor": theme.grid, "showticklabels": True}
    layout["yaxis"] = {**layout["yaxis"], **shown, **axis_ticks(answer.columns[1].format, values)}
    layout["yaxis2"] = {
        "overlaying": "y",
        "side": "right",
        "range": [0, 105],
        "showgrid": False,
        "zeroline": False,
        "fixedrange": True,
        "tickmode": "array",
        "tickvals": list(range(0, 101, 25)),
        "ticktext": [f"{tick}%" for tick in range(0, 101, 25)],
        "tickfont": {"color": theme.muted, "size": 12},
    }
    bars = {**columns, "name": answer.columns[1].label, "x": names, "text": None}
    return {"data": [bars, line], "layout": layout}


def _in_lines(band: str) -> str:
    """A band of days, without the unit, in short lines: 181- and 365."""
    days = band.removesuffix(" days")
    return (days.replace("-", "- ") if len(days) > LONGEST_BAND else days).replace(" ", "<br>")
