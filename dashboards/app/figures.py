"""From an answer to a plotly figure, as a plain dictionary: plotly's own objects take longer to build than the numbers.

Every point carries in ``customdata`` the address that a click on it leads to, and the text of its tooltip.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from html import escape as escape_html
from typing import Any

from dashboards.app.answers import Answer, Cell
from dashboards.app.filters import Filters
from dashboards.app.formats import exact, period_label, short
from dashboards.app.theme import FONT, Theme
from dashboards.spec.pages import Visual

Figure = dict[str, Any]
Address = Callable[[Sequence[tuple[str, str]]], str]
"""The address that a click on filters leads to."""

LONGEST_LABEL = 34
FADED = 0.32
MOST_POINTS = 400
"""Points that a Pareto curve draws; its table and its CSV hold all."""
# fmt: off
US_STATES = (
    "AL", "AK", "AZ", "AR", "CA", "CO", "CT", "DC", "DE", "FL", "GA", "HI", "IA", "ID", "IL", "IN", "KS",
    "KY", "LA", "MA", "MD", "ME", "MI", "MN", "MO", "MS", "MT", "NC", "ND", "NE", "NH", "NJ", "NM", "NV",
    "NY", "OH", "OK", "OR", "PA", "RI", "SC", "SD", "TN", "TX", "UT", "VA", "VT", "WA", "WI", "WV", "WY",
)
# fmt: on
"""What the map draws; those without sales are left pale."""
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class Drawing:
    """Everything a figure needs besides its answer."""

    def __init__(self, visual: Visual, answer: Answer, filters: Filters, theme: Theme, address: Address):
        self.visual = visual
        self.answer = answer
        self.filters = filters
        self.theme = theme
        self.address = address

    def is_chosen(self, row: int) -> bool:
        """Whether the row's members are all filtered to."""
        clicks = self.answer.clicks
        return bool(clicks) and all(self.filters.get(name) == value for name, value in clicks[row])

    def opacities(self, rows: Sequence[int]) -> list[float]:
        """Full where chosen or where nothing is; else faded."""
        chosen = [self.is_chosen(row) for row in rows]
        return [1.0 if here or not any(chosen) else FADED for here in chosen]

    def custom(self, row: int, title: str | None = None) -> list[str]:
        """Address and tooltip of a row."""
        clicks = self.answer.clicks[row] if self.answer.clicks else ()
        cells, columns = self.answer.rows[row], self.answer.columns
        lines = [
            f"{escape(column.label)}  <b>{escape(exact(cell, column.format))}</b>"
            for cell, column in zip(cells[1:], columns[1:], strict=True)
        ]
        head = escape(title if title is not None else exact(cells[0], columns[0].format))
        return [self.address(clicks) if clicks else "", f"<b>{head}</b><br>" + "<br>".join(lines)]


def escape(text: str) -> str:
    """Text as text for plotly, which reads a few tags, and of the entities not the one for a quotation mark."""
    return escape_html(text, quote=False)


def figure(visual: Visual, answer: Answer, filters: Filters, theme: Theme, address: Address) -> Figure:
    """The figure of a chart; an answer without rows gives an empty one."""
    if not answer.rows or visual.kind == "table":
        return {"data": [], "layout": _layout(theme)}
    drawing = Drawing(visual, answer, filters, theme, address)
    return _DRAW[visual.kind](drawing)


def _number(cell: Cell) -> float | None:
    return float(cell) if isinstance(cell, int | Decimal) else None


def _layout(theme: Theme, **more: Any) -> Figure:
    axis = {
        "showgrid": False,
        "zeroline": False,
        "showline": False,
        "ticks": "",
        "automargin": True,
        "fixedrange": True,
        "tickfont": {"color": theme.muted, "size": 12},
        "title": {"text": "", "font": {"color": theme.muted, "size": 12}},
    }
    layout = {
        "font": {"family": FONT, "size": 12, "color": theme.text},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "margin": {"l": 4, "r": 8, "t": 8, "b": 4},
        "showlegend": False,
        "hoverlabel": {
            "bgcolor": theme.tooltip,
            "bordercolor": theme.tooltip,
            "font": {"family": FONT, "size": 12.5, "color": "#ffffff"},
            "align": "left",
        },
        "hovermode": "closest",
        "dragmode": False,
        "clickmode": "event",
        "colorway": list(theme.series),
        "uirevision": "same",
        "separators": ".,",
        "legend": {
            "orientation": "h",
            "x": 0,
            "y": 1.02,
            "xanchor": "left",
            "yanchor": "bottom",
            "font": {"color": theme.muted, "size": 12},
            "itemclick": False,
            "itemdoubleclick": False,
        },
    }
    for name, value in more.items():
        layout[name] = {**axis, **value} if name.startswith(("xaxis", "yaxis")) else value
    return layout


