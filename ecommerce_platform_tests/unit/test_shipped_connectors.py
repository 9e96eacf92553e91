"""Each connector that is shipped, on an export in the shape of the real one; the totals were computed by hand."""

from __future__ import annotations

import datetime as dt
import hashlib
import os
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from ecommerce_platform.connectors.connector import SHIPPED, read_connector, shipped_names
from ecommerce_platform.connectors.conversion import opened, working_folder
from ecommerce_platform.connectors.judging import Judgement, judge
from ecommerce_platform_tests import exports

Rows = list[dict[str, str]]


class Run:
    """What a connector makes of a folder: the rows of each feed, and the judgement."""

    def __init__(self, name: str, folder: Path, work: Path, time_zone: str | None = None):
        work.mkdir(exist_ok=True)
        with (
            working_folder(work) as own,
            opened(read_connector(SHIPPED / name), folder, own, time_zone) as (matches, loaded, outputs),
        ):
            self.judgement: Judgement = judge(
                outputs, loaded, {path.name: reason for path, reason in matches.ignored.items()}
            )
            self.feeds = {feed: self._rows(outputs, feed) for feed in outputs.feeds}

    @staticmethod
    def _rows(outputs, feed: str) -> Rows:
        found = outputs.database.execute(f"select * from feed_{feed} order by all")
        names = [column[0] for column in found.description]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

    def column(self, feed: str, *names: str) -> list[tuple[str, ...]]:
        return [tuple(row[name] for name in names) for row in self.feeds[feed]]

    @property
    def totals(self) -> tuple[int, int, Decimal, Decimal, int]:
        """Orders, lines, revenue, refunds and guests."""
        said = self.judgement
        rows = said.rows
        return (
            rows["transactions"],
            rows["transaction_items"],
            Decimal(said.revenue),
            Decimal(said.refunds),
            said.guests,
        )

    def check_sums(self) -> None:
        """The total of an order is the sum of its lines, and each line's total is what it says."""
        lines = self.feeds["transaction_items"]
        for row in lines:
            total = Decimal(row["quantity"]) * Decimal(row["unit_price"]) - Decimal(row["discount_amount"])
            assert total == Decimal(row["line_total"]), row
            assert Decimal(row["discount_amount"]) >= 0, row
        for order in self.feeds["transactions"]:
            mine = [Decimal(row["line_total"]) for row in lines if row["transaction_id"] == order["transaction_id"]]
            assert Decimal(order["total_amount"]) == sum(mine), order


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Run]:
    def convert(name: str, time_zone: str | None = None) -> Run:
        folder = getattr(exports, name)(tmp_path / name)
        ran = Run(name, folder, tmp_path / "work", time_zone)
        ran.check_sums()
        return ran

    return convert


def test_shopify(run: Callable[..., Run]) -> None:
    ran = run("shopify")
    # 22.95 + 11.00 + 100.00 + 23.00; refunds 100.00 of 108.00, which included shipping, and 6.00
    assert ran.totals == (4, 6, Decimal("156.95"), Decimal("106.00"), 1)
    assert ran.judgement.findings == []
    bob = hashlib.sha256(b"bob@example.com").hexdigest()[:32]
    assert ran.column("transactions", "transaction_id", "customer_id", "transaction_date", "total_amount") == [
        ("#1001", "7001", "2024-03-01", "22.95"),
        ("#1002", None, "2024-03-02", "11.00"),
        ("#1003", "7001", "2024-03-03", "100.00"),
        ("#1005", bob, "2024-03-04", "23.00"),
    ]
    # 10 % off the order: 2.00 of 20.00, and 0.55 of 5.50
    assert ran.column("transaction_items", "item_id", "quantity", "unit_price", "discount_amount", "line_total") == [
        ("#1001/A1/1", "2", "10.00", "2.00", "18.00"),
        ('#1001/Card, 24" wide/1', "1", "5.50", "0.55", "4.95"),
        ("#1002/B2/1", "3", "4.00", "1.00", "11.00"),
        ("#1003/C3/1", "1", "100.00", "0.00", "100.00"),
        ("#1005/A1/1", "2", "10.00", "0.00", "20.00"),
        ("#1005/B2/1", "1", "3.00", "0.00", "3.00"),
    ]
    assert ran.column("returns", "item_id", "returned_on", "quantity", "refund_amount") == [
        ("#1003/C3/1", "2024-03-05", "1", "100.00"),
        ("#1005/A1/1", "2024-03-04", "1", "6.00"),
    ]
    assert ran.column("customers", "customer_id", "first_name", "last_name", "city", "state", "postal_code", "day") == [
        (bob, None, None, None, "", None, dt.date(2024, 3, 4)),
        ("7001", "Ada", "King", "Austin", "TX", "73301", dt.date(2024, 3, 1)),
        ("7001", "Ada", "King", "Boston", "MA", "73301", dt.date(2024, 3, 3)),
    ]
    assert ran.column(
        "products", "product_id", "product_name", "category", "brand", "price", "cost", "stock_quantity"
    ) == [
        ("A1", "Lamp - Small", "Lighting", "Lumen", "12.00", "4.50", "7"),
        ("A2", "Lamp - Large", "Lighting", "Lumen", "20.00", None, "0"),
        ("B2", "Bulb", "Unknown", "Acme", "3.00", None, None),
        ("C3", "Chair", "Unknown", "Acme", "100.00", None, None),
        ('Card, 24" wide', 'Card, 24" wide', "Unknown", "Acme", "5.50", None, None),
    ]
    assert dict(ran.judgement.left_out) == {
        "orders that were voided, or cancelled before they were paid": 1,
        "customers without an order": 1,
    }


