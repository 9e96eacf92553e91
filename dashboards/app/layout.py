"""The frame of a page, as Dash components: navigation, filters, notices, and the empty cards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from dash import dcc, html

from dashboards.app.cards import Children, chart_card, kpi_class, kpi_head, link
from dashboards.app.comparison import LABELS, Window, compared_window, span_of
from dashboards.app.filters import RANGES, Dropped, Filters, View
from dashboards.app.formats import days_label, period_label
from dashboards.app.health import Notice
from dashboards.app.snapshot import Snapshot
from dashboards.spec.fields import DIMENSIONS
from dashboards.spec.page_types import Page
from dashboards.spec.pages import PAGES

DATE: Any = "date"
"""Dash does not declare this input type, but passes it to the browser. Dash's own picker stays white in dark mode."""


def shell(theme: str) -> html.Div:
    """The frame around every page."""
    return html.Div(
        className="app",
        children=[
            dcc.Location(id="url", refresh=False),
            dcc.Store(id="theme", data=theme),
            dcc.Store(id="page"),
            dcc.Store(id="shown"),
            dcc.Interval(id="clock", interval=60_000),
            html.A("Skip to charts", href="#main", className="skip"),
            html.Header(
                className="top",
                children=[
                    html.Div(
                        className="brand",
                        children=[html.Span(className="mark", **{"aria-hidden": "true"}), html.Span("Shop dashboards")],
                    ),
                    html.Nav(id="nav", className="nav", **{"aria-label": "Pages"}),
                    html.Button(
                        [html.Span("Search"), html.Kbd("Ctrl K")],
                        id="search-open",
                        className="top-button",
                        type="button",
                        **{"aria-haspopup": "dialog", "aria-keyshortcuts": "Control+K Meta+K /"},
                    ),
                    # assets/views.js fills it: saved views never leave the browser.
                    html.Div(id="views", className="menu"),
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
                        **{"aria-label": "Start and end date"},
                        children=[
                            html.Label("From", htmlFor="date-from"),
                            _date_field("date-from"),
                            html.Label("to", htmlFor="date-to"),
                            _date_field("date-to"),
                        ],
                    ),
                    html.Div(id="compare", className="compare"),
                    html.Div(id="chips", className="chips"),
                    html.Div(id="stamps", className="stamps"),
                ],
            ),
            html.Div(id="notices", className="notices", role="status", **{"aria-live": "polite"}),
            html.Main(id="main", tabIndex=-1),
        ],
    )


def _date_field(name: str) -> html.Div:
    """A date input. The browser shows dates in its own format; over it, assets/app.js writes them as the page does."""
    text = html.Span(className="date-text", **{"aria-hidden": "true", "data-of": name})
    return html.Div([dcc.Input(id=name, type=DATE, debounce=True), text], className="date-field")


def skeleton(page: Page | None, path: str, dagster: str) -> Children:
    """A page before its data has arrived, or an error page if ``page`` is None."""
    if page is None:
        return [
            html.Div(
                className="panel",
                children=[
                    html.H1("Page not found"),
                    html.P(f"There is no page at {path[:60]}."),
                    link("Go to Executive Summary", "/", "button"),
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
        html.Div(id={"type": "sentences", "page": page.id}, className="sentences"),
        html.Div(
            className="kpis",
            children=[
                html.Section(
                    id={"type": "kpi", "kpi": kpi.id},
                    className=kpi_class(kpi, "is-loading"),
                    children=kpi_head(kpi),
                    **{"aria-label": kpi.label},
                )
                for kpi in page.kpis
            ],
        ),
        html.Div(className="grid", children=[chart_card(visual) for visual in page.visuals]),
    ]


def _page_links(page: Page, dagster: str) -> Children:
    if page.id != "health":
        return []
    return [
        html.A("Open Dagster", href=dagster, target="_blank", rel="noopener", className="button", id="dagster-link")
    ]


def nav(current: Page | None, view: View) -> Children:
    """Links to the pages. They keep the filters and the comparison, but not drill-down levels or tables."""
    query = View(view.filters, compare=view.compare).query()
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
    """Links to the preset date ranges."""
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


def compare(path: str, view: View, history: Window) -> Children:
    """A menu of what the values can be compared with, each with its days, or since when there is data."""
    span = span_of(view.filters, history)
    items: Children = []
    for name, label in LABELS.items():
        window = compared_window(name, span, history)
        days = days_label(*window) if window else f"data begins {days_label(history[0], history[0])}"
        address = path + replace(view, compare=name).query()
        current = {"aria-current": "true"} if name == view.compare else {}
        text: Children = [html.Span(label), *([] if name == "none" else [html.Span(days, className="menu-days")])]
        items.append(html.Li(link(text, address, "menu-link", **current)))
    head = html.Summary(["Compare with ", html.B(LABELS[view.compare].lower())])
    return [html.Details([head, html.Ul(items)], className="menu")]


def chips(path: str, view: View, snapshot: Snapshot) -> Children:
    """The active filters, each with a link that removes it, and a link that removes all but the dates."""
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
            **{"aria-label": f"Remove filter: {label} {text}", "data-chip": name},
        )
        for name, label, text in shown
    ]
    if result or view.levels:
        result.append(link("Clear filters", path + view.cleared().query(), "reset"))
    return result


def stamps(last_day: str | None, refreshed: str | None, badge: str | None, is_reading: bool) -> Children:
    """The last day with data, and when the data was last loaded."""
    items: Children = []
    if last_day:
        items.append(html.Span(["Data through ", html.B(last_day)], className="stamp"))
    items.append(html.Span(["Last refresh ", html.B(refreshed or "unknown")], className="stamp"))
    if badge:
        items.append(html.Span(badge, className="badge is-warning"))
    if is_reading:
        items.append(html.Span("Loading newer data", className="badge"))
    return items


def notices(dropped: Sequence[Dropped], warnings: Sequence[Notice], health: str | None) -> Children:
    """Warnings about the data, and ignored URL parameters.

    Args:
        dropped: the URL parameters that were ignored.
        warnings: the warnings about the data.
        health: the URL of the Data Health page; None on that page.
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
        result.append(_notice("Some filters in this link are invalid and were ignored.", [html.Ul(items)], "is-info"))
    return result


def file_faults(faults: Sequence[str]) -> Children:
    """What is wrong with the files of targets and notes: one notice for each file."""
    return [_notice("Not shown:", [html.Span(fault)], "is-warning") for fault in faults]


def _notice(title: str, body: Children, state: str) -> html.Div:
    return html.Div([html.Strong(title), *body], className=f"notice {state}")


def failure(title: str, text: str, hint: str, href: str) -> Children:
    """A page that has no data to show."""
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
