"""The Dash application: two callbacks and a route for CSV files, served by waitress.

A URL becomes a page in two steps: the path determines the page's frame, and the query string its data. Everything that
changes the view changes the URL, so the Back button and copied links just work.
"""

from __future__ import annotations

import contextlib
import ctypes
import logging
import resource
import traceback
from dataclasses import asdict
from pathlib import Path
from typing import Any

import dash
import flask
from dash import ALL, Dash, Input, Output, State, ctx

from dashboards.app import layout
from dashboards.app.additions import AdditionFiles
from dashboards.app.answers import Answers
from dashboards.app.content import Dashboards
from dashboards.app.drawn import Drawn
from dashboards.app.filters import View, parse
from dashboards.app.orders_reader import key_of, orders_csv
from dashboards.app.search import SearchIndex
from dashboards.app.snapshot import DatabaseError
from dashboards.app.store import Store
from dashboards.app.theme import THEMES
from dashboards.spec.pages import ORDERS, PAGES, page_at
from ecommerce_platform.checks.freshness import Clock, utc_now
from ecommerce_platform.io_managers.connection import PostgresConnection
from ecommerce_platform.settings import load_settings
from ecommerce_platform.web.guard import GuardedWsgi

ASSETS = Path(__file__).parent / "assets"
THEME_COOKIE = "theme"
CONNECTIONS = 2_000
"""Maximum number of open connections. Browsers also keep connections open that they don't use."""
IDLE_SECONDS = 30
THREADS = 64
"""Pages that are not cached are computed one at a time. Those who wait for one must not keep others from theirs."""
BODY_BYTES = 1_000_000
"""A page's requests take a few kilobytes. Larger ones are answered with 413."""
HEADER_BYTES = 32_768
M_MMAP_THRESHOLD = -3
LARGE_ARRAY = 256 << 10
"""Bytes from which memory is taken from the operating system, and given back when it is freed."""

# The browser contacts only this server, whatever a library attempts. Dash starts from inline scripts.
CONTENT_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline';"
    " img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; worker-src 'self' blob:; frame-ancestors 'none';"
    " base-uri 'self'; form-action 'self'"
)

