"""Any small shop, loaded in any order, in any batches, any number of times, with corrections, rejections, and crashes.

Hypothesis draws the files of a few days and a load plan, which runs on a real server. A failure prints the plan as
calls that can be pasted into a test. The default run takes less than two minutes. A deep run uses a few thousand
examples per property (an hour each on one core), and new examples each time:

    HYPOTHESIS_PROFILE=deep python -m pytest ecommerce_platform_tests/properties/test_order_does_not_matter.py
"""

from __future__ import annotations

import graphlib
import os
import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

from ecommerce_platform.feeds.columns import FEEDS, OPTIONAL_COLUMNS
from ecommerce_platform.feeds.files import feed_file_name, write_feed_file
from ecommerce_platform.io_managers import PostgresConnection
from ecommerce_platform.io_managers.change_log import behind
from ecommerce_platform.tables.lineage import tables_read
from ecommerce_platform_tests import model
from ecommerce_platform_tests.comparison import differences, disagreements
from ecommerce_platform_tests.harness import (
    Platform,
    csv_bytes,
    customer,
    day,
    line,
    order,
    product,
    returned,
    table_assets,
)

DEEP = os.environ.get("HYPOTHESIS_PROFILE") == "deep"


def examples(number: int) -> settings:
    """Return settings with a fixed number of examples, the same in every default run."""
    return settings(
        max_examples=int(os.environ.get("HYPOTHESIS_EXAMPLES", "3000")) if DEEP else number,
        derandomize=not DEEP,
        deadline=None,
        database=None,
        # The database is emptied between examples.
        suppress_health_check=[
            HealthCheck.function_scoped_fixture,
            HealthCheck.too_slow,
            HealthCheck.data_too_large,
        ],
        phases=[Phase.generate, Phase.shrink],
    )


# ---- a shop: files and a readable plan ---------------------------------------------------

BUILDERS = {"customer": customer, "product": product, "order": order, "line": line, "returned": returned}
FEED_OF = {
    "customer": "customers",
    "product": "products",
    "order": "transactions",
    "line": "transaction_items",
    "returned": "returns",
}


@dataclass(frozen=True)
class Made:
    """A row as the harness call that creates it, optionally with an invalid value in one column."""

    name: str
    arguments: tuple[Any, ...]
    fields: tuple[tuple[str, Any], ...] = ()
    fault: tuple[str, str] | None = None

    def __repr__(self) -> str:
        named = [f"{name}={value!r}" for name, value in self.fields]
        call = f"{self.name}({', '.join([*map(repr, self.arguments), *named])})"
        return call if self.fault is None else f"{call} | {dict([self.fault])!r}"

    @property
    def row(self) -> Mapping[str, str] | str:
        """The row, or its text if it cannot be split into columns."""
        if self.fault is not None and self.fault[0] == "malformed":
            return self.fault[1]
        row = BUILDERS[self.name](*self.arguments, **dict(self.fields))
        return row if self.fault is None else {**row, **dict([self.fault])}


@dataclass(frozen=True)
class Files:
    """The files of one day."""

    made: tuple[Made, ...] = ()

    def rows(self, feed: str) -> list[Made]:
        return [made for made in self.made if FEED_OF[made.name] == feed]

    def __repr__(self) -> str:
        return ", ".join(f"{feed}={self.rows(feed)!r}" for feed in FEEDS if self.rows(feed))


@dataclass(frozen=True)
class Load:
    """A run over a range of days.

    Attributes:
        first: The first day.
        last: The last day.
        corrected: New contents of the first day's files, exported before the run.
        is_without_staging: Whether the run starts with production, so that the staged loads count as passed.
        dies_after: The number of tables written before the run dies. If these are the staging tables only, a check
            rejected the files.
    """

    first: int
    last: int
    corrected: Files | None = None
    is_without_staging: bool = False
    dies_after: int | None = None


