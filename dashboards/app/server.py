"""The Dash application: two callbacks and a route for CSV files, served by waitress.

An address becomes a page in two steps: the path gives the page's frame, and the query string its numbers. Everything
that changes what is shown changes the address, so Back and a copied link work by themselves.
"""

from __future__ import annotations

import logging
import resource
import threading
import time
import traceback
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import dash
import flask
from dash import ALL, Dash, Input, Output, State, ctx, no_update

from dashboards.app import layout
from dashboards.app.answers import Answer, KpiAnswer, page_answers
from dashboards.app.figures import figure
from dashboards.app.filters import Dropped, View, parse
from dashboards.app.health import Health, Notice, health_answers, read_health, warnings
from dashboards.app.snapshot import DatabaseError, Snapshot, Store
from dashboards.app.theme import THEMES
from dashboards.spec.pages import PAGES, Page, Visual, page_at
from ecommerce_platform.checks.freshness import Clock, utc_now
from ecommerce_platform.io_managers.connection import PostgresConnection
from ecommerce_platform.settings import load_settings
from ecommerce_platform.web.guard import GuardedWsgi

ASSETS = Path(__file__).parent / "assets"
MOST_CACHED = 256
HEALTH_SECONDS = 5.0
THEME_COOKIE = "theme"
CONNECTIONS = 2_000
"""Connections that are open at the same time; a browser keeps some that it does not use."""
IDLE_SECONDS = 30
BODY_BYTES = 1_000_000
"""The request of a page has some kilobytes. A longer one is answered with 413."""
HEADER_BYTES = 32_768

# The browser asks nobody but this server, whatever a library would like. Dash starts itself from inline scripts.
CONTENT_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline';"
    " img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; worker-src 'self' blob:; frame-ancestors 'none';"
    " base-uri 'self'; form-action 'self'"
)

INDEX = """<!DOCTYPE html>
<html lang="en" data-theme="{theme}">
  <head>
    {{%metas%}}
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <title>{{%title%}}</title>
    {{%favicon%}}
    <link rel="preload" href="/assets/fonts/inter-latin-wght-normal.woff2" as="font" type="font/woff2" crossorigin>
    <script>
      // Before the first paint, so that nothing flashes. The server reads the cookie.
      if (!/(^|; )theme=/.test(document.cookie)) {{
        const dark = window.matchMedia("(prefers-color-scheme: dark)").matches;
        document.cookie = "theme=" + (dark ? "dark" : "light") + "; path=/; max-age=31536000; samesite=lax";
        document.documentElement.dataset.theme = dark ? "dark" : "light";
      }}
    </script>
    {{%css%}}
  </head>
  <body>
    <div class="progress" aria-hidden="true"></div>
    <div id="connection" class="notice is-error" role="alert" hidden>
      <strong>The dashboard does not answer.</strong> <span>It is tried again with your next click.</span>
    </div>
    {{%app_entry%}}
    <footer>{{%config%}}{{%scripts%}}{{%renderer%}}</footer>
  </body>
</html>"""


@dataclass(frozen=True)
class Content:
    """What a page shows for one address, before any of it is drawn."""

    page: Page
    path: str
    view: View
    dropped: Sequence[Dropped] = ()
    snapshot: Snapshot | None = None
    health: Health | None = None
    warnings: Sequence[Notice] = ()
    fault: str | None = None
    is_reading: bool = False
    kpis: Mapping[str, KpiAnswer] = field(default_factory=dict)
    answers: Mapping[str, Answer] = field(default_factory=dict)


class Dashboards:
    """Answers addresses from a database, and remembers answers by filters and data version."""

    def __init__(
        self, store: Store, *, clock: Clock = utc_now, dagster_port: int = 3000, dagster_url: str | None = None
    ):
        self.store = store
        self.clock = clock
        self.dagster_port = dagster_port
        self.dagster_url = dagster_url
        self._cache: OrderedDict[tuple, tuple] = OrderedDict()
        self._lock = threading.Lock()
        self._health: tuple[float, Health] | None = None

    def content(self, page: Page, query: str) -> Content:
        """Everything that a page shows for a query string, which may hold anything."""
        try:
            snapshot = self.store.current()
            health = self._read_health()
        except DatabaseError as error:
            return Content(page, page.path, View(), fault=str(error))
        view, dropped = parse(query, snapshot.vocabulary, page)
        last_day = None if snapshot.is_empty else snapshot.last_day
        now = self.clock()
        content = Content(
            page,
            page.path,
            view,
            dropped,
            snapshot,
            health,
            warnings(health, last_day, now),
            is_reading=self.store.is_reading,
        )
        if page.id == "health":
            kpis, answers = health_answers(health, now)
        elif snapshot.is_empty:
            return content
        else:
            kpis, answers = self._answers(snapshot, page, view)
        return replace(content, kpis=kpis, answers=answers)

    def _answers(self, snapshot: Snapshot, page: Page, view: View) -> tuple[dict[str, KpiAnswer], dict[str, Answer]]:
        key = (snapshot.version, snapshot.read_at, page.id, view.filters, view.levels)
        with self._lock:
            if key in self._cache:
                self._cache.move_to_end(key)
                return self._cache[key]  # type: ignore[return-value]
        found = page_answers(snapshot, page, view)
        with self._lock:
            self._cache[key] = found
            while len(self._cache) > MOST_CACHED:
                self._cache.popitem(last=False)
        return found

    def _read_health(self) -> Health:
        if self._health is None or time.monotonic() - self._health[0] > HEALTH_SECONDS:
            self._health = (time.monotonic(), read_health(self.store.connection))
        return self._health[1]


