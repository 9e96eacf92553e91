"""The files of a shop, whatever they are: kinds, encodings, dialects, and one clear message if they cannot be read."""

from __future__ import annotations

import datetime as dt
import gzip
import json
import os
import zipfile
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest

from ecommerce_platform.connectors import loading, spreadsheets, unpacking
from ecommerce_platform.connectors.connector import SHIPPED, Connector, read_connector
from ecommerce_platform.connectors.conversion import Converted, convert, opened, working_folder
from ecommerce_platform.connectors.errors import ConnectorError
from ecommerce_platform.connectors.judging import judge
from ecommerce_platform_tests import exports

YEARS_LATER = dt.date(2026, 1, 1)
CSV = exports.UCI_ROWS.removeprefix("\n").replace("WARMER", "WÄRMER")


def uci() -> Connector:
    return read_connector(SHIPPED / "online_retail")


def revenue(connector: Connector, folder: Path, work: Path) -> Decimal:
    work.mkdir(exist_ok=True)
    with working_folder(work) as own, opened(connector, folder, own) as (_, _, outputs):
        assert outputs.value("select count(*) from feed_products where product_name = 'HAND WÄRMER'") == 1
        return outputs.value("select sum(cast(line_total as decimal(18, 2))) from feed_transaction_items")


def as_utf8_with_bom(folder: Path) -> None:
    (folder / "x.csv").write_bytes(CSV.encode("utf-8-sig"))


def as_utf16(folder: Path) -> None:
    (folder / "x.csv").write_bytes(CSV.encode("utf-16"))


def as_windows(folder: Path) -> None:
    (folder / "x.csv").write_bytes(CSV.replace("\n", "\r\n").encode("cp1252"))


def as_gzip(folder: Path) -> None:
    (folder / "x.csv.gz").write_bytes(gzip.compress(CSV.encode()))


def with_semicolons(folder: Path) -> None:
    (folder / "x.csv").write_text("sep=;\n" + CSV.replace(",", ";"), encoding="utf-8")


def with_tabs_that_it_names(folder: Path) -> None:
    (folder / "x.csv").write_text("sep=\t\n" + CSV.replace(",", "\t"), encoding="utf-8")