@dataclass
class Shop:
    """The exported files and the load plan."""

    days: list[Files]
    plan: list[Load] = field(default_factory=list)
    tables: int = 0

    def tables_in_order(self) -> list[str]:
        """Draw a topological order of all tables, because Dagster may choose any."""
        choose = random.Random(self.tables)
        graph = graphlib.TopologicalSorter(
            {name: set(tables_read(name)) & set(TABLES) if name in table_assets() else () for name in TABLES}
        )
        graph.prepare()
        ready: list[str] = []
        order = list(STAGING)
        while graph.is_active():
            ready = sorted([*ready, *graph.get_ready()])
            name = ready.pop(choose.randrange(len(ready)) if self.tables else 0)
            graph.done(name)
            order += [] if name in STAGING else [name]
        return order


TORN = {
    "customers": "1,Ada",
    "products": "1",
    "transactions": "1,1,",
    "transaction_items": "1,1,1",
    "returns": "1,1",
}
FAULTS: dict[str, list[tuple[str, str]]] = {
    "customer": [
        ("customer_id", ""),
        ("customer_id", "x" * 201),
        ("date_of_birth", "1990-02-30"),
        ("country", "USA"),
        ("updated_at", "soon"),
        ("malformed", TORN["customers"]),
    ],
    "product": [
        ("product_id", " "),
        ("product_name", " "),
        ("cost", "free"),
        ("cost", "-1.00"),
        ("price", "ten"),
        ("currency", "GBP"),
        ("updated_at", "2024-13-01"),
        ("malformed", TORN["products"]),
    ],
    "order": [
        ("transaction_id", ""),
        ("customer_id", "x" * 201),
        ("transaction_date", "none"),
        ("transaction_date", "2024-02-30"),
        ("transaction_date", "2024-12-31"),
        ("total_amount", "-10.00"),
        ("currency", "GBP"),
        ("malformed", TORN["transactions"]),
    ],
    "line": [
        ("item_id", ""),
        ("transaction_id", "x" * 201),
        ("product_id", ""),
        ("quantity", "-1"),
        ("line_total", "9.99"),
        ("unit_price", ""),
        ("malformed", TORN["transaction_items"]),
    ],
    "returned": [
        ("return_id", ""),
        ("transaction_id", "x"),
        ("item_id", "0"),
        ("returned_on", "soon"),
        ("returned_on", "2024-12-31"),
        ("quantity", "-1"),
        ("refund_amount", "-5.00"),
        ("malformed", TORN["returns"]),
    ],
}


@st.composite
def made(draw: st.DrawFn, name: str, arguments: tuple, **fields: Any) -> Made:
    """Draw a row that is usually valid. Fields that are None keep the harness's defaults."""
    given = tuple((key, value) for key, value in fields.items() if value is not None)
    fault = draw(st.sampled_from(FAULTS[name])) if draw(st.integers(0, 14)) == 14 else None
    return Made(name, arguments, given, fault)


# Identifiers are numbers and other texts; 7 and 007 are two.
CUSTOMERS = (1, 1, 2, "Ünal, 3")
PRODUCTS = (1, 1, "85123A")
ORDERS = (7, "007", "#1003", 4)
LINES = (1, 2, "x" * 200)

rarely = st.integers(0, 7).map(lambda number: number == 7)


@st.composite
def images(draw: st.DrawFn, file_day: int, busy: bool) -> Made:
    """Draw an image of a customer or product: from the file's day, late, or with a timestamp in the future."""
    on = draw(st.sampled_from([file_day, file_day, 1, 1, file_day - 1, 0, file_day + 1] if busy else [1, 1, file_day]))
    at = draw(st.sampled_from(["10:00:00", "10:00:00", "00:30:00", "23:30:00"]))
    elsewhere = f"{day(on)}T00:30:00+02:00" if draw(rarely) else None
    if draw(st.booleans()):
        return draw(
            made(
                "customer",
                (draw(st.sampled_from(CUSTOMERS if busy else (1,))),),
                on=on,
                at=at,
                updated_at=elsewhere,
                state=draw(st.sampled_from([None, "CA", ""])),
                city=draw(st.sampled_from([None, None, ""])),
                date_of_birth=draw(st.sampled_from([None, None, "", "2006-01-03", "1999-01-02"])),
            )
        )
    return draw(
        made(
            "product",
            (draw(st.sampled_from(PRODUCTS if busy else (1,))),),
            on=on,
            at=at,
            updated_at=elsewhere,
            cost=draw(st.sampled_from([None, "7.00", "", " "])),
            price=draw(st.sampled_from([None, None, "30.00"])),
            category=draw(st.sampled_from([None, None, "Toys", ""])),
        )
    )