def test_an_e_mail_address_never_becomes_an_identifier(run: Callable[..., Run]) -> None:
    for name in ("shopify", "woocommerce"):
        feeds = run(name).feeds
        for feed, rows in feeds.items():
            said = [value for row in rows for column, value in row.items() if column != "email" and value is not None]
            assert not [value for value in said if "@" in str(value)], feed


def test_the_time_zone_decides_the_business_day(run: Callable[..., Run]) -> None:
    first = {
        zone: run("shopify", zone).column("transactions", "transaction_date", "transaction_time")[0]
        for zone in (None, "UTC")
    }
    assert first == {None: ("2024-03-01", "23:30:00"), "UTC": ("2024-03-02", "04:30:00")}


def test_woocommerce(run: Callable[..., Run]) -> None:
    ran = run("woocommerce")
    assert ran.totals == (2, 3, Decimal("57.00"), Decimal("20.00"), 0)
    assert ran.judgement.findings == []
    # 10.00 for three units is 3.34 each, less two cents
    assert ran.column(
        "transaction_items", "item_id", "product_id", "quantity", "unit_price", "discount_amount", "line_total"
    ) == [
        ("9001", "W-1", "3", "10.00", "3.00", "27.00"),
        ("9002", "88", "3", "3.34", "0.02", "10.00"),
        ("9003", "W-1", "2", "10.00", "0.00", "20.00"),
    ]
    assert ran.column("returns", "return_id", "item_id", "returned_on", "quantity", "refund_amount") == [
        ("R-9003", "9003", "2024-05-02", "2", "20.00")
    ]
    guest = hashlib.sha256(b"eve@example.org").hexdigest()[:32]
    assert ran.column("customers", "customer_id", "city", "state", "country") == [
        ("12", "München", "BY", "DE"),
        (guest, None, "", "AT"),
    ]
    assert dict(ran.judgement.left_out) == {"orders that failed, were cancelled, or are not paid for yet": 1}


def test_olist(run: Callable[..., Run]) -> None:
    ran = run("olist")
    assert ran.totals == (2, 3, Decimal("178.68"), Decimal("0.00"), 0)  # 2 * 29.99 + 118.70
    assert ran.judgement.findings == []
    person = "7c396fd4830fd04220f754e42b4e5bff"
    assert ran.column("transactions", "customer_id", "payment_method", "shipping_state", "total_amount") == [
        (person, "boleto", "BA", "118.70"),
        (person, "voucher", "SP", "59.98"),
    ]
    assert ran.column("customers", "customer_id", "city", "state", "country", "registered_on") == [
        (person, "barreiras", "BA", "BR", "2017-10-02"),
        (person, "sao paulo", "SP", "BR", "2017-10-02"),
    ]
    assert ran.column("products", "product_name", "category", "price") == [
        ("perfumaria 595fac2a", "perfumaria", "118.70"),
        ("housewares 87285b34", "housewares", "29.99"),
    ]
    assert dict(ran.judgement.left_out) == {"orders that are canceled or unavailable": 1}