def create_app(
    connection: PostgresConnection,
    *,
    clock: Clock = utc_now,
    dagster_port: int = 3000,
    dagster_url: str | None = None,
    look_every: float = 2.0,
    in_background: bool = True,
) -> Dash:
    """The application.

    Args:
        connection: reads the database; its role should be ``reader``.
        clock: what time it is, for freshness.
        dagster_port: where Dagster's UI listens, on the host that the browser asked for.
        dagster_url: its address instead, where it has one of its own.
        look_every: seconds between two looks whether the data have changed.
        in_background: whether changed data are read while the old ones answer.
    """
    store = Store(connection, look_every=look_every, in_background=in_background)
    dashboards = Dashboards(store, clock=clock, dagster_port=dagster_port, dagster_url=dagster_url)
    no_title: Any = None
    app = Dash(
        "dashboards.app",
        assets_folder=str(ASSETS),
        serve_locally=True,
        title="Shop dashboards",
        update_title=no_title,
        suppress_callback_exceptions=True,
        compress=False,
    )
    app.index_string = INDEX.format(theme="light")
    app.layout = lambda: layout.shell(_theme())
    _add_callbacks(app, dashboards)
    _add_routes(app, dashboards)
    app.server.extensions["dashboards"] = dashboards
    return app


def _theme() -> str:
    theme = flask.request.cookies.get(THEME_COOKIE, "light")
    return theme if theme in THEMES else "light"


def _dagster(dashboards: Dashboards) -> str:
    if dashboards.dagster_url:
        return dashboards.dagster_url.rstrip("/")
    host = flask.request.host
    name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
    return f"http://{name}:{dashboards.dagster_port}"


def _add_routes(app: Dash, dashboards: Dashboards) -> None:
    server = app.server

    @server.get("/csv/<visual_id>")
    def csv_file(visual_id: str) -> flask.Response:
        page = next((page for page in PAGES if page.visual(visual_id) is not None), None)
        if page is None:
            return flask.Response("There is no such chart.\n", 404, mimetype="text/plain")
        content = dashboards.content(page, flask.request.query_string.decode("ascii", "replace"))
        if content.fault is not None:
            return flask.Response(f"{content.fault}\n", 503, mimetype="text/plain")
        answer = content.answers.get(visual_id)
        if answer is None:
            return flask.Response("Nothing is loaded yet.\n", 404, mimetype="text/plain")
        headers = {"Content-Disposition": f'attachment; filename="{visual_id}.csv"'}
        return flask.Response(answer.csv(), mimetype="text/csv", headers=headers)

    @server.get("/healthz")
    def healthz() -> flask.Response:
        try:
            dashboards.store.current()
        except DatabaseError as error:
            return flask.Response(f"{error}\n", 503, mimetype="text/plain")
        return flask.Response("ok\n", mimetype="text/plain")

    @server.before_request
    def refuse_what_is_not_json() -> flask.Response | None:
        # Dash takes it apart without looking, and ends with 500.
        if flask.request.method == "POST" and not isinstance(flask.request.get_json(silent=True), dict):
            return flask.Response("The request is not a JSON object.\n", 400, mimetype="text/plain")
        return None

    @server.errorhandler(KeyError)
    @server.errorhandler(TypeError)
    @server.errorhandler(AttributeError)
    @server.errorhandler(IndexError)
    @server.errorhandler(ValueError)
    def refuse_what_dash_cannot_read(error: Exception) -> flask.Response:
        # Dash says so with whatever it stumbles over; an error of a page is ours.
        pages = str(Path(__file__).parent)
        ours = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith(pages)]
        if ours or flask.request.method != "POST":
            raise error
        return flask.Response("The request cannot be understood.\n", 400, mimetype="text/plain")

    @server.after_request
    def harden(response: flask.Response) -> flask.Response:
        response.headers["Content-Security-Policy"] = CONTENT_POLICY
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "same-origin"
        if response.mimetype == "text/html" and not response.direct_passthrough:
            body = response.get_data(as_text=True)
            response.set_data(body.replace('data-theme="light"', f'data-theme="{_theme()}"', 1))
        return response