@st.composite
def exports(draw: st.DrawFn, file_day: int) -> list[Made]:
    """Draw an order with its lines: new, late, corrected, without its header, or without its lines."""
    number = draw(st.sampled_from(ORDERS))
    rows = []
    if not draw(rarely):
        rows.append(
            draw(
                made(
                    "order",
                    (number, draw(st.sampled_from((1, *CUSTOMERS, "")))),
                    on=draw(st.sampled_from([file_day, file_day, max(0, file_day - 2), 0])),
                    payment_method=draw(st.sampled_from([None, None, "PayPal", ""])),
                )
            )
        )
    for item in draw(st.lists(st.sampled_from(LINES), max_size=3)):
        quantity = draw(st.integers(1, 3))
        discount = draw(st.sampled_from([None, None, None, "1.00"]))
        rows.append(
            draw(
                made(
                    "line",
                    (number, item, draw(st.sampled_from((1, *PRODUCTS)))),
                    quantity=quantity,
                    discount_amount=discount,
                    line_total=None if discount is None else f"{quantity * 10 - 1}.00",
                )
            )
        )
    return rows


@st.composite
def returns(draw: st.DrawFn, file_day: int) -> Made:
    """Draw a return of a line that may have been sold, may be sold later, or never is."""
    return draw(
        made(
            "returned",
            (draw(st.integers(1, 4)), draw(st.sampled_from([1, 1, 2, 3])), draw(st.sampled_from([1, 1, 2]))),
            on=draw(st.sampled_from([file_day, file_day, file_day - 1])),
            quantity=draw(st.integers(0, 2)),
            refund_amount=draw(st.sampled_from([None, None, "0.00", "3.50"])),
            reason=draw(st.sampled_from([None, None, ""])),
        )
    )


def bulk(file_day: int, count: int) -> list[Made]:
    """Draw orders of customer 1 on one day: ten make a VIP, three a Regular."""
    return [
        made
        for number in range(101, 101 + count)
        for made in (
            Made("order", (number, 1), (("on", file_day),)),
            Made("line", (number, 1), (("quantity", 100),)),
        )
    ]


@st.composite
def files(draw: st.DrawFn, file_day: int, busy: bool) -> Files:
    rows: list[Made] = []
    if draw(st.integers(0, 3)) < (3 if file_day == 1 else int(busy)):
        rows += [Made("customer", (1,), (("on", file_day),)), Made("product", (1,), (("on", file_day),))]
    rows += draw(st.lists(images(file_day, busy), max_size=3 if busy else 2))
    for export in draw(st.lists(exports(file_day), max_size=4 if busy else 1)):
        rows += export
    rows += draw(st.lists(returns(file_day), max_size=3 if busy else 1))
    if busy and draw(rarely):
        rows += bulk(file_day, draw(st.sampled_from([2, 3, 10])))
    if rows and draw(rarely):
        rows.append(draw(st.sampled_from(rows)))
    return Files(tuple(rows))


@st.composite
def corrected(draw: st.DrawFn, file_day: int, original: Files, busy: bool) -> Files:
    """Draw a correction of a file: empty, with removed rows, with added rows, or entirely different."""
    kept = draw(st.sampled_from(["none", "some", "all"] if busy else ["none", "none", "some"]))
    rows = [] if kept == "none" else [row for row in original.made if kept == "all" or draw(st.booleans())]
    added = draw(files(file_day, busy)).made if draw(st.booleans()) else ()
    return Files((*rows, *added))