HOVER = "%{customdata[1]}<extra></extra>"


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_LABEL else text[: LONGEST_LABEL - 1].rstrip() + "…"


def _named(drawing: Drawing, row: int) -> str:
    """The label of a bar; rows of several feeds may share their names, so the feed stands first."""
    answer = drawing.answer
    name = escape(_cut(str(answer.rows[row][0])))
    for column, cell in zip(answer.columns, answer.rows[row], strict=True):
        if column.id == "feed":
            name = f'<span style="color:{drawing.theme.muted}">{escape(str(cell))}  </span><br>{name}'
    return f"{name}  "


def _bar(drawing: Drawing) -> Figure:
    answer, theme = drawing.answer, drawing.theme
    column = answer.columns[1]
    rows = range(min(len(answer.rows), drawing.visual.limit or len(answer.rows)))
    values = [_number(answer.rows[row][1]) for row in rows]
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
    longest = max((value for value in values if value is not None), default=1) or 1
    layout = _layout(
        theme,
        xaxis={"showticklabels": False, "range": [min(0, *(value or 0 for value in values)) * 1.2, longest]},
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


def _column(drawing: Drawing) -> Figure:
    answer, theme = drawing.answer, drawing.theme
    column = answer.columns[1]
    rows = range(len(answer.rows))
    weekend = {"Saturday", "Sunday"}
    colours = [theme.series[1] if answer.rows[row][0] in weekend else theme.accent for row in rows]
    names = [str(answer.rows[row][0]) for row in rows]
    if answer.columns[0].id == "weekday":
        names = [name[:3] for name in names]
    elif len(names) > 3:
        names = ["<br>".join(name.rsplit(" ", 1)) for name in names]
    trace = {
        "type": "bar",
        "x": names,
        "y": [_number(answer.rows[row][1]) for row in rows],
        "customdata": [drawing.custom(row) for row in rows],
        "hovertemplate": HOVER,
        "marker": {"color": colours, "opacity": drawing.opacities(rows), "cornerradius": 5},
        "text": [short(answer.rows[row][1], column.format) for row in rows],
        "textposition": "outside",
        "textfont": {"color": theme.text, "size": 12},
        "cliponaxis": False,
        "width": 0.62,
    }
    layout = _layout(
        theme,
        xaxis={"type": "category", "tickfont": {"color": theme.text, "size": 12}, "tickangle": 0},
        yaxis={"showticklabels": False, "rangemode": "tozero"},
        margin={"l": 4, "r": 4, "t": 26, "b": 4},
    )
    return {"data": [trace], "layout": layout}


def _donut(drawing: Drawing) -> Figure:
    answer, theme = drawing.answer, drawing.theme
    rows = range(len(answer.rows))
    opacities = drawing.opacities(rows)
    colours = [_with_opacity(theme.series[row % len(theme.series)], opacities[row]) for row in rows]
    total = sum(_number(answer.rows[row][1]) or 0 for row in rows)
    trace = {
        "type": "pie",
        "labels": [str(answer.rows[row][0]) for row in rows],
        "values": [_number(answer.rows[row][1]) for row in rows],
        "customdata": [drawing.custom(row) for row in rows],
        "hovertemplate": HOVER,
        "hole": 0.66,
        "sort": False,
        "direction": "clockwise",
        "textinfo": "none",
        "marker": {"colors": colours, "line": {"color": theme.surface, "width": 2}},
        "domain": {"x": [0, 1], "y": [0.04, 0.98]},
    }
    layout = _layout(
        theme,
        annotations=[
            {
                "text": f"<b>{short(int(total), 'money')}</b><br><span style='font-size:11px'>revenue</span>",
                "x": 0.5,
                "y": 0.51,
                "showarrow": False,
                "font": {"size": 18, "color": theme.text},
            }
        ],
        margin={"l": 4, "r": 4, "t": 4, "b": 4},
    )
    return {"data": [trace], "layout": layout}


def _with_opacity(colour: str, opacity: float) -> str:
    red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"


def _map(drawing: Drawing) -> Figure:
    answer, theme = drawing.answer, drawing.theme
    rows = [row for row in range(len(answer.rows)) if answer.clicks[row][0][1].startswith("US-")]
    codes = [answer.clicks[row][0][1].removeprefix("US-") for row in rows]
    values = [_number(answer.rows[row][1]) or 0 for row in rows]
    chosen = [drawing.is_chosen(row) for row in rows]
    steps = len(theme.sequence) - 1
    trace = {
        "type": "choropleth",
        "locationmode": "USA-states",
        "locations": codes,
        # Few states tower over the rest: on the square root, the rest can be told apart.
        "z": [max(value, 0) ** 0.5 for value in values],
        "customdata": [drawing.custom(row) for row in rows],
        "hovertemplate": HOVER,
        "colorscale": [[step / steps, colour] for step, colour in enumerate(theme.sequence)],
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
    layout = _layout(
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


def _trend(drawing: Drawing) -> Figure:
    answer, theme = drawing.answer, drawing.theme
    rows = range(len(answer.rows))
    names = [str(answer.rows[row][0]) for row in rows]
    few = len(names) <= 62
    chosen = [drawing.is_chosen(row) or _is_inside(names[row], drawing.filters.period) for row in rows]
    if all(chosen):
        # The chart was drilled into the chosen period: all of it is meant.
        chosen = [False] * len(chosen)
    sizes = [11 if here else (6 if few else 0) for here in chosen]
    fade = any(chosen)
    labels = [period_label(name) for name in names]
    trace = {
        "type": "scatter",
        "mode": "lines+markers",
        "x": list(rows),
        "y": [_number(answer.rows[row][1]) for row in rows],
        "customdata": [
            drawing.custom(row, labels[row] + (" (not complete)" if row in answer.partial else "")) for row in rows
        ],
        "hovertemplate": HOVER,
        "line": {"color": _with_opacity(theme.accent, 0.45) if fade else theme.accent, "width": 2.5},
        "marker": {
            "color": [theme.surface if row in answer.partial and not chosen[row] else theme.accent for row in rows],
            "size": sizes,
            "line": {
                "color": [theme.accent if row in answer.partial else theme.surface for row in rows],
                "width": 2 if few else 0,
            },
        },
        "fill": "tozeroy",
        "fillcolor": theme.accent_soft,
    }
    step = max(1, -(-len(names) // 9))
    ticks = list(range(0, len(names), step))
    layout = _layout(
        theme,
        xaxis={
            "tickmode": "array",
            "tickvals": ticks,
            "ticktext": [labels[tick] for tick in ticks],
            "range": [-0.4, max(0.4, len(names) - 0.6)],
        },
        yaxis={"showgrid": True, "gridcolor": theme.grid, "rangemode": "tozero", "tickformat": "~s", "nticks": 5},
        hovermode="x",
        margin={"l": 4, "r": 14, "t": 10, "b": 4},
    )
    return {"data": [trace], "layout": layout}


def _is_inside(name: str, period: str | None) -> bool:
    return period is not None and name.startswith(period)


def _pareto(drawing: Drawing) -> Figure:
    answer, theme = drawing.answer, drawing.theme
    count = len(answer.rows)
    step = max(1, -(-count // MOST_POINTS))
    rows = sorted({*range(0, count, step), count - 1})
    chosen = [row for row in range(count) if drawing.is_chosen(row)]
    eighty = next((row for row in range(count) if (_number(answer.rows[row][2]) or 0) >= 80), None)
    trace = {
        "type": "scatter",
        "mode": "lines",
        "x": [answer.rows[row][0] for row in rows],
        "y": [_number(answer.rows[row][2]) for row in rows],
        "customdata": [drawing.custom(row, f"{answer.rows[row][1]}") for row in rows],
        "hovertemplate": HOVER,
        "line": {"color": theme.accent, "width": 2.5, "shape": "spline", "smoothing": 0.3},
        "fill": "tozeroy",
        "fillcolor": theme.accent_soft,
    }
    data = [trace]
    if chosen:
        data.append(
            {
                "type": "scatter",
                "mode": "markers",
                "x": [answer.rows[row][0] for row in chosen],
                "y": [_number(answer.rows[row][2]) for row in chosen],
                "customdata": [drawing.custom(row, f"{answer.rows[row][1]}") for row in chosen],
                "hovertemplate": HOVER,
                "marker": {"size": 12, "color": theme.series[1], "line": {"color": theme.surface, "width": 2}},
            }
        )
    shapes, annotations = [], []
    if eighty is not None:
        rank = answer.rows[eighty][0]
        line = {"color": theme.series[1], "width": 1.5, "dash": "dot"}
        shapes = [
            {"type": "line", "x0": rank, "x1": rank, "y0": 0, "y1": 80, "line": line},
            {"type": "line", "x0": 0, "x1": rank, "y0": 80, "y1": 80, "line": line},
        ]
        annotations = [
            {
                "x": rank,
                "y": 80,
                "text": f" 80% from {rank:,} products",
                "showarrow": False,
                "xanchor": "left",
                "yanchor": "top",
                "yshift": -6,
                "font": {"color": theme.muted, "size": 12},
            }
        ]
    layout = _layout(
        theme,
        xaxis={
            "range": [0, max(2, count)],
            "nticks": 6,
            "title": {"text": "Products, best first", "font": {"color": theme.muted, "size": 12}},
        },
        yaxis={
            "showgrid": True,
            "gridcolor": theme.grid,
            "range": [0, 102],
            "tickmode": "array",
            "tickvals": list(range(0, 101, 20)),
            "ticktext": [f"{tick}%" for tick in range(0, 101, 20)],
        },
        hovermode="x",
        shapes=shapes,
        annotations=annotations,
    )
    return {"data": data, "layout": layout}


def _heatmap(drawing: Drawing) -> Figure:
    answer, theme = drawing.answer, drawing.theme
    cohorts = list(dict.fromkeys(str(row[0]) for row in answer.rows))
    width = 1 + max(int(_number(row[1]) or 0) for row in answer.rows)
    values: list[list[float | None]] = [[None] * width for _ in cohorts]
    custom: list[list[list[str]]] = [[["", ""] for _ in range(width)] for _ in cohorts]
    texts = [[""] * width for _ in cohorts]
    place = {name: position for position, name in enumerate(cohorts)}
    for row, cells in enumerate(answer.rows):
        cohort, later = place[str(cells[0])], int(_number(cells[1]) or 0)
        values[cohort][later] = _number(cells[2])
        texts[cohort][later] = f"{_number(cells[2]) or 0:.0f}"
        custom[cohort][later] = drawing.custom(row, f"{period_label(str(cells[0]))}, {later} months later")
    # Month 0 is everybody; beside it all other months would look alike.
    most = max((value for row in values for value in row[1:] if value is not None), default=100.0)
    chosen = drawing.filters.get("cohort")
    steps = len(theme.heat) - 1
    trace = {
        "type": "heatmap",
        "z": values,
        "x": [str(later) for later in range(width)],
        "y": [period_label(name) for name in cohorts],
        "customdata": custom,
        "hovertemplate": HOVER,
        "hoverongaps": False,
        "colorscale": [[step / steps, colour] for step, colour in enumerate(theme.heat)],
        "zmin": 0,
        "zmax": most,
        "showscale": False,
        "xgap": 2,
        "ygap": 2,
        **(
            {"text": texts, "texttemplate": "%{text}", "textfont": {"size": 11.5, "color": theme.text}}
            if width <= 20
            else {}
        ),
    }
    shapes = []
    if chosen in place:
        row = place[chosen]
        shapes = [
            {
                "type": "rect",
                "xref": "paper",
                "x0": 0,
                "x1": 1,
                "y0": row - 0.5,
                "y1": row + 0.5,
                "line": {"color": theme.series[1], "width": 2},
            }
        ]
    layout = _layout(
        theme,
        xaxis={
            "type": "category",
            "side": "top",
            "title": {"text": "Months after the first order", "font": {"color": theme.muted, "size": 12}},
        },
        yaxis={"type": "category", "autorange": "reversed"},
        shapes=shapes,
    )
    return {"data": [trace], "layout": layout}


def _stack(drawing: Drawing) -> Figure:
    """Columns stacked by the second column of the answer, the third is drawn."""
    answer, theme = drawing.answer, drawing.theme
    series = list(dict.fromkeys(str(row[1]) for row in answer.rows))
    colours = _stack_colours(theme, series)
    opacities = drawing.opacities(range(len(answer.rows)))
    data = []
    for name in series:
        rows = [row for row in range(len(answer.rows)) if answer.rows[row][1] == name]
        data.append(
            {
                "type": "bar",
                "name": name,
                "x": [_axis_label(answer, row) for row in rows],
                "y": [_number(answer.rows[row][2]) for row in rows],
                "customdata": [drawing.custom(row, f"{_axis_label(answer, row)}, {name}") for row in rows],
                "hovertemplate": HOVER,
                "marker": {"color": colours[name], "opacity": [opacities[row] for row in rows], "cornerradius": 3},
            }
        )
    layout = _layout(
        theme,
        barmode="stack",
        bargap=0.32,
        showlegend=True,
        xaxis={"type": "category", "nticks": 8, "tickangle": 0},
        yaxis={"showgrid": True, "gridcolor": theme.grid, "tickformat": "~s", "nticks": 5},
        margin={"l": 4, "r": 4, "t": 34, "b": 4},
    )
    return {"data": data, "layout": layout}


def _stack_colours(theme: Theme, series: Sequence[str]) -> dict[str, str]:
    named = {
        "Passed": theme.good,
        "Warning": theme.warning,
        "Failed": theme.bad,
        "New": theme.series[1],
        "Returning": theme.series[0],
    }
    return {name: named.get(name, theme.series[place % len(theme.series)]) for place, name in enumerate(series)}


def _axis_label(answer: Answer, row: int) -> str:
    name = str(answer.rows[row][0])
    return period_label(name) if answer.columns[0].id == "month" else name


def _share_stack(drawing: Drawing) -> Figure:
    answer, theme = drawing.answer, drawing.theme
    series = list(dict.fromkeys(str(row[1]) for row in answer.rows))
    opacities = drawing.opacities(range(len(answer.rows)))
    data = []
    for place, name in enumerate(series):
        rows = [row for row in range(len(answer.rows)) if answer.rows[row][1] == name]
        data.append(
            {
                "type": "bar",
                "orientation": "h",
                "name": name,
                "y": [str(answer.rows[row][0]) for row in rows],
                "x": [_number(answer.rows[row][2]) for row in rows],
                "customdata": [drawing.custom(row, f"{answer.rows[row][0]}, {name}") for row in rows],
                "hovertemplate": HOVER,
                "marker": {
                    "color": theme.series[place % len(theme.series)],
                    "opacity": [opacities[row] for row in rows],
                    "line": {"color": theme.surface, "width": 1},
                },
            }
        )
    layout = _layout(
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


def _lines(drawing: Drawing) -> Figure:
    answer, theme = drawing.answer, drawing.theme
    years = list(dict.fromkeys(str(row[0])[:4] for row in answer.rows))
    data = []
    for place, year in enumerate(reversed(years)):
        rows = [row for row in range(len(answer.rows)) if str(answer.rows[row][0]).startswith(year)]
        chosen = [_is_inside(str(answer.rows[row][0]), drawing.filters.period) for row in rows]
        data.append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "name": year,
                "x": [MONTHS[int(str(answer.rows[row][0])[5:]) - 1] for row in rows],
                "y": [_number(answer.rows[row][1]) for row in rows],
                "customdata": [drawing.custom(row, period_label(str(answer.rows[row][0]))) for row in rows],
                "hovertemplate": HOVER,
                "line": {"color": theme.series[place % len(theme.series)], "width": 3 if place == 0 else 2},
                "marker": {
                    "size": [12 if here else 7 for here in chosen],
                    "line": {"color": theme.surface, "width": 1.5},
                },
            }
        )
    layout = _layout(
        theme,
        showlegend=True,
        xaxis={"type": "category", "categoryorder": "array", "categoryarray": list(MONTHS), "range": [-0.3, 11.3]},
        yaxis={"showgrid": True, "gridcolor": theme.grid, "rangemode": "tozero", "tickformat": "~s", "nticks": 5},
        margin={"l": 4, "r": 8, "t": 30, "b": 4},
    )
    return {"data": data, "layout": layout}


_DRAW: Mapping[str, Callable[[Drawing], Figure]] = {
    "bar": _bar,
    "column": _column,
    "donut": _donut,
    "map": _map,
    "trend": _trend,
    "pareto": _pareto,
    "heatmap": _heatmap,
    "stack": _stack,
    "share_stack": _share_stack,
    "lines": _lines,
}