def test_online_retail(run: Callable[..., Run]) -> None:
    ran = run("online_retail")
    # 15.30 + 6.78 + 6.78 + 18.00 + 3.77 + 0; refunds 6.78 + 27.50
    assert ran.totals == (3, 6, Decimal("50.63"), Decimal("34.28"), 2)
    assert ran.column("transaction_items", "item_id", "unit_price", "discount_amount", "line_total") == [
        ("536365/71053/1", "3.39", "0.00", "6.78"),
        ("536365/71053/2", "3.39", "0.00", "6.78"),
        ("536365/85123A/1", "2.55", "0.00", "15.30"),
        ("536365/POST/1", "18.00", "0.00", "18.00"),
        ("536366/22633/1", "1.26", "0.01", "3.77"),  # 3 * 1.255 is 3.765
        ("536414/22139/1", "0.00", "0.00", "0.00"),
    ]
    assert ran.column("returns", "return_id", "transaction_id", "item_id", "quantity", "refund_amount") == [
        ("C536379/71053/1", "536365", "536365/71053/1", "2", "6.78"),
        ("C536380/D/1", "C536380", "C536380/D/1", "1", "27.50"),
    ]
    assert ran.column("products", "product_id", "product_name", "category") == [
        ("22139", "22139", "Unknown"),
        ("22633", "HAND WARMER", "Unknown"),
        ("71053", "WHITE METAL LANTERN", "Unknown"),
        ("85123A", "WHITE HANGING HEART", "Unknown"),
        ("POST", "POSTAGE", "Charges"),
    ]
    assert ran.column("customers", "customer_id", "country", "registered_on") == [("17850", "GB", "2010-12-01")]
    (orphan,) = ran.judgement.findings
    assert (orphan.feed, orphan.rows, orphan.example) == ("returns", 1, "C536380/D/1")
    ((reason, rows),) = ran.judgement.left_out
    assert (rows, "written off" in reason) == (1, True)


def test_a_line_is_cancelled_once(tmp_path: Path) -> None:
    """Two cancellations of one purchase may not take back more than was sold."""
    header, *_ = exports.UCI_ROWS.strip().splitlines()
    lines = [
        "1,71053,L,3,12/1/2010 8:00,2.00,5,France",
        "C2,71053,L,-2,12/2/2010 8:00,2.00,5,France",
        "C3,71053,L,-2,12/3/2010 8:00,2.00,5,France",
        "C4,71053,L,-1,11/1/2010 8:00,2.00,5,France",
        "5,71053,L,1,12/25/2010 8:00,2.00,5,France",
    ]
    exports.write_text(tmp_path / "in" / "a.csv", "\n".join([header, *lines, ""]))
    ran = Run("online_retail", tmp_path / "in", tmp_path / "work")
    assert ran.column("returns", "return_id", "item_id") == [
        ("C2/71053/1", "1/71053/1"),
        ("C3/71053/1", "C3/71053/1"),
        ("C4/71053/1", "C4/71053/1"),
    ]


def test_a_spreadsheet_of_two_sheets_without_case_or_spaces_in_the_header(tmp_path: Path) -> None:
    """UCI II is one sheet per year, and calls three of its columns otherwise than UCI I."""
    folder = exports.online_retail(tmp_path / "one")
    one = Run("online_retail", folder, tmp_path / "work1")
    text = (
        exports.UCI_ROWS.replace("InvoiceNo", "INVOICE")
        .replace("UnitPrice", "price")
        .replace("CustomerID", "customer id")
    )
    exports.write_text(tmp_path / "two" / "x.csv", text)
    two = Run("online_retail", tmp_path / "two", tmp_path / "work2")
    assert two.feeds == one.feeds


def woocommerce_items(folder: Path, *items: dict[str, str]) -> Path:
    """A WooCommerce export of paid orders of 2024-05-01; items that do not say otherwise are one cup each."""
    usual = {"order_id": "1", "order_date": "2024-05-01 10:00:00", "status": "completed", "item_name": "Cup"}
    usual |= {"item_quantity": "1"}
    rows = [{**usual, "item_id": str(number), **item} for number, item in enumerate(items, 1)]
    exports.write_rows(folder / "orders.csv", exports.WOOCOMMERCE, rows)
    return folder


REFUNDS = {
    "the amount names no item": ("partially-refunded", "50.00", ["0", "0"], [("1", "2", "30.00"), ("2", "1", "20.00")]),
    "a part, and no item": ("completed", "-35.00", ["", ""], [("1", "2", "30.00"), ("2", "1", "5.00")]),
    "with shipping": ("refunded", "54.90", ["0", "0"], [("1", "2", "30.00"), ("2", "1", "20.00")]),
    # 24.00 are 20.00 and its taxes; the other item is kept.
    "an item and its taxes": ("completed", "24.00", ["0", "20.00"], [("2", "1", "20.00")]),
    "one item named, everything refunded": (
        "Refunded",
        "50.00",
        ["10.00", "0"],
        [("1", "2", "30.00"), ("2", "1", "20.00")],
    ),
    "everything, the amount unknown": ("refunded", "", ["", ""], [("1", "2", "30.00"), ("2", "1", "20.00")]),
}