INDEX = """<!DOCTYPE html>
<html lang="en" data-theme="{theme}" data-locale="{locale}">
  <head>
    {{%metas%}}
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <title>{{%title%}}</title>
    {{%favicon%}}
    <link rel="preload" href="/assets/fonts/inter-latin-wght-normal.woff2" as="font" type="font/woff2" crossorigin>
    <script>
      // Runs before the first paint, to avoid a flash of the wrong theme. The server reads the cookie.
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
      <strong>The dashboard server is not responding.</strong> <span>Your next click tries again.</span>
    </div>
    {{%app_entry%}}
    <footer>{{%config%}}{{%scripts%}}{{%renderer%}}</footer>
  </body>
</html>"""


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
        clock: returns the current time, for freshness.
        dagster_port: port of Dagster's UI, on the host name in the browser's request.
        dagster_url: URL of Dagster's UI; takes precedence over ``dagster_port``.
        look_every: seconds between checks for changed data.
        in_background: whether to read changed data in the background, while the old data stays in use.
    """
    store = Store(connection, look_every=look_every, in_background=in_background)
    additions = AdditionFiles.of(load_settings())
    dashboards = Dashboards(store, clock=clock, dagster_port=dagster_port, dagster_url=dagster_url, additions=additions)
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
    app.index_string = INDEX.format(theme="light", locale=load_settings().locale)
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
    index: SearchIndex | None = None

    @server.get("/csv/orders")
    def orders_file() -> flask.Response:
        content = dashboards.content(ORDERS, flask.request.query_string.decode("ascii", "replace"))
        if content.fault is not None:
            return flask.Response(f"{content.fault}\n", 503, mimetype="text/plain")
        if content.snapshot is None or content.snapshot.is_empty:
            return flask.Response("No data loaded yet.\n", 404, mimetype="text/plain")
        selection = Answers(content.snapshot, content.view, content.last_day).everything
        headers = {"Content-Disposition": f'attachment; filename="{content.csv_name("orders")}"'}
        lines = orders_csv(selection, content.view.sort, dashboards.store.connection)
        return flask.Response(lines, mimetype="text/csv", headers=headers)

    @server.get("/csv/<visual_id>")
    def csv_file(visual_id: str) -> flask.Response:
        page = next((page for page in PAGES if page.visual(visual_id) is not None), None)
        if page is None:
            return flask.Response("Chart not found.\n", 404, mimetype="text/plain")
        content = dashboards.content(page, flask.request.query_string.decode("ascii", "replace"))
        if content.fault is not None:
            return flask.Response(f"{content.fault}\n", 503, mimetype="text/plain")
        answer = content.answers.get(visual_id)
        if answer is None:
            return flask.Response("No data loaded yet.\n", 404, mimetype="text/plain")
        headers = {"Content-Disposition": f'attachment; filename="{content.csv_name(visual_id)}"'}
        return flask.Response(answer.csv(), mimetype="text/csv", headers=headers)

    @server.get("/search")
    def search() -> flask.Response:
        nonlocal index
        text, at = flask.request.args.get("q", ""), flask.request.args.get("at", "/")
        path, _, query = at.partition("?")
        page = page_at(path) or PAGES[0]
        try:
            snapshot = dashboards.store.current()
            if index is None or index.snapshot is not snapshot:
                index = SearchIndex(snapshot)
            view, _ = parse(query, snapshot.vocabulary, page)
            found = index.find(text, page, view, lambda code: key_of(code, dashboards.store.connection))
        except DatabaseError as error:
            return flask.Response(f"{error}\n", 503, mimetype="text/plain")
        return flask.jsonify([asdict(item) for item in found])

    @server.get("/healthz")
    def healthz() -> flask.Response:
        try:
            dashboards.store.current()
        except DatabaseError as error:
            return flask.Response(f"{error}\n", 503, mimetype="text/plain")
        return flask.Response("ok\n", mimetype="text/plain")

    @server.before_request
    def refuse_what_is_not_json() -> flask.Response | None:
        # Dash does not validate the body and would answer with 500.
        if flask.request.method == "POST" and not isinstance(flask.request.get_json(silent=True), dict):
            return flask.Response("The request body must be a JSON object.\n", 400, mimetype="text/plain")
        return None

    @server.errorhandler(KeyError)
    @server.errorhandler(TypeError)
    @server.errorhandler(AttributeError)
    @server.errorhandler(IndexError)
    @server.errorhandler(ValueError)
    def refuse_what_dash_cannot_read(error: Exception) -> flask.Response:
        # Dash fails on a malformed request with any of these errors. An error raised in our own code is a bug.
        pages = str(Path(__file__).parent)
        ours = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith(pages)]
        if ours or flask.request.method != "POST":
            raise error
        return flask.Response("The request is malformed.\n", 400, mimetype="text/plain")

    @server.after_request
    def harden(response: flask.Response) -> flask.Response:
        response.headers["Content-Security-Policy"] = CONTENT_POLICY
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "same-origin"
        if response.mimetype == "text/html" and not response.direct_passthrough:
            if response.status_code == 200 and page_at(flask.request.path) is None:
                response.status_code = 404  # Dash answers every path with the frame, which says that there is no page
            body = response.get_data(as_text=True)
            response.set_data(body.replace('data-theme="light"', f'data-theme="{_theme()}"', 1))
        return response


FRAME = [
    Output("nav", "children"),
    Output("presets", "children"),
    Output("date-from", "value"),
    Output("date-to", "value"),
    Output("chips", "children"),
    Output("stamps", "children"),
    Output("notices", "children"),
    Output("shown", "data"),
    Output("main", "className"),
    Output("compare", "children"),
]
"""What surrounds the charts of every page."""

PARTS = [
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
    Output({"type": "sentence", "visual": ALL}, "children"),
    Output({"type": "sentences", "page": ALL}, "children"),
]
"""What the charts of a page consist of, for all charts."""


def _add_callbacks(app: Dash, dashboards: Dashboards) -> None:
    @app.callback(Output("main", "children"), Output("page", "data"), Input("url", "pathname"))
    def show_page(path: str | None) -> tuple[Any, str]:
        page = page_at(path or "/")
        return layout.skeleton(page, path or "/", _dagster(dashboards)), page.id if page else ""

    @app.callback(
        [*FRAME, *PARTS],
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
        asked = [[item["id"] for item in group] for group in ctx.outputs_list[len(FRAME) :]]
        if page is None:
            blank: list[Any] = [layout.nav(None, View()), [], None, None, [], [], [], "", "", []]
            return [*blank, *[[] for _ in PARTS]]
        content = dashboards.content(page, query or "")
        fingerprint = repr(
            (page.id, query, theme, content.fault, content.warnings, content.is_reading, content.additions.version)
            + ((content.health,) if page.id == "health" else ())
            + (
                ()
                if content.snapshot is None
                else (content.snapshot.read_at, content.health and content.health.refreshed_at)
            )
        )
        if ctx.triggered_id == "clock" and fingerprint == shown:
            raise dash.exceptions.PreventUpdate
        drawing = Drawn(content, theme, _dagster(dashboards))
        return [*drawing.frame(fingerprint), *drawing.parts(asked)]

    app.clientside_callback(
        dash.ClientsideFunction("dashboards", "clicked"),
        Output({"type": "graph", "visual": ALL}, "clickData"),
        Input({"type": "graph", "visual": ALL}, "clickData"),
        prevent_initial_call=True,
    )


def _return_freed_memory() -> None:
    """Let glibc return the memory of large arrays once they are freed; by default, it keeps more and more of them."""
    with contextlib.suppress(AttributeError, OSError):  # another C library
        ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, LARGE_ARRAY)


def serve(app: Dash, host: str, port: int) -> None:
    """Serve until the process ends.

    Raises:
        OSError: the port is in use.
    """
    import waitress

    _return_freed_memory()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CONNECTIONS + 1_000
    if soft < wanted:
        resource.setrlimit(
            resource.RLIMIT_NOFILE, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard)
        )
    # Waitress warns about each request that waits briefly for a thread, which a page's requests often do.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    waitress.serve(
        GuardedWsgi(app.server, load_settings().known_hosts),
        host=host,
        port=port,
        threads=THREADS,
        ident=None,
        clear_untrusted_proxy_headers=True,
        connection_limit=CONNECTIONS,
        channel_timeout=IDLE_SECONDS,
        max_request_body_size=BODY_BYTES,
        max_request_header_size=HEADER_BYTES,
        # select() supports at most 1,024 open files.
        asyncore_use_poll=True,
    )
