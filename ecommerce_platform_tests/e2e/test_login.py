"""The login in front of Dagster and the dashboards: it requires a password, TLS, and a known host name."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import subprocess
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from http.client import HTTPSConnection
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest

from ecommerce_platform.settings import PROJECT_DIR
from ecommerce_platform.web.guard import GuardedWsgi

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
OPENSSL = shutil.which("openssl")
pytestmark = pytest.mark.skipif(not (NGINX and OPENSSL), reason="nginx or openssl is not installed")


NAMES = frozenset({"shop.example.com", "dagster.example.com"})


def behind(environ: dict, start_response: Callable) -> list[bytes]:
    """A stand-in for the webserver or the dashboards that echoes its request."""
    asked = f"{environ['SERVER_PORT']} {environ['HTTP_HOST']} {environ.get('HTTP_AUTHORIZATION')}".encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(asked)))])
    return [asked]


class Quiet(WSGIRequestHandler):
    def log_message(self, *_: object) -> None: ...


@pytest.fixture(scope="module")
def login(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, int]]:
    """nginx with the project's configuration; returns ports by service."""
    folder = tmp_path_factory.mktemp("login")
    folder.chmod(0o755)
    assert NGINX is not None
    assert OPENSSL is not None
    servers = [make_server("127.0.0.1", 0, GuardedWsgi(behind, NAMES), handler_class=Quiet) for _ in range(2)]
    for server in servers:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    certificate = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=shop.example.com"]
    files = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "certificate.pem")]
    subprocess.run([OPENSSL, *certificate, *files], check=True, capture_output=True)
    hashed = subprocess.run([OPENSSL, "passwd", "-apr1", "secret"], check=True, capture_output=True, text=True).stdout
    (folder / "users").write_text(f"ada:{hashed}")
    for file in folder.iterdir():
        file.chmod(0o644)
    text = (PROJECT_DIR / "deploy" / "nginx.conf").read_text(encoding="utf-8")
    for here, there in {
        "/etc/ecommerce/login": str(folder),
        "webserver:3000": f"127.0.0.1:{servers[0].server_port}",
        "dashboards:8050": f"127.0.0.1:{servers[1].server_port}",
        "listen 8443": f"listen 127.0.0.1:{port}",
        "/tmp/nginx": str(folder / "nginx"),
        "    resolver 127.0.0.11 valid=10s;\n": "",
    }.items():
        assert here in text
        text = text.replace(here, there)
    (folder / "nginx.conf").write_text(text)
    # If nginx runs as root, its workers run as another user, who has no access to a test's folder.
    user = " user root;" if os.geteuid() == 0 else ""
    command = [NGINX, "-c", str(folder / "nginx.conf"), "-g", f"daemon off;{user}"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    deadline = time.monotonic() + 30
    while True:
        assert process.poll() is None, (folder / "log").read_text()
        try:
            socket.create_connection(("127.0.0.1", port), 5).close()
            break
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    yield {"login": port, "dagster": servers[0].server_port, "shop": servers[1].server_port}
    process.terminate()
    process.wait(30)
    for server in servers:
        server.shutdown()


def ask(port: int, host: str, password: str | None = "secret", method: str = "GET", **more: str) -> tuple[int, str]:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    connection = HTTPSConnection("127.0.0.1", port, timeout=30, context=context)
    headers = {"Host": host, **{name.replace("_", "-"): value for name, value in more.items()}}
    if password is not None:
        headers["Authorization"] = f"Basic {b64encode(f'ada:{password}'.encode()).decode()}"
    connection.request(method, "/", headers=headers)
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


def test_nobody_gets_in_without_a_password(login: dict[str, int]) -> None:
    for name in ("shop.example.com", "dagster.example.com"):
        assert ask(login["login"], name, None)[0] == 401
        assert ask(login["login"], name, "guessed")[0] == 401


def test_each_name_leads_to_its_own_and_the_password_goes_no_further(login: dict[str, int]) -> None:
    for name in ("shop", "dagster"):
        host = f"{name}.example.com"
        assert ask(login["login"], host) == (200, f"{login[name]} {host} None")


def test_what_a_page_of_ours_sends_gets_through_on_any_port_and_another_site_does_not(login: dict[str, int]) -> None:
    host = f"dagster.example.com:{login['login']}"
    own = {"origin": f"https://{host}", "sec_fetch_site": "same-origin"}
    assert ask(login["login"], host, method="POST", **own)[0] == 200
    assert ask(login["login"], host, method="POST", origin="https://evil.example")[0] == 403


def test_another_name_leads_nowhere(login: dict[str, int]) -> None:
    assert ask(login["login"], "evil.example")[0] in (401, 421)
    assert ask(login["login"], "evil.example")[1].find(str(login["dagster"])) == -1
