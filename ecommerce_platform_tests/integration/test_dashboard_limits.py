"""Hostile requests to the dashboards: many connections, large and malformed bodies, and cross-site requests."""

from __future__ import annotations

import json
import socket
import threading
import time
from http.client import HTTPConnection

import pytest

from dashboards.app.server import create_app, serve
from ecommerce_platform.io_managers import PostgresConnection
from ecommerce_platform_tests.harness import Platform


@pytest.fixture(scope="module")
def port(sales: Platform) -> int:
    """The port of dashboards that run as under `serve`."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    app = create_app(PostgresConnection(url=sales.url, role="reader"))
    threading.Thread(target=serve, args=(app, "127.0.0.1", port), daemon=True).start()
    deadline = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 5).close()
            break
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    return port


def ask(port: int, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, str]:
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text


def test_idle_connections_keep_nobody_out(port: int) -> None:
    """With 110 idle connections, the server stopped responding."""
    idle = [socket.create_connection(("127.0.0.1", port), 10) for _ in range(600)]
    try:
        for connection in idle[::2]:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n")  # and never completes its headers
        assert ask(port, "GET", "/healthz") == (200, "ok\n")
    finally:
        for connection in idle:
            connection.close()


UPDATE = "/_dash-update-component"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"{}",
        b'{"output": 1}',
        b'{"output": "main.children", "outputs": [], "inputs": 7}',
        b'{"output": "no.such", "outputs": {"id": "no", "property": "such"}, "inputs": [], "changedPropIds": []}',
        b"\xff\xfe",
        json.dumps({"output": "x" * 1000}).encode(),
    ],
)
def test_a_malformed_request_is_the_fault_of_who_sent_it(port: int, body: bytes) -> None:
    status, said = ask(port, "POST", UPDATE, body, content_type="application/json")
    assert status == 400
    assert "Traceback" not in said


def test_a_large_body_is_refused_and_not_kept(port: int) -> None:
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    connection.putrequest("POST", UPDATE)
    connection.putheader("Content-Length", str(300_000_000))
    connection.endheaders()
    assert connection.getresponse().status == 413
    connection.close()


def test_a_large_body_without_a_stated_length_is_refused(port: int) -> None:
    """A chunked body has no declared size; it is rejected while it is received, whether or not the rest arrives."""
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    connection.putrequest("POST", UPDATE)
    connection.putheader("Transfer-Encoding", "chunked")
    connection.putheader("Content-Type", "application/json")
    connection.endheaders()
    chunk = b"%x\r\n%s\r\n" % (65_536, b" " * 65_536)
    sent = 0
    try:
        while sent < 300_000_000:
            connection.send(chunk)
            sent += 65_536
    except OSError:  # the server has closed the connection
        pass
    assert sent < 300_000_000
    assert connection.getresponse().status == 413
    connection.close()


def test_a_long_header_is_refused(port: int) -> None:
    assert ask(port, "GET", "/healthz", cookie="x" * 100_000)[0] == 431


def test_another_site_and_another_name_are_refused(port: int) -> None:
    assert ask(port, "GET", "/", host="evil.example")[0] == 403
    assert ask(port, "POST", UPDATE, b"{}", origin="https://evil.example")[0] == 403
    assert ask(port, "GET", "/", sec_fetch_site="cross-site")[0] == 200
