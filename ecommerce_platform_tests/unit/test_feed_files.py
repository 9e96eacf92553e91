"""A feed file is read as exact text or rejected with a one-line message that says what to do."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
import pickle
import stat
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from ecommerce_platform.feeds import reader as feed_files
from ecommerce_platform.feeds.columns import FEEDS
from ecommerce_platform.feeds.files import FeedFile, FeedFileError, feed_file_name, write_feed_file
from ecommerce_platform.feeds.reader import (
    check_feed_file,
    feed_file_schema,
    lines_of_feed_file,
    read_feed_file,
)
from ecommerce_platform.feeds.records import MAX_FIELD_BYTES, MAX_MALFORMED_CHARACTERS

pytestmark = pytest.mark.unit

FEED = "transaction_items"
COLUMNS = FEEDS[FEED]
DAY = dt.date(2026, 11, 23)
HEADER = ",".join(COLUMNS).encode() + b"\n"

Read = Callable[[bytes], tuple[FeedFile, pa.Table]]


def line(first: str, *, width: int = len(COLUMNS), end: str = "\n") -> bytes:
    """Return a CSV line with this exact text as the first field and x in the others."""
    return ",".join([first] + ["x"] * (width - 1)).encode() + end.encode()


@pytest.fixture(params=["window of the whole file", "windows of 64 bytes", "careful reader only"])
def read(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Read:
    """Read these bytes as the file of one day, with both readers and across window boundaries."""
    if request.param == "windows of 64 bytes":
        real = feed_files._FeedText.windows
        monkeypatch.setattr(
            feed_files._FeedText, "windows", lambda self, **how: real(self, **how | {"window_bytes": 64})
        )
    if request.param == "careful reader only":
        monkeypatch.setattr(feed_files, "regular_length", lambda data, start, stop: 0)

    def read_bytes(content: bytes) -> tuple[FeedFile, pa.Table]:
        path = tmp_path / "day.csv"
        path.write_bytes(content)
        return read_feed_file(path, FEED, DAY)

    return read_bytes


def firsts(table: pa.Table) -> list[str | None]:
    return table.column(COLUMNS[0]).to_pylist()


def malformed(table: pa.Table) -> dict[int, str]:
    """Return the malformed texts by row number."""
    pairs = zip(table.column("source_row").to_pylist(), table.column("malformed").to_pylist(), strict=True)
    return {row: text for row, text in pairs if text is not None}


# Reading


def test_every_value_is_the_text_that_stands_in_the_file(read: Read) -> None:
    values = ["NA", "", " padded ", "007", "1e5", "null"]
    file, table = read(HEADER + ",".join([*values, "true"]).encode() + b"\n")
    assert table.to_pylist() == [
        dict(zip(COLUMNS, [*values, "true"], strict=True)) | {"source_row": 1, "extra_columns": None, "malformed": None}
    ]
    assert file.rows == 1


def test_the_table_has_the_feeds_columns_as_text_then_row_extras_and_malformed(read: Read) -> None:
    file, table = read(HEADER + line("a"))
    assert table.schema == feed_file_schema(FEED)
    assert table.column_names == [*COLUMNS, "source_row", "extra_columns", "malformed"]
    assert {field.type for field in table.schema} == {pa.string(), pa.int64()}
    table.validate(full=True)
    assert file.extra_columns == ()


@pytest.mark.parametrize("feed", FEEDS)
def test_every_feed_reads_back_in_its_own_columns(feed: str, tmp_path: Path) -> None:
    path = feed_file_name(tmp_path, feed, DAY)
    write_feed_file(path, ",".join(FEEDS[feed]).encode() + b"\n" + line("a", width=len(FEEDS[feed])))
    _, table = read_feed_file(path, feed, DAY)
    assert table.column_names[: len(FEEDS[feed])] == list(FEEDS[feed])
    assert table.num_rows == 1


def test_the_report_describes_the_bytes_that_were_read(tmp_path: Path) -> None:
    content = HEADER + line("a") + b"bad\n" + line("b")
    path = tmp_path / "day.csv"
    path.write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    report = FeedFile(FEED, DAY, path, digest, len(content), rows=3, extra_columns=(), malformed_rows=1)
    assert read_feed_file(path, FEED, DAY)[0] == report
    assert check_feed_file(path, FEED, DAY) == report


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (HEADER, 0),
        (HEADER + line("a") + line("b"), 2),
        (HEADER + line("a") + line("b").rstrip(b"\n"), 1),
        (HEADER + line("a") + b"\n\r\n\n", 1),
        (HEADER + line('"a\nb"'), 2),
    ],
)
def test_lines_are_counted_without_being_read(tmp_path: Path, content: bytes, lines: int) -> None:
    path = tmp_path / "day.csv"
    path.write_bytes(content)
    assert lines_of_feed_file(path, FEED, DAY) == lines


@pytest.mark.parametrize("header", [b"not,the,header\n" + line("a"), HEADER.rstrip(b"\n")])
def test_lines_are_not_counted_below_a_wrong_header(tmp_path: Path, header: bytes) -> None:
    path = tmp_path / "day.csv"
    path.write_bytes(header)
    with pytest.raises(FeedFileError):
        lines_of_feed_file(path, FEED, DAY)


def test_a_file_with_only_a_header_has_no_rows(read: Read) -> None:
    for content in (HEADER, HEADER + b"\n\r\n\n"):
        file, table = read(content)
        assert (file.rows, table.num_rows) == (0, 0)
        assert table.schema == feed_file_schema(FEED)


def test_quoted_fields_keep_commas_quotes_and_line_ends(read: Read) -> None:
    _, table = read(HEADER + line('"a, ""b""\nc\r\nd\re"') + line('""') + line('""""') + line("z"))
    assert firsts(table) == ['a, "b"\nc\r\nd\re', "", '"', "z"]
    assert malformed(table) == {}


