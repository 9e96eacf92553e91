"""Figures that compare the members of a dimension: bars, columns, donut, map, and stacked shares."""

from __future__ import annotations

from decimal import Decimal

from dashboards.app.drawing import HOVER, Drawing, Figure, base_layout, escape, number, with_opacity
from dashboards.app.formats import short

LONGEST_LABEL = 34
# fmt: off
US_STATES = (
    "AL", "AK", "AZ", "AR", "CA", "CO", "CT", "DC", "DE", "FL", "GA", "HI", "IA", "ID", "IL", "IN", "KS",
    "KY", "LA", "MA", "MD", "ME", "MI", "MN", "MO", "MS", "MT", "NC", "ND", "NE", "NH", "NJ", "NM", "NV",
    "NY", "OH", "OK", "OR", "PA", "RI", "SC", "SD", "TN", "TX", "UT", "VA", "VT", "WA", "WI", "WV", "WY",
)
# fmt: on
"""The states that the map draws; those without orders stay pale."""


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_LABEL else text[: LONGEST_LABEL - 1].rstrip() + "…"


def _named(drawing: Drawing, row: int) -> str:
    """The label of a bar. Rejection reasons can occur in several feeds, so the feed comes first."""
    answer = drawing.answer
    name = escape(_cut(str(answer.rows[row][0])))
    for column, cell in zip(answer.columns, answer.rows[row], strict=True):
        if column.id == "feed":
            name = f'<span style="color:{drawing.theme.muted}">{escape(str(cell))}  </span><br>{name}'
    return f"{name}  "


def bar(drawing: Drawing) -> Figure:
    """Horizontal bars, one per member."""
    answer, theme = drawing.answer, drawing.theme
    column = answer.columns[1]
    rows = range(min(len(answer.rows), drawing.visual.limit or len(answer.rows)))
    # A member without a value keeps its place and its label, a dash.
    values = [number(answer.rows[row][1]) or 0 for row in rows]
    trace = {
        "type": "bar",
        "orientation": "h",
        "x": values,
        "y": list(rows),
        "customdata": [drawing.custom(row) for row in rows],
        "hovertemplate": HOVER,
        "marker": {"color": theme.accent, "opacity": drawing.opacities(rows), "cornerradius": 4},
        "text": [short(answer.rows[row][1], column.format) for row in rows],
        "textposition": "outside",
        "textfont": {"color": theme.text, "size": 12},
        "cliponaxis": False,
        "width": 0.66,
    }
    longest = max(values, default=1) or 1
    layout = base_layout(
        theme,
        xaxis={"showticklabels": False, "range": [min(0, *values) * 1.2, longest]},
        margin={"l": 4, "r": 52, "t": 8, "b": 4},
        yaxis={
            "autorange": "reversed",
            "tickmode": "array",
            "tickvals": list(rows),
            "ticktext": [_named(drawing, row) for row in rows],
            "tickfont": {"color": theme.text, "size": 12.5},
        },
        bargap=0.3,
    )
    return {"data": [trace], "layout": layout}


def column(drawing: Drawing) -> Figure:
    """Columns, one per member."""
    answer, theme = drawing.answer, drawing.theme
    column = answer.columns[1]
    rows = range(len(answer.rows))
    weekend = {"Saturday", "Sunday"}
    colors = [theme.series[1] if answer.rows[row][0] in weekend else drawing.color(row) for row in rows]
    names = [str(answer.rows[row][0]) for row in rows]
    if answer.columns[0].id == "weekday":
        names = [name[:3] for name in names]
    elif len(names) > 3:
        names = ["<br>".join(name.rsplit(" ", 1)) for name in names]
    trace = {
        "type": "bar",
        "x": names,
        "y": [number(answer.rows[row][1]) or 0 for row in rows],
        "customdata": [drawing.custom(row) for row in rows],
        "hovertemplate": HOVER,
        "marker": {"color": colors, "opacity": drawing.opacities(rows), "cornerradius": 5},
        "text": [short(answer.rows[row][1], column.format) for row in rows],
        "textposition": "outside",
        "textfont": {"color": theme.text, "size": 12},
        "cliponaxis": False,
        "width": 0.62,
    }
    layout = base_layout(
        theme,
        xaxis={"type": "category", "tickfont": {"color": theme.text, "size": 12}, "tickangle": 0},
        yaxis={"showticklabels": False, "rangemode": "tozero"},
        margin={"l": 4, "r": 4, "t": 26, "b": 4},
    )
    return {"data": [trace], "layout": layout}


