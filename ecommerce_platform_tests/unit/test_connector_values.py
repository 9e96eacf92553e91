"""The values of a shop's files: amounts, dates and offsets are read as they were meant, or refused, never guessed."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ecommerce_platform.connectors.connector import SHIPPED, read_connector
from ecommerce_platform.connectors.conversion import opened, working_folder
from ecommerce_platform.connectors.errors import ConnectorError
from ecommerce_platform.connectors.loading import MACROS
from ecommerce_platform_tests import exports
from ecommerce_platform_tests.unit.test_connector_files import write_xlsx

UCI = ",".join(exports.UCI)
WOO = "order_id,order_date,item_id,item_name,item_sku,item_quantity,item_subtotal,item_total"

Read = Callable[..., list[tuple[object, ...]]]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Reads the exports in ``tmp_path / "in"``: the rows of a query over the feeds."""
    (tmp_path / "in").mkdir()
    (tmp_path / "work").mkdir()

    def rows(name: str, query: str, time_zone: str | None = None, folder: Path = tmp_path / "in"):
        with (
            working_folder(tmp_path / "work") as work,
            opened(read_connector(SHIPPED / name), folder, work, time_zone) as (_, _, outputs),
        ):
            return outputs.database.execute(query).fetchall()

    return rows


def line(invoice: str, at: str = "2010-12-01 08:26:00", quantity: str = "1", price: str = "5.00") -> str:
    return f"{invoice},A1234,CUP,{quantity},{at},{price},17850,France\n"


def woo(order: str, at: str = "2024-05-01 10:00:00", subtotal: str = "5.00", quantity: str = "1") -> str:
    return f'{order},{at},{order},Cup,C1,{quantity},"{subtotal}","{subtotal}"\n'


INVOICES = "select transaction_id, transaction_date from feed_transactions order by 1"
TOTALS = "select transaction_id, total_amount from feed_transactions order by 1"


# ---- which file a row is of ----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["orders[1].csv", "orders?.csv", "*.csv", "[a-z]*.csv", "a\\b.csv"])
def test_a_file_name_is_never_a_pattern(name: str, read: Read, tmp_path: Path) -> None:
    """orders[1].csv was read as a pattern: its rows were lost, and those of orders1.csv counted twice."""
    (tmp_path / "in" / name).write_text(f"{UCI}\n{line('1')}")
    (tmp_path / "in" / "orders1.csv").write_text(f"{UCI}\n{line('2')}")
    assert read("online_retail", "select transaction_id, line_total from feed_transaction_items order by 1") == [
        ("1", "5.00"),
        ("2", "5.00"),
    ]


@pytest.mark.parametrize("name", ["country=FR", "shop[1]", "a*"])
def test_a_folder_name_says_nothing_about_its_rows(name: str, read: Read, tmp_path: Path) -> None:
    """Country=FR was taken for a column of every row."""
    folder = tmp_path / name
    folder.mkdir()
    values = line("1").replace("France", "Germany").strip().split(",")
    pq.write_table(pa.table([[value] for value in values], names=list(exports.UCI)), folder / "a.parquet")
    (folder / "b.csv").write_text(f"{UCI}\n{','.join(values)}\n")
    assert read("online_retail", "select country from feed_customers", folder=folder) == [("DE",)]


def test_an_invoice_in_two_sheets_counts_as_in_the_later_one(read: Read, tmp_path: Path) -> None:
    """The sheets of UCI II overlap from 1 to 9 December 2010: those lines were doubled."""
    header = list(exports.UCI)
    both, first, second = (
        line(number, price=price).strip().split(",") for number, price in (("2", "5"), ("1", "3"), ("3", "4"))
    )
    write_xlsx(tmp_path / "in" / "x.xlsx", [[header, first, both], [header, both, second]])
    assert read("online_retail", TOTALS) == [("1", "3.00"), ("2", "5.00"), ("3", "4.00")]


# ---- amounts -------------------------------------------------------------------------------------


def evaluated(expression: str, value: object) -> object:
    with duckdb.connect() as database:
        for signature, body in MACROS.items():
            database.execute(f"create macro {signature} as {body}")
        return database.execute(f"select {expression}", [value]).fetchall()[0][0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5.00", "5"),
        ("$1,234.50", "1234.5"),
        ("1,250", "1250"),
        ("5.00 EUR", "5"),
        ("-5.00", "-5"),
        ("-$5.00", "-5"),
        ("$-5.00", "-5"),
        ("- 5.00", "-5"),
        ("\u22125.00", "-5"),
        ("(5.00)", "-5"),
        ("($1,234.50)", "-1234.5"),
        ("0,125", None),
        ("50,00", None),
        ("1.234,56", None),
        ("5.00-", None),
        ("(5.00", None),
        ("--5", None),
        ("A-5-1", None),
        ("1.2.3", None),
        ("", None),
        ("9999999999.99", "9999999999.99"),
        ("10000000000.00", None),
        ("9" * 60, None),
    ],
)
def test_an_amount(text: str, expected: str | None) -> None:
    assert evaluated("amount($1)", text) == (None if expected is None else Decimal(expected))


