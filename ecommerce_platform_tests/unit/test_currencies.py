"""Amounts in one currency: what a connector converts with a file of rates, and how money is written."""

from __future__ import annotations

import csv
import datetime as dt
from decimal import Decimal
from pathlib import Path

import pytest

from dashboards.app.formats import axis_ticks, exact, short
from dashboards.spec.powerbi_model import model_files
from ecommerce_platform.connectors.connector import SHIPPED, read_connector
from ecommerce_platform.connectors.conversion import Converted, convert, opened
from ecommerce_platform.connectors.currencies import Money, read_rates
from ecommerce_platform.connectors.errors import ConnectorError
from ecommerce_platform.connectors.judging import Judgement, judge
from ecommerce_platform.money import currency, is_currency
from ecommerce_platform.settings import load_settings
from ecommerce_platform_tests import exports

LAST = dt.date(2024, 12, 31)

CUSTOMERS = "customer_id,country,registered_on,updated_at\n1,GB,2024-01-01,2024-01-01T10:00:00Z\n"
PRODUCTS = "product_id,product_name,category,price,cost,updated_at\n7,Cup,Home,0.33,0.10,2024-01-31T09:00:00Z\n"
ORDERS = "transaction_id,customer_id,transaction_date,payment_method,total_amount,currency\n"
LINES = "item_id,transaction_id,product_id,quantity,unit_price,discount_amount,line_total\n"
RETURNS = "return_id,transaction_id,item_id,returned_on,quantity,refund_amount,reason\n"
RATES = "day,currency,rate\n"


class Shop:
    """A shop that exports feeds of any length, with a file of rates; the reporting currency is the dollar."""

    def __init__(self, folder: Path):
        self.folder, self.target, self.rates = folder / "in", folder / "out", folder / "rates.csv"
        self.export(ORDERS="1,1,2024-01-31,Card,33.00,USD\n", LINES="11,1,7,100,0.33,0,33.00\n")

    def export(self, **feeds: str) -> None:
        """Write feeds; without PRODUCTS and CUSTOMERS, those above."""
        names = {"ORDERS": "transactions", "LINES": "transaction_items", "RETURNS": "returns", "PRODUCTS": "products"}
        exports.write_text(self.folder / "customers.csv", CUSTOMERS)
        exports.write_text(self.folder / "products.csv", PRODUCTS)
        for name, rows in feeds.items():
            exports.write_text(self.folder / f"{names[name]}.csv", globals()[name].splitlines()[0] + "\n" + rows)

    def money(self, *rates: str, reporting: str | None = "USD") -> Money:
        """The reporting currency, and rates written as ``day,currency,rate``."""
        exports.write_text(self.rates, RATES + "".join(f"{rate}\n" for rate in rates))
        return Money(reporting, *read_rates(self.rates))

    def convert(self, *rates: str, reporting: str | None = "USD") -> Converted:
        money = self.money(*rates, reporting=reporting)
        return convert(read_connector(SHIPPED / "feeds"), self.folder, self.target, LAST, None, money)

    def judge(self, *rates: str) -> Judgement:
        work = self.folder.parent / "work"
        work.mkdir()
        money = self.money(*rates)
        with opened(read_connector(SHIPPED / "feeds"), self.folder, work, None, money) as (_, loaded, outputs):
            return judge(outputs, loaded, {})

    def rows(self, feed: str, day: str = "2024-01-31") -> list[dict[str, str]]:
        with (self.target / feed / f"{day}.csv").open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    def files(self) -> dict[str, bytes]:
        return {str(path.relative_to(self.target)): path.read_bytes() for path in self.target.rglob("*.csv")}


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def test_an_order_in_another_currency_is_converted_to_the_cent(shop: Shop) -> None:
    """4.99 GBP are 6.34 USD; two are 12.68, less a discount of 1.27: 11.41, which is what the order sums up to."""
    shop.export(
        ORDERS="1,1,2024-01-31,Card,11.98,GBP\n2,1,2024-01-31,Card,5.00,USD\n",
        LINES="11,1,7,2,4.99,1.00,8.98\n12,1,7,1,3.00,,3.00\n21,2,7,1,5.00,0,5.00\n",
        RETURNS="R1,1,11,2024-02-05,2,8.98,broken\nR2,1,12,2024-02-05,1,1.50,broken\n",
    )
    shop.convert("2024-01-31,GBP,1.27", "2024-02-05,GBP,9.99")
    lines = {row["item_id"]: row for row in shop.rows("transaction_items")}
    amounts = {item: (row["unit_price"], row["discount_amount"], row["line_total"]) for item, row in lines.items()}
    assert amounts == {
        "11": ("6.34", "1.27", "11.41"),
        "12": ("3.81", "0.00", "3.81"),
        "21": ("5.00", "0", "5.00"),
    }
    assert {row["transaction_id"]: row["total_amount"] for row in shop.rows("transactions")} == {
        "1": "15.22",
        "2": "5.00",
    }
    # A refund counts at the rate of the sale, and that of a whole line takes back the whole line.
    refunds = {row["return_id"]: row["refund_amount"] for row in shop.rows("returns", "2024-02-05")}
    assert refunds == {"R1": "11.41", "R2": "1.91"}
    assert not [name for name, content in shop.files().items() if b"currency" in content]