def donut(drawing: Drawing) -> Figure:
    """A donut with the total in its center."""
    answer, theme = drawing.answer, drawing.theme
    rows = range(len(answer.rows))
    opacities = drawing.opacities(rows)
    colors = [with_opacity(drawing.color(row), opacities[row]) for row in rows]
    total = sum((Decimal(cells[1]) for cells in answer.rows if isinstance(cells[1], int | Decimal)), Decimal(0))
    trace = {
        "type": "pie",
        "labels": [str(answer.rows[row][0]) for row in rows],
        "values": [number(answer.rows[row][1]) for row in rows],
        "customdata": [drawing.custom(row) for row in rows],
        "hovertemplate": HOVER,
        "hole": 0.66,
        "sort": False,
        "direction": "clockwise",
        "textinfo": "none",
        "marker": {"colors": colors, "line": {"color": theme.surface, "width": 2}},
        "domain": {"x": [0, 1], "y": [0.04, 0.98]},
    }
    layout = base_layout(
        theme,
        annotations=[
            {
                "text": f"<b>{short(total, 'money')}</b><br><span style='font-size:11px'>revenue</span>",
                "x": 0.5,
                "y": 0.51,
                "showarrow": False,
                "font": {"size": 18, "color": theme.text},
            }
        ],
        margin={"l": 4, "r": 4, "t": 4, "b": 4},
    )
    return {"data": [trace], "layout": layout}


def state_map(drawing: Drawing) -> Figure:
    """A map of the US states, shaded by the measure."""
    answer, theme = drawing.answer, drawing.theme
    rows = [row for row in range(len(answer.rows)) if answer.clicks[row][0][1].startswith("US-")]
    codes = [answer.clicks[row][0][1].removeprefix("US-") for row in rows]
    values = [number(answer.rows[row][1]) or 0 for row in rows]
    chosen = [drawing.is_chosen(row) for row in rows]
    steps = len(theme.sequence) - 1
    trace = {
        "type": "choropleth",
        "locationmode": "USA-states",
        "locations": codes,
        # A few states dwarf the rest. The square root keeps the others distinguishable.
        "z": [max(value, 0) ** 0.5 for value in values],
        "customdata": [drawing.custom(row) for row in rows],
        "hovertemplate": HOVER,
        "colorscale": [[step / steps, color] for step, color in enumerate(theme.sequence)],
        "zmin": 0,
        "showscale": False,
        "marker": {
            "line": {
                "color": [theme.text if here else theme.surface for here in chosen],
                "width": [2.2 if here else 0.8 for here in chosen],
            },
            "opacity": [1.0 if here or not any(chosen) else 0.45 for here in chosen],
        },
    }
    layout = base_layout(
        theme,
        geo={
            "scope": "usa",
            "fitbounds": False,
            "bgcolor": "rgba(0,0,0,0)",
            "showland": False,
            "showlakes": False,
            "showframe": False,
            "projection": {"type": "albers usa"},
        },
        margin={"l": 0, "r": 0, "t": 0, "b": 0},
    )
    without_sales = [code for code in US_STATES if code not in codes]
    ground = {
        "type": "choropleth",
        "locationmode": "USA-states",
        "locations": without_sales,
        "z": [0] * len(without_sales),
        "colorscale": [[0, theme.grid], [1, theme.grid]],
        "showscale": False,
        "hoverinfo": "skip",
        "marker": {"line": {"color": theme.surface, "width": 0.8}},
    }
    return {"data": [trace, ground] if without_sales else [trace], "layout": layout}


def share_stack(drawing: Drawing) -> Figure:
    """Horizontal bars that add up to 100%, one per member, stacked by the second column of the answer."""
    answer, theme = drawing.answer, drawing.theme
    series = list(dict.fromkeys(str(row[1]) for row in answer.rows))
    opacities = drawing.opacities(range(len(answer.rows)))
    data = []
    for name in series:
        rows = [row for row in range(len(answer.rows)) if answer.rows[row][1] == name]
        data.append(
            {
                "type": "bar",
                "orientation": "h",
                "name": name,
                "y": [str(answer.rows[row][0]) for row in rows],
                "x": [number(answer.rows[row][2]) for row in rows],
                "customdata": [drawing.custom(row, f"{answer.rows[row][0]}, {name}") for row in rows],
                "hovertemplate": HOVER,
                "marker": {
                    "color": drawing.color(rows[0]),
                    "opacity": [opacities[row] for row in rows],
                    "line": {"color": theme.surface, "width": 1},
                },
            }
        )
    layout = base_layout(
        theme,
        barmode="stack",
        bargap=0.36,
        showlegend=True,
        xaxis={"range": [0, 100], "ticksuffix": "%", "nticks": 5},
        yaxis={"autorange": "reversed", "type": "category", "tickfont": {"color": theme.text, "size": 12.5}},
        margin={"l": 4, "r": 12, "t": 8, "b": 4},
    )
    layout["legend"] = {**layout["legend"], "y": -0.14, "yanchor": "top", "traceorder": "normal"}
    return {"data": data, "layout": layout}
