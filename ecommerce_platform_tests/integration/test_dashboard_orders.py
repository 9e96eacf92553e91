"""The orders behind the numbers of the dashboards, compared with SQL: which ones, their sums, pages, and CSV file."""

from __future__ import annotations

import csv
import io
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from dashboards.app import orders_reader
from dashboards.app.answers import Answers
from dashboards.app.content import Content, Dashboards
from dashboards.app.drill import orders_of_rows
from dashboards.app.filters import parse
from dashboards.app.orders import PAGE_ROWS, OrdersAnswer, order_chunks, orders_answer, sorted_places
from dashboards.app.server import create_app
from dashboards.app.snapshot import Snapshot
from dashboards.app.snapshot_reader import reading
from dashboards.app.store import Store
from dashboards.spec.pages import ORDERS, PAGES
from ecommerce_platform.io_managers import PostgresConnection
from ecommerce_platform_tests.dashboard_sql import COMBINATIONS, Expected
from ecommerce_platform_tests.harness import Platform, customer, line, order, product

FEW = "?from=2024-05-17&to=2024-11-03&category=Electronics&payment=PayPal"


def dashboards_of(platform: Platform) -> Dashboards:
    return Dashboards(Store(PostgresConnection(url=platform.url, role="reader"), look_every=0.0, in_background=False))


def listed(content: Content) -> OrdersAnswer:
    answer = content.answers["orders"]
    assert isinstance(answer, OrdersAnswer)
    return answer


def all_rows(snapshot: Snapshot, query: str, sort: str = "") -> dict[int, tuple]:
    view, dropped = parse(query, snapshot.vocabulary)
    assert dropped == ()
    selection = Answers(snapshot, view).everything
    return {key: row for keys, rows in order_chunks(selection, sort) for key, row in zip(keys, rows, strict=True)}


@pytest.mark.parametrize("query", COMBINATIONS)
def test_the_orders_are_those_of_sql_with_their_sums(
    snapshot: Snapshot, connection: psycopg.Connection, query: str
) -> None:
    expected = Expected(connection, query, snapshot.first_day, snapshot.last_day).rows(
        "transaction_id, sale_date, state, coalesce(customer, 'Guest'), payment, count(*), sum(quantity), sum(revenue)",
        "group by transaction_id, sale_date, state, customer, payment order by sale_date desc, transaction_id desc",
    )
    shown = all_rows(snapshot, query)
    assert len(shown) > 0
    assert [(key, row[1], row[2], row[3], row[4], row[5], row[6], row[7]) for key, row in shown.items()] == [
        (key, on, snapshot.name("state", state), *rest) for key, on, state, *rest in expected
    ]


@pytest.mark.parametrize("query", COMBINATIONS)
def test_the_number_of_orders_in_each_row_of_a_chart_leads_to_exactly_these(snapshot: Snapshot, query: str) -> None:
    view, _ = parse(query, snapshot.vocabulary)
    answers = Answers(snapshot, view)
    charts = set()
    for visual in (visual for page in PAGES if page.id != "health" for visual in page.visuals):
        answer = answers.answer(visual)
        addresses = orders_of_rows(visual, answer, view)
        for count, address in zip(answer.column("orders") if addresses else (), addresses, strict=True):
            path, _, behind = address.partition("?")
            found, dropped = parse(behind, snapshot.vocabulary, ORDERS)
            assert (path, dropped) == ("/orders", ())
            assert Answers(snapshot, found).everything.count == count, (visual.id, address)
            charts.add(visual.id)
    assert {"revenue_trend", "top_categories", "region_payments", "regions", "seasonality"} <= charts


@pytest.mark.parametrize("sort", ["day", "state", "customer", "payment", "lines", "units", "revenue"])
def test_orders_are_sorted_by_any_column_with_the_newest_first_among_equals(snapshot: Snapshot, sort: str) -> None:
    newest = list(all_rows(snapshot, FEW).items())
    place = ["order", "day", "state", "customer", "payment", "lines", "units", "revenue"].index(sort)

    def by(row: tuple[int, tuple]) -> Any:
        text = row[1][place]
        return int(text) if sort == "customer" and text != "Guest" else float("inf") if text == "Guest" else text

    assert list(all_rows(snapshot, FEW, sort)) == [key for key, _ in sorted(newest, key=by)]
    # A stable sort in descending order keeps equal rows in their order.
    assert list(all_rows(snapshot, FEW, f"-{sort}")) == [key for key, _ in sorted(newest, key=by, reverse=True)]


