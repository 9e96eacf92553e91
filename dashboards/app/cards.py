"""The cards of a page, as Dash components: KPIs, charts, legends, and drill-down links.

Everything that a click does is a link, so it works from the keyboard, opens in a new tab, and can be undone with Back.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from dash import dcc, html

from dashboards.app.chart_data import Answer, KpiAnswer, Progress
from dashboards.app.drill import orders_address
from dashboards.app.filters import Filters, View
from dashboards.app.formats import count_text, exact, in_currency, period_label, rounded, short
from dashboards.app.snapshot import Snapshot
from dashboards.app.theme import THEMES
from dashboards.spec.fields import DIMENSIONS, HIERARCHIES, TIME_LEVELS
from dashboards.spec.page_types import Kpi, Visual

Children = list[Any]

GRAPH_CONFIG: Any = {
    "displayModeBar": False,
    "responsive": True,
    "scrollZoom": False,
    "doubleClick": False,
    "showTips": False,
    # By default, plotly.js downloads the outlines of the states from the internet.
    "topojsonURL": "/assets/topojson/",
}

ALL_TIME = View(Filters("all"))

KIND_NAMES = {
    "trend": "Line chart",
    "bar": "Bar chart",
    "column": "Column chart",
    "donut": "Donut chart",
    "map": "Map",
    "pareto": "Line chart",
    "heatmap": "Heat map",
    "stack": "Stacked column chart",
    "share_stack": "Stacked bar chart",
    "lines": "Line chart",
    "band": "Line chart",
    "curves": "Line chart",
    "table": "Table",
}


def link(text: Any, href: str, name: str = "", **more: Any) -> html.A:
    """A link that assets/app.js follows without reloading the page."""
    attributes: dict[str, Any] = {"data-nav": "", **more}
    return html.A(text, href=href, className=name, **attributes)


def kpi_head(kpi: Kpi) -> Children:
    """The heading of a KPI card, with its definition behind a button."""
    button = html.Summary("i", **{"aria-label": f"Definition of {kpi.label}"})
    definition = html.Details([button, html.P(kpi.meaning, className="definition")], className="info")
    return [html.Div([html.H2(kpi.label, className="kpi-label"), definition], className="kpi-head")]


def kpi_class(kpi: Kpi, *states: str, has_returns: bool = False) -> str:
    """CSS classes of a KPI card. One about returns stays hidden until the shop is known to have some."""
    return " ".join(["card", "kpi", *states, *(["is-absent"] if kpi.needs_returns and not has_returns else [])])


def chart_card(visual: Visual) -> html.Section:
    """The card of a chart, before its data has arrived."""
    name = {"visual": visual.id}
    body: Children = [html.Div(id={"type": "table", **name}, className="table-slot")]
    if visual.kind != "table":
        plot = html.Div(
            id={"type": "figure", **name},
            className="plot-frame",
            role="img",
            **{"aria-label": f"{KIND_NAMES[visual.kind]}: {visual.title}"},
            children=dcc.Graph(
                id={"type": "graph", **name},
                className="plot",
                config=GRAPH_CONFIG,
                responsive=True,
                figure={"data": [], "layout": {"xaxis": {"visible": False}, "yaxis": {"visible": False}}},
            ),
        )
        body = [plot, html.Div(id={"type": "legend", **name}, className="legend-slot"), *body]
    return html.Section(
        id={"type": "card", **name},
        className=card_class(visual, "is-loading"),
        **{"aria-label": visual.title, "data-visual": visual.id},
        children=[
            html.Div(
                className="card-head",
                children=[
                    html.Div([html.H2(visual.title), html.P(in_currency(visual.meaning), className="meaning")]),
                    html.Div(id={"type": "tools", **name}, className="tools"),
                ],
            ),
            html.Div(id={"type": "sentence", **name}, className="sentence-slot"),
            html.Div(id={"type": "crumbs", **name}, className="crumbs-slot"),
            html.Div(className="card-body", children=body),
            html.Div(id={"type": "note", **name}, className="note"),
        ],
    )


def sentences(found: Sequence[tuple[str, str | None]]) -> Children:
    """Sentences about the data, each with the address that shows what it is about, or None if that is in view."""
    return [
        html.P(link(text, address, "sentence-link") if address is not None else text, className="sentence")
        for text, address in found
    ]


def card_class(visual: Visual, *states: str, has_returns: bool = False) -> str:
    """CSS classes of a card: its width, its kind, and its states. As :func:`kpi_class`, it may be hidden."""
    absent = ["is-absent"] if visual.needs_returns and not has_returns else []
    return " ".join(["card", "chart", f"kind-{visual.kind}", f"span-{visual.span}", *states, *absent])


def kpi_card(kpi: Kpi, answer: KpiAnswer, theme: str) -> Children:
    """The content of a KPI card: label, value, change, and sparkline."""
    parts: Children = [
        *kpi_head(kpi),
        html.Div(
            short(answer.value, kpi.format),
            className="kpi-value",
            title=exact(answer.value, kpi.format),
            **{"data-exact": exact(answer.value, kpi.format)},
        ),
    ]
    if answer.value is None and answer.note:
        pass  # The note says why there is no value, and nothing else needs saying.
    elif answer.change is not None:
        parts.append(_change(kpi, answer.change, answer.why))
    elif answer.why:
        parts.append(html.Div(answer.why, className="kpi-why"))
    if answer.target is not None:
        parts.append(_progress(answer.target))
    if answer.note:
        parts.append(html.Div(answer.note, className="kpi-note"))
    if len(answer.spark) > 2 and any(answer.spark):
        parts.append(html.Img(src=sparkline(answer.spark, THEMES[theme].accent), alt="", className="spark"))
    return parts


def _change(kpi: Kpi, change: Decimal, why: str) -> html.Div:
    unit = " pts" if kpi.format == "percent" else "%"
    size = rounded(abs(change), 1)
    direction = "level" if not Decimal(size.replace(",", "")) else "up" if change > 0 else "down"
    arrow = {"up": "▲", "down": "▼", "level": "●"}[direction]
    word = {"up": "up", "down": "down", "level": "unchanged"}[direction]
    return html.Div(
        className=f"kpi-change is-{direction}",
        children=[
            html.Span(arrow, className="arrow", **{"aria-hidden": "true"}),
            html.Span(word, className="sr"),
            html.B(f" {size}{unit} "),
            html.Span(why, className="kpi-why"),
        ],
    )


def _progress(target: Progress) -> html.Div:
    bar = html.Div(style={"width": f"{target.part:.1%}"})
    return html.Div([html.Div(bar, className="bar", **{"aria-hidden": "true"}), target.text], className="kpi-target")


def sparkline(values: Sequence[float], color: str) -> str:
    """A small line chart, as an SVG image in a data URL."""
    width, height, pad = 160.0, 36.0, 3.0
    low, high = min(values), max(values)
    span = (high - low) or 1.0
    step = (width - 2 * pad) / (len(values) - 1)
    points = [
        (round(pad + place * step, 1), round(height - pad - (value - low) / span * (height - 2 * pad), 1))
        for place, value in enumerate(values)
    ]
    line = " ".join(f"{x},{y}" for x, y in points)
    area = f"{pad},{height} {line} {width - pad},{height}"
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" preserveAspectRatio="none">'
        f'<polygon points="{area}" fill="{color}" opacity="0.13"/>'
        f'<polyline points="{line}" fill="none" stroke="{color}" stroke-width="1.8"'
        ' stroke-linejoin="round" stroke-linecap="round" vector-effect="non-scaling-stroke"/></svg>'
    )
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()


def tools(visual: Visual, path: str, view: View, file_name: str) -> Children:
    """Links to a chart's orders, to its table, and to its CSV file, which has a name; a button for its picture."""
    items: Children = []
    if visual.measures:
        items.append(
            link(
                "Orders",
                orders_address(view.filters),
                "tool",
                **{"aria-label": f"Show the orders behind {visual.title}", "data-tool": "orders"},
            )
        )
    if visual.kind != "table":
        is_table = visual.id in view.tables
        items.append(
            link(
                "Chart" if is_table else "Table",
                path + view.with_table(visual.id, not is_table).query(),
                "tool",
                **{"aria-label": f"Show {visual.title} as a {'chart' if is_table else 'table'}", "data-tool": "table"},
            )
        )
    items.append(
        html.A(
            "CSV",
            href=f"/csv/{visual.id}{replace(view, page=1, order=None).query()}",
            download=file_name,
            className="tool",
            **{"aria-label": f"Download {visual.title} as CSV", "data-tool": "csv"},
        )
    )
    if visual.kind != "table" and visual.id not in view.tables:
        picture: dict[str, Any] = {"aria-label": f"Download {visual.title} as PNG", "data-tool": "png"}
        items.append(html.Button("PNG", type="button", className="tool", **picture))
    return items


