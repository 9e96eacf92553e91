"""The key by which a cluster distributes orders is computed here, and compared with what the database computes."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import psycopg
import pyarrow as pa
import pyarrow.csv
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecommerce_platform.assets.staging import feed_rows
from ecommerce_platform.feeds.columns import BLANKS, ORDER_KEY
from ecommerce_platform.feeds.order_keys import order_key
from ecommerce_platform.io_managers.modes import CsvRows
from ecommerce_platform_tests.harness import FIRST, Platform, line, order, returned

IDENTIFIERS = st.one_of(
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=210),
    st.from_regex(r"[0-9]{1,20}", fullmatch=True),
    st.builds("{}{}{}".format, st.sampled_from(BLANKS), st.integers(0, 10**19), st.sampled_from(BLANKS)),
)


@pytest.fixture
def connection(database_url: str):
    """A connection to a database with the functions of sql/ddl."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection


def test_the_key_of_any_identifier_is_the_bucket_that_the_database_computes(connection: psycopg.Connection) -> None:
    @given(identifiers=st.lists(IDENTIFIERS, min_size=20, max_size=60))
    @settings(max_examples=30, deadline=None)
    def compare(identifiers: list[str]) -> None:
        rows = connection.execute(
            "select value, coalesce(platform.parse_id(value), 0) from unnest(%s::text[]) as given (value)",
            (identifiers,),
        )
        assert [(value, order_key(value)) for value in identifiers] == rows.fetchall()

    compare()


@pytest.mark.parametrize("feed", ["transactions", "transaction_items", "returns"])
def test_each_row_of_a_feed_of_orders_has_the_key_of_its_order(tmp_path: Path, feed: str) -> None:
    """Plain rows, quoted rows, and rows that cannot be split."""
    names = ["7", "A-1", "Ä,1", 'say "no"', " 8 ", ""]
    made = {
        "transactions": [order(name) for name in names],
        "transaction_items": [line(name, 1) for name in names],
        "returns": [returned(name, 1) for name in names],  # type: ignore[arg-type]
    }
    Platform("", tmp_path).export(1, **{feed: made[feed]})
    path = next((tmp_path / feed).glob("*.csv"))
    path.write_bytes(path.read_bytes() + b"too,few\n")
    rows = feed_rows(tmp_path, feed, {FIRST: 1}, dt.datetime(2030, 1, 1, tzinfo=dt.UTC), [ORDER_KEY])
    keys: list[int] = []
    for chunk in rows.chunks:
        if isinstance(chunk, CsvRows):
            options = pyarrow.csv.ReadOptions(column_names=list(chunk.columns))
            table = pyarrow.csv.read_csv(pa.BufferReader(chunk.text), options)
            keys += table.column(ORDER_KEY).to_pylist()
        else:
            keys += chunk.column(ORDER_KEY).to_pylist()
    assert keys == [7, order_key("A-1"), order_key("Ä,1"), order_key('say "no"'), 8, 0, 0]
    assert list(rows.columns)[-1] == ORDER_KEY
    assert ORDER_KEY not in feed_rows(tmp_path, feed, {FIRST: 1}, dt.datetime(2030, 1, 1, tzinfo=dt.UTC)).columns