def test_a_product_of_the_largest_values_is_still_text() -> None:
    assert evaluated("money(whole('999999999') * amount($1))", "9999999999.99") == "9999999989990000000.01"


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("1.10::decimal(18, 4) / 1::bigint", "1.10"),
        ("2.20::decimal(18, 4) / 1::bigint", "2.20"),
        ("8.05::decimal(18, 4) / 7::bigint", "1.15"),
        ("10::decimal(18, 4) / 3::bigint", "3.34"),
        ("1.255::decimal(18, 4)", "1.26"),
        ("null::double", None),
    ],
)
def test_a_price_is_rounded_up_only_where_it_has_more_than_cents(expression: str, expected: str | None) -> None:
    """A quotient is a double: 1.10 became 1.11, and the cent a discount that nobody gave."""
    assert evaluated(f"up_to_cents({expression}) where $1 is null", None) == (expected and Decimal(expected))


def test_no_discount_is_invented(read: Read, tmp_path: Path) -> None:
    rows = woo("1", subtotal="1.10") + woo("2", subtotal="8.05", quantity="7")
    (tmp_path / "in" / "w.csv").write_text(f"{WOO}\n{rows}")
    assert read(
        "woocommerce", "select unit_price, discount_amount, line_total from feed_transaction_items order by 1"
    ) == [
        ("1.10", "0.00", "1.10"),
        ("1.15", "0.00", "8.05"),
    ]


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["50,00", "0,125", "1.250", "1.234,56", "-5,5"], ["50.00", "0.13", "1250.00", "1234.56", "-5.50"]),
        (["50,00 \u20ac", "1.250 \u20ac", "7"], ["50.00", "1250.00", "7.00"]),
        # Points and commas at once: neither is guessed.
        (["50,00", "3.50"], [None, "3.50"]),
        (["1,250", "1.250"], ["1250.00", "1.25"]),
    ],
)
def test_decimal_commas_are_seen_for_each_file_and_column(
    texts: Sequence[str], expected: Sequence[str | None], read: Read, tmp_path: Path
) -> None:
    """0,125 was read as 125 and 1.250 as 1.25, whatever stood beside them."""
    rows = "".join(woo(str(number), subtotal=text) for number, text in enumerate(texts))
    (tmp_path / "in" / "w.csv").write_text(f"{WOO}\n{rows}")
    points = woo("8", subtotal="3.50") + woo("9", subtotal="1.250")
    (tmp_path / "in" / "with points.csv").write_text(f"{WOO}\n{points}")
    assert read("woocommerce", "select line_total from feed_transaction_items order by transaction_id") == [
        *((text,) for text in expected),
        ("3.50",),
        ("1.25",),
    ]


def test_texts_with_commas_stay_as_they_are(read: Read, tmp_path: Path) -> None:
    """A column of names such as Cable 1,5 is no column of amounts."""
    row = '1,2024-05-01 10:00:00,1,"Cable 1,5","1,5 m",1,5.00,5.00\n'
    (tmp_path / "in" / "w.csv").write_text(f"{WOO}\n{row}")
    assert read("woocommerce", "select product_id, product_name from feed_products") == [("1,5 m", "Cable 1,5")]


def test_a_price_that_cannot_be_read_leaves_the_other_lines_alone(read: Read, tmp_path: Path) -> None:
    """The order's discount was what its lines are more than its subtotal: without one line's price, nothing was."""
    header = "Name,Created at,Subtotal,Discount Amount,Lineitem quantity,Lineitem name,Lineitem sku,Lineitem price"
    rows = '#1,2024-03-01 10:00:00,27.00,3.00,1,Lamp,A1,20.00\n#1,,,,1,Bulb,B2,"about ten"\n'
    (tmp_path / "in" / "o.csv").write_text(f"{header}\n{rows}")
    query = "select product_id, unit_price, discount_amount, line_total from feed_transaction_items order by 1"
    assert read("shopify", query) == [("A1", "20.00", "3.00", "17.00"), ("B2", "about ten", None, None)]


# ---- dates ---------------------------------------------------------------------------------------


def test_dates_that_may_be_read_in_two_ways_are_refused(read: Read, tmp_path: Path) -> None:
    """03/04/2024 and 05/06/2024 of a shop in the US became 3 April and 5 June."""
    (tmp_path / "in" / "w.csv").write_text(f"{WOO}\n{woo('1', '03/04/2024 10:00')}{woo('2', '05/06/2024 10:00')}")
    with pytest.raises(ConnectorError) as caught:
        read("woocommerce", INVOICES)
    for part in ("w.csv, items", "'03/04/2024 10:00'", "2024-04-03", "2024-03-04", "export", "formats"):
        assert part in str(caught.value)


