"""Guards Dagster's UI and the dashboards: checks Host, Origin and Sec-Fetch-Site before a request reaches them.

Neither server asks for a password. On a loopback address, the remaining risk is the user's own browser: any page in it
could send requests here, or reach the server under a name of its own (DNS rebinding). So a request must be addressed to
a known name, and one that changes something must not come from another site. Programs other than browsers send no
Origin or Sec-Fetch-Site and pass.

The rules are those of the OWASP cheat sheet "Cross-Site Request Forgery Prevention": Fetch Metadata, or the standard
headers if a browser does not send it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
LOOPBACK = {"localhost", "127.0.0.1", "::1"}
GRAPHQL = "/graphql"


@dataclass(frozen=True)
class Asked:
    """The parts of a request that the guard checks; header names in lower case, each header once."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    is_websocket: bool = False


@dataclass(frozen=True)
class Refusal:
    """An HTTP status, and the reason in one line."""

    status: int
    reason: str


def refusal(asked: Asked, allowed_hosts: Collection[str]) -> Refusal | None:
    """The refusal of a request, or None if it is allowed.

    Args:
        asked: the request.
        allowed_hosts: names of this server, without a port, in addition to loopback names and IP addresses.
    """
    host = asked.headers.get("host", "")
    if not _is_known(_name_of(host), allowed_hosts):
        return Refusal(
            403, f"{host!r} is not a name of this server: if it should be, add it to ECOMMERCE_ALLOWED_HOSTS."
        )
    changes = asked.is_websocket or asked.method not in SAFE_METHODS
    if not changes and asked.path.rstrip("/").endswith(GRAPHQL) and _is_mutation(asked.query):
        return Refusal(405, "GET allows only queries: send mutations, and documents that cannot be parsed, with POST.")
    if changes and _is_from_elsewhere(asked.headers, host):
        return Refusal(403, "Requests from another site may not change anything here.")
    return None


def _name_of(host: str) -> str:
    """The name in a Host header, without its port, in lower case; empty if the header is malformed."""
    try:
        parts = urlsplit(f"//{host}")
        name = (parts.hostname or "").rstrip(".")
        _ = parts.port
    except ValueError:
        return ""
    return name if parts.netloc == host and not parts.username and "@" not in host else ""


def _is_known(name: str, allowed_hosts: Collection[str]) -> bool:
    if name in LOOPBACK or name in allowed_hosts:
        return True
    try:
        # An IP address is safe: DNS rebinding needs a name that the attacker controls.
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_from_elsewhere(headers: Mapping[str, str], host: str) -> bool:
    site = headers.get("sec-fetch-site")
    if site is not None and site not in ("same-origin", "none"):
        return True
    origin = headers.get("origin")
    return origin is not None and urlsplit(origin).netloc.lower() != host.lower()


def _is_mutation(query: str) -> bool:
    from graphql import GraphQLError, OperationDefinitionNode, OperationType, parse

    for text in parse_qs(query, keep_blank_values=True).get("query", []):
        try:
            definitions = parse(text).definitions
        except (GraphQLError, RecursionError):
            return True  # refuse what cannot be parsed
        if any(
            isinstance(node, OperationDefinitionNode) and node.operation != OperationType.QUERY for node in definitions
        ):
            return True
    return False


Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class GuardedAsgi:
    """An ASGI application behind the guard."""

    def __init__(self, app: Callable[[Scope, Receive, Send], Awaitable[None]], allowed_hosts: Collection[str]):
        self._app = app
        self._allowed_hosts = allowed_hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse the request, or pass it on."""
        if scope["type"] in ("http", "websocket"):
            asked = Asked(
                scope.get("method", "GET"),
                scope["path"],
                scope.get("query_string", b"").decode("latin-1"),
                {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]},
                is_websocket=scope["type"] == "websocket",
            )
            refused = refusal(asked, self._allowed_hosts)
            if refused is not None:
                await _answer(scope, send, refused)
                return
        await self._app(scope, receive, send)


async def _answer(scope: Scope, send: Send, refused: Refusal) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008, "reason": refused.reason})
        return
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": refused.status, "headers": headers})
    await send({"type": "http.response.body", "body": f"{refused.reason}\n".encode()})


class GuardedWsgi:
    """A WSGI application behind the guard."""

    def __init__(self, app: WSGIApplication, allowed_hosts: Collection[str]):
        self._app = app
        self._allowed_hosts = allowed_hosts

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Refuse the request, or pass it on."""
        asked = Asked(
            environ["REQUEST_METHOD"],
            environ.get("PATH_INFO", ""),
            environ.get("QUERY_STRING", ""),
            {
                name.removeprefix("HTTP_").replace("_", "-").lower(): value
                for name, value in environ.items()
                if name.startswith("HTTP_")
            },
        )
        refused = refusal(asked, self._allowed_hosts)
        if refused is None:
            return self._app(environ, start_response)
        reason = {403: "403 Forbidden", 405: "405 Method Not Allowed"}[refused.status]
        start_response(reason, [("Content-Type", "text/plain; charset=utf-8")])
        return [f"{refused.reason}\n".encode()]
