"""Files that were made to do harm, or are badly broken: each is one message that names the file, never a traceback."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ecommerce_platform.connectors import guessing, loading, spreadsheets
from ecommerce_platform.connectors.connector import SHIPPED, read_connector, shipped_connectors
from ecommerce_platform.connectors.conversion import convert, opened, working_folder
from ecommerce_platform.connectors.currencies import read_rates
from ecommerce_platform.connectors.errors import ConnectorError
from ecommerce_platform.connectors.queries import Outputs
from ecommerce_platform.feeds.columns import FEEDS
from ecommerce_platform.settings import SettingsError, load_settings
from ecommerce_platform_tests import exports
from ecommerce_platform_tests.unit.test_connector_files import write_xlsx

LAST = dt.date(2026, 1, 1)
HEADER = list(exports.UCI)
ROW = ["1", "A1234", "CUP", "1", "2010-12-01 08:26:00", "5.00", "17850", "France"]


def refusal(folder: Path, connector: str | Path = "online_retail") -> str:
    """Convert the files of a folder, and return the one line of the refusal."""
    with pytest.raises(ConnectorError) as caught:
        convert(read_connector(SHIPPED / connector), folder, folder.parent / "out", LAST)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


def change_sheet(path: Path, change: Callable[[bytes], bytes | None]) -> None:
    """Write a spreadsheet of one row again, its sheet changed; None leaves the sheet out."""
    write_xlsx(path, [[HEADER, ROW]])
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            changed = change(data) if "s1.xml" in name else data
            if changed is not None:
                archive.writestr(name, changed)


# ---- spreadsheets --------------------------------------------------------------------------------

STRAY = '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData>'


@pytest.mark.parametrize(
    "change",
    [
        lambda xml: xml.replace(b"</sheetData>", STRAY.encode()),
        lambda xml: xml.replace(b"</sheetData>", STRAY.replace('"', "'").replace("r=", "r\n= ").encode()),
        lambda xml: xml.replace(b"</sheetData>", STRAY.encode()).decode().encode("utf-16"),
        # Between two parts of what is read at once.
        lambda xml: xml.replace(b"</sheetData>", b" " * (1024 * 1024 - len(xml) - 5) + STRAY.encode()),
    ],
    ids=["plain", "other quotes", "utf-16", "cut in two"],
)
def test_one_stray_cell_does_not_fill_the_memory(change: Callable[[bytes], bytes], folder: Path) -> None:
    """A cell in XFD1048576 made the parser ask for 17 billion cells, which ended the process."""
    change_sheet(folder / "x.xlsx", change)
    message = refusal(folder)
    assert "x.xlsx" in message
    assert "1,048,576 rows and 16,384 columns" in message


@pytest.mark.parametrize(
    "more",
    [
        '<row r="1048576">' + "<c/>" * 100 + "</row>",
        '<row><c t="n"r="A99999999999"><v>1</v></c></row>',
        '<row><c r="A00000000000000000000000000000000000000009999999999"><v>1</v></c></row>',
        '<x:row r="1048576">' + "<x:c/>" * 100 + "</x:row>",
        '<row r="1048576">' + "<c/><!--<row>-->" * 100 + "</row>",
    ],
)
def test_cells_far_away_are_found_however_they_are_written(more: str, folder: Path) -> None:
    change_sheet(folder / "x.xlsx", lambda xml: xml.replace(b"</sheetData>", f"{more}</sheetData>".encode()))
    assert "the sheet has " in refusal(folder)


def encrypted(path: Path) -> None:
    write_xlsx(path, [[HEADER, ROW]])
    data = bytearray(path.read_bytes())
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = -1
        while (start := data.find(mark, start + 1)) >= 0:
            data[start + offset] |= 1
    path.write_bytes(data)


BROKEN: dict[str, tuple[str, Callable[[Path], object]]] = {
    "half a sheet": ("x.xlsx", lambda path: change_sheet(path, lambda xml: xml[: len(xml) // 2])),
    "a sheet of something else": ("x.xlsx", lambda path: change_sheet(path, lambda _: b"<a><b></a>")),
    "no sheet": ("x.xlsx", lambda path: change_sheet(path, lambda _: None)),
    "an encrypted spreadsheet": ("x.xlsx", encrypted),
    "brackets without an end": ("x.jsonl", lambda path: path.write_text("[" * 100_000)),
    "a file that nobody may read": ("x.csv", lambda path: path.symlink_to("/proc/self/mem")),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_one_message(name: str, folder: Path) -> None:
    file, write = BROKEN[name]
    write(folder / file)
    message = refusal(folder, "feeds" if file.endswith("jsonl") else "online_retail")
    assert str(folder / file) in message
    assert "is empty" not in message


def test_a_spreadsheet_is_parsed_once_for_all_connectors(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each kind of file of each connector had it parsed: ten times."""
    write_xlsx(folder / "x.xlsx", [[HEADER, ROW]])
    opened_books, workbook = [], spreadsheets._workbook
    monkeypatch.setattr(spreadsheets, "_workbook", lambda *arguments: opened_books.append(1) or workbook(*arguments))
    assert [guess.connector.name for guess in guessing.guess(shipped_connectors(), [folder / "x.xlsx"])] == [
        "online_retail"
    ]
    assert len(opened_books) == 1


