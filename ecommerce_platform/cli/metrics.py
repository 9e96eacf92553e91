"""``metrics``: serves the platform's metrics for Prometheus."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from ecommerce_platform.cli.terminal import console, end_when_told, one_clear_error
from ecommerce_platform.settings import Settings, load_settings

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

THREADS = 4
CONNECTIONS = 20


@click.command()
@one_clear_error
def metrics() -> None:
    """Serve /metrics for Prometheus on ECOMMERCE_METRICS_PORT, until Ctrl-C.

    `up` does this itself if ECOMMERCE_METRICS_PORT is set. A database that is down is reported as ecommerce_up 0.
    """
    import waitress

    end_when_told()
    settings = load_settings()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    host, port = settings.host, settings.metrics_port or DEFAULT_PORT
    console.print(f"Metrics: http://{f'[{host}]' if ':' in host else host}:{port}/metrics", markup=False)
    waitress.serve(
        metrics_app(settings),
        host=host,
        port=port,
        threads=THREADS,
        ident=None,
        connection_limit=CONNECTIONS,
        clear_untrusted_proxy_headers=True,
        asyncore_use_poll=True,
    )


DEFAULT_PORT = 9464
"""The port that OpenTelemetry's Prometheus exporters use, too."""


def metrics_app(settings: Settings) -> WSGIApplication:
    """``/metrics`` and ``/healthz`` behind the guard of the other servers."""
    from prometheus_client import CollectorRegistry, make_wsgi_app

    from ecommerce_platform.reports.metrics import PlatformCollector
    from ecommerce_platform.web.guard import GuardedWsgi

    registry = CollectorRegistry()
    registry.register(PlatformCollector(settings))
    exposition = make_wsgi_app(registry)

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            start_response("405 Method Not Allowed", [("Content-Type", "text/plain"), ("Allow", "GET, HEAD")])
            return [b"Only GET and HEAD are allowed.\n"]
        if path == "/metrics":
            return exposition(environ, start_response)
        is_health = path == "/healthz"
        start_response("200 OK" if is_health else "404 Not Found", [("Content-Type", "text/plain")])
        return [b"ok\n" if is_health else b"The metrics are at /metrics.\n"]

    return GuardedWsgi(app, settings.known_hosts)