def _add_callbacks(app: Dash, dashboards: Dashboards) -> None:
    @app.callback(Output("main", "children"), Output("page", "data"), Input("url", "pathname"))
    def show_page(path: str | None) -> tuple[Any, str]:
        page = page_at(path or "/")
        return layout.skeleton(page, path or "/", _dagster(dashboards)), page.id if page else ""

    frame = [
        Output("nav", "children"),
        Output("presets", "children"),
        Output("date-from", "value"),
        Output("date-to", "value"),
        Output("chips", "children"),
        Output("stamps", "children"),
        Output("notices", "children"),
        Output("shown", "data"),
        Output("main", "className"),
    ]
    parts = [
        Output({"type": "kpi", "kpi": ALL}, "children"),
        Output({"type": "kpi", "kpi": ALL}, "className"),
        Output({"type": "graph", "visual": ALL}, "figure"),
        Output({"type": "figure", "visual": ALL}, "aria-label"),
        Output({"type": "legend", "visual": ALL}, "children"),
        Output({"type": "table", "visual": ALL}, "children"),
        Output({"type": "tools", "visual": ALL}, "children"),
        Output({"type": "crumbs", "visual": ALL}, "children"),
        Output({"type": "note", "visual": ALL}, "children"),
        Output({"type": "card", "visual": ALL}, "className"),
    ]

    @app.callback(
        [*frame, *parts],
        Input("page", "data"),
        Input("url", "search"),
        Input("theme", "data"),
        Input("clock", "n_intervals"),
        State("shown", "data"),
    )
    def show_numbers(page_id: str | None, query: str | None, theme: str | None, _: int | None, shown: str | None):
        page = next((page for page in PAGES if page.id == page_id), None)
        if page_id is None:
            raise dash.exceptions.PreventUpdate
        theme = theme if theme in THEMES else "light"
        asked = [[item["id"] for item in group] for group in ctx.outputs_list[len(frame) :]]
        if page is None:
            blank: list[Any] = [layout.nav(None, View()), [], None, None, [], [], [], "", ""]
            return [*blank, *[[] for _ in parts]]
        content = dashboards.content(page, query or "")
        fingerprint = repr(
            (page.id, query, theme, content.fault, content.warnings, content.is_reading)
            + ((content.health,) if page.id == "health" else ())
            + (
                ()
                if content.snapshot is None
                else (content.snapshot.read_at, content.health and content.health.refreshed_at)
            )
        )
        if ctx.triggered_id == "clock" and fingerprint == shown:
            raise dash.exceptions.PreventUpdate
        drawing = _Drawn(content, theme, _dagster(dashboards))
        return [*drawing.frame(fingerprint), *drawing.parts(asked)]

    app.clientside_callback(
        dash.ClientsideFunction("dashboards", "clicked"),
        Output({"type": "graph", "visual": ALL}, "clickData"),
        Input({"type": "graph", "visual": ALL}, "clickData"),
        prevent_initial_call=True,
    )


