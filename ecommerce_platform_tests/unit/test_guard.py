"""Which requests are allowed to reach Dagster's UI and the dashboards."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from ecommerce_platform.web.guard import Asked, refusal

ALLOWED = frozenset({"shop.example.com"})
MUTATION = quote('mutation { terminateRun(runId: "x") { __typename } }')


def status(
    method: str = "GET", path: str = "/", query: str = "", websocket: bool = False, **headers: str
) -> int | None:
    """Return how a request is rejected, or None if it is allowed. Header names are written with underscores."""
    named = {"host": "127.0.0.1:3000", **{name.replace("_", "-"): value for name, value in headers.items()}}
    found = refusal(Asked(method, path, query, named, websocket), ALLOWED)
    return None if found is None else found.status


@pytest.mark.parametrize(
    ("host", "refused"),
    [
        ("127.0.0.1:3000", None),
        ("localhost", None),
        ("LOCALHOST:8050", None),
        ("[::1]:3000", None),
        ("192.168.1.7:3000", None),  # an IP address: no other site's page can use it
        ("shop.example.com", None),
        ("SHOP.example.com:443", None),
        ("shop.example.com.", None),
        ("evil.example", 403),
        ("evil.example:3000", 403),
        ("127.0.0.1.evil.example", 403),
        ("localhost.evil.example", 403),
        ("localhost@evil.example", 403),
        ("evil.example@localhost", 403),
        ("localhost:x", 403),
        ("localhost/evil.example", 403),
        ("[::1", 403),
        ("", 403),
    ],
)
def test_a_request_is_addressed_to_a_name_of_ours(host: str, refused: int | None) -> None:
    assert status(host=host) == refused


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "BREW"])
def test_another_site_changes_nothing(method: str) -> None:
    assert status(method, "/graphql", origin="https://evil.example") == 403
    assert status(method, "/graphql", origin="null") == 403
    assert status(method, "/graphql", origin="http://127.0.0.1:8050") == 403  # another port is another site
    assert status(method, "/report_asset_materialization/x", sec_fetch_site="cross-site") == 403
    assert status(method, "/graphql", sec_fetch_site="same-site") == 403
    assert status(method, "/graphql", origin="http://127.0.0.1:3000", sec_fetch_site="same-origin") is None
    assert status(method, "/graphql") is None  # not a browser


def test_behind_a_proxy_with_tls_the_own_site_is_known_by_its_name() -> None:
    assert status("POST", "/graphql", host="shop.example.com", origin="https://shop.example.com") is None


def test_another_site_opens_no_socket() -> None:
    assert status(path="/graphql", websocket=True, origin="https://evil.example") == 403
    assert status(path="/graphql", websocket=True, origin="http://127.0.0.1:3000") is None


def test_a_link_from_elsewhere_opens_a_page() -> None:
    assert status(path="/runs/1", sec_fetch_site="cross-site", sec_fetch_mode="navigate") is None


@pytest.mark.parametrize(
    ("query", "refused"),
    [
        (f"query={MUTATION}", 405),
        (f"query={quote('query { version }')}&query={MUTATION}", 405),
        (f"query={quote('query A { version } mutation B { x }')}&operationName=A", 405),
        (f"query={quote('subscription { x }')}", 405),
        (f"query={quote('# query' + chr(10) + 'mutation { x }')}", 405),
        (f"query={quote('{ version }')}", None),
        (f"query={quote('{ mutation }')}", None),
        ("query=%7B", 405),
        ("query=" + "%7Ba" * 5_000, 405),
        ("", None),
    ],
)
def test_mutations_are_not_sent_by_get(query: str, refused: int | None) -> None:
    assert status(path="/graphql", query=query) == refused
    assert status(path="/prefix/graphql/", query=query) == refused
    assert status(path="/assets", query=query) is None