# ---- other files ---------------------------------------------------------------------------------


def revenue(folder: Path) -> list[tuple[object, ...]]:
    with (
        working_folder(folder) as work,
        opened(read_connector(SHIPPED / "online_retail"), folder, work) as (_, _, outputs),
    ):
        return outputs.database.execute("select sum(line_total::decimal(9, 2)) from feed_transaction_items").fetchall()


@pytest.mark.parametrize("name", [b"x" * 248 + b".csv", b"x\xff.csv", b'o\'clock "1".csv', b"a\nb.csv"])
def test_a_file_may_have_any_name(name: bytes, folder: Path) -> None:
    text = ",".join(HEADER) + "\n" + ",".join(ROW).replace("CUP", "TASSE \u00fc") + "\n"
    with open(os.fsencode(folder) + b"/" + name, "w", encoding="cp1252") as file:  # noqa: PTH123 (a name in bytes)
        file.write(text)
    converted = convert(read_connector(SHIPPED / "online_retail"), folder, folder.parent / "out", LAST)
    assert converted.rows["transaction_items"] == 1


@pytest.mark.parametrize("ends", [("\r\n", "\n"), ("\n", "\r\n")])
def test_lines_may_end_in_two_ways(ends: tuple[str, str], folder: Path) -> None:
    """A header from Windows above rows from somewhere else: "the row cannot be split into its columns"."""
    rows = ends[1].join([",".join([*ROW[:-1], '"France"'])] * 2 + [""])
    (folder / "x.csv").write_bytes((",".join(HEADER) + ends[0] + rows).encode())
    assert [str(total) for (total,) in revenue(folder)] == ["10.00"]


def test_a_parquet_file_may_have_a_column_filename(folder: Path) -> None:
    table = pa.table([[value] for value in [*ROW, "x", "y"]], names=[*HEADER, "filename", "file"])
    pq.write_table(table, folder / "x.parquet")
    assert [str(total) for (total,) in revenue(folder)] == ["5.00"]


def test_a_broken_line_of_json_is_no_row_that_cannot_be_split(folder: Path) -> None:
    for feed, columns in read_connector(SHIPPED / "feeds").files.items():
        row = "{" + ", ".join(f'"{column}": "2024-01-01"' for column in columns.required) + "}\n"
        (folder / f"{feed}.jsonl").write_text(row * 200 + ("{broken\n" if feed == "products" else ""))
    message = refusal(folder, "feeds")
    assert str(folder / "products.jsonl") in message
    assert "split" not in message


