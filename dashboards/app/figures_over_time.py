"""Figures along an axis of time or rank: trend, Pareto curve, heat map, stacked months, and years side by side."""

from __future__ import annotations

from dashboards.app.chart_data import Answer
from dashboards.app.drawing import HOVER, Drawing, Figure, base_layout, is_inside, number, with_opacity
from dashboards.app.formats import axis_ticks, count_text, period_label, tick_labels
from dashboards.app.partial import hatched, hollow, marked, with_dashes
from dashboards.app.theme import Theme

MOST_POINTS = 400
"""Maximum number of points in a Pareto curve; the table and the CSV file have all of them."""
MOST_TICKS = 7
"""Maximum number of labels of an axis of time, which have room on a phone."""
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def trend(drawing: Drawing) -> Figure:
    """A line over years, months, or days."""
    answer, theme = drawing.answer, drawing.theme
    rows = range(len(answer.rows))
    names = [str(answer.rows[row][0]) for row in rows]
    few = len(names) <= 62
    chosen = [drawing.is_chosen(row) or is_inside(names[row], drawing.filters.period) for row in rows]
    if all(chosen):
        # The chart shows only the selected period, so there is nothing to highlight.
        chosen = [False] * len(chosen)
    values = [number(answer.rows[row][1]) for row in rows]
    sizes = [11 if here else 8 if row in answer.partial else 6 if few else 0 for row, here in enumerate(chosen)]
    fade = any(chosen)
    labels = [period_label(name) for name in names]
    trace = {
        "type": "scatter",
        "mode": "lines+markers",
        "x": list(rows),
        "y": values,
        "customdata": [drawing.custom(row, marked(labels[row], row, answer.partial)) for row in rows],
        "hovertemplate": HOVER,
        "line": {"color": with_opacity(theme.accent, 0.45) if fade else theme.accent, "width": 2.5},
        "marker": {**hollow(theme.accent, rows, answer.partial, theme, 1.5 if few else 0), "size": sizes},
        "fill": "tozeroy",
        "fillcolor": theme.accent_soft,
    }
    ticks = range(0, len(names), max(1, -(-len(names) // MOST_TICKS)))
    layout = base_layout(
        theme,
        xaxis={
            "tickmode": "array",
            "tickvals": list(ticks),
            "ticktext": tick_labels([names[tick] for tick in ticks]),
            "tickangle": 0,
            "range": [-0.4, max(0.4, len(names) - 0.6)],
        },
        yaxis={
            "showgrid": True,
            "gridcolor": theme.grid,
            "rangemode": "tozero",
            **axis_ticks(answer.columns[1].format, values),
        },
        hoverdistance=-1,
        margin={"l": 4, "r": 14, "t": 10, "b": 4},
    )
    return {"data": with_dashes(trace, answer.partial), "layout": layout}


def pareto(drawing: Drawing) -> Figure:
    """Cumulative share of revenue by product rank, with the point that reaches 80% marked."""
    answer, theme = drawing.answer, drawing.theme
    count = len(answer.rows)
    step = max(1, -(-count // MOST_POINTS))
    rows = sorted({*range(0, count, step), count - 1})
    chosen = [row for row in range(count) if drawing.is_chosen(row)]
    trace = {
        "type": "scatter",
        "mode": "lines",
        "x": [answer.rows[row][0] for row in rows],
        "y": [number(answer.rows[row][2]) for row in rows],
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
                "y": [number(answer.rows[row][2]) for row in chosen],
                "customdata": [drawing.custom(row, f"{answer.rows[row][1]}") for row in chosen],
                "hovertemplate": HOVER,
                "marker": {"size": 12, "color": theme.series[1], "line": {"color": theme.surface, "width": 2}},
            }
        )
    layout = base_layout(
        theme,
        xaxis={
            "range": [0, max(2, count)],
            **axis_ticks("count", [count]),
            "title": {"text": "Products, by revenue rank", "font": {"color": theme.muted, "size": 12}},
        },
        yaxis={
            "showgrid": True,
            "gridcolor": theme.grid,
            "range": [0, 102],
            "tickmode": "array",
            "tickvals": list(range(0, 101, 20)),
            "ticktext": [f"{tick}%" for tick in range(0, 101, 20)],
        },
        hoverdistance=-1,
        **_eighty_percent(answer, theme),
    )
    return {"data": data, "layout": layout}


def _eighty_percent(answer: Answer, theme: Theme) -> dict[str, list[Figure]]:
    """The lines and the label that mark the first row whose cumulative share reaches 80%."""
    rank = next((int(number(row[0]) or 0) for row in answer.rows if (number(row[2]) or 0) >= 80), None)
    if rank is None:
        return {"shapes": [], "annotations": []}
    line = {"color": theme.series[1], "width": 1.5, "dash": "dot"}
    label = {
        "x": rank,
        "y": 80,
        "text": f" 80% from {count_text(rank)} products",
        "showarrow": False,
        "xanchor": "left",
        "yanchor": "top",
        "yshift": -6,
        "font": {"color": theme.muted, "size": 12},
    }
    return {
        "shapes": [
            {"type": "line", "x0": rank, "x1": rank, "y0": 0, "y1": 80, "line": line},
            {"type": "line", "x0": 0, "x1": rank, "y0": 80, "y1": 80, "line": line},
        ],
        "annotations": [label],
    }


def heatmap(drawing: Drawing) -> Figure:
    """Retention by cohort and months since first order."""
    answer, theme = drawing.answer, drawing.theme
    cohorts = list(dict.fromkeys(str(row[0]) for row in answer.rows))
    width = 1 + max(int(number(row[1]) or 0) for row in answer.rows)
    values: list[list[float | None]] = [[None] * width for _ in cohorts]
    custom: list[list[list[str]]] = [[["", ""] for _ in range(width)] for _ in cohorts]
    texts = [[""] * width for _ in cohorts]
    place = {name: position for position, name in enumerate(cohorts)}
    sizes: dict[str, int] = {}
    outlines = []
    for row, cells in enumerate(answer.rows):
        cohort, later = place[str(cells[0])], int(number(cells[1]) or 0)
        values[cohort][later] = number(cells[2])
        sizes[str(cells[0])] = int(number(cells[4]) or 0)
        texts[cohort][later] = f"{number(cells[2]) or 0:.0f}%"
        title = f"{period_label(str(cells[0]))} cohort, month {later}"
        custom[cohort][later] = drawing.custom(row, marked(title, row, answer.partial))
        if row in answer.partial:
            outlines.append(_outline(cohort, later, theme))
    # Month 0 is always 100%. Scaling to it would make all other months look alike.
    most = max((value for row in values for value in row[1:] if value is not None), default=100.0)
    chosen = drawing.filters.get("cohort")
    steps = len(theme.heat) - 1
    trace = {
        "type": "heatmap",
        "z": values,
        "x": [str(later) for later in range(width)],
        "y": [f"{period_label(name)}  ·  {count_text(sizes[name])}" for name in cohorts],
        "customdata": custom,
        "hovertemplate": HOVER,
        "hoverongaps": False,
        "colorscale": [[step / steps, color] for step, color in enumerate(theme.heat)],
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
    layout = base_layout(
        theme,
        xaxis={
            "type": "category",
            "side": "top",
            "title": {"text": "Months since first order", "font": {"color": theme.muted, "size": 12}},
        },
        yaxis={"type": "category", "autorange": "reversed"},
        shapes=[*outlines, *([_frame(place[chosen], theme)] if chosen in place else [])],
    )
    return {"data": [trace], "layout": layout}


def _outline(row: int, column: int, theme: Theme) -> Figure:
    """A dashed outline of a cell of a heat map, whose month is incomplete."""
    line = {"color": theme.muted, "width": 1, "dash": "dot"}
    box = {"x0": column - 0.46, "x1": column + 0.46, "y0": row - 0.44, "y1": row + 0.44}
    return {"type": "rect", **box, "line": line}


def _frame(row: int, theme: Theme) -> Figure:
    """A frame around one row of a heat map."""
    line = {"color": theme.series[1], "width": 2}
    return {"type": "rect", "xref": "paper", "x0": 0, "x1": 1, "y0": row - 0.5, "y1": row + 0.5, "line": line}


def stack(drawing: Drawing) -> Figure:
    """Columns stacked by the second column of the answer; the third is plotted."""
    answer, theme = drawing.answer, drawing.theme
    series = list(dict.fromkeys(str(row[1]) for row in answer.rows))
    results = {"Passed": theme.good, "Warning": theme.warning, "Failed": theme.bad}
    opacities = drawing.opacities(range(len(answer.rows)))
    heights: dict[str, float] = {}
    for row, cells in enumerate(answer.rows):
        label = _axis_label(answer, row)
        heights[label] = heights.get(label, 0.0) + (number(cells[2]) or 0)
    data: list[Figure] = []
    for name in series:
        rows = [row for row in range(len(answer.rows)) if answer.rows[row][1] == name]
        data.append(
            {
                "type": "bar",
                "name": name,
                "x": [_axis_label(answer, row) for row in rows],
                "y": [number(answer.rows[row][2]) for row in rows],
                "customdata": [
                    drawing.custom(row, marked(f"{_axis_label(answer, row)}, {name}", row, answer.partial))
                    for row in rows
                ],
                "hovertemplate": HOVER,
                "marker": {
                    "color": results.get(name, drawing.color(rows[0])),
                    "opacity": [opacities[row] for row in rows],
                    "cornerradius": 3,
                    **({"pattern": hatched(rows, answer.partial, theme)} if answer.partial else {}),
                },
            }
        )
    if answer.partial:
        # The legend would have the pattern of a series' first column, which may be hatched.
        plain = [
            {
                "type": "scatter",
                "mode": "markers",
                "name": trace["name"],
                "x": [None],
                "y": [None],
                "hoverinfo": "skip",
                "marker": {"color": trace["marker"]["color"], "symbol": "square", "size": 11},
            }
            for trace in data
        ]
        data = [*({**trace, "showlegend": False} for trace in data), *plain]
    layout = base_layout(
        theme,
        barmode="stack",
        bargap=0.32,
        showlegend=True,
        xaxis={"type": "category", **_month_ticks(answer)},
        yaxis={"showgrid": True, "gridcolor": theme.grid, **axis_ticks(answer.columns[2].format, heights.values())},
        margin={"l": 4, "r": 4, "t": 34, "b": 4},
    )
    layout["legend"] = {**layout["legend"], "traceorder": "normal"}
    return {"data": data, "layout": layout}


def _month_ticks(answer: Answer) -> Figure:
    """The ticks of an axis of months; of other members, all."""
    if answer.columns[0].id != "month":
        return {}  # slanted where they have no room
    months = sorted({str(row[0]) for row in answer.rows})
    shown = months[:: max(1, -(-len(months) // MOST_TICKS))]
    named = [period_label(name) for name in shown]
    return {"tickmode": "array", "tickvals": named, "ticktext": tick_labels(shown), "tickangle": 0}


def _axis_label(answer: Answer, row: int) -> str:
    name = str(answer.rows[row][0])
    return period_label(name) if answer.columns[0].id == "month" else name


def lines(drawing: Drawing) -> Figure:
    """One line per year over the months."""
    answer, theme = drawing.answer, drawing.theme
    years = list(dict.fromkeys(str(row[0])[:4] for row in answer.rows))
    data = []
    for place, year in enumerate(reversed(years)):
        rows = [row for row in range(len(answer.rows)) if str(answer.rows[row][0]).startswith(year)]
        chosen = [is_inside(str(answer.rows[row][0]), drawing.filters.period) for row in rows]
        trace = {
            "type": "scatter",
            "mode": "lines+markers",
            "name": year,
            "x": [MONTHS[int(str(answer.rows[row][0])[5:]) - 1] for row in rows],
            "y": [number(answer.rows[row][1]) for row in rows],
            "customdata": [
                drawing.custom(row, marked(period_label(str(answer.rows[row][0])), row, answer.partial)) for row in rows
            ],
            "hovertemplate": HOVER,
            "line": {"color": drawing.color(rows[0]), "width": 3 if place == 0 else 2},
            "marker": {
                **hollow(drawing.color(rows[0]), rows, answer.partial, theme),
                "size": [12 if here else 8 for here in chosen],
            },
        }
        data += with_dashes(trace, [position for position, row in enumerate(rows) if row in answer.partial])
    layout = base_layout(
        theme,
        showlegend=True,
        xaxis={
            "type": "category",
            "categoryorder": "array",
            "categoryarray": list(MONTHS),
            "range": [-0.3, 11.3],
            "tickmode": "array",
            "tickvals": list(MONTHS[::2]),
            "tickangle": 0,
        },
        yaxis={
            "showgrid": True,
            "gridcolor": theme.grid,
            "rangemode": "tozero",
            **axis_ticks(answer.columns[1].format, (number(row[1]) for row in answer.rows)),
        },
        margin={"l": 4, "r": 8, "t": 30, "b": 4},
    )
    return {"data": data, "layout": layout}