def test_products_have_the_currency_of_most_orders(shop: Shop) -> None:
    shop.export(ORDERS="1,1,2024-01-31,Card,33.00,GBP\n", LINES="11,1,7,100,0.33,0,33.00\n")
    shop.convert("2024-01-31,GBP,1.27")
    assert [(row["price"], row["cost"]) for row in shop.rows("products")] == [("0.42", "0.13")]


def test_a_product_without_a_rate_of_its_day_has_the_nearest_price_and_no_cost(shop: Shop) -> None:
    """Otherwise later orders of the product would wait for a rate of the day of its first sale."""
    shop.export(
        ORDERS="1,1,2024-01-31,Card,0.33,GBP\n2,1,2024-03-01,Card,0.33,GBP\n",
        LINES="11,1,7,1,0.33,0,0.33\n21,2,7,1,0.33,0,0.33\n",
    )
    shop.convert("2024-03-01,GBP,1.25")
    assert [(row["price"], row["cost"]) for row in shop.rows("products")] == [("0.41", "")]
    assert shop.rows("transactions")[0]["currency"] == "GBP"
    assert shop.rows("transactions", "2024-03-01")[0]["total_amount"] == "0.41"


def test_rounding_never_makes_a_line_negative_nor_a_free_line_dear(shop: Shop) -> None:
    shop.export(
        ORDERS="1,1,2024-01-31,Card,0.01,GBP\n",
        LINES="11,1,7,100,0.33,32.99,0.01\n12,1,7,100,0.35,35.00,0.00\n",
    )
    shop.convert("2024-01-31,GBP,1.25")
    totals = {row["item_id"]: row["line_total"] for row in shop.rows("transaction_items")}
    assert totals == {"11": "0.00", "12": "0.00"}


@pytest.mark.parametrize(
    "line", ["11,1,7,2,4.99,0,9.97", "11,1,7,2,4.999,0,9.998", "11,1,7,-2,4.99,0,-9.98", "11,1,7,x,4.99,0,9.98"]
)
def test_a_line_that_is_wrong_in_itself_stays_wrong(shop: Shop, line: str) -> None:
    shop.export(ORDERS="1,1,2024-01-31,Card,9.98,GBP\n", LINES=f"{line}\n")
    shop.convert("2024-01-31,GBP,1.27")
    assert list(shop.rows("transaction_items")[0].values()) == line.split(",")
    assert shop.rows("transactions")[0]["total_amount"] == "12.67"


def test_a_total_that_is_not_the_sum_of_the_lines_stays_so(shop: Shop) -> None:
    shop.export(ORDERS="1,1,2024-01-31,Card,50.00,GBP\n", LINES="11,1,7,1,10.00,0,10.00\n")
    shop.convert("2024-01-31,GBP,1.27")
    assert shop.rows("transactions")[0]["total_amount"] == "63.50"


