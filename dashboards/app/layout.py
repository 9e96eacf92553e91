"""What a page is made of, as Dash components. Everything that a click does is a link: it works from the keyboard, opens
in another tab, and is undone by Back.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from dash import dcc, html

from dashboards.app.answers import Answer, Column, KpiAnswer
from dashboards.app.filters import RANGES, Dropped, Filters, View
from dashboards.app.formats import exact, period_label, rounded, short
from dashboards.app.health import Notice
from dashboards.app.snapshot import Snapshot
from dashboards.app.theme import THEMES
from dashboards.spec.fields import DIMENSIONS, HIERARCHIES, TIME_LEVELS
from dashboards.spec.pages import PAGES, Kpi, Page, Visual

Children = list[Any]

DATE: Any = "date"
"""Dash does not name the type, and hands it to the browser all the same: its own picker stays white in dark mode."""

GRAPH_CONFIG: Any = {
    "displayModeBar": False,
    "responsive": True,
    "scrollZoom": False,
    "doubleClick": False,
    "showTips": False,
    # plotly.js would fetch the outline of the states from the internet.
    "topojsonURL": "/assets/topojson/",
}

MOST_TABLE_ROWS = 250
"""Rows that a table lists; the CSV file holds all."""

KIND_NAMES = {
    "trend": "Line chart",
    "bar": "Bar chart",
    "column": "Column chart",
    "donut": "Ring chart",
    "map": "Map",
    "pareto": "Line chart",
    "heatmap": "Heat map",
    "stack": "Stacked columns",
    "share_stack": "Stacked bars",
    "lines": "Line chart",
    "table": "Table",
}


def link(text: Any, href: str, name: str = "", **more: Any) -> html.A:
    """A link that the page follows without loading anew (assets/app.js)."""
    attributes: dict[str, Any] = {"data-nav": "", **more}
    return html.A(text, href=href, className=name, **attributes)


def shell(theme: str) -> html.Div:
    """What stands around every page."""
    return html.Div(
        className="app",
        children=[
            dcc.Location(id="url", refresh=False),
            dcc.Store(id="theme", data=theme),
            dcc.Store(id="page"),
            dcc.Store(id="shown"),
            dcc.Interval(id="clock", interval=60_000),
            html.A("Skip to the charts", href="#main", className="skip"),
            html.Header(
                className="top",
                children=[
                    html.Div(
                        className="brand",
                        children=[html.Span(className="mark", **{"aria-hidden": "true"}), html.Span("Shop dashboards")],
                    ),
                    html.Nav(id="nav", className="nav", **{"aria-label": "Pages"}),
                    html.Button(
                        id="theme-toggle", className="icon-button", type="button", **{"aria-label": "Dark mode"}
                    ),
                ],
            ),
            html.Div(
                className="toolbar",
                role="region",
                **{"aria-label": "Filters"},
                children=[
                    html.Div(id="presets", className="presets", role="group", **{"aria-label": "Date range"}),
                    html.Div(
                        className="dates",
                        id="dates",
                        role="group",
                        **{"aria-label": "First and last day"},
                        children=[
                            html.Label("From", htmlFor="date-from"),
                            dcc.Input(id="date-from", type=DATE, debounce=True),
                            html.Label("to", htmlFor="date-to"),
                            dcc.Input(id="date-to", type=DATE, debounce=True),
                        ],
                    ),
                    html.Div(id="chips", className="chips"),
                    html.Div(id="stamps", className="stamps"),
                ],
            ),
            html.Div(id="notices", className="notices", role="status", **{"aria-live": "polite"}),
            html.Main(id="main", tabIndex=-1),
        ],
    )


def skeleton(page: Page | None, path: str, dagster: str) -> Children:
    """A page before its numbers have come; None is an address without a page."""
    if page is None:
        return [
            html.Div(
                className="panel",
                children=[
                    html.H1("There is no such page"),
                    html.P(f"Nothing is at {path[:60]}."),
                    link("Go to the Executive Summary", "/", "button"),
                ],
            )
        ]
    return [
        html.Div(
            className="page-head",
            children=[
                html.Div([html.H1(page.title), html.P(page.question, className="question")]),
                *_page_links(page, dagster),
            ],
        ),
        html.Div(
            className="kpis",
            children=[
                html.Section(
                    id={"type": "kpi", "kpi": kpi.id},
                    className="card kpi is-loading",
                    children=_kpi_head(kpi),
                    **{"aria-label": kpi.label},
                )
                for kpi in page.kpis
            ],
        ),
        html.Div(className="grid", children=[_card(visual) for visual in page.visuals]),
    ]


def _page_links(page: Page, dagster: str) -> Children:
    if page.id != "health":
        return []
    return [
        html.A("Open Dagster", href=dagster, target="_blank", rel="noopener", className="button", id="dagster-link")
    ]


def _kpi_head(kpi: Kpi) -> Children:
    return [html.H2(kpi.label, className="kpi-label", title=kpi.meaning)]


def _card(visual: Visual) -> html.Section:
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
                    html.Div([html.H2(visual.title), html.P(visual.meaning, className="meaning")]),
                    html.Div(id={"type": "tools", **name}, className="tools"),
                ],
            ),
            html.Div(id={"type": "crumbs", **name}, className="crumbs-slot"),
            html.Div(className="card-body", children=body),
            html.Div(id={"type": "note", **name}, className="note"),
        ],
    )


def card_class(visual: Visual, *states: str) -> str:
    """Classes of a card: its width, its kind, and what state it is in."""
    return " ".join(["card", "chart", f"kind-{visual.kind}", f"span-{visual.span}", *states])


# The frame


def nav(current: Page | None, view: View) -> Children:
    """Links to the pages; the filters go along, what is drilled or shown as a table does not."""
    query = View(view.filters).query()
    return [
        link(
            page.title,
            page.path + query,
            "nav-link",
            **({"aria-current": "page"} if current is not None and page.id == current.id else {}),
        )
        for page in PAGES
    ]


def presets(path: str, view: View) -> Children:
    """Links to the ranges of days."""
    filters = view.filters
    is_custom = filters.start is not None
    return [
        link(
            label,
            path + view.with_filters(Filters(key, members=filters.members)).query(),
            "preset",
            **({"aria-current": "true"} if key == filters.range and not is_custom else {}),
        )
        for key, label in RANGES.items()
    ]


def chips(path: str, view: View, snapshot: Snapshot) -> Children:
    """The filters in force, each a link that takes it away, and one that takes all away."""
    filters = view.filters
    shown = [
        (name, DIMENSIONS[name].label, period_label(value) if name == "cohort" else snapshot.name(name, value))
        for name, value in filters.members
    ]
    if filters.period is not None:
        shown.insert(0, ("period", "Period", period_label(filters.period)))
    result: Children = [
        link(
            [html.Span(f"{label} "), html.B(text), html.Span("×", className="cross", **{"aria-hidden": "true"})],
            path + view.with_filters(filters.with_member(name, None)).query(),
            "chip",
            **{"aria-label": f"Remove the filter {label} {text}", "data-chip": name},
        )
        for name, label, text in shown
    ]
    if result or filters.start is not None or view.levels:
        result.append(link("Reset", path, "reset", **{"aria-label": "Reset all filters"}))
    return result


def stamps(last_day: str | None, refreshed: str | None, badge: str | None, is_reading: bool) -> Children:
    """Through which day the data go, and when they were last loaded."""
    items: Children = []
    if last_day:
        items.append(html.Span(["Data through ", html.B(last_day)], className="stamp"))
    items.append(html.Span(["Last refresh ", html.B(refreshed or "not recorded")], className="stamp"))
    if badge:
        items.append(html.Span(badge, className="badge is-warning"))
    if is_reading:
        items.append(html.Span("Reading newer data", className="badge"))
    return items


def notices(dropped: Sequence[Dropped], warnings: Sequence[Notice], health: str | None) -> Children:
    """What a person must know before trusting the page.

    Args:
        dropped: parts of the address that were not understood.
        warnings: what is wrong with the data.
        health: the address of the page that says more of that; None on that page.
    """
    more = [" ", link("See Data Health", health)] if health else []
    result: Children = [_notice(title, [html.Span([text, *more])], "is-warning") for _, title, text in warnings]
    if dropped:
        items = [
            html.Li([html.Code(item.name), f"{'=' + item.value if item.value else ''}: {item.reason}"])
            for item in dropped[:8]
        ]
        if len(dropped) > 8:
            items.append(html.Li(f"and {len(dropped) - 8} more"))
        result.append(_notice("Part of this address was not understood and is left out.", [html.Ul(items)], "is-info"))
    return result


def _notice(title: str, body: Children, state: str) -> html.Div:
    return html.Div([html.Strong(title), *body], className=f"notice {state}")


def failure(title: str, text: str, hint: str, href: str) -> Children:
    """The page when there are no numbers at all."""
    return [
        html.Div(
            className="notice is-error",
            children=[
                html.Strong(title),
                html.P(text),
                html.P(hint, className="hint"),
                link("Try again", href, "button", **{"data-retry": ""}),
            ],
        )
    ]


# A figure at the head


def kpi_card(kpi: Kpi, answer: KpiAnswer, theme: str) -> Children:
    """Label, value, change and course."""
    parts: Children = [
        *_kpi_head(kpi),
        html.Div(
            short(answer.value, kpi.format),
            className="kpi-value",
            title=exact(answer.value, kpi.format),
            **{"data-exact": exact(answer.value, kpi.format)},
        ),
    ]
    if kpi.compare:
        parts.append(_change(kpi, answer))
    elif answer.why:
        parts.append(html.Div(answer.why, className="kpi-why"))
    if len(answer.spark) > 2 and any(answer.spark):
        parts.append(html.Img(src=sparkline(answer.spark, THEMES[theme].accent), alt="", className="spark"))
    return parts


def _change(kpi: Kpi, answer: KpiAnswer) -> html.Div:
    if answer.change is None:
        return html.Div(
            html.Span(answer.why or "no sales to compare with", className="kpi-why"), className="kpi-change"
        )
    unit = " pts" if kpi.format == "percent" else "%"
    direction = "up" if answer.change > 0 else "down" if answer.change < 0 else "level"
    arrow = {"up": "▲", "down": "▼", "level": "●"}[direction]
    word = {"up": "up", "down": "down", "level": "unchanged"}[direction]
    return html.Div(
        className=f"kpi-change is-{direction}",
        children=[
            html.Span(arrow, className="arrow", **{"aria-hidden": "true"}),
            html.Span(word, className="sr"),
            html.B(f" {rounded(abs(answer.change), 1)}{unit} "),
            html.Span(answer.why, className="kpi-why"),
        ],
    )


def sparkline(values: Sequence[float], colour: str) -> str:
    """A small line as an SVG image in a data address."""
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
        f'<polygon points="{area}" fill="{colour}" opacity="0.13"/>'
        f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="1.8"'
        ' stroke-linejoin="round" stroke-linecap="round" vector-effect="non-scaling-stroke"/></svg>'
    )
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()


# A chart


def tools(visual: Visual, path: str, view: View) -> Children:
    """Links to the table and to the CSV file."""
    items: Children = []
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
            href=f"/csv/{visual.id}{view.query()}",
            download=f"{visual.id}.csv",
            className="tool",
            **{"aria-label": f"Download {visual.title} as CSV", "data-tool": "csv"},
        )
    )
    return items


def crumbs(visual: Visual, answer: Answer, path: str, view: View, snapshot: Snapshot) -> Children:
    """Where in its hierarchy a chart is: the levels above as links, this one, and a link down."""
    if visual.hierarchy is None or answer.level is None:
        return []
    levels = HIERARCHIES[visual.hierarchy].levels
    depth = levels.index(answer.level)
    trail: Children = []
    for place, level in enumerate(levels[:depth]):
        target, label = _up(visual, view, level, None if place == 0 else levels[place - 1], snapshot)
        trail.append(html.Li(link(label, path + target.query(), "crumb")))
    here = _here(visual, answer.level, levels[depth - 1] if depth else None, view, snapshot)
    trail.append(html.Li(html.Span(here, **{"aria-current": "true"}), className="crumb-here"))
    if depth + 1 < len(levels):
        chosen = view.filters.period if visual.hierarchy == "time" else view.filters.get(answer.level)
        below = levels[depth + 1]
        text = f"Drill to {_plural(below).lower()}"
        if chosen is not None:
            text += f" of {period_label(chosen) if visual.hierarchy == 'time' else snapshot.name(answer.level, chosen)}"
        trail.append(
            html.Li(
                link(
                    [text, html.Span("↓", **{"aria-hidden": "true"})],
                    path + view.with_level(visual.hierarchy, below).query(),
                    "drill",
                )
            )
        )
    return [html.Nav(html.Ol(trail), className="crumbs", **{"aria-label": f"Levels of {visual.title}"})]


def _up(visual: Visual, view: View, level: str, above: str | None, snapshot: Snapshot) -> tuple[View, str]:
    """The view one or more levels up, and what it is called."""
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
    """The members of a ring chart, each a link that filters to it."""
    colours = THEMES[theme].series
    share = [column.id for column in answer.columns].index("revenue_share")
    return [
        html.Ul(
            className="legend",
            children=[
                html.Li(
                    link(
                        [
                            html.Span(className="dot", style={"background": colours[place % len(colours)]}),
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


RIGHT = ("money", "count", "percent", "number")
STATES = {
    "Fresh": "is-good",
    "Late": "is-warning",
    "Stale": "is-bad",
    "Failing": "is-bad",
    "Unknown": "",
    "Passed": "is-good",
    "Warning": "is-warning",
    "Failed": "is-bad",
}


def table(visual: Visual, answer: Answer, addresses: Sequence[str], chosen: Sequence[bool], dagster: str) -> html.Div:
    """The rows of an answer; the first cell filters where a click on the chart would."""
    rows = answer.rows[:MOST_TABLE_ROWS]
    head = html.Tr(
        [
            html.Th(column.label, scope="col", className="number" if column.format in RIGHT else "")
            for column in answer.columns
        ]
    )
    body = [
        html.Tr(
            [
                _cell(
                    visual,
                    column,
                    cell,
                    place,
                    addresses[row] if addresses else "",
                    chosen[row] if chosen else False,
                    dagster,
                )
                for place, (cell, column) in enumerate(zip(cells, answer.columns, strict=True))
            ],
            className="is-chosen" if chosen and chosen[row] else "",
        )
        for row, cells in enumerate(rows)
    ]
    parts: Children = [
        html.Table(
            [html.Caption(visual.title, className="sr"), html.Thead(head), html.Tbody(body)],
            className="table",
        )
    ]
    if len(answer.rows) > len(rows):
        parts.append(
            html.P(f"The first {len(rows)} of {len(answer.rows):,} rows; the CSV file holds all.", className="hint")
        )
    return html.Div(
        parts,
        className="table-scroll",
        tabIndex=0,
        role="region",
        **{"aria-label": f"{visual.title}, table"},
    )


def _cell(visual: Visual, column: Column, cell: Any, place: int, address: str, is_chosen: bool, dagster: str) -> Any:
    text = exact(cell, column.format)
    if column.id in ("period", "month", "cohort"):
        text = period_label(str(cell))
    content: Any = text
    if column.id in ("state", "result") and text in STATES:
        content = html.Span(text, className=f"badge {STATES[text]}")
    elif place == 0 and address:
        content = link(text, address, "row-link", **({"aria-current": "true"} if is_chosen else {}))
    elif visual.id == "failing_checks" and place == 0:
        target = f"{dagster}/assets/{quote(text.replace('.', '/'))}?view=checks"
        content = html.A(text, href=target, target="_blank", rel="noopener")
    if place == 0:
        return html.Th(content, scope="row")
    return html.Td(content, className="number" if column.format in RIGHT else "")


def empty(path: str) -> Children:
    """A chart without sales."""
    return [
        html.Div(
            className="empty",
            children=[
                html.Span(className="empty-mark", **{"aria-hidden": "true"}),
                html.P("No sales for these filters"),
                link("Reset the filters", path, "button is-quiet"),
            ],
        )
    ]


def nothing_to_report() -> Children:
    """A report without a row, which is good news."""
    return [html.Div(className="empty", children=[html.P("Nothing to report")])]


def summary(visual: Visual, answer: Answer) -> str:
    """What a screen reader says of a chart: its kind, its title, its first rows."""
    value = 2 if visual.kind in ("pareto", "heatmap", "stack", "share_stack") else 1
    column = answer.columns[value]
    parts = [
        " ".join(exact(cell, answer.columns[place].format) for place, cell in enumerate(row[:value]))
        + f" {short(row[value], column.format)}"
        for row in answer.rows[:5]
    ]
    more = f", and {len(answer.rows) - 5:,} more" if len(answer.rows) > 5 else ""
    return f"{KIND_NAMES[visual.kind]}: {visual.title}, {column.label.lower()}. {'; '.join(parts)}{more}."