def crumbs(visual: Visual, answer: Answer, path: str, view: View, snapshot: Snapshot) -> Children:
    """The drill-down breadcrumbs of a chart: links to the levels above, the current level, and a link down."""
    if visual.hierarchy is None or answer.level is None:
        return []
    levels = HIERARCHIES[visual.hierarchy].levels
    depth = levels.index(answer.level)
    trail: Children = []
    for level in levels[:depth]:
        target, label = _up(visual, view, level)
        trail.append(html.Li(link(label, path + target.query(), "crumb")))
    here = _here(visual, answer.level, levels[depth - 1] if depth else None, view, snapshot)
    trail.append(html.Li(html.Span(here, **{"aria-current": "true"}), className="crumb-here"))
    if depth + 1 < len(levels):
        chosen = view.filters.period if visual.hierarchy == "time" else view.filters.get(answer.level)
        below = levels[depth + 1]
        text = f"Drill down to {_plural(below).lower()}"
        if chosen is not None:
            text += f" in {period_label(chosen) if visual.hierarchy == 'time' else snapshot.name(answer.level, chosen)}"
        trail.append(
            html.Li(
                link(
                    [text, html.Span("↓", **{"aria-hidden": "true"})],
                    path + view.with_level(visual.hierarchy, below).query(),
                    "drill",
                )
            )
        )
    return [html.Nav(html.Ol(trail), className="crumbs", **{"aria-label": f"Drill-down levels of {visual.title}"})]