@st.composite
def shops(draw: st.DrawFn, corrections: bool = False, deaths: bool = False, most_loads: int = 4) -> Shop:
    """Draw two to four days, and a plan that loads some of them, and some repeatedly."""
    count = draw(st.sampled_from([3, 3, 4, 2]))
    # In a quiet shop, less happens to one customer at a time, so that later changes do not hide a missed update.
    busy = draw(st.booleans())
    shop = Shop([draw(files(number, busy)) for number in range(1, count + 1)], tables=draw(st.integers(0, 50)))
    stand = list(shop.days)
    if corrections and (not busy or draw(st.booleans())):
        # Most corrections concern days that are already loaded.
        shop.plan.append(Load(1, count))
        most_loads = 3 if deaths else 2
    for _ in range(draw(st.integers(1, most_loads))):
        first = draw(st.integers(1, count))
        last = draw(st.sampled_from([first, first, *range(first, count + 1)]))
        changed = None
        if corrections and (not busy or draw(st.booleans())):
            changed = stand[first - 1] = draw(corrected(first, stand[first - 1], busy))
        dies_after, is_without_staging = None, False
        if deaths and draw(st.booleans()):
            # Rejected after staging, or killed anywhere.
            dies_after = draw(st.one_of(st.just(len(STAGING)), st.integers(1, len(TABLES) - 1)))
        elif deaths and draw(rarely):
            is_without_staging = True
        shop.plan.append(Load(first, last, changed, is_without_staging, dies_after))
    return shop


# ---- the platform --------------------------------------------------------------------------------

STAGING = [f"staging.{feed}" for feed in FEEDS]
# dim_date is kept; all other tables are emptied between examples.
TABLES = [*STAGING, *(table for table in table_assets() if table != "warehouse.dim_date")]


def empty(platform: Platform) -> None:
    """Delete all rows except those of dim_date."""
    with psycopg.connect(platform.url) as connection:
        connection.execute("set session_replication_role = replica")
        # On a cluster, the option above ends at the coordinator, and foreign keys act: facts first, one node at a time.
        connection.execute("set citus.multi_shard_modify_mode = 'sequential'")
        for table in reversed(TABLES):
            connection.execute(f"delete from {table}")
        # Slices, watermarks, and change logs are deleted as well, except those of dim_date.
        connection.execute("delete from platform.slices")
        connection.execute("delete from platform.watermarks where reader <> 'warehouse.dim_date'")
        logs = "select tablename from pg_tables where schemaname = 'change_log' and tablename <> 'warehouse_dim_date'"
        for (log,) in connection.execute(logs).fetchall():
            connection.execute(f"delete from change_log.{log}")


def content(platform: Platform) -> dict[str, Counter[str]]:
    """Return all rows of production and the warehouse as text, without load times."""
    parts = [
        f"select '{table}', (to_jsonb(r) - 'loaded_at' - 'load_id')::text from {table} as r"
        for table in TABLES
        if not table.startswith("staging.")
    ]
    found: dict[str, Counter[str]] = {}
    for table, row in platform.rows(" union all ".join(parts)):
        found.setdefault(table, Counter())[row] += 1
    return found


def export(platform: Platform, number: int, of_day: Files) -> None:
    """Write the files of a day; rows that cannot be split are written unchanged."""
    for feed, required in FEEDS.items():
        columns = [*required, *OPTIONAL_COLUMNS.get(feed, ())]
        header = csv_bytes(columns, ())
        lines = [
            made.row.encode() + b"\n" if isinstance(made.row, str) else csv_bytes(columns, [made.row])[len(header) :]
            for made in of_day.rows(feed)
        ]
        write_feed_file(feed_file_name(platform.raw, feed, day(number)), header + b"".join(lines))


Passed = dict[int, dict[str, list[Made]]]
"""The rows of each feed and day whose load has passed."""


def as_model_files(passed: Passed) -> model.Files:
    return {
        day(number): {feed: [made.row for made in feeds.get(feed, ())] for feed in FEEDS}
        for number, feeds in passed.items()
    }


@pytest.fixture
def shop_platform(platform: Platform) -> Platform:
    """One database for all examples of a test, with dim_date filled."""
    platform.export(1)
    platform.run(1)
    return platform


