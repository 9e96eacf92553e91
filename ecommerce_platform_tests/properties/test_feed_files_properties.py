"""For arbitrary bytes, a feed file is read exactly or rejected, and all readers agree."""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import psycopg
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from psycopg import sql

from ecommerce_platform.assets.staging import feed_rows
from ecommerce_platform.feeds.columns import FEEDS
from ecommerce_platform.feeds.files import FeedFile, FeedFileError, feed_file_name
from ecommerce_platform.feeds.reader import _FeedText
from ecommerce_platform.io_managers.connection import ClientConnection
from ecommerce_platform.io_managers.copy import copy_rows

pytestmark = pytest.mark.properties

FEED = "transaction_items"
COLUMNS = FEEDS[FEED]
DAY = dt.date(2026, 11, 23)
HEADER = ",".join(COLUMNS).encode() + b"\n"

few_seconds = settings(max_examples=300, deadline=None)

# Characters with a special meaning in CSV and text readers are drawn far more often than by chance.
characters = st.one_of(
    st.sampled_from(list(',"\n\r;\t \ufeff\u2028\x1a\x85é漢😀Nul0')),
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]),
)
values = st.text(characters, max_size=8)

# Mostly well-formed pieces, so that files have a valid header and several regular rows.
rows_good = [
    b"a,b,c,d,e,f,g\n",
    b"a,b,c,d,e,f,g\r\n",
    b'"a","b,","c\n","d""","",f,"g"\n',
    b'24",b,c,d,e,f,g\n',
]
rows_odd = [b"a,b,c,d,e,f,g", b"a,b,c,d,e,f\n", b"a,b,c,d,e,f,g,h\n", b'"a"x,b,c,d,e,f,g\n', b"\n\n"]
marks = [b",", b'"', b'""', b"\n", b"\r\n", b"\r", b"\0", b"\xff", b"\xef\xbb\xbf", b"\xc3\xa9", b"a", b" "]
pieces = st.sampled_from(rows_good + rows_odd + marks)
texts = st.lists(pieces, max_size=12).map(b"".join)


def read(content: bytes, *, fast: bool = True, window_bytes: int = 4_000_000) -> tuple[FeedFile, pa.Table]:
    text = _FeedText(FEED, DAY, Path("day.csv"), content)
    batches = list(text.batches(fast=fast, window_bytes=window_bytes))
    return text.summary(batches), pa.Table.from_batches(batches, schema=text.schema)


def outcome(content: bytes, **how: object) -> object:
    """Return the result of reading: report and rows, or the error's row and text."""
    try:
        file, table = read(content, **how)  # ty: ignore[invalid-argument-type]
    except FeedFileError as error:
        return error.row, str(error)
    table.validate(full=True)
    return file, table.to_pylist()


def written(rows: list[list[str]], line_end: str, *, quote_all: bool) -> bytes:
    buffer = io.StringIO(newline="")
    quoting = csv.QUOTE_ALL if quote_all else csv.QUOTE_MINIMAL
    csv.writer(buffer, lineterminator=line_end, quoting=quoting).writerows([list(COLUMNS), *rows])
    return buffer.getvalue().encode()


@few_seconds
@given(
    rows=st.lists(st.lists(values, min_size=len(COLUMNS), max_size=len(COLUMNS)), max_size=12),
    line_end=st.sampled_from(["\n", "\r\n"]),
    quote_all=st.booleans(),
    window_bytes=st.sampled_from([1, 40, 4_000_000]),
)
def test_any_table_that_a_csv_writer_writes_reads_back_exactly(
    rows: list[list[str]], line_end: str, quote_all: bool, window_bytes: int
) -> None:
    # Python before 3.13 does not quote CR if rows end with LF: at the end of a row, no reader can tell
    # it from a CRLF.
    bare = any("\r" in value for row in rows for value in row) and line_end == "\n"
    content = written(rows, line_end, quote_all=quote_all or bare)
    file, table = read(content, window_bytes=window_bytes)
    assert [list(row.values()) for row in table.select(COLUMNS).to_pylist()] == rows
    assert table.column("source_row").to_pylist() == list(range(1, len(rows) + 1))
    assert (file.rows, file.malformed_rows) == (len(rows), 0)


@few_seconds
@given(content=st.one_of(st.binary(max_size=60), st.binary(max_size=60).map(HEADER.__add__), texts.map(HEADER.__add__)))
def test_random_bytes_are_read_or_refused_and_never_crash_the_reader(content: bytes) -> None:
    outcome(content)