def test_crlf_ends_a_row_and_is_no_part_of_a_value(read: Read) -> None:
    _, table = read(HEADER.replace(b"\n", b"\r\n") + line("a", end="\r\n") + line('"b"', end="\r\n"))
    assert table.select([COLUMNS[0], COLUMNS[-1]]).to_pylist() == [
        {COLUMNS[0]: "a", COLUMNS[-1]: "x"},
        {COLUMNS[0]: "b", COLUMNS[-1]: "x"},
    ]


def test_a_lone_carriage_return_is_an_ordinary_character(read: Read) -> None:
    _, table = read(HEADER + line("a\rb"))
    assert firsts(table) == ["a\rb"]
    _, table = read(HEADER + line("c", end="\r\r\n"))
    assert table.column(COLUMNS[-1]).to_pylist() == ["x\r"]


def test_two_lines_joined_by_a_lone_carriage_return_are_one_malformed_row(read: Read) -> None:
    _, table = read(HEADER + line("a", end="\r") + line("b") + line("c"))
    assert firsts(table) == [None, "c"]
    _, table = read(HEADER + line("a", end='"z"\r') + line('"b"') + line("c"))
    assert firsts(table) == [None, "c"]


def test_a_quote_inside_an_unquoted_field_is_an_ordinary_character(read: Read) -> None:
    _, table = read(HEADER + line('24" screen') + line(' "a') + line('b"') + line("c"))
    assert firsts(table) == ['24" screen', ' "a', 'b"', "c"]


def test_a_byte_order_mark_is_dropped_at_the_start_and_kept_in_a_value(read: Read) -> None:
    _, table = read(b"\xef\xbb\xbf" + HEADER + line("\ufeffa") + line("\ufeffb"))
    assert firsts(table) == ["\ufeffa", "\ufeffb"]