def _up(visual: Visual, view: View, level: str) -> tuple[View, str]:
    """The view at a level above, and the label of the link to it."""
    assert visual.hierarchy is not None
    if visual.hierarchy == "time":
        period = view.filters.period
        kept = period[:4] if level == "month" and period and view.level("time") == "day" else None
        up = view.with_filters(view.filters.with_member("period", kept))
        return up.with_level("time", level), kept or _plural(level)
    levels = HIERARCHIES[visual.hierarchy].levels
    up = view.with_filters(view.filters.without(levels[levels.index(level) :]))
    return up.with_level(visual.hierarchy, None if level == levels[0] else level), _plural(level)


def _here(visual: Visual, level: str, above: str | None, view: View, snapshot: Snapshot) -> str:
    if visual.hierarchy == "time":
        period = view.filters.period
        if view.level("time") is not None and period and above:
            return period_label(period[: {"year": 4, "month": 7}[above]])
        return _plural(level)
    chosen = view.filters.get(above) if above else None
    return snapshot.name(above or "", chosen) if chosen else _plural(level)


def _plural(level: str) -> str:
    return TIME_LEVELS[level][1] if level in TIME_LEVELS else DIMENSIONS[level].plural


def legend(answer: Answer, addresses: Sequence[str], chosen: Sequence[bool], theme: str) -> Children:
    """The legend of a donut chart; each entry is a link that filters by the member."""
    share = [column.id for column in answer.columns].index("revenue_share")
    return [
        html.Ul(
            className="legend",
            children=[
                html.Li(
                    link(
                        [
                            html.Span(className="dot", style={"background": THEMES[theme].color(answer.colors[place])}),
                            html.Span(str(row[0]), className="legend-name"),
                            html.Span(short(row[share], "percent"), className="legend-value"),
                        ],
                        addresses[place],
                        "legend-link" + (" is-chosen" if chosen[place] else ""),
                        **({"aria-current": "true"} if chosen[place] else {}),
                    )
                )
                for place, row in enumerate(answer.rows)
            ],
        )
    ]


def empty(path: str, view: View) -> Children:
    """A chart without any orders, with a way out: without the filters, or, if there are none, without the dates."""
    clear = view.cleared()
    text, target = ("Clear filters", clear) if clear.filters != view.filters else ("Show all time", ALL_TIME)
    return [
        html.Div(
            className="empty",
            children=[
                html.Span(className="empty-mark", **{"aria-hidden": "true"}),
                html.P("No orders match these filters"),
                link(text, path + target.query(), "button is-quiet"),
            ],
        )
    ]


def missing(reason: str) -> Children:
    """A chart that has orders but nothing to draw."""
    return [html.Div(className="empty", children=[html.P(reason)])]


def nothing_to_report() -> Children:
    """A report without rows, which is good news."""
    return [html.Div(className="empty", children=[html.P("Nothing to report")])]


def summary(visual: Visual, answer: Answer) -> str:
    """The description of a chart for screen readers: its kind, its title, and its first rows."""
    value = 2 if visual.kind in ("pareto", "heatmap", "stack", "share_stack", "curves") else 1
    column = answer.columns[value]
    parts = [
        " ".join(exact(cell, answer.columns[place].format) for place, cell in enumerate(row[:value]))
        + f" {short(row[value], column.format)}"
        for row in answer.rows[:5]
    ]
    more = f", and {count_text(len(answer.rows) - 5)} more" if len(answer.rows) > 5 else ""
    kind = KIND_NAMES[answer.drawn_as or visual.kind]
    return f"{kind}: {visual.title}, {column.label.lower()}. {'; '.join(parts)}{more}."
