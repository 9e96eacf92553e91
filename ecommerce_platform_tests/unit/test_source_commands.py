"""``source guess``, ``preview`` and ``check``: from a file to the settings that load it."""

from __future__ import annotations

import datetime as dt
import gzip
import json
import shlex
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ecommerce_platform import cli
from ecommerce_platform.connectors.connector import SHIPPED, read_connector, shipped_names
from ecommerce_platform.settings import Settings, load_settings
from ecommerce_platform.tables.raw_files import last_day_to_load
from ecommerce_platform_tests import exports


@pytest.fixture(autouse=True)
def no_developer_settings(monkeypatch: pytest.MonkeyPatch, data_dir: Path) -> None:
    monkeypatch.setattr("ecommerce_platform.cli.dotenv.load_dotenv", lambda *_, **__: None)


def source(*arguments: object) -> Result:
    return CliRunner().invoke(cli.main, ["source", *map(str, arguments)])


def said(result: Result) -> str:
    return " ".join((result.stdout + result.stderr).split())


@pytest.mark.parametrize("name", ["shopify", "woocommerce", "olist", "online_retail"])
def test_guess_knows_the_exports_of_each_shop(name: str, tmp_path: Path) -> None:
    folder = getattr(exports, name)(tmp_path / "in")
    result = source("guess", *sorted(folder.iterdir()))
    assert result.exit_code == 0, said(result)
    assert f"The connector {name} fits." in said(result)
    assert f"echo ECOMMERCE_SOURCE={name} >> " in said(result)


def test_guess_says_what_is_missing_for_a_connector(tmp_path: Path) -> None:
    folder = exports.olist(tmp_path / "in")
    result = source("guess", folder / "olist_orders_dataset.csv")
    assert result.exit_code == 1
    assert "missing: a file with the items" in said(result)
    text = exports.UCI_ROWS.replace("UnitPrice", "Prize")
    result = source("guess", exports.write_text(tmp_path / "a.csv", text))
    assert result.exit_code == 1
    assert "it lacks the column 'UnitPrice' ('Prize' looks like it)" in said(result)


OTHER = """
Order ID;Order Date;SKU;Qty;Unit Price;Buyer ID;Payment;Ship State
A-1;31.01.2024 10:00;T-1;2;3.50;77;card;TX
A-1;31.01.2024 10:00;T-2;1;1.00;77;card;TX
A-2;01.02.2024 11:00;T-1;3;3.50;;cash;
A-3;02.02.2024 11:00;T-1;-1;3.50;77;;TX
"""


def test_guess_drafts_a_connector_for_another_shop(tmp_path: Path) -> None:
    path = exports.write_text(tmp_path / "in" / "sales.csv", OTHER)
    result = source("guess", path)
    assert result.exit_code == 1
    assert "'Order ID' as transaction_id" in said(result)
    assert "--draft" in said(result)
    draft = tmp_path / "my_shop"
    drafted = source("guess", path, "--draft", draft)
    assert drafted.exit_code == 0, said(drafted)
    assert f"echo ECOMMERCE_SOURCE={draft} >> " in said(drafted)
    report = json.loads(source("check", tmp_path / "in", "--connector", draft, "--json").stdout)
    assert (report["rows"]["transactions"], report["revenue"], report["refunds"], report["guests"]) == (
        2,
        "18.50",
        "3.50",
        1,
    )
    again = source("guess", path, "--draft", draft)
    assert again.exit_code == 1
    assert "the folder exists" in said(again)


def test_a_draft_of_several_files_says_which_it_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    exports.write_text(tmp_path / "2023.csv", OTHER)
    exports.write_text(tmp_path / "2024.csv", OTHER.replace("A-", "B-"))
    exports.write_text(tmp_path / "clients.csv", "Buyer ID;Email\n77;a@example.com\n")
    result = source("guess", "2023.csv", "2024.csv", "clients.csv", "--draft", tmp_path / "my_shop")
    assert result.exit_code == 0, said(result)
    assert "not read, because no header fits: 'clients.csv'" in said(result)
    assert copied(result) == ["2023.csv", "2024.csv"]