def test_a_header_may_be_in_any_order_case_and_padding(read: Read) -> None:
    header = ",".join(f" {name.upper()} " for name in reversed(COLUMNS))
    _, table = read(header.encode() + b"\n" + b"7,6,5,4,3,2,1\n")
    assert table.select(COLUMNS).to_pylist() == [dict(zip(COLUMNS, "1234567", strict=True))]


def test_unknown_columns_are_reported_and_kept_as_json(read: Read) -> None:
    file, table = read(
        b"Gift," + HEADER.rstrip(b"\n") + b',source_row\n"say ""hi""",1,2,3,4,5,6,7,8\nbad\n,1,2,3,4,5,6,7,\n'
    )
    assert file.extra_columns == ("gift", "source_row")
    extras = table.column("extra_columns").to_pylist()
    assert [None if text is None else json.loads(text) for text in extras] == [
        {"gift": 'say "hi"', "source_row": "8"},
        None,
        {"gift": "", "source_row": ""},
    ]
    assert table.column("source_row").to_pylist() == [1, 2, 3]
    assert firsts(table) == ["1", None, "1"]


# Malformed rows


def test_a_row_with_too_few_or_too_many_fields_is_kept_as_malformed_text(read: Read) -> None:
    file, table = read(HEADER + line("a") + b"1,2,3\r\n" + line("b") + b'1,2,3,4,5,6,7,"8"\n' + line("c"))
    assert malformed(table) == {2: "1,2,3", 4: '1,2,3,4,5,6,7,"8"'}
    assert firsts(table) == ["a", None, "b", None, "c"]
    assert (file.rows, file.malformed_rows) == (5, 2)


def test_row_numbers_count_records_not_lines(read: Read) -> None:
    _, table = read(HEADER + line('"a\n\n\nb"') + b"bad\n" + line('"c\nd"') + b"bad too\n" + line("e"))
    assert table.column("source_row").to_pylist() == [1, 2, 3, 4, 5]
    assert malformed(table) == {2: "bad", 4: "bad too"}
    assert firsts(table) == ["a\n\n\nb", None, "c\nd", None, "e"]


def test_a_blank_line_is_malformed_between_rows_and_ignored_at_the_end(read: Read) -> None:
    file, table = read(HEADER + line("a") + b"\n\r\n" + line("b") + b"\n\r\n\n")
    assert malformed(table) == {2: "", 3: ""}
    assert file.rows == 4


def test_text_after_a_closing_quote_makes_the_row_malformed_and_leaves_the_next_one_alone(read: Read) -> None:
    _, table = read(HEADER + line('"a"b') + line('"c" ') + line('"d"\r') + line('"e"f"g,h"') + line('"ok"'))
    assert sorted(malformed(table)) == [1, 2, 3, 4]
    assert malformed(table)[1] == '"a"b,x,x,x,x,x,x'
    assert firsts(table)[4] == "ok"


def test_a_row_with_a_nul_is_malformed_and_shows_where(read: Read) -> None:
    _, table = read(HEADER + line("a") + line("b\0c") + line('"d\0"') + line("e"))
    assert malformed(table) == {2: "b\ufffdc,x,x,x,x,x,x", 3: '"d\ufffd",x,x,x,x,x,x'}
    assert firsts(table) == ["a", None, None, "e"]