def with_tabs_quotes_and_other_columns(folder: Path) -> None:
    rows = [line.split(",") for line in CSV.splitlines()]
    lines = ["\t".join(f'"{value}"' for value in ["more", *reversed(row)]) for row in rows]
    (folder / "x.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def as_two_files(folder: Path) -> None:
    header, *lines = CSV.splitlines()
    (folder / "a.csv").write_text("\n".join([header, *lines[:4]]) + "\n", encoding="utf-8")
    (folder / "b.csv").write_text("\n".join([header, *lines[4:]]) + "\n", encoding="utf-8")


def as_parquet(folder: Path) -> None:
    pd.read_csv(exports.write_text(folder / "x.txt", CSV), dtype=str).to_parquet(folder / "x.parquet")
    (folder / "x.txt").unlink()


def as_spreadsheet(folder: Path) -> None:
    """Written by hand, because nothing here writes spreadsheets: numbers as numbers, one sheet per half."""
    header, *lines = [line.split(",") for line in CSV.splitlines()]
    write_xlsx(folder / "x.xlsx", [[header, *lines[:4]], [header, *lines[4:]]])


def write_xlsx(path: Path, sheets: list[list[list[str]]]) -> None:
    def cell(value: str) -> str:
        try:
            return f"<c><v>{float(value)}</v></c>"
        except ValueError:
            return f'<c t="inlineStr"><is><t>{value}</t></is></c>'

    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    numbers = range(1, len(sheets) + 1)
    kind = f'Type="{office}/worksheet"'
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(
            "[Content_Types].xml",
            f'<Types xmlns="{package}/content-types"><Default Extension="xml" ContentType="application/xml"/>'
            '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            "</Types>",
        )
        archive.writestr(
            "_rels/.rels",
            f'<Relationships xmlns="{package}/relationships"><Relationship Id="r" Target="xl/workbook.xml"'
            f' Type="{office}/officeDocument"/></Relationships>',
        )
        named = "".join(f'<sheet name="S{number}" sheetId="{number}" r:id="r{number}"/>' for number in numbers)
        archive.writestr(
            "xl/workbook.xml", f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets>{named}</sheets></workbook>'
        )
        links = "".join(
            f'<Relationship Id="r{number}" Target="worksheets/s{number}.xml" {kind}/>' for number in numbers
        )
        archive.writestr(
            "xl/_rels/workbook.xml.rels", f'<Relationships xmlns="{package}/relationships">{links}</Relationships>'
        )
        for number, rows in zip(numbers, sheets, strict=True):
            cells = "".join("<row>" + "".join(cell(value) for value in row) + "</row>" for row in rows)
            sheet = f'<worksheet xmlns="{main}"><sheetData>{cells}</sheetData></worksheet>'
            archive.writestr(f"xl/worksheets/s{number}.xml", sheet)


@pytest.mark.parametrize(
    "export",
    [
        as_utf8_with_bom,
        as_utf16,
        as_windows,
        as_gzip,
        with_semicolons,
        with_tabs_that_it_names,
        with_tabs_quotes_and_other_columns,
        as_two_files,
        as_parquet,
        as_spreadsheet,
    ],
)
def test_the_same_rows_are_read_from_any_kind_of_file(export: Callable[[Path], None], tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    export(folder)
    assert revenue(uci(), folder, tmp_path / "work") == Decimal("50.63")


def test_json_lines_are_read(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    rows = {
        "customers": [
            {"customer_id": 1, "country": "US", "registered_on": "2024-01-01", "updated_at": "2024-01-01T10:00:00Z"}
        ],
        "products": [
            {"product_id": 7, "product_name": "Cup", "category": "Home", "price": 2.5, "updated_at": "2024-01-01"}
        ],
        "transactions": [
            {
                "transaction_id": 1,
                "customer_id": 1,
                "transaction_date": "2024-01-02",
                "payment_method": "Cash",
                "total_amount": 5,
            }
        ],
        "transaction_items": [
            {"item_id": 1, "transaction_id": 1, "product_id": 7, "quantity": 2, "unit_price": 2.5, "line_total": 5}
        ],
    }
    for feed, objects in rows.items():
        (folder / f"{feed}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in objects), encoding="utf-8")
    work = tmp_path / "work"
    work.mkdir()
    with opened(read_connector(SHIPPED / "feeds"), folder, work) as (_, _, outputs):
        assert outputs.first_rows("transaction_items", 5) == [("1", "1", "7", "2", "2.5", None, "5")]
        assert outputs.days() == (dt.date(2024, 1, 2), dt.date(2024, 1, 2))


def refused(folder: Path, target: Path, connector: Connector | None = None) -> str:
    """Convert, and return the one line of the refusal."""
    with pytest.raises(ConnectorError) as caught:
        convert(connector or uci(), folder, target, YEARS_LATER)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    return message


@pytest.fixture
def good(tmp_path: Path) -> tuple[Path, Path]:
    """A folder with a good export, and the folder to which it was converted."""
    folder, target = exports.online_retail(tmp_path / "in"), tmp_path / "converted"
    convert(uci(), folder, target, YEARS_LATER)
    return folder, target


def content(target: Path) -> dict[str, bytes]:
    return {str(path.relative_to(target)): path.read_bytes() for path in sorted(target.rglob("*.csv"))}


Spoil = Callable[[Path], object]


def replace(old: str, new: str) -> Spoil:
    return lambda folder: exports.write_text(folder / "Online Retail.csv", exports.UCI_ROWS.replace(old, new))


def write(name: str, data: bytes) -> Spoil:
    return lambda folder: (folder / name).write_bytes(data)


BAD: dict[str, tuple[Spoil, tuple[str, ...]]] = {
    "a column renamed by the shop": (
        replace("InvoiceDate", "Invoice Date (UTC)"),
        ("Online Retail.csv", "'InvoiceDate'", "'Invoice Date (UTC)'", "[files.exports.required]", "connector.toml"),
    ),
    "a required column is missing": (
        replace("UnitPrice", "Nothing"),
        ("Online Retail.csv", "'UnitPrice'", "export it with"),
    ),
    "a column is there twice": (replace("Description", "Quantity"), ("Online Retail.csv", "'Quantity' and 'Quantity'")),
    "no connector fits": (
        lambda folder: (folder / "Online Retail.csv").write_text("a,b\n1,2\n"),
        ("no file holds the exports", "Online Retail.csv", "source guess"),
    ),
    "mixed formats of dates": (
        lambda folder: exports.write_text(
            folder / "Online Retail.csv",
            exports.UCI_ROWS.replace("12/4/2010", "12/14/2010").replace("12/3/2010", "13/12/2010"),
        ),
        ("Online Retail.csv", "'13/12/2010 11:52'", "two ways"),
    ),
    "no known format of dates": (
        lambda folder: exports.write_text(
            folder / "Online Retail.csv", exports.UCI_ROWS.replace("/2010 ", " of 2010 ")
        ),
        ("Online Retail.csv", "no known format", "formats in [files.exports]"),
    ),
    "a row with too many columns": (replace("LANTERN,2", "LANTERN,2,2"), ("Online Retail.csv, line 3", "split")),
    "an open quote": (replace("WHITE HANGING HEART", '"WHITE'), ("Online Retail.csv, line 2", "split")),
    "a text in no encoding": (
        lambda folder: (folder / "Online Retail.csv").write_bytes(
            exports.UCI_ROWS.removeprefix("\n").encode().replace(b"HAND", b"HAND\x81\xff")
        ),
        ("Online Retail.csv", "not utf-8 or cp1252", "export it as UTF-8"),
    ),
    "an empty file": (write("Online Retail.csv", b""), ("Online Retail.csv", "empty")),
    "a damaged archive": (
        write("Online Retail.csv", gzip.compress(b"InvoiceNo," * 1000)[:40]),
        ("Online Retail.csv", "damaged"),
    ),
    "a spreadsheet that is none": (write("a.xlsx", b"PK\x03\x04 no"), ("a.xlsx", "not a spreadsheet")),
    "a parquet file that is none": (write("a.parquet", b"PAR1 no"), ("a.parquet", "not Parquet")),
    "a header alone": (
        lambda folder: (folder / "Online Retail.csv").write_text(exports.UCI_ROWS.strip().splitlines()[0] + "\n"),
        ("no order with a date",),
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_clear_message_and_changes_nothing(name: str, good: tuple[Path, Path]) -> None:
    folder, target = good
    before = content(target)
    spoil, expected = BAD[name]
    spoil(folder)
    message = refused(folder, target)
    for part in expected:
        assert part in message, message
    assert content(target) == before
    assert not list(target.glob(".work-*"))


@pytest.mark.parametrize("name", ["bomb.csv.gz", "bomb.xlsx"])
def test_a_bomb_is_refused_before_it_fills_the_disk(
    name: str, good: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A small file that unpacks to more than the disk holds."""
    monkeypatch.setattr(loading, "free_half", lambda _: 5_000_000)
    monkeypatch.setattr(spreadsheets, "SPREADSHEET_BYTES", 5_000_000)
    folder, target = good
    before = content(target)
    header = exports.UCI_ROWS.strip().splitlines()[0] + "\n"
    if name.endswith(".gz"):
        (folder / name).write_bytes(gzip.compress(header.encode() + b"9,9,9,9,12/1/2010 8:26,1,1,F\n" * 400_000))
    else:
        with zipfile.ZipFile(folder / name, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("xl/workbook.xml", b" " * 6_000_000)
    message = refused(folder, target)
    assert name in message
    assert "unpack" in message
    assert content(target) == before


def test_a_text_that_was_packed_too_much_is_a_bomb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacking, "FREE_OF_RATIO", 1_000_000)
    folder = tmp_path / "in"
    folder.mkdir()
    header = exports.UCI_ROWS.strip().splitlines()[0] + "\n"
    (folder / "x.csv.gz").write_bytes(gzip.compress(header.encode() + b"9" * 5_000_000))
    assert "250 times" in refused(folder, tmp_path / "out")


def test_a_currency_that_is_none_is_refused(tmp_path: Path) -> None:
    folder = exports.shopify(tmp_path / "in")
    path = folder / "orders_export_1.csv"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace(",USD,", ",Dollars,"), encoding="utf-8")
    message = refused(folder, tmp_path / "out", read_connector(SHIPPED / "shopify"))
    assert f"{path}, orders: 'DOLLARS' is not a currency; write ISO 4217 codes" in message


def test_values_that_cannot_be_typed_come_out_as_they_are(tmp_path: Path) -> None:
    """One bad row does not keep the others waiting: the platform rejects it with its reasons."""
    text = exports.UCI_ROWS.replace("WARMER,3,", "WARMER,three,").replace("12/2/2010 9:00", "yesterday")
    exports.write_text(tmp_path / "in" / "x.csv", text)
    target = tmp_path / "converted"
    convert(uci(), tmp_path / "in", target, YEARS_LATER)
    first_day = (target / "transaction_items" / "2010-12-01.csv").read_text()
    assert "536366/22633/1,536366,22633,three,1.26,,\n" in first_day
    assert "536366,,yesterday,,Unknown,,,,0.00\n" in (target / "transactions" / "2010-12-01.csv").read_text()


def test_a_snapshot_is_split_by_day_and_unchanged_days_keep_their_files(good: tuple[Path, Path]) -> None:
    folder, target = good
    assert sorted(path.name for path in (target / "transactions").iterdir()) == [
        f"2010-12-0{number}.csv" for number in (1, 2, 3, 4)
    ]
    assert (target / "transactions" / "2010-12-04.csv").read_text().count("\n") == 1  # a cancellation, but no order
    times = {path: path.stat().st_mtime_ns for path in target.rglob("*.csv")}
    lines = exports.UCI_ROWS.strip().splitlines()
    # Exported again with a new order, and in another order of rows.
    new = "536999,22139,TEA SET,1,12/4/2010 15:00,4.25,17850,United Kingdom"
    exports.write_text(folder / "Online Retail.csv", "\n".join([lines[0], new, *reversed(lines[1:]), ""]))
    converted = convert(uci(), folder, target, YEARS_LATER)
    changed = {str(path.relative_to(target)) for path, time in times.items() if path.stat().st_mtime_ns != time}
    # The product that had no name until now has one.
    assert changed == {"transactions/2010-12-04.csv", "transaction_items/2010-12-04.csv", "products/2010-12-03.csv"}
    assert converted.changed_days == 2


def test_rows_that_disappear_from_a_snapshot_disappear(good: tuple[Path, Path]) -> None:
    folder, target = good
    kept = [line for line in exports.UCI_ROWS.strip().splitlines() if not line.startswith(("536365", "C"))]
    exports.write_text(folder / "Online Retail.csv", "\n".join([*kept, ""]))
    converted = convert(uci(), folder, target, YEARS_LATER)
    assert converted.first_day == dt.date(2010, 12, 2)
    header_only = {path.name for path in (target / "transactions").iterdir() if path.read_text().count("\n") == 1}
    assert header_only == {"2010-12-01.csv", "2010-12-04.csv"}
    # The last day is one without orders now, and must be loaded again.
    assert converted.last_day == dt.date(2010, 12, 4)


def test_nothing_is_converted_twice(good: tuple[Path, Path]) -> None:
    folder, target = good
    before: Converted = convert(uci(), folder, target, YEARS_LATER)
    assert not before.is_new
    assert before.rows["transactions"] == 3
    os.utime(folder / "Online Retail.csv")
    assert convert(uci(), folder, target, YEARS_LATER).is_new


def test_orders_of_days_that_are_not_over_wait(tmp_path: Path) -> None:
    folder, target = exports.online_retail(tmp_path / "in"), tmp_path / "converted"
    converted = convert(uci(), folder, target, dt.date(2010, 12, 2))
    assert (converted.last_day, converted.later) == (dt.date(2010, 12, 2), 1)
    assert not (target / "transactions" / "2010-12-03.csv").exists()


def test_an_order_in_two_exports_counts_as_in_the_later_one(tmp_path: Path) -> None:
    """Exports of overlapping months: what both have was counted twice."""
    folder = exports.online_retail(tmp_path / "in")
    header, *lines = exports.UCI_ROWS.strip().splitlines()
    corrected = [line.replace(",6,", ",7,") for line in lines if line.startswith("536365")]
    later = exports.write_text(folder / "a later export.csv", "\n".join([header, *corrected, ""]))
    os.utime(folder / "Online Retail.csv", (1, 1))
    os.utime(later, (2, 2))
    work = tmp_path / "work"
    work.mkdir()
    with opened(uci(), folder, work) as (matches, _, outputs):
        assert [match.file.path.name for match in matches.used] == ["Online Retail.csv", "a later export.csv"]
        assert outputs.value("select sum(cast(line_total as decimal(18, 2))) from feed_transaction_items") == Decimal(
            "53.18"
        )


# ---- a conversion that was killed, and files that somebody deleted -------------------------------


def test_a_conversion_that_was_killed_is_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed half way and its cause undone, the next conversion found "nothing new" and left a mix of two zones."""
    folder, target = tmp_path / "in", tmp_path / "converted"
    header = exports.UCI_ROWS.strip().splitlines()[0]
    lines = [f"{day},A1234,CUP,1,2010-12-0{day} 22:26:00Z,5.00,1,France" for day in range(1, 6)]
    exports.write_text(folder / "x.csv", "\n".join([header, *lines, ""]))
    convert(uci(), folder, target, YEARS_LATER)
    before = content(target)
    moved = []
    move = Path.replace

    def die_after_four(self: Path, to: Path) -> Path:
        moved.append(self)
        if len(moved) > 4:
            raise KeyboardInterrupt
        return move(self, to)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", die_after_four)
        with pytest.raises(KeyboardInterrupt):
            convert(uci(), folder, target, YEARS_LATER, "Asia/Tokyo")
    assert content(target) != before
    assert convert(uci(), folder, target, YEARS_LATER).is_new
    # What the other zone has added is a day without rows.
    assert {name: data for name, data in content(target).items() if name in before or data.count(b"\n") > 1} == before


def test_a_feed_file_that_somebody_deleted_is_written_again(good: tuple[Path, Path]) -> None:
    folder, target = good
    before = content(target)
    (target / "transactions" / "2010-12-02.csv").unlink()
    assert convert(uci(), folder, target, YEARS_LATER).is_new
    assert content(target) == before


def test_sheets_with_another_header_are_named_as_not_read(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    header, *lines = [line.split(",") for line in exports.UCI_ROWS.strip().splitlines()]
    spelled = [name.upper() for name in header]
    other = [*header[:-1], "Land"]
    write_xlsx(folder / "x.xlsx", [[header, *lines[:4]], [], [spelled, *lines[4:]], [other, *lines[:1]]])
    work = tmp_path / "work"
    work.mkdir()
    with opened(uci(), folder, work) as (_, loaded, outputs):
        judgement = judge(outputs, loaded, {"notes.txt": "no header fits"})
    assert [each["sheet"] for each in judgement.to_json()["files"]] == ["S1", "S3"]  # ty: ignore[not-iterable]
    assert list(judgement.ignored) == ["notes.txt", "x.xlsx, sheet 'S4'"]
    text = "\n".join(judgement.lines())
    assert "x.xlsx, sheet 'S3': exports, 5 rows" in text
    assert "not read, because no header fits: 'notes.txt', \"x.xlsx, sheet 'S4'\"" in text
    assert judgement.revenue == "50.63"