def test_a_draft_recognizes_no_column_that_it_does_not_use(tmp_path: Path) -> None:
    path = exports.write_text(tmp_path / "in" / "sales.csv", OTHER.replace("Payment;", "Line Total;"))
    draft = tmp_path / "my_shop"
    text = said(source("guess", path, "--draft", draft))
    sql = "".join(each.read_text() for each in draft.glob("*.sql"))
    for meaning in read_connector(draft).files["exports"].columns:
        assert meaning in sql, meaning
    assert "Line Total" not in text


def test_a_draft_is_refused_where_sales_cannot_be_recognized(tmp_path: Path) -> None:
    path = exports.write_text(tmp_path / "x.csv", "a,b,c\n1,2,3\n")
    result = source("guess", path, "--draft", tmp_path / "my_shop")
    assert result.exit_code == 1
    assert "no column is recognized as transaction_id" in said(result)
    assert not (tmp_path / "my_shop").exists()


def copied(result: Result) -> list[str]:
    """The files of the command that copies them."""
    (line,) = [line for line in result.stdout.splitlines() if " cp -- " in line]
    return shlex.split(line.partition(" cp -- ")[2])[:-1]


def test_guess_copies_the_files_that_are_read_and_names_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    exports.write_text(tmp_path / "-x.csv", exports.UCI_ROWS)
    exports.write_text(tmp_path / "junk.csv", "a,b\n1,2\n")
    exports.write_text(tmp_path / "letter.pdf", "%PDF")
    (tmp_path / "more.zip").write_bytes(b"PK")
    result = source("guess", "--", "-x.csv", "junk.csv", "letter.pdf", "more.zip")
    assert result.exit_code == 0, said(result)
    assert copied(result) == ["-x.csv"]
    for part in (
        "not read, because no header fits: 'junk.csv'",
        "not read, because this kind of file is not known: 'letter.pdf'",
        "not read, because it must be unpacked first: 'more.zip'",
    ):
        assert part in said(result)


def test_an_archive_must_be_unpacked(tmp_path: Path) -> None:
    (tmp_path / "orders.zip").write_bytes(b"PK")
    result = source("guess", tmp_path / "orders.zip")
    assert result.exit_code == 1
    assert "this is an archive; unpack it" in said(result)


@pytest.mark.parametrize("name", ["orders.tsv", "orders.txt", "orders.tsv.gz", "orders.TXT.gz"])
def test_text_is_read_under_any_name_that_it_may_have(name: str, tmp_path: Path) -> None:
    rows = "order_id\torder_date\titem_name\titem_quantity\titem_total\n1\t2024-01-01\tCup\t1\t2.00\n"
    (tmp_path / "in").mkdir()
    path = tmp_path / "in" / name
    path.write_bytes(gzip.compress(rows.encode()) if name.endswith(".gz") else rows.encode())
    assert "The connector woocommerce fits." in said(source("guess", path))
    report = json.loads(source("check", tmp_path / "in", "--connector", "woocommerce", "--json").stdout)
    assert report["revenue"] == "2.00"


def test_a_file_that_looks_like_an_export_may_be_taken_out_of_the_folder(tmp_path: Path) -> None:
    folder = exports.shopify(tmp_path / "in")
    header = "Handle,Title,Option1 Name,Option1 Value,SKU,Vendor,HS Code,Location,On hand\n"
    exports.write_text(folder / "inventory_export.csv", header)
    result = source("check", folder, "--connector", "shopify")
    assert result.exit_code == 1
    assert "take the file out of the folder if it is none" in said(result)


def test_check_says_why_a_file_is_not_read(tmp_path: Path) -> None:
    mine = Path(shutil.copytree(SHIPPED / "online_retail", tmp_path / "mine"))
    toml = mine / "connector.toml"
    toml.write_text(toml.read_text().replace("[files.exports]", '[files.exports]\npattern = "*.csv"'))
    folder = exports.online_retail(tmp_path / "in")
    exports.write_text(folder / "old.txt", exports.UCI_ROWS)
    exports.write_text(folder / "junk.csv", "a,b\n1,2\n")
    (folder / "more.zip").write_bytes(b"PK")
    (folder / "letter.pdf").write_bytes(b"%PDF")
    text = said(source("check", folder, "--connector", mine))
    for part in (
        "not read, because no header fits: 'junk.csv'",
        "not read, because this kind of file is not known: 'letter.pdf'",
        "not read, because it must be unpacked first: 'more.zip'",
        "not read, because no pattern in connector.toml fits the name: 'old.txt'",
    ):
        assert part in text