def play(platform: Platform, shop: Shop, after_each: Any = None) -> dict[int, Files]:
    """Empty the database, run the plan, and load the days that have not passed; return the final files.

    ``after_each`` is called with the passed loads after each run that completes: whatever its day, the run must have
    completed the work that earlier runs left undone.
    """
    empty(platform)
    files_now = dict(enumerate(shop.days, 1))
    for number, of_day in files_now.items():
        note(f"platform.export({number}, {of_day!r})")
        export(platform, number, of_day)
    tables = shop.tables_in_order()
    note(f"# tables in the order {', '.join(tables)}")
    staged: Passed = {}
    passed: Passed = {}

    def carry_out(load: Load) -> None:
        begin = len(STAGING) if load.is_without_staging else 0
        only = tables[begin : load.dies_after]
        note(f"platform.run({load.first}, {load.last}, only=tables[{begin}:{load.dies_after}])")
        platform.run(load.first, load.last, only=only)
        for number in range(load.first, load.last + 1):
            for table in only:
                feed = table.split(".")[1]
                if table in STAGING:
                    staged.setdefault(number, {})[feed] = files_now[number].rows(feed)
                elif feed == "loaded_days":
                    passed[number] = dict(staged.get(number, {}))
        if load.dies_after is None and after_each is not None:
            after_each(passed)

    for load in shop.plan:
        if load.corrected is not None:
            files_now[load.first] = load.corrected
            note(f"platform.export({load.first}, {load.corrected!r})")
            export(platform, load.first, load.corrected)
        carry_out(load)
    for number, of_day in files_now.items():
        if passed.get(number) != {feed: of_day.rows(feed) for feed in FEEDS}:
            carry_out(Load(number, number))
    if shop.plan[-1].dies_after is not None:
        # A run of any day processes all passed loads.
        carry_out(Load(1, 1))
    with PostgresConnection(url=platform.url, role="loader").connect() as connection:
        assert behind(connection) == {}
    return files_now


def load_at_once(platform: Platform, files_now: Mapping[int, Files]) -> dict[str, Counter[str]]:
    """Return the contents after one run over all days on an empty database."""
    empty(platform)
    for number, of_day in files_now.items():
        export(platform, number, of_day)
    platform.run(1, len(files_now), only=TABLES)
    return content(platform)


def compare_with_model(platform: Platform, passed: Passed) -> None:
    """Verify that every table agrees with the model, and that every row of every file is accounted for."""
    problems = disagreements(platform, as_model_files(passed))
    assert not problems, problems


# ---- the properties --------------------------------------------------------------------------------


@given(shop=shops(most_loads=5))
@examples(16)
def test_any_order_any_batches_and_any_repeats_give_what_one_load_of_all_days_gives(
    shop_platform: Platform, shop: Shop
) -> None:
    final = play(shop_platform, shop)
    found = content(shop_platform)
    problems = differences(found, load_at_once(shop_platform, final))
    assert not problems, problems


@given(shop=shops(corrections=True))
@examples(20)
def test_a_corrected_file_leaves_nothing_of_the_one_before(shop_platform: Platform, shop: Shop) -> None:
    final = play(shop_platform, shop, lambda passed: compare_with_model(shop_platform, passed))
    found = content(shop_platform)
    problems = differences(found, load_at_once(shop_platform, final))
    assert not problems, problems


@given(shop=shops())
@examples(20)
def test_after_every_load_the_tables_hold_what_the_design_says_and_every_row_is_accounted_for(
    shop_platform: Platform, shop: Shop
) -> None:
    play(shop_platform, shop, lambda passed: compare_with_model(shop_platform, passed))


@given(shop=shops(corrections=True, deaths=True, most_loads=6))
@examples(30)
def test_what_a_run_leaves_undone_is_made_good_by_the_next_run_of_any_day(shop_platform: Platform, shop: Shop) -> None:
    """Runs die between two tables; files are rejected, corrected repeatedly, and withdrawn; other days follow."""
    final = play(shop_platform, shop, lambda passed: compare_with_model(shop_platform, passed))
    found = content(shop_platform)
    problems = differences(found, load_at_once(shop_platform, final))
    assert not problems, problems


def test_the_model_speaks_of_every_table_that_it_names() -> None:
    assert set(model.expect({}).content) == set(model.SELECTS)