class _Drawn:
    """The outputs of the callback that shows numbers."""

    def __init__(self, content: Content, theme: str, dagster: str):
        self.content = content
        self.theme = theme
        self.dagster = dagster
        self.page = content.page
        self.path = content.path
        self.view = content.view
        self._no_numbers = content.fault is not None or not content.answers

    def frame(self, fingerprint: str) -> list[Any]:
        """Navigation, filters, stamps and notices."""
        content, snapshot = self.content, self.content.snapshot
        nav = layout.nav(self.page, self.view)
        if snapshot is None:
            retry = self.path
            notice = layout.failure(
                "The numbers cannot be shown.",
                content.fault or "",
                "Start the database with: ecommerce-platform db start",
                retry,
            )
            return [nav, no_update, no_update, no_update, no_update, [], notice, fingerprint, "is-broken"]
        health = content.health
        refreshed = health.refreshed_at if health else None
        last_day = "" if snapshot.is_empty else f"{snapshot.last_day:%-d %b %Y}"
        stamps = layout.stamps(
            last_day,
            f"{refreshed:%-d %b %Y %H:%M} UTC" if refreshed else None,
            content.warnings[0].badge if content.warnings else None,
            content.is_reading,
        )
        notices = layout.notices(content.dropped, content.warnings, None if self.page.id == "health" else "/health")
        if snapshot.is_empty:
            notices += layout.failure(
                "Nothing is loaded yet.",
                "The warehouse holds no sales.",
                "Load them with: ecommerce-platform up",
                self.path,
            )
            state = "" if self.page.id == "health" else "is-broken"
            return [nav, [], None, None, [], stamps, notices, fingerprint, state]
        start, end = self.view.filters.days(snapshot.first_day, snapshot.last_day)
        return [
            nav,
            layout.presets(self.path, self.view),
            start.isoformat(),
            end.isoformat(),
            layout.chips(self.path, self.view, snapshot),
            stamps,
            notices,
            fingerprint,
            "is-health" if self.page.id == "health" else "",
        ]

    def parts(self, asked: Sequence[Sequence[Mapping[str, str]]]) -> list[list[Any]]:
        """What each figure and chart shows, in the order in which the browser asked."""
        if self._no_numbers:
            return [[no_update for _ in group] for group in asked]
        kpis = [
            self._kpi,
            lambda _: "card kpi",
        ]
        visuals = [
            self._figure,
            self._summary,
            self._legend,
            self._table,
            lambda visual: layout.tools(visual, self.path, self.view),
            self._crumbs,
            lambda visual: self._answer(visual).note,
            self._card_class,
        ]
        results: list[list[Any]] = []
        for group, build in zip(asked[: len(kpis)], kpis, strict=True):
            by_id = {kpi.id: kpi for kpi in self.page.kpis}
            results.append([build(by_id[item["kpi"]]) if item["kpi"] in by_id else no_update for item in group])
        for group, build in zip(asked[len(kpis) :], visuals, strict=True):
            found = [(self.page.visual(item["visual"])) for item in group]
            results.append([build(visual) if visual is not None else no_update for visual in found])
        return results

    def _kpi(self, kpi: Any) -> Any:
        return layout.kpi_card(kpi, self.content.kpis[kpi.id], self.theme)

    def _answer(self, visual: Visual) -> Answer:
        return self.content.answers[visual.id]

    def _address(self, visual: Visual) -> Callable[[Sequence[tuple[str, str]]], str]:
        filters = self.view.filters

        def address(pairs: Sequence[tuple[str, str]]) -> str:
            toggled = filters.toggled(pairs)
            level = self.view.level("time")
            if visual.hierarchy == "time" and level in ("month", "day") and toggled.period is None and filters.period:
                # Letting a day go leads back to its month, as it was before the click.
                parent = filters.period[: {"month": 4, "day": 7}[level]]
                toggled = toggled.with_member("period", parent if parent != filters.period else None)
            return self.path + self.view.with_filters(toggled).query()

        return address

    def _addresses(self, visual: Visual) -> list[str]:
        address = self._address(visual)
        return [address(pairs) for pairs in self._answer(visual).clicks]

    def _chosen(self, visual: Visual) -> list[bool]:
        filters = self.view.filters
        return [all(filters.get(name) == value for name, value in pairs) for pairs in self._answer(visual).clicks]

    def _figure(self, visual: Visual) -> Any:
        return figure(visual, self._answer(visual), self.view.filters, THEMES[self.theme], self._address(visual))

    def _summary(self, visual: Visual) -> str:
        return layout.summary(visual, self._answer(visual))

    def _legend(self, visual: Visual) -> Any:
        answer = self._answer(visual)
        if visual.kind != "donut" or not answer.rows:
            return []
        return layout.legend(answer, self._addresses(visual), self._chosen(visual), self.theme)

    def _table(self, visual: Visual) -> Any:
        answer = self._answer(visual)
        if not answer.rows:
            return layout.nothing_to_report() if self.page.id == "health" else layout.empty(self.path)
        if visual.kind != "table" and visual.id not in self.view.tables:
            return []
        return layout.table(visual, answer, self._addresses(visual), self._chosen(visual), self.dagster)

    def _crumbs(self, visual: Visual) -> Any:
        assert self.content.snapshot is not None
        return layout.crumbs(visual, self._answer(visual), self.path, self.view, self.content.snapshot)

    def _card_class(self, visual: Visual) -> str:
        if not self._answer(visual).rows:
            return layout.card_class(visual, "is-empty")
        return layout.card_class(visual, *(["is-table"] if visual.id in self.view.tables else []))


def serve(app: Dash, host: str, port: int) -> None:
    """Serve until the process is ended.

    Raises:
        OSError: the port is taken.
    """
    import waitress

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CONNECTIONS + 1_000
    if soft < wanted:
        resource.setrlimit(
            resource.RLIMIT_NOFILE, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard)
        )
    # It warns of every request that waits a moment for a thread, as those of one page do.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    waitress.serve(
        GuardedWsgi(app.server, load_settings().known_hosts),
        host=host,
        port=port,
        threads=6,
        ident=None,
        clear_untrusted_proxy_headers=True,
        connection_limit=CONNECTIONS,
        channel_timeout=IDLE_SECONDS,
        max_request_body_size=BODY_BYTES,
        max_request_header_size=HEADER_BYTES,
        # select() of the operating system ends at 1,024 open files.
        asyncore_use_poll=True,
    )