def test_a_rate_counts_for_a_week(shop: Shop) -> None:
    """Central banks publish none on weekends and holidays; the latest one counts, and a later one never does."""
    shop.export(
        ORDERS="1,1,2024-01-31,Card,1.00,GBP\n2,1,2024-02-07,Card,1.00,GBP\n3,1,2024-02-08,Card,1.00,GBP\n"
        "4,1,2024-01-30,Card,1.00,GBP\n",
        LINES="11,1,7,1,1.00,0,1.00\n21,2,7,1,1.00,0,1.00\n31,3,7,1,1.00,0,1.00\n41,4,7,1,1.00,0,1.00\n",
    )
    shop.convert("2024-01-24,GBP,9", "2024-01-31,GBP,1.25", "2024-02-09,GBP,7")
    amounts = {
        day: shop.rows("transactions", day)[0] for day in ("2024-01-30", "2024-01-31", "2024-02-07", "2024-02-08")
    }
    assert [row["total_amount"] for row in amounts.values()] == ["9.00", "1.25", "1.25", "1.00"]
    assert [row.get("currency") for row in amounts.values()] == [None, None, None, "GBP"]


def test_an_order_without_a_rate_waits_with_its_currency_until_there_is_one(shop: Shop) -> None:
    shop.export(
        ORDERS="1,1,2024-01-31,Card,10.00,GBP\n2,1,2024-01-31,Card,5.00,USD\n3,1,2024-02-01,Card,5.00,USD\n",
        LINES="11,1,7,1,10.00,0,10.00\n21,2,7,1,5.00,0,5.00\n31,3,7,1,5.00,0,5.00\n",
    )
    shop.convert()
    before = shop.files()
    found = {row["transaction_id"]: (row["total_amount"], row["currency"]) for row in shop.rows("transactions")}
    assert found == {"1": ("10.00", "GBP"), "2": ("5.00", "")}
    assert "currency" not in shop.rows("transactions", "2024-02-01")[0]

    assert shop.convert("2024-01-31,GBP,1.27").changed_days == 1
    assert shop.rows("transactions")[0]["total_amount"] == "12.70"
    changed = {name for name, content in shop.files().items() if content != before[name]}
    assert changed == {"transactions/2024-01-31.csv", "transaction_items/2024-01-31.csv"}
    assert not shop.convert("2024-01-31,GBP,1.27").is_new


def test_check_says_which_rates_are_missing_and_adds_up_nothing_else(shop: Shop) -> None:
    shop.export(
        ORDERS="1,1,2024-01-31,Card,10.00,GBP\n2,1,2024-01-31,Card,5.00,USD\n3,1,2024-01-31,Card,5.00,USD\n",
        LINES="11,1,7,1,10.00,0,10.00\n21,2,7,1,5.00,0,5.00\n31,3,7,1,5.00,0,5.00\n",
    )
    said = shop.judge()
    assert (said.currency, said.revenue) == ("USD", "10.00")
    lines = list(said.lines())
    assert "revenue $10.00, refunds $0.00 (USD), 0 orders without a customer (guests)" in lines
    assert (
        "transactions: 1 rows have no rate from GBP to USD, the first for 2024-01-31: add rates to ECOMMERCE_RATES,"
        " such as '1'"
    ) in lines


def test_nothing_changes_where_the_currency_is_the_reporting_currency(shop: Shop) -> None:
    shop.convert(reporting="USD")
    before = shop.files()
    shop.export(ORDERS="1,1,2024-01-31,Card,33.00,\n")
    assert shop.convert("2024-01-31,GBP,1.27").changed_days == 0
    shop.export(ORDERS="1,1,2024-01-31,Card,33.00,usd\n")
    assert shop.convert("2024-01-31,USD,9.99").changed_days == 0
    assert shop.files() == before