@settings(max_examples=600, deadline=None)
@given(text=texts, window_bytes=st.sampled_from([1, 7, 30, 100, 4_000_000]), extra=st.booleans())
@example(text=b'""\n', window_bytes=4_000_000, extra=False)
@example(text=b'"""a,b,c,d,e,f,g\n",b,c,d,e,f,g\n', window_bytes=4_000_000, extra=False)
@example(text=b'a,b,c,d,e,f,"g"\r\r\n', window_bytes=4_000_000, extra=False)
@example(text=b'"a\r",b,c,d,e,f,g\n', window_bytes=4_000_000, extra=False)
@example(text=b"a,b,c,d,e,f,g\ra,b,c,d,e,f,g\n", window_bytes=4_000_000, extra=False)
@example(text=b'a"b,b,c,d,e,f,g\na,b,c,d,e,f,"\nz"\n', window_bytes=31, extra=False)
def test_the_fast_and_the_careful_reader_give_the_same_rows_and_the_same_errors(
    text: bytes, window_bytes: int, extra: bool
) -> None:
    header = b"more," + HEADER if extra else HEADER
    careful = outcome(header + text, fast=False)
    assert outcome(header + text, window_bytes=window_bytes) == careful
    assert outcome(header + text, window_bytes=window_bytes, fast=False) == careful


@few_seconds
@given(
    bad=st.lists(st.sampled_from([b"oops\n", b'"a"b,c\n', b"\0\n", b"\r\n", b'"x\ny"\n']), min_size=6, max_size=6),
    window_bytes=st.sampled_from([1, 30, 4_000_000]),
)
def test_malformed_rows_never_change_their_neighbors(bad: list[bytes], window_bytes: int) -> None:
    good = [f"{number},b,c,d,e,f,g\n".encode() for number in range(len(bad))]
    pairs = [row for pair in zip(bad, good, strict=True) for row in pair]
    file, table = read(HEADER + b"".join(pairs), window_bytes=window_bytes)
    assert table.column(COLUMNS[0]).to_pylist() == [
        None,
        "0",
        None,
        "1",
        None,
        "2",
        None,
        "3",
        None,
        "4",
        None,
        "5",
    ]
    texts = table.column("malformed").to_pylist()
    assert texts[0::2] == [row.rstrip(b"\r\n").decode().replace("\0", "\ufffd") for row in bad]
    assert (file.rows, file.malformed_rows) == (12, 6)


@pytest.fixture
def connection(database_url: str) -> Iterator[ClientConnection]:
    with psycopg.connect(database_url, cursor_factory=psycopg.ClientCursor) as connection:
        connection.execute("create temp table staged (like staging.transaction_items)")
        yield connection


plain_texts = st.lists(st.sampled_from([*rows_good * 3, *marks, b"\\N", b"\\.", b"\\.\n", b',""', b",,"]), max_size=12)


@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.one_of(texts, plain_texts.map(b"".join)), window_bytes=st.sampled_from([1, 7, 30, 100, 4_000_000]))
@example(text=b'\\N,,a,\\.,"","\\N",g\n', window_bytes=4_000_000)
@example(text=b"a,b,c,d,e,f,g\r\n\\.\n", window_bytes=4_000_000)
@example(text=b'"\n\\.\n",b,c,d,e,f,g\r\na,b,c,d,e,f,g\n', window_bytes=4_000_000)
@example(text=b"a,b,c,d,e,f\na,b,c,d,e,f,g,h\n", window_bytes=4_000_000)
@example(text=b"a,b,c,d,e,f,\r\n", window_bytes=4_000_000)
def test_the_server_stores_exactly_what_the_careful_reader_reads(
    connection: ClientConnection, tmp_path_factory: pytest.TempPathFactory, text: bytes, window_bytes: int
) -> None:
    """Of plain rows, COPY gets the bytes of the file."""
    careful = outcome(HEADER + text, fast=False)
    path = feed_file_name(tmp_path_factory.getbasetemp(), FEED, DAY)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(HEADER + text)
    read_in = partial(_FeedText.windows, window_bytes=window_bytes)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(_FeedText, "windows", lambda self: read_in(self))
        stream = feed_rows(path.parent.parent, FEED, {DAY: 7}, dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
        refused, copied = None, 0
        try:
            with connection.transaction():
                connection.execute("truncate staged")
                copied = copy_rows(connection, sql.Identifier("staged"), stream.chunks)
        except FeedFileError as error:
            refused = error.row, str(error).replace(str(path), "day.csv")
    assert isinstance(careful, tuple)
    if refused or isinstance(careful[1], str):
        assert refused == careful
        return
    names = [*COLUMNS, "source_row", "extra_columns", "malformed"]
    read_back = sql.SQL("select {} from staged where load_id = 7 and partition_date = {} order by source_row").format(
        sql.SQL(", ").join(map(sql.Identifier, names)), DAY
    )
    rows = [dict(zip(names, row, strict=True)) for row in connection.execute(read_back)]
    assert rows == careful[1]
    assert copied == len(rows)