def test_pages_follow_one_another_and_the_last_one_answers_for_all_beyond(snapshot: Snapshot) -> None:
    view, _ = parse("?range=30d", snapshot.vocabulary)
    everything = list(all_rows(snapshot, "?range=30d"))
    pages = -(-len(everything) // PAGE_ROWS)
    assert pages > 3
    assert len(everything) % PAGE_ROWS
    seen: list[int] = []
    for number in range(1, pages + 1):
        view, dropped = parse(f"?range=30d&page={number}", snapshot.vocabulary, ORDERS)
        answer = orders_answer(Answers(snapshot, view).everything, view)
        assert (dropped, answer.dropped, answer.page, answer.pages) == ((), (), number, pages)
        assert answer.count == len(everything)
        seen += answer.keys
    assert seen == everything
    view, _ = parse("?range=30d&page=99999", snapshot.vocabulary, ORDERS)
    beyond = orders_answer(Answers(snapshot, view).everything, view)
    assert (beyond.page, beyond.keys) == (pages, tuple(everything[(pages - 1) * PAGE_ROWS :]))
    assert [str(item) for item in beyond.dropped] == [f"page=99999: there are only {pages} pages; this is the last one"]


def test_an_order_opens_on_its_page_with_all_its_lines(sales: Platform, connection: psycopg.Connection) -> None:
    dashboards = dashboards_of(sales)
    snapshot = dashboards.store.current()
    keys = list(all_rows(snapshot, "?range=all&category=Books"))
    counts = dict(
        connection.execute("select transaction_id, count(*) from wide group by 1").fetchall()  # type: ignore[arg-type]
    )
    key = next(key for key in keys[PAGE_ROWS * 2 :] if counts[key] > 2)
    content = dashboards.content(ORDERS, f"?range=all&category=Books&order={key}")
    answer = listed(content)
    assert answer.page == keys.index(key) // PAGE_ROWS + 1 > 1
    assert answer.opened == key
    assert answer.lines is not None
    expected = connection.execute(
        "select product_name, quantity, unit_price, discount_amount, revenue from warehouse.fact_sales"
        " join warehouse.dim_product using (product_key) where transaction_id = %s order by item_id",
        (key,),
    ).fetchall()
    assert [row[1:] for row in answer.lines.rows] == [row[1:] for row in expected]
    assert len(answer.lines.rows) == counts[key] > answer.rows[answer.keys.index(key)][5]  # type: ignore[operator]
    assert answer.note.startswith("Lines, units, and revenue include only the lines")
    elsewhere = dashboards.content(ORDERS, f"?from=2030-01-01&to=2030-02-01&order={key}")
    assert (listed(elsewhere).opened, listed(elsewhere).rows) == (None, ())
    assert [str(item) for item in elsewhere.dropped] == [f"order={key}: not among the orders in view"]


@pytest.mark.parametrize("query", ["", FEW, "?range=all&segment=Guest&sort=-revenue", "?from=2030-01-01&to=2030-02-01"])
def test_the_csv_file_has_all_orders_of_the_view(sales: Platform, snapshot: Snapshot, query: str) -> None:
    client = create_app(PostgresConnection(url=sales.url, role="reader")).server.test_client()
    response = client.get(f"/csv/orders{query}")
    assert (response.status_code, response.mimetype) == (200, "text/csv")
    rows = list(csv.reader(io.StringIO(response.text, newline="")))
    assert rows[0] == ["order", "day", "state", "customer", "payment", "lines", "units", "revenue"]
    plain, _, sort = query.partition("&sort=")
    expected = all_rows(snapshot, plain, sort)
    assert rows[1:] == [[str(cell) for cell in row] for row in expected.values()]


def test_the_csv_file_is_written_some_orders_at_a_time(
    sales: Platform, snapshot: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dashboards.app.orders.CHUNK", 100)
    view, _ = parse("?range=all", snapshot.vocabulary)
    selection = Answers(snapshot, view).everything
    parts = list(orders_reader.orders_csv(selection, "", PostgresConnection(url=sales.url, role="reader")))
    assert len(parts) == 1 + -(-selection.count // 100)
    assert max(part.count("\r\n") for part in parts) == 100


CODES = ("#1001", "=1+1", "Größe 漢字 🛒", "007", "two  words", "-5", "12", "9" * 30)


def test_orders_whose_ids_are_texts_show_what_the_shop_writes(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform.load(
        1,
        customers=[customer("A-1")],
        products=[product("P-1")],
        transactions=[order(code, "" if code == "007" else "A-1") for code in CODES],
        transaction_items=[line(code, code, "P-1") for code in CODES],
    )
    dashboards = dashboards_of(platform)
    answer = listed(dashboards.content(ORDERS, "?range=all&sort=day"))
    assert sorted(str(row[0]) for row in answer.rows) == sorted(CODES)
    assert {row[3] for row in answer.rows if row[0] == "007"} == {"Guest"}
    assert {row[3] for row in answer.rows if row[0] != "007"} == {"A-1"}
    by_code = {str(row[0]): key for key, row in zip(answer.keys, answer.rows, strict=True)}
    assert by_code["12"] == 12
    connection = PostgresConnection(url=platform.url, role="reader")
    assert {code: orders_reader.key_of(code, connection) for code in CODES if code != "12"} == {
        code: key for code, key in by_code.items() if code != "12"
    }
    assert orders_reader.key_of("no such order", connection) is None
    asked: list[PostgresConnection] = []
    with monkeypatch.context() as patch:
        # A page with IDs that are texts and an opened order took two connections.
        patch.setattr(orders_reader, "reading", lambda source: (asked.append(source), reading(source))[1])
        opened = listed(dashboards.content(ORDERS, f"?range=all&order={by_code['#1001']}"))
    assert len(asked) == 1
    assert opened.opened == by_code["#1001"]
    assert opened.lines is not None
    assert [row[1:] for row in opened.lines.rows] == [(1, Decimal("10.00"), Decimal("0.00"), Decimal("10.00"))]
    client = create_app(connection).server.test_client()
    rows = list(csv.reader(io.StringIO(client.get("/csv/orders?range=all").text, newline="")))
    # An apostrophe keeps a spreadsheet from running a formula.
    assert {row[0] for row in rows[1:]} == {f"'{code}" if code in ("=1+1", "-5") else code for code in CODES}


def test_an_empty_shop_has_no_orders(platform: Platform) -> None:
    content = dashboards_of(platform).content(ORDERS, "?order=1&page=3&sort=-revenue")
    assert content.answers == {}
    assert content.snapshot is not None
    assert content.snapshot.is_empty
    client = create_app(PostgresConnection(url=platform.url, role="reader")).server.test_client()
    assert client.get("/csv/orders").status_code == 404


def test_the_order_ids_are_no_way_to_other_identifiers(platform: Platform) -> None:
    platform.load(
        1,
        customers=[customer("ada@example.com")],
        products=[product("P-1")],
        transactions=[order("#1", "ada@example.com")],
        transaction_items=[line("#1", "I-1", "P-1")],
    )
    with PostgresConnection(url=platform.url, role="reader").connect() as reader:
        assert reader.execute("select code from warehouse.order_codes").fetchall() == [("#1",)]
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            reader.execute("select * from production.identifiers")


def test_a_snapshot_counts_keys_from_the_first_of_each_day(snapshot: Snapshot, connection: psycopg.Connection) -> None:
    found = connection.execute("select distinct sale_date, transaction_id from wide order by 1, 2").fetchall()
    assert snapshot.keys(slice(None)).tolist() == [key for _, key in found]
    assert snapshot.orders["key"].dtype.itemsize == 1
    nothing = Answers(snapshot, parse("?from=2030-01-01&to=2030-01-02", {})[0]).everything
    assert len(sorted_places(nothing, "")) == len(sorted_places(nothing, "-revenue")) == 0
