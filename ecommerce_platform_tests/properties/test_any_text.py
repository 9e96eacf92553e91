"""Whatever text a file contains, its rows are kept or rejected, and later days are not affected."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from ecommerce_platform.checks import table_checks
from ecommerce_platform.feeds.columns import FEEDS
from ecommerce_platform.io_managers import PostgresConnection, Window
from ecommerce_platform_tests.harness import Platform, Row, customer, day, line, order, product, returned
from ecommerce_platform_tests.properties.test_order_does_not_matter import empty, examples

ODD = (
    # Blank or invisible characters that mail clients, spreadsheets, and web pages leave in cells.
    "\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u180e\u2000\u2003\u2009\u200a\u200b"
    "\u2028\u2029\u202f\u205f\u2060\u3000\ufeff\x01\x08\x7f\xad\u0300\u0345\u200d\u202e"
    # Letters with unusual upper-case forms, full-width digits, and special characters of SQL, CSV, and JSON.
    "ßıİǆﬁΐ٣１２-+=@'\"\\;,|%_{}<>$🛒\U0010ffff"
)
texts = st.one_of(
    st.text(st.sampled_from(ODD), max_size=6),
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12),
    st.sampled_from(
        ["x" * 250, " " * 300, "\u3000" * 201, "0", "-0", "1e5", "NaN", "Infinity", "null", "\\N", "24:00"]
    ),
    st.tuples(st.text(st.sampled_from(ODD[:26]), max_size=3), st.sampled_from(["Cash", "TX", "1", "12.50"])).map(
        "".join
    ),
)
MAKERS = {
    "customers": customer,
    "products": product,
    "transactions": order,
    "transaction_items": line,
    "returns": returned,
}
ROWS = 8
"""Rows with odd text per feed: fewer than the ten that stop a day."""


@st.composite
def odd_rows(draw: st.DrawFn, feed: str) -> list[Row]:
    """Draw valid rows with odd text in one to three columns."""
    rows: list[Row] = []
    for number in range(1, ROWS + 1):
        row = MAKERS[feed](
            *((100 + number, 1) if feed in ("transactions", "transaction_items", "returns") else (100 + number,))
        )
        columns = draw(st.lists(st.sampled_from(FEEDS[feed]), min_size=1, max_size=3, unique=True))
        rows.append({**row, **{column: draw(texts) for column in columns}})
    return rows


def failing(platform: Platform, window: Window) -> list[str]:
    """Return the failed blocking checks. The harness does not load the extracts."""
    with PostgresConnection(url=platform.url, role="loader").connect() as connection:
        return [
            f"{check.table} {check.name}: {outcome.description}"
            for check in table_checks(raw_folder=lambda: platform.raw)
            if check.severity == "ERROR" and not check.table.startswith(("analytics", "monitoring"))
            if not (outcome := check.run(connection, window)).passed
        ]


@given(feeds=st.fixed_dictionaries({feed: odd_rows(feed) for feed in FEEDS}))
@examples(20)
def test_no_text_stops_a_day_or_a_later_one(platform: Platform, feeds: Mapping[str, list[Row]]) -> None:
    empty(platform)
    platform.export(1, customers=[customer(1)], products=[product(1)])
    platform.run(1)
    platform.export(2, **feeds)
    platform.run(2)
    assert failing(platform, Window(day(2), day(3))) == []
    platform.load(3, transactions=[order(1, on=3)], transaction_items=[line(1, 1)])
    assert failing(platform, Window(day(3), day(4))) == []
    assert failing(platform, Window()) == []
    assert platform.rows("select sum(revenue) from warehouse.fact_sales where sale_date = %s", day(3))[0][0] == 10