def test_preview_shows_each_feed_as_it_comes_out(tmp_path: Path) -> None:
    result = source("preview", exports.shopify(tmp_path / "in"), "--connector", "shopify", "--rows", 1)
    assert result.exit_code == 0, said(result)
    for feed, rows in (
        ("customers", 3),
        ("products", 5),
        ("transactions", 4),
        ("transaction_items", 6),
        ("returns", 2),
    ):
        assert f"{feed}: {rows} rows" in said(result)
    assert "#1001" in said(result)
    assert "#1002" not in said(result)


def test_preview_shows_hostile_values_as_text(tmp_path: Path) -> None:
    text = exports.UCI_ROWS.replace("HAND WARMER", "[/red]\x1b[31mHAND")
    exports.write_text(tmp_path / "in" / "x.csv", text)
    result = source("preview", tmp_path / "in", "--connector", "online_retail")
    assert result.exit_code == 0, said(result)
    assert "[/red]?[31mHAND" in said(result)
    assert "\x1b" not in result.stdout


def test_two_connectors_that_fit_are_both_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    twin = Path(shutil.copytree(SHIPPED / "online_retail", tmp_path / "twin"))
    both = [read_connector(SHIPPED / "online_retail"), read_connector(twin)]
    monkeypatch.setattr("ecommerce_platform.connectors.connector.shipped_connectors", lambda: both)
    text = said(source("guess", exports.online_retail(tmp_path / "in") / "Online Retail.csv"))
    assert "online_retail: UCI" in text
    assert "twin: UCI" in text
    assert "Both fit." in text


def test_check_judges_before_a_load(tmp_path: Path) -> None:
    folder = exports.online_retail(tmp_path / "in")
    exports.write_text(folder / "notes.csv", "a,b\n1,2\n")
    text = said(source("check", folder, "--connector", "online_retail"))
    for part in (
        "Online Retail.csv: exports, 9 rows, dates as %m/%d/%Y %H:%M",
        "not read, because no header fits: 'notes.csv'",
        "2010-12-01 to 2010-12-04: 1 customers, 5 products, 3 transactions, 6 transaction_items, 2 returns",
        "revenue £50.63, refunds £34.28 (GBP), 2 orders without a customer (guests)",
        "left out: 1 lines of stock that was written off",
        "returns: 1 rows have no order line, and wait among the rejected rows, such as 'C536380/D/1'",
    ):
        assert part in text


def numeric(folder: Path) -> Path:
    """Feeds with whole numbers as identifiers and a cost."""
    exports.write_text(
        folder / "customers.csv", "customer_id,country,registered_on,updated_at\n1,US,2024-01-01,2024-01-01T10:00:00Z\n"
    )
    exports.write_text(
        folder / "products.csv",
        "product_id,product_name,category,price,cost,updated_at\n7,Cup,Home,2.50,1.00,2024-01-01T09:00:00Z\n",
    )
    exports.write_text(
        folder / "transactions.csv",
        "transaction_id,customer_id,transaction_date,payment_method,total_amount\n1,1,2024-01-01,Cash,5.00\n2,9,2024-01-03,Cash,2.50\n",
    )
    exports.write_text(
        folder / "transaction_items.csv",
        "item_id,transaction_id,product_id,quantity,unit_price,line_total\n1,1,7,2,2.50,5.00\n2,2,7,1,2.50,2.50\n",
    )
    return folder


