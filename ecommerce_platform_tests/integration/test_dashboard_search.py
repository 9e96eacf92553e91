"""What the search of the dashboards finds, and where its results lead."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from flask.testing import FlaskClient

from dashboards.app.filters import Filters, View, parse
from dashboards.app.members import coded
from dashboards.app.search import LONGEST_SEARCH, MOST_FOUND
from dashboards.app.server import create_app
from dashboards.spec.pages import EXECUTIVE, page_at
from ecommerce_platform.io_managers import PostgresConnection
from ecommerce_platform_tests.harness import Platform, customer, line, order, product


@pytest.fixture(scope="module")
def client(sales: Platform) -> FlaskClient:
    return create_app(PostgresConnection(url=sales.url, role="reader")).server.test_client()


def found(client: FlaskClient, text: str, at: str = "/") -> list[tuple[str, str, str]]:
    response = client.get("/search", query_string={"q": text, "at": at})
    assert response.status_code == 200
    assert response.mimetype == "application/json"
    return [(item["kind"], item["label"], item["href"]) for item in response.json]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("books", ("Category", "Books", "/?category=Books")),
        ("  calif ", ("State", "California", "/?state=US-CA")),
        ("us-tx", ("State", "Texas", "/?state=US-TX")),
        ("MIDWEST", ("Region", "Midwest", "/?region=Midwest")),
        ("paypal", ("Payment method", "PayPal", "/?payment=PayPal")),
        ("customer 7", ("Customer", "Customer 7", "/?customer=7")),
        ("data hea", ("Page", "Data Health", "/health")),
        ("orders", ("Page", "Orders", "/orders")),
    ],
)
def test_the_best_match_comes_first(client: FlaskClient, text: str, first: tuple[str, str, str]) -> None:
    assert found(client, text)[0] == first


def test_an_exact_customer_comes_before_those_that_begin_alike(client: FlaskClient) -> None:
    labels = [label for kind, label, _ in found(client, "12") if kind == "Customer"]
    assert labels[0] == "Customer 12"
    assert len(labels) > 3
    assert all(label.startswith("Customer 12") for label in labels)


def test_a_result_keeps_the_page_and_its_other_filters(client: FlaskClient) -> None:
    at = "/products?range=90d&category=Clothing&state=US-CA"
    assert found(client, "books", at)[0][2] == "/products?range=90d&category=Books&state=US-CA"
    assert ("Page", "Orders", "/orders?range=90d&category=Clothing&state=US-CA") in found(client, "orders", at)
    assert found(client, "books", "/health")[0][2] == "/orders?category=Books"
    assert found(client, "books", "https://example.com/?x=1")[0][2] == "/?category=Books"


def test_an_order_opens_among_those_of_its_day(client: FlaskClient, sales: Platform) -> None:
    ((key, on),) = sales.rows(
        "select transaction_id, sale_date from warehouse.fact_sales order by 1 offset 900 limit 1"
    )
    assert found(client, str(key)) == [("Order", f"Order {key}", f"/orders?from={on}&to={on}&order={key}")]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "zq' or 1=1 --",
        "%",
        "\\",
        "\x00",
        "(" * 50,
        "x" * (LONGEST_SEARCH + 1),
        "9" * 19,
        "𝟚𝟘",
        " guest",
        "-1",
    ],
)
def test_hostile_input_finds_nothing_and_breaks_nothing(client: FlaskClient, text: str) -> None:
    assert [item for item in found(client, text) if item[0] in ("Order", "Page")] == []
    assert len(found(client, text)) <= MOST_FOUND


def test_there_are_at_most_twenty_results_and_each_leads_somewhere(client: FlaskClient, sales: Platform) -> None:
    vocabulary = create_app(PostgresConnection(url=sales.url, role="reader")).server.extensions["dashboards"]
    members = vocabulary.store.current().vocabulary
    for text in ("a", "e", "1", "or"):
        results = found(client, text, "/geography?range=all")
        assert 5 < len(results) <= MOST_FOUND
        for _, _, href in results:
            path, _, query = href.partition("?")
            page = page_at(path)
            assert page is not None
            assert parse(query, members, page)[1] == ()


def test_a_shop_with_texts_for_ids_is_searched_by_them(platform: Platform) -> None:
    platform.load(
        1,
        customers=[customer("A-1"), customer("a-2")],
        products=[product("P-1", product_name="<b>Bold</b>")],
        transactions=[order("#1001", "A-1"), order("#1002", "a-2"), order("two  words", "")],
        transaction_items=[line(code, code, "P-1") for code in ("#1001", "#1002", "two  words")],
    )
    client = create_app(PostgresConnection(url=platform.url, role="reader")).server.test_client()
    assert [item[1] for item in found(client, "a-")] == ["Customer A-1", "Customer a-2"]
    ((key,),) = platform.rows("select key from warehouse.order_codes where code = '#1001'")
    assert found(client, "#1001")[0] == ("Order", "Order #1001", f"/orders?from=2024-01-01&to=2024-01-01&order={key}")
    assert found(client, "P-1")[0] == ("Product", "<b>Bold</b>", "/?product=P-1")
    assert found(client, "#100") == []
    assert found(client, " two  words ")[0][1] == "Order two  words"
    for text in ("\x00", "#1001\x00", "' or 1=1 --", "%", "\ud800".encode("utf-8", "surrogatepass")):
        assert found(client, text) == []  # type: ignore[arg-type]


def test_an_empty_shop_has_only_pages(platform: Platform) -> None:
    client = create_app(PostgresConnection(url=platform.url, role="reader")).server.test_client()
    assert {kind for kind, _, _ in found(client, "a")} == {"Page"}
    assert found(client, "12345") == []


def test_members_that_begin_with_a_text_come_in_their_order() -> None:
    members, _ = coded(pa.chunked_array([[str(number) for number in np.arange(120, 0, -1)] + ["1a", "A(1", "a(2"]]))
    assert members.beginning_with("11", 4) == ["11", "110", "111", "112"]
    assert members.beginning_with("a(", 9) == ["A(1", "a(2"]
    assert members.beginning_with("x", 9) == []
    assert View(Filters()).query() == EXECUTIVE.path.strip("/")