@pytest.mark.parametrize("rows", [400_000, 2_000_000])
def test_a_parquet_bomb_is_refused(rows: int, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A dictionary stores a long value once: 3 MB were 30 GB of text."""
    monkeypatch.setattr("ecommerce_platform.connectors.unpacking.FREE_OF_RATIO", 4_000_000)
    indices = pa.repeat(pa.scalar(0, pa.int32()), rows)
    values = [
        pa.DictionaryArray.from_arrays(indices, pa.array([value * 90 if value == "CUP" else value])) for value in ROW
    ]
    pq.write_table(pa.table(values, names=HEADER), folder / "x.parquet", compression="zstd")
    message = refusal(folder)
    assert "x.parquet" in message
    assert "unpacked, the file has more than" in message


@pytest.mark.parametrize(
    "text",
    ['day,currency,rate\n2024-01-01,EUR,"' + "9" * 200_000 + '"\n', "day,currency,rate\n2024-01-01,EUR,1\0\n"],
)
def test_faulty_rates_are_one_message(text: str, tmp_path: Path) -> None:
    (tmp_path / "rates.csv").write_text(text)
    with pytest.raises(ConnectorError, match=r"rates\.csv"):
        read_rates(tmp_path / "rates.csv")


def test_toml_of_brackets_only_is_one_message(tmp_path: Path) -> None:
    (tmp_path / "connector.toml").write_text("a = " + "[" * 100_000)
    with pytest.raises(ConnectorError, match=r"connector\.toml"):
        read_connector(tmp_path)


@pytest.mark.parametrize(
    "zone", ["localtime", "posix/Europe/Berlin", "right/Europe/Berlin", "../Europe/Berlin", "Mars"]
)
def test_a_time_zone_that_duckdb_does_not_know_is_refused(
    zone: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ECOMMERCE_TIME_ZONE", zone)
    load_settings.cache_clear()
    with pytest.raises(SettingsError, match="is not a time zone"):
        load_settings()
    mine = Path(shutil.copytree(SHIPPED / "online_retail", tmp_path / "mine"))
    (mine / "connector.toml").write_text(f'time_zone = "{zone}"\n' + (mine / "connector.toml").read_text())
    with pytest.raises(ConnectorError, match="is not a time zone"):
        read_connector(mine)
    load_settings.cache_clear()


def test_duckdb_knows_each_time_zone_that_may_be_set() -> None:
    from ecommerce_platform.choices import time_zones

    with duckdb.connect() as database:
        known = {name for (name,) in database.execute("select name from pg_timezone_names()").fetchall()}
    assert time_zones() - known == set()
    assert {"Europe/Berlin", "UTC", "America/New_York"} <= time_zones()


# ---- values and memory ---------------------------------------------------------------------------


def test_one_absurd_value_stops_nothing(folder: Path) -> None:
    """999999999 pieces for 99999999999.00 each: the SELECT of the connector was blamed, and nothing was loaded."""
    absurd = [*ROW]
    absurd[0], absurd[3], absurd[5] = "2", "999999999", "99999999999.00"
    (folder / "x.csv").write_text("\n".join(map(",".join, [HEADER, ROW, absurd, ""])))
    convert(read_connector(SHIPPED / "online_retail"), folder, folder.parent / "out", LAST)
    items = (folder.parent / "out" / "transaction_items" / "2010-12-01.csv").read_text().splitlines()
    assert items[1:] == ["1/A1234/1,1,A1234,1,5.00,0.00,5.00", "2/A1234/1,2,A1234,999999999,99999999999.00,,"]


def test_a_want_of_memory_is_no_fault_of_the_select(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "MEMORY", "60MB")
    monkeypatch.setattr(loading, "free_half", lambda _: 1_000_000)
    mine = Path(shutil.copytree(SHIPPED / "online_retail", folder.parent / "mine"))
    (mine / "lines.sql").write_text("select array_agg(repeat('x', 1000) || i) from range(1000000) as t (i)")
    (folder / "x.csv").write_text("\n".join(map(",".join, [HEADER, ROW, ""])))
    message = refusal(folder, mine)
    assert str(mine / "lines.sql") in message
    assert "memory or disk space is not enough" in message
    assert "correct the SELECT" not in message


def test_a_want_of_memory_while_rows_are_written_is_one_message(tmp_path: Path) -> None:
    settings = {"memory_limit": "40MB", "temp_directory": str(tmp_path), "max_temp_directory_size": "1MB", "threads": 2}
    with duckdb.connect(str(tmp_path / "x.duckdb"), config=settings) as database:
        columns = ", ".join(f"md5(i::varchar) as {column}" for column in FEEDS["transactions"])
        query = f"select {columns}, null::varchar as currency, date '2024-01-01' + i::integer % 9 as day"
        database.execute(f"create view feed_transactions as {query} from range(1000000) as t (i)")
        outputs = Outputs(database, read_connector(SHIPPED / "online_retail"), "USD")
        with pytest.raises(ConnectorError, match="memory or disk space is not enough"):
            list(outputs.lines("transactions"))


# ---- names in a connector of one's own -----------------------------------------------------------


@pytest.mark.parametrize("column", ["number", "latest", "k", "raw", "last", "rows", "numbers", "filename", "path"])
def test_a_column_may_have_any_name(column: str, folder: Path) -> None:
    mine = Path(shutil.copytree(SHIPPED / "online_retail", folder.parent / "mine"))
    toml = (mine / "connector.toml").read_text()
    (mine / "connector.toml").write_text(toml + f'{column} = "Country"\n')
    for name in ("a.csv", "b.csv"):
        (folder / name).write_text("\n".join(map(",".join, [HEADER, ROW, ""])))
    assert convert(read_connector(mine), folder, folder.parent / "out", LAST).rows["transactions"] == 1


@pytest.mark.parametrize("kind", ["raw", "numbers", "last", "rates", "order_rates", "converted_lines"])
def test_a_kind_of_file_may_have_any_name(kind: str, folder: Path) -> None:
    mine = Path(shutil.copytree(SHIPPED / "online_retail", folder.parent / "mine"))
    toml = (mine / "connector.toml").read_text()
    (mine / "connector.toml").write_text(toml.replace("files.exports", f"files.{kind}"))
    (mine / "lines.sql").write_text((mine / "lines.sql").read_text().replace("from exports", f"from {kind}"))
    (folder / "x.csv").write_text("\n".join(map(",".join, [HEADER, ROW, ""])))
    assert convert(read_connector(mine), folder, folder.parent / "out", LAST).rows["transactions"] == 1