def test_check_ends_with_what_to_do_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = numeric(tmp_path / "in")
    result = source("check", folder, "--connector", "feeds")
    assert result.exit_code == 0, said(result)
    assert "transactions: 1 rows name a customer that no row describes, such as '2'" in said(result)
    told = said(result).partition("Settings: ")[2].partition(". Next: ")
    assert told[2] == "ecommerce-platform up"
    # The settings that it names are those that load the folder.
    for pair in shlex.split(told[0]):
        name, _, value = pair.partition("=")
        monkeypatch.setenv(name, value)
    load_settings.cache_clear()
    settings = load_settings()
    assert (settings.connector_dir, settings.landing) == (SHIPPED / "feeds", folder)
    assert said(source("check")).endswith("These exports can be loaded. Next: ecommerce-platform up")
    # A misprint would make years of empty days.
    path = folder / "transactions.csv"
    path.write_text(path.read_text().replace("2024-01-01", "2022-12-31"))
    assert "set ECOMMERCE_FIRST_DAY=2024-01-03" in said(source("check"))


def test_check_says_that_the_days_of_all_orders_are_not_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ecommerce_platform.cli.source.yesterday", lambda: dt.date(2010, 11, 30))
    result = source("check", exports.online_retail(tmp_path / "in"), "--connector", "online_retail")
    assert result.exit_code == 1
    assert "the first order is of 2010-12-01, which is not over yet; load them once its day is over" in said(result)
    assert "marked with !" not in said(result)


def test_check_counts_rows_that_will_be_rejected_as_malformed(tmp_path: Path) -> None:
    """A NUL in what is read to find out what a file is is refused; a later one spoils its row only."""
    header, *_ = exports.UCI_ROWS.strip().splitlines()
    lines = [f"{number},A1234,CUP,1,2010-12-01 08:26:00,5.00,1,France" for number in range(10_000, 15_500)]
    exports.write_text(
        tmp_path / "in" / "a.csv", "\n".join([header, *lines, "9,B1234,C\0P,1,2010-12-02 08:26:00,5.00,1,France", ""])
    )
    text = said(source("check", tmp_path / "in", "--connector", "online_retail"))
    assert "products: 1 rows are malformed and will be rejected" in text


def test_orders_before_the_first_day_are_a_matter_of_the_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = exports.online_retail(tmp_path / "in")
    monkeypatch.setenv("ECOMMERCE_SOURCE", "online_retail")
    monkeypatch.setenv("ECOMMERCE_LANDING_DIR", str(folder))
    monkeypatch.setenv("ECOMMERCE_FIRST_DAY", "2024-01-01")
    load_settings.cache_clear()
    result = source("check")
    assert result.exit_code == 1
    assert (
        "! ECOMMERCE_FIRST_DAY: 2024-01-01 is after 2010-12-04, the last day of the exports: set an earlier day,"
        " such as 2010-12-01, or none"
    ) in said(result)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("shopfy", "must be synthetic, landing, feeds, olist, online_retail, shopify, woocommerce"),
        ("./nowhere", "connector.toml"),
    ],
)
def test_an_unknown_source_names_those_that_there_are(
    given: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ECOMMERCE_SOURCE", given)
    load_settings.cache_clear()
    result = source("check")
    assert result.exit_code == 2
    assert expected in said(result)
    assert given in said(result)


def test_an_unknown_time_zone_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECOMMERCE_TIME_ZONE", "Mars/Base")
    load_settings.cache_clear()
    assert "ECOMMERCE_TIME_ZONE: 'Mars/Base': is not a time zone" in said(source("check"))


def test_the_days_to_load_end_with_those_of_the_exports(tmp_path: Path, data_dir: Path) -> None:
    settings = Settings(source="feeds", data_dir=data_dir)  # ty: ignore[missing-argument]
    assert last_day_to_load(settings, dt.date(2024, 5, 1)) == dt.date(2024, 5, 1)  # nothing is converted yet
    exports.write_text(settings.feed_files / "transactions" / "2024-01-03.csv", "transaction_id\n")
    assert last_day_to_load(settings, dt.date(2024, 5, 1)) == dt.date(2024, 1, 3)
    assert last_day_to_load(settings, dt.date(2024, 1, 2)) == dt.date(2024, 1, 2)
    assert last_day_to_load(Settings(data_dir=data_dir), dt.date(2024, 5, 1)) == dt.date(2024, 5, 1)  # ty: ignore[missing-argument]


def test_the_settings_know_every_connector_that_is_shipped() -> None:
    for name in shipped_names():
        assert Settings(source=name).connector_dir == SHIPPED / name  # ty: ignore[missing-argument]
        assert read_connector(SHIPPED / name).name == name