def test_dates_are_read_as_another_file_of_the_shop_proves(read: Read, tmp_path: Path) -> None:
    (tmp_path / "in" / "a.csv").write_text(f"{WOO}\n{woo('1', '03/04/2024 10:00')}")
    (tmp_path / "in" / "b.csv").write_text(f"{WOO}\n{woo('2', '03/24/2024 10:00')}")
    assert read("woocommerce", INVOICES) == [("1", "2024-03-04"), ("2", "2024-03-24")]
    # Two files that prove two formats prove nothing for a third one.
    (tmp_path / "in" / "c.csv").write_text(f"{WOO}\n{woo('3', '24/03/2024 10:00')}")
    with pytest.raises(ConnectorError, match=r"a\.csv"):
        read("woocommerce", INVOICES)


def test_dates_that_are_the_same_in_both_ways_are_no_question(read: Read, tmp_path: Path) -> None:
    (tmp_path / "in" / "w.csv").write_text(f"{WOO}\n{woo('1', '05/05/2024 10:00')}")
    assert read("woocommerce", INVOICES) == [("1", "2024-05-05")]


def test_a_year_of_two_digits_is_of_this_age(read: Read, tmp_path: Path) -> None:
    """12/13/10 was read as a day of the year 10."""
    (tmp_path / "in" / "a.csv").write_text(f"{UCI}\n{line('1', '12/13/10 8:26')}")
    assert read("online_retail", INVOICES) == [("1", "2010-12-13")]


@pytest.mark.parametrize(
    "text",
    [
        "2024-03-01 23:30:00-05",
        "2024-03-01 23:30:00-0500",
        "2024-03-01T23:30-05:00",
        "2024-03-02 04:30:00 UTC",
        "2024-03-02T04:30:00Z",
    ],
)
def test_an_offset_is_converted_however_it_is_written(text: str, read: Read, tmp_path: Path) -> None:
    """An offset without minutes, as PostgreSQL writes it, was ignored."""
    (tmp_path / "in" / "w.csv").write_text(f"{WOO}\n{woo('1', text)}")
    query = "select transaction_date, transaction_time from feed_transactions"
    assert read("woocommerce", query, "Europe/Berlin") == [("2024-03-02", "05:30:00")]


def test_a_parquet_moment_does_not_depend_on_the_machine(
    read: Read, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DuckDB writes a moment with a zone on the clocks of TZ."""
    at = pa.array([dt.datetime(2010, 12, 1, 23, 30)], pa.timestamp("us", tz="UTC"))
    names = [*exports.UCI[:4], *exports.UCI[5:], "InvoiceDate"]
    table = pa.table([*([text] for text in ("1", "A1234", "CUP", "1", "5.00", "17850", "France")), at], names=names)
    pq.write_table(table, tmp_path / "in" / "x.parquet")
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    assert read("online_retail", INVOICES) == [("1", "2010-12-01")]
    assert read("online_retail", INVOICES, "Europe/Berlin") == [("1", "2010-12-02")]


# ---- columns -------------------------------------------------------------------------------------


def test_a_column_that_begins_late_in_json_lines_is_read(read: Read, tmp_path: Path) -> None:
    """The names of columns are those of the first hundred lines; one seen later was lost."""
    for feed, rows in {
        "customers": ['{"customer_id": 1, "country": "US", "registered_on": "2024-01-01", "updated_at": "2024-01-01"}'],
        "products": [
            '{"product_id": 7, "product_name": "Cup", "category": "Home", "price": 2.5, "updated_at": "2024-01-01"}'
        ],
        "transactions": [
            '{"transaction_id": 1, "customer_id": 1, "transaction_date": "2024-01-02", "payment_method": "Cash",'
            ' "total_amount": 5' + (', "shipping_city": "Bonn"}' if number == 150 else "}")
            for number in range(151)
        ],
        "transaction_items": [
            '{"item_id": 1, "transaction_id": 1, "product_id": 7, "quantity": 2, "unit_price": 2.5, "line_total": 5}'
        ],
    }.items():
        (tmp_path / "in" / f"{feed}.jsonl").write_text("\n".join(rows) + "\n")
    found = read("feeds", "select shipping_city, count(*) from feed_transactions group by all order by 2")
    assert found == [("Bonn", 1), (None, 150)]


def test_the_latest_file_is_that_which_was_modified_last_whatever_its_name(read: Read, tmp_path: Path) -> None:
    for name, price, at in (("z.csv", "1.00", 1), ("a.csv", "2.00", 2), ("m.csv", "3.00", 3)):
        path = tmp_path / "in" / name
        path.write_text(f"{UCI}\n{line('1', price=price)}")
        os.utime(path, (at, at))
    assert read("online_retail", TOTALS) == [("1", "3.00")]