@pytest.mark.parametrize("quote", ["", '"'])
def test_a_value_over_the_limit_makes_the_row_malformed_and_is_cut(read: Read, quote: str) -> None:
    longest = "é" * (MAX_FIELD_BYTES // 2)
    fits, too_long = line(quote + longest + quote), line(quote + longest + "y" + quote)
    file, table = read(HEADER + fits + too_long + line("a"))
    assert firsts(table) == [longest, None, "a"]
    text = malformed(table)[2]
    assert text.startswith(quote + "ééé")
    assert text.endswith(f"… [cut: the row has {len(too_long) - 1:,} bytes]")
    assert text.index("…") == MAX_MALFORMED_CHARACTERS
    assert file.malformed_rows == 1


def test_a_long_malformed_row_without_a_long_value_is_cut_too(read: Read) -> None:
    _, table = read(HEADER + b"\xf0\x9f\x98\x80," * 20_000 + b"\n" + line("a"))
    assert malformed(table)[1].index("…") == MAX_MALFORMED_CHARACTERS
    assert firsts(table) == [None, "a"]


def test_a_value_larger_than_a_window_does_not_stop_the_reader(read: Read) -> None:
    large, too_large = ("a,\n" * (size // 2) for size in (feed_files.WINDOW_BYTES, feed_files.MAX_FIELD_BYTES))
    assert feed_files.WINDOW_BYTES < len(large) < feed_files.MAX_FIELD_BYTES < len(too_large)
    _, table = read(HEADER + line("a") + line(f'"{large}"') + line("b") + line(f'"{too_large}"') + line("c"))
    assert firsts(table) == ["a", large, "b", None, "c"]


@pytest.mark.parametrize("field", [b",", b'"",'])
def test_a_row_of_a_hundred_thousand_fields_is_never_held_as_a_list(read: Read, field: bytes) -> None:
    values, _, _ = feed_files.split_record(field * 100_000 + b"\n", 0, len(COLUMNS))
    assert values is not None
    assert len(values) == len(COLUMNS) + 1
    _, table = read(HEADER + field * 100_000 + b"\n" + line("a"))
    assert firsts(table) == [None, "a"]


def test_a_regular_file_never_meets_the_careful_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_files._FeedText, "_read_carefully", None)
    path = tmp_path / "day.csv"
    path.write_bytes(b"\xef\xbb\xbf" + HEADER + line("a") + line('"b, ""c""\r\nd\re"', end="\r\n") + line('""'))
    assert firsts(read_feed_file(path, FEED, DAY)[1]) == ["a", 'b, "c"\r\nd\re', ""]


# Rejected files


def test_a_missing_file_names_the_path_that_was_expected(tmp_path: Path) -> None:
    path = feed_file_name(tmp_path, FEED, DAY)
    assert path == tmp_path / FEED / "2026-11-23.csv"
    with pytest.raises(FeedFileError, match="missing") as caught:
        check_feed_file(path, FEED, DAY)
    assert str(path) in str(caught.value)


def test_links_that_form_a_loop_are_one_clear_error(tmp_path: Path) -> None:
    path = feed_file_name(tmp_path, FEED, DAY)
    path.parent.mkdir(parents=True)
    path.symlink_to(path)
    with pytest.raises(FeedFileError, match="form a loop"):
        check_feed_file(path, FEED, DAY)


def test_a_folder_or_a_pipe_is_not_a_feed_file(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (tmp_path, pipe):
        with pytest.raises(FeedFileError, match="not a regular file"):
            check_feed_file(path, FEED, DAY)
    (tmp_path / "file").touch()
    with pytest.raises(FeedFileError, match="missing"):
        check_feed_file(tmp_path / "file" / "day.csv", FEED, DAY)


def test_a_file_too_large_for_one_day_is_refused_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_files, "MAX_FILE_BYTES", 100)
    path = tmp_path / "day.csv"
    path.write_bytes(b"x" * 101)
    with pytest.raises(FeedFileError, match="101 bytes"):
        check_feed_file(path, FEED, DAY)


def test_an_unknown_feed_is_a_mistake_of_the_caller_not_of_the_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="unknown feed 'orders'") as caught:
        feed_file_name(tmp_path, "orders", DAY)
    assert not isinstance(caught.value, FeedFileError)


OTHER = ",".join(["y"] * len(COLUMNS)).encode()


@pytest.mark.parametrize(
    ("content", "row", "says"),
    [
        pytest.param(b"", None, "empty", id="empty"),
        pytest.param(b"\n\n", None, "blank, not a header", id="blank"),
        pytest.param(b"\n" + HEADER, None, "blank, not a header", id="blank line first"),
        pytest.param(b"\xef\xbb\xbf", None, "in the header", id="byte order mark only"),
        pytest.param(HEADER.strip(), None, "in the header: the last line has no line end", id="cut in header"),
        pytest.param(HEADER.replace(b"item_id,", b""), None, "lacks 'item_id'", id="missing column"),
        pytest.param(HEADER.replace(b",", b";"), None, "it holds semicolons", id="semicolons"),
        pytest.param(HEADER.replace(b",", b"\t"), None, "it holds tabs", id="tabs"),
        pytest.param(HEADER.replace(b"\n", b",Item_ID \n"), None, "repeats 'item_id'", id="duplicate"),
        pytest.param(HEADER.replace(b"\n", b",new,new\n"), None, "repeats 'new'", id="duplicate extra"),
        pytest.param(HEADER.replace(b"\n", b",\n"), None, "no name at position 8", id="unnamed column"),
        pytest.param(HEADER.replace(b"item_id", b'"item_id"x'), None, "closing quote", id="quote in header"),
        pytest.param(HEADER.replace(b"\n", b",\xff\n"), None, "of the header, 0xff", id="header not UTF-8"),
        pytest.param(HEADER.strip() + b",c" * 1000 + b"\n", None, "more than 1,000", id="too many columns"),
        pytest.param((HEADER + line("a")).replace(b"\n", b"\r"), None, "lone carriage", id="CR line ends"),
        pytest.param(HEADER.decode().encode("utf-16"), None, "UTF-16", id="UTF-16"),
        pytest.param(HEADER.decode().encode("utf-16-be"), None, "NUL", id="UTF-16 without mark"),
        pytest.param(HEADER + line("a") + b"\xe9\n", 2, "byte 1 of the row, 0xe9", id="Latin-1"),
        pytest.param(HEADER + line('"b\nc"') + b'"\n\xed\xa0\x80"\n', 2, "0xed", id="encoded surrogate"),
        pytest.param(HEADER + line("a") + OTHER, 2, "add a newline at its end", id="no line end"),
        pytest.param(HEADER + line("a") + b'1,"b"', 2, "add a newline at its end", id="no end after quote"),
        pytest.param(HEADER + line("a") + b"\xc3", 2, "truncated", id="cut in a character"),
        pytest.param(HEADER + line("a") + b"bad\n" + b'1,"b\n2,c\n\n', 3, "truncated", id="open quote"),
        pytest.param(HEADER + line("a") + b'1,"b""\n', 2, "truncated", id="open quote after a double"),
    ],
)
def test_a_file_that_cannot_be_trusted_is_refused_with_its_row(
    read: Read, content: bytes, row: int | None, says: str
) -> None:
    with pytest.raises(FeedFileError) as caught:
        read(content)
    error = caught.value
    assert (error.feed, error.day, error.row) == (FEED, DAY, row)
    text = str(error)
    assert says in text
    assert len(text.splitlines()) == 1
    assert text.startswith(f"feed {FEED}, day 2026-11-23, file {error.path}")
    assert ("row" if row is None else f", row {row}: ") in text + "row"


def test_a_missing_column_lists_what_was_found_and_what_to_export(read: Read) -> None:
    with pytest.raises(FeedFileError) as caught:
        read(b"id,quantity\nx\n")
    assert "found 'id', 'quantity'" in str(caught.value)
    assert f"export with the columns {', '.join(COLUMNS)}" in str(caught.value)


def test_a_hostile_header_makes_a_short_message_of_one_line(read: Read) -> None:
    with pytest.raises(FeedFileError) as caught:
        read(b'"\x1b[31m\n\xe2\x80\xa8' + b"x" * 100_000 + b'"' + b",y" * 900 + b"\n")
    assert len(str(caught.value)) < 1_500
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "content",
    [
        b"17,Ada,Byron,ada@example.com,5550100,1815-12-10,12 St James Sq,London\n",
        b"ada,byron,ada_byron,london,none,abc,def\n",
        b"17,Ada,Byron,ada@example.com,London,city\n",
        b"root:x:0:0:root:/root:/bin/bash\n",
        b"17;Ada;Byron;ada@example.com\n",
        HEADER.replace(b"item_id", b"Ada Byron <ada@example.com>"),
        HEADER.replace(b"item_id,", b"ada@example.com,ada@example.com,"),
    ],
    ids=["no header", "words", "one known word", "secret", "semicolons", "a person in the header", "twice"],
)
def test_an_error_quotes_nothing_that_may_be_personal_or_secret(read: Read, content: bytes) -> None:
    """A file without a header leaked names, e-mail addresses, and dates of birth into the run's event log."""
    with pytest.raises(FeedFileError) as caught:
        read(content)
    text = str(caught.value).replace(str(caught.value.path), "").lower()
    assert [word for word in ("ada", "byron", "root:", "1815", "5550100", "london", "example") if word in text] == []