def test_without_a_setting_the_reporting_currency_is_that_of_the_shop(shop: Shop, tmp_path: Path) -> None:
    shop.export(ORDERS="1,1,2024-01-31,Card,33.00,EUR\n")
    assert shop.convert(reporting=None).currency == "EUR"
    shop.export(ORDERS="1,1,2024-01-31,Card,33.00,\n")
    assert shop.convert(reporting=None).currency == "USD"
    folder = exports.online_retail(tmp_path / "uci")
    uci = convert(read_connector(SHIPPED / "online_retail"), folder, tmp_path / "converted", LAST)
    assert uci.currency == "GBP"
    assert not [path for path in (tmp_path / "converted").rglob("*.csv") if "currency" in path.read_text()]


@pytest.mark.parametrize(("name", "code"), [("shopify", "USD"), ("woocommerce", "EUR"), ("olist", "BRL")])
def test_shipped_connectors_know_the_currency_of_their_files(name: str, code: str, tmp_path: Path) -> None:
    folder = getattr(exports, name)(tmp_path / "in")
    connector = read_connector(SHIPPED / name)
    own = convert(connector, folder, tmp_path / "own", LAST)
    assert own.currency == code
    # At a rate of 2, everything is worth twice as much.
    exports.write_text(tmp_path / "rates.csv", RATES + "".join(f"{day},{code},2\n" for day in days(own)))
    money = Money("JPY", *read_rates(tmp_path / "rates.csv"))
    convert(connector, folder, tmp_path / "other", LAST, None, money)
    for feed, columns in {
        "transactions": ["total_amount"],
        "transaction_items": ["unit_price", "discount_amount", "line_total"],
        "returns": ["refund_amount"],
        "products": ["price"],
    }.items():
        before, after = (sums(tmp_path / target / feed, columns) for target in ("own", "other"))
        assert after == [2 * amount for amount in before], feed
    assert not [path for path in (tmp_path / "other").rglob("*.csv") if "currency" in path.read_text()]


def days(converted: Converted) -> list[dt.date]:
    count = (converted.last_day - converted.first_day).days + 1
    return [converted.first_day + dt.timedelta(days=number) for number in range(count)]


