"""Figures that compare the members of a dimension: bars, columns, donut, and stacked shares."""

from __future__ import annotations

from decimal import Decimal
from textwrap import wrap

from dashboards.app.chart_data import Cell
from dashboards.app.drawing import HOVER, Drawing, Figure, base_layout, escape, number, with_opacity
from dashboards.app.formats import rounded, short
from dashboards.app.notes import MOST_BARS

LONGEST_LINE = 22
"""Characters of a line of a label, of which there are two; a phone has room for them and for the bars."""
LONGEST_REASON = 34
SMALLEST_LABELED = 9
"""Percent of a bar from which a part has room for a label."""


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_LINE else text[: LONGEST_LINE - 1].rstrip() + "…"


def in_two_lines(text: str) -> list[str]:
    """A label in one line, or in two that are about as long, cut where they are too long."""
    if len(text) <= LONGEST_LINE or " " not in text:
        return [_cut(text)]
    words = text.split(" ")
    pairs = [(" ".join(words[:count]), " ".join(words[count:])) for count in range(1, len(words))]
    fitting = [pair for pair in pairs if len(pair[0]) <= LONGEST_LINE] or pairs[:1]
    return [_cut(part) for part in min(fitting, key=lambda pair: max(map(len, pair)))]


def _named(drawing: Drawing, row: int) -> str:
    """The label of a bar. Rejection reasons can occur in several feeds, so the feed comes first."""
    answer = drawing.answer
    lines = in_two_lines(str(answer.rows[row][0]))
    if any(column.id == "feed" for column in answer.columns):
        lines = wrap(str(answer.rows[row][0]), LONGEST_REASON, max_lines=2, placeholder="…", break_on_hyphens=False)
    name = "<br>".join(f"{escape(part)}  " for part in lines)
    for column, cell in zip(answer.columns, answer.rows[row], strict=True):
        if column.id == "feed":
            name = f'<span style="color:{drawing.theme.muted}">{escape(str(cell))}  </span><br>{name}'
    return name


def _beside(drawing: Drawing, row: int) -> str:
    """The text beside a bar: its value, with its share of the revenue where the chart promises it."""
    answer = drawing.answer
    value = short(answer.rows[row][1], answer.columns[1].format)
    names = [column.id for column in answer.columns]
    if not drawing.visual.share_beside or "revenue_share" not in names:
        return value
    share = names.index("revenue_share")
    return f'{value}  <span style="color:{drawing.theme.muted}">{short(answer.rows[row][share], "percent")}</span>'


def bar(drawing: Drawing) -> Figure:
    """Horizontal bars, one per member."""
    answer, theme = drawing.answer, drawing.theme
    most = drawing.visual.limit or (MOST_BARS if answer.drawn_as else len(answer.rows))
    rows = range(min(len(answer.rows), most))
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
        "text": [_beside(drawing, row) for row in rows],
        "textposition": "outside",
        "textfont": {"color": theme.text, "size": 12},
        "cliponaxis": False,
        "width": 0.66,
    }
    longest = max(values, default=1) or 1
    layout = base_layout(
        theme,
        xaxis={"showticklabels": False, "range": [min(0, *values) * 1.2, longest]},
        margin={"l": 4, "r": 104 if drawing.visual.share_beside else 52, "t": 8, "b": 4},
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


def _inside(share: Cell) -> str:
    """The label on a part of a bar; none on a part that is too short for it."""
    return f"{rounded(share, 0)}%" if isinstance(share, int | Decimal) and share >= SMALLEST_LABELED else ""


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
                "text": [_inside(answer.rows[row][2]) for row in rows],
                "textposition": "inside",
                "insidetextanchor": "middle",
                "textangle": 0,
                "constraintext": "none",
                "textfont": {"size": 11, "color": [theme.text_on(drawing.color(row), opacities[row]) for row in rows]},
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
        xaxis={
            "range": [0, 100],
            "tickmode": "array",
            "tickvals": list(range(0, 101, 25)),
            "ticktext": [f"{tick}%" for tick in range(0, 101, 25)],
        },
        yaxis={"autorange": "reversed", "type": "category", "tickfont": {"color": theme.text, "size": 12.5}},
        margin={"l": 4, "r": 22, "t": 8, "b": 4},
    )
    layout["legend"] = {**layout["legend"], "y": -0.14, "yanchor": "top", "traceorder": "normal"}
    return {"data": data, "layout": layout}