@pytest.mark.parametrize("linked", ["file", "folder"])
def test_a_link_that_leads_out_of_the_folder_is_not_followed(tmp_path: Path, linked: str) -> None:
    secret = tmp_path / "secret" / f"{DAY}.csv"
    write_feed_file(secret, HEADER)
    folder = tmp_path / "landing"
    path = feed_file_name(folder, FEED, DAY)
    (folder if linked == "folder" else path.parent).mkdir(parents=True)
    (path.parent if linked == "folder" else path).symlink_to(secret.parent if linked == "folder" else secret)
    with pytest.raises(FeedFileError, match="points outside"):
        check_feed_file(path, FEED, DAY)
    inside = folder / "elsewhere" / f"{DAY}.csv"
    write_feed_file(inside, HEADER)
    other = feed_file_name(tmp_path / "link", FEED, DAY)
    (tmp_path / "link").symlink_to(folder)
    if linked == "file":
        path.unlink()
        path.symlink_to(inside)
        assert check_feed_file(other, FEED, DAY).rows == 0


def test_the_first_fault_in_file_order_is_the_one_reported(read: Read) -> None:
    with pytest.raises(FeedFileError) as caught:
        read(HEADER + line("a") + b"\xff\n" + line("b") * 20 + b'"open')
    assert caught.value.row == 2