@pytest.mark.parametrize("case", REFUNDS)
def test_a_woocommerce_refund_that_names_no_item_is_taken_from_the_largest(case: str, tmp_path: Path) -> None:
    status, total, refunded, expected = REFUNDS[case]
    order = {"status": status, "refunded_total": total}
    folder = woocommerce_items(
        tmp_path / "in",
        {**order, "item_total": "30.00", "item_quantity": "2", "item_refunded": refunded[0]},
        {**order, "item_total": "20.00", "item_refunded": refunded[1]},
    )
    ran = Run("woocommerce", folder, tmp_path / "work")
    assert ran.column("returns", "item_id", "quantity", "refund_amount") == expected


def test_what_a_woocommerce_refund_has_beyond_its_items_is_counted(tmp_path: Path) -> None:
    folder = woocommerce_items(
        tmp_path / "in",
        {"refunded_total": "24.00", "item_total": "30.00", "item_refunded": "20.00"},
        {"order_id": "2", "item_total": "30.00", "refunded_total": "5.00", "item_refunded": "5.00"},
    )
    left_out = dict(Run("woocommerce", folder, tmp_path / "work").judgement.left_out)
    assert left_out == {
        "orders whose refund is larger than that of their items (taxes, shipping, or an amount that names no item)": 1
    }


def test_woocommerce_statuses_count_under_their_labels_and_their_keys(tmp_path: Path) -> None:
    unpaid = ["Pending payment", "wc-pending", "Canceled", "Cancelled", "On hold", "wc-on-hold", "Checkout draft"]
    unpaid += ["failed", "Trash"]
    paid = ["Completed", "wc-processing", "refunded", ""]
    unknown = ["Versandt", "wc-versandt", "Storniert"]
    items = [
        {"order_id": str(number), "status": status, "item_total": "1.00"}
        for number, status in enumerate(unpaid + paid + unknown, 1)
    ]
    ran = Run("woocommerce", woocommerce_items(tmp_path / "in", *items), tmp_path / "work")
    assert ran.judgement.rows["transactions"] == len(paid) + len(unknown)
    assert dict(ran.judgement.left_out) == {"orders that failed, were cancelled, or are not paid for yet": len(unpaid)}
    told = [(each.feed, each.rows, each.reason, each.example) for each in ran.judgement.findings]
    reason = (
        "have the unknown status {!r} and count as sales: if they are none, leave it out in a copy of the connector"
    )
    assert told == [
        ("transactions", 1, reason.format("storniert"), "16"),
        ("transactions", 2, reason.format("versandt"), "14"),
    ]


def test_overlapping_olist_exports_count_each_order_once(tmp_path: Path) -> None:
    folder = exports.olist(tmp_path / "in")
    for path in list(folder.iterdir()):
        path.with_name(f"later_{path.name}").write_bytes(path.read_bytes())
    ran = Run("olist", folder, tmp_path / "work")
    ran.check_sums()
    assert ran.totals == (2, 3, Decimal("178.68"), Decimal("0.00"), 0)
    assert ran.column("transactions", "payment_method") == [("boleto",), ("voucher",)]


def test_overlapping_shopify_products_are_those_of_the_later_export(tmp_path: Path) -> None:
    """The greatest value of each column, regardless of the file, made rows that no export holds."""
    folder = exports.shopify(tmp_path / "in")
    lamp = {"Title": "Desk lamp", "URL handle": "lamp", "Vendor": "Acme", "Option1 value": "Small"}
    later = [
        {**lamp, "SKU": "A1", "Price": "11.00", "Inventory quantity": "10"},
        {"URL handle": "lamp", "Option1 value": "XL", "SKU": "A3", "Price": "40.00"},
    ]
    path = exports.write_rows(folder / "a_products_export.csv", exports.SHOPIFY_PRODUCTS, later)
    os.utime(path, (2e9, 2e9))
    ran = Run("shopify", folder, tmp_path / "work")
    columns = ("product_id", "product_name", "category", "brand", "price", "cost", "stock_quantity")
    assert ran.column("products", *columns)[:3] == [
        ("A1", "Desk lamp - Small", "Unknown", "Acme", "11.00", None, "10"),
        ("A2", "Desk lamp - Large", "Unknown", "Acme", "20.00", None, "0"),
        ("A3", "Desk lamp - XL", "Unknown", "Acme", "40.00", None, None),
    ]