def sums(folder: Path, columns: list[str]) -> list[Decimal]:
    rows = [row for path in folder.glob("*.csv") for row in csv.DictReader(path.open(encoding="utf-8", newline=""))]
    return [sum((Decimal(row[column] or 0) for row in rows), Decimal(0)) for column in columns]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("tag,kurs\n", "line 1: the header is 'tag,kurs'; it must be day,currency,rate"),
        ("", "line 1: the header is ''"),
        (RATES + "2024-01-31,GBP\n", "line 2: the row has 2 values"),
        (RATES + "31.01.2024,GBP,1.2\n", "line 2: '31.01.2024' is not a date"),
        (RATES + "2024-02-30,GBP,1.2\n", "line 2: '2024-02-30' is not a date"),
        (RATES + "2024-01-31,GBX,1.2\n", "line 2: 'GBX' is not a currency"),
        (RATES + '2024-01-31,GBP,"1,2"\n', "line 2: '1,2' is not a rate"),
        (RATES + "2024-01-31,GBP,0.00\n", "line 2: '0.00' is not a rate"),
        (RATES + "2024-01-31,GBP,-1\n", "line 2: '-1' is not a rate"),
        (RATES + "2024-01-31,GBP,NaN\n", "line 2: 'NaN' is not a rate"),
        (RATES + "2024-01-31,GBP,1.2\n2024-01-31,GBP,1.3\n", "line 3: GBP has another rate for 2024-01-31 above"),
        ("\xff", "the file is not UTF-8"),
    ],
)
def test_a_faulty_file_of_rates_is_one_clear_message(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "rates.csv"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ConnectorError) as caught:
        read_rates(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert said in message
    assert len(message.splitlines()) == 1


def test_rates_may_have_a_byte_order_mark_blank_lines_and_any_order(tmp_path: Path) -> None:
    path = tmp_path / "rates.csv"
    path.write_bytes(b"\xef\xbb\xbfday,Currency, rate\r\n2024-02-01,EUR,1.08\r\n\r\n2024-01-31,EUR,1.0812345678\r\n")
    rates, _ = read_rates(path)
    assert rates.column("rate").to_pylist() == [Decimal("1.08"), Decimal("1.0812345678")]


@pytest.mark.parametrize(
    ("code", "amount", "text"),
    [
        ("USD", "1234.5", "$1,234.50"),
        ("USD", "-0.005", "-$0.01"),
        ("EUR", "0", "€0.00"),
        ("GBP", "12", "£12.00"),
        ("JPY", "1234.50", "¥1,235"),
        ("CHF", "-12.5", "-CHF\u00a012.50"),
        ("BRL", "7", "R$7.00"),
    ],
)
def test_money_has_the_symbol_and_the_decimals_of_its_currency(code: str, amount: str, text: str) -> None:
    assert currency(code).text(Decimal(amount)) == text


def test_only_codes_of_iso_4217_are_currencies() -> None:
    assert [code for code in ("USD", "usd", "DOLLARS", "", "XBT", "U$D") if is_currency(code)] == ["USD"]


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        # New York is five hours behind until March 10, 2024, 2:00, and four hours afterwards.
        ("2024-03-10T04:59:59Z", ("2024-03-09", "23:59:59")),
        ("2024-03-10T05:00:01Z", ("2024-03-10", "00:00:01")),
        ("2024-03-10T06:59:59Z", ("2024-03-10", "01:59:59")),
        ("2024-03-10T07:00:00Z", ("2024-03-10", "03:00:00")),
        ("2024-03-11T03:59:59Z", ("2024-03-10", "23:59:59")),
        ("2024-03-11T04:00:01Z", ("2024-03-11", "00:00:01")),
        # The clocks go back on November 3: 1:30 is there twice, on the same day.
        ("2024-11-03T05:30:00Z", ("2024-11-03", "01:30:00")),
        ("2024-11-03T06:30:00Z", ("2024-11-03", "01:30:00")),
        ("2024-11-04T04:30:00Z", ("2024-11-03", "23:30:00")),
    ],
)
def test_the_time_zone_of_connector_toml_decides_the_day_over_a_change_of_clocks(
    moment: str, expected: tuple[str, str], tmp_path: Path
) -> None:
    folder = tmp_path / "newyork"
    folder.mkdir()
    for path in (SHIPPED / "feeds").iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    toml = folder / "connector.toml"
    toml.write_text('time_zone = "America/New_York"\n' + toml.read_text())
    shop = Shop(tmp_path)
    shop.export(ORDERS=f"1,1,{moment},Card,33.00,USD\n")
    convert(read_connector(folder), shop.folder, shop.target, LAST)
    (row,) = shop.rows("transactions", expected[0])
    assert (row["transaction_date"], row["transaction_time"][:8]) == expected


def test_dashboards_and_power_bi_show_the_reporting_currency(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = {}
    for code in ("USD", "JPY", "CHF"):
        monkeypatch.setenv("ECOMMERCE_CURRENCY", code)
        load_settings.cache_clear()
        model = "".join(model_files().values())
        shown[code] = (
            exact(Decimal("-1234567.5"), "money"),
            short(Decimal("1234567.5"), "money"),
            short(Decimal("12.5"), "money"),
            exact(1234, "count"),
            axis_ticks("money", [2500.0])["ticktext"][-1],
            axis_ticks("count", [2500.0])["ticktext"][-1],
            {line.split(": ")[1] for line in model.splitlines() if "formatString: \\" in line},
        )
    load_settings.cache_clear()
    assert shown == {
        "USD": ("-$1,234,567.50", "$1.23M", "$12.50", "1,234", "$2.5K", "2.5K", {"\\$#,0.00"}),
        "JPY": ("-¥1,234,568", "¥1.23M", "¥13", "1,234", "¥2.5K", "2.5K", {"\\¥#,0"}),
        "CHF": (
            "-CHF\u00a01,234,567.50",
            "CHF\u00a01.23M",
            "CHF\u00a012.50",
            "1,234",
            "CHF\u00a02.5K",
            "2.5K",
            {"\\C\\H\\F\\\u00a0#,0.00"},
        ),
    }