def test_an_error_survives_the_way_between_processes() -> None:
    error = FeedFileError(FEED, DAY, Path("a.csv"), "is bad", "mend it", 7)
    copy = pickle.loads(pickle.dumps(error))
    assert (str(copy), copy.feed, copy.day, copy.path, copy.row) == (str(error), FEED, DAY, Path("a.csv"), 7)


# Writing


def test_a_written_file_reads_back_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = feed_file_name(tmp_path / "new" / "root", FEED, DAY)
    for content in (HEADER + line("a"), HEADER):
        assert write_feed_file(path, content) == (hashlib.sha256(content).hexdigest(), len(content))
        assert path.read_bytes() == content
        assert list(path.parent.iterdir()) == [path]


def test_a_written_file_has_the_rights_that_the_umask_gives(tmp_path: Path) -> None:
    plain, ours = tmp_path / "plain", tmp_path / "ours"
    plain.write_bytes(b"x")
    write_feed_file(ours, b"x")
    assert stat.S_IMODE(ours.stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)


def test_writing_the_same_bytes_leaves_the_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "day.csv"
    write_feed_file(path, b"same")
    os.utime(path, ns=(1, 1))
    inode = path.stat().st_ino
    write_feed_file(path, b"same")
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == (1, inode)
    write_feed_file(path, b"else")
    assert path.read_bytes() == b"else"
    assert path.stat().st_mtime_ns != 1


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_failed_write_keeps_the_old_file_and_leaves_no_temporary_one(
    step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "day.csv"
    write_feed_file(path, b"old")

    def fail(*_: object) -> None:
        raise OSError("disk full")

    if step == "fsync":
        monkeypatch.setattr(os, "fsync", fail)
    else:
        monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_feed_file(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