def test_a_shopify_sku_that_is_there_twice_is_one_of_its_rows(tmp_path: Path) -> None:
    folder = exports.shopify(tmp_path / "in")
    rows = [
        {"Title": "Bulb", "URL handle": "bulb", "SKU": "B2", "Price": "3.50", "Cost per item": "1.00"},
        {"Title": "Aged bulb", "URL handle": "aged-bulb", "SKU": "B2", "Price": "9.00", "Inventory quantity": "4"},
    ]
    exports.write_rows(folder / "products_export.csv", exports.SHOPIFY_PRODUCTS, rows)
    found = Run("shopify", folder, tmp_path / "work").column(
        "products", "product_id", "product_name", "price", "cost", "stock_quantity"
    )
    assert [row for row in found if row[0] == "B2"] == [("B2", "Aged bulb", "9.00", None, "4")]


@pytest.mark.parametrize(("modified", "said"), [(2e9, "have no date"), (1e9, "add up to less than their Subtotal")])
def test_a_shopify_order_whose_lines_lie_in_two_files_is_named(modified: float, said: str, tmp_path: Path) -> None:
    folder = exports.shopify(tmp_path / "in")
    path = folder / "orders_export_1.csv"
    *rows, last = path.read_text().splitlines(keepends=True)
    path.write_text("".join(rows))
    other = exports.write_text(folder / "orders_export_2.csv", rows[0] + last)
    os.utime(other, (modified, modified))
    (finding,) = Run("shopify", folder, tmp_path / "work").judgement.findings
    assert (finding.feed, finding.rows, finding.example) == ("transactions", 1, "#1005")
    assert f"{said}; if their rows lie in two files" in finding.reason


def uci(folder: Path, *lines: str) -> Path:
    header, *_ = exports.UCI_ROWS.strip().splitlines()
    exports.write_text(folder / "a.csv", "\n".join([header, *lines, ""]))
    return folder


def test_lines_without_an_invoice_are_counted(tmp_path: Path) -> None:
    folder = uci(
        tmp_path / "in",
        "1,71053,L,3,2010-12-01 08:00,2.00,5,France",
        ",71053,L,2,2010-12-01 08:00,2.00,5,France",
        ",71053,L,-2,2010-12-01 08:00,0,5,France",
    )
    ran = Run("online_retail", folder, tmp_path / "work")
    assert ran.totals == (1, 1, Decimal("6.00"), Decimal("0.00"), 0)
    assert ran.judgement.left_out == [("lines without an invoice number", 2)]


def test_invoices_of_one_minute_are_one_image_of_their_customer(tmp_path: Path) -> None:
    folder = uci(
        tmp_path / "in",
        "1,71053,L,3,2010-12-01 08:00,2.00,5,France",
        "2,71053,L,3,2010-12-01 08:00,2.00,5,France",
        "3,71053,L,3,2010-12-01 08:00,2.00,5,Spain",
    )
    ran = Run("online_retail", folder, tmp_path / "work")
    assert ran.column("customers", "customer_id", "country") == [("5", "ES"), ("5", "FR")]


HUGE = {
    "online_retail": ("Online Retail.csv", "6,12/1/2010 8:26,2.55", "999999999,12/1/2010 8:26,9999999999.00"),
    "shopify": ("orders_export_1.csv", ",3,Bulb,4.00,", ",999999999,Bulb,9999999999.00,"),
    "woocommerce": ("orders.csv", ",3,30.00,,27.00,", ",999999999,9999999999.00,,9999999999.00,"),
    "olist": ("olist_order_items_dataset.csv", '"118.70"', '"9999999999.00"'),
}


@pytest.mark.parametrize("name", HUGE)
def test_an_absurd_quantity_and_price_leave_the_other_orders_alone(name: str, tmp_path: Path) -> None:
    folder = getattr(exports, name)(tmp_path / "in")
    file, old, new = HUGE[name]
    text = (folder / file).read_text()
    assert old in text
    (folder / file).write_text(text.replace(old, new, 1))
    ran = Run(name, folder, tmp_path / "work")
    ran.check_sums()
    assert ran.totals[0] == {"online_retail": 3, "shopify": 4, "woocommerce": 2, "olist": 2}[name]


def test_every_connector_that_is_shipped_has_a_test_and_a_page() -> None:
    from ecommerce_platform.settings import PROJECT_DIR

    assert shipped_names() == ["feeds", "olist", "online_retail", "shopify", "woocommerce"]
    for name in shipped_names():
        assert (PROJECT_DIR / "docs" / "connectors" / f"{name}.md").is_file(), name
