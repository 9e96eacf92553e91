"""A change reaches every affected table, whichever run propagates it: regression tests.

Each case was found by comparison with an independent model: runs were green, but the numbers were wrong.
"""

from __future__ import annotations

import datetime as dt
import threading
from decimal import Decimal

import pandas as pd
import psycopg
import pyarrow as pa
import pytest

from ecommerce_platform.assets.staging import STAGED
from ecommerce_platform.checks import table_checks
from ecommerce_platform.checks.verify import matches_transform
from ecommerce_platform.feeds.columns import FEEDS
from ecommerce_platform.io_managers import Merge, PostgresConnection, Window
from ecommerce_platform.io_managers.change_log import behind, logs_of, register, sources_of
from ecommerce_platform.io_managers.consequences import consequences
from ecommerce_platform.io_managers.lookup import describe
from ecommerce_platform.io_managers.modes import RowStream
from ecommerce_platform.io_managers.postgres import read_frame
from ecommerce_platform.io_managers.writes import write
from ecommerce_platform.tables.loaded_days import note_what_is_expected, what_is_loaded
from ecommerce_platform_tests.harness import Platform, Row, customer, day, line, order, product, table_assets

STAGING = [f"staging.{feed}" for feed in FEEDS]


def sales(platform: Platform) -> dict:
    """Return revenue by sale date."""
    return dict(
        platform.rows("select sale_date, sum(revenue) from warehouse.fact_sales group by sale_date order by sale_date")
    )


def second_day() -> dict[str, list[Row]]:
    """Return a day: customer 1 moves; one order has two lines, 10.00 and 20.00, and one has one line, 10.00."""
    return {
        "customers": [customer(1, on=2, state="CA")],
        "transactions": [order(10, on=2, total="30.00"), order(11, on=2)],
        "transaction_items": [line(10, 1), line(10, 2, quantity=2), line(11, 1)],
    }


def refuse(platform: Platform, number: int, **feeds: list[Row]) -> None:
    """Stage a day whose checks fail, so that nothing after staging runs."""
    platform.export(number, **feeds)
    platform.run(number, only=STAGING)


def stage_identical(platform: Platform) -> None:
    platform.export(2, **second_day())
    platform.run(2, only=STAGING)


def refuse_a_correction(platform: Platform) -> None:
    refuse(platform, 2, transactions=[order(10, on=2, transaction_date="soon")], transaction_items=[])


def refuse_twice(platform: Platform) -> None:
    refuse_a_correction(platform)
    refuse(platform, 2)


@pytest.mark.parametrize("accident", [stage_identical, refuse_a_correction, refuse_twice], ids=lambda f: f.__name__)
def test_a_slice_that_has_not_passed_never_hides_the_one_that_has(platform: Platform, accident) -> None:
    """Staging was replaced before its check; the next day deleted lines and moved the customer back, all green."""
    platform.load(1, customers=[customer(1)], products=[product(1)])
    platform.load(2, **second_day())
    accident(platform)
    platform.load(3, customers=[customer(1, on=3, state="CA", city="Fresno")], transaction_items=[line(10, 3)])
    assert sales(platform) == {day(2): Decimal("50.00")}
    assert platform.rows("select state from production.customers") == [("CA",)]
    assert platform.rows("select state from warehouse.dim_customer where is_current and customer_id = 1") == [("CA",)]
    assert platform.rows("select * from production.rejected_rows") == []
    assert not_what_their_selects_give(platform) == []


def not_what_their_selects_give(platform: Platform) -> list[str]:
    """Return the tables that do not match their transform, according to ``verify``."""
    with PostgresConnection(url=platform.url, role="loader").connect() as connection:
        return [table for table in table_assets() if not matches_transform(table).run(connection).passed]


def test_a_corrected_file_takes_the_place_of_the_one_that_passed_once_it_has_passed_too(platform: Platform) -> None:
    platform.load(1, customers=[customer(1)], products=[product(1)])
    platform.load(2, **second_day())
    refuse_a_correction(platform)
    platform.load(2, transactions=[order(11, on=2)], transaction_items=[line(11, 1, quantity=3)])
    assert sales(platform) == {day(2): Decimal("30.00")}
    assert platform.rows("select state from production.customers") == [("TX",)]
    for _ in range(3):
        platform.run(2)
    loads = platform.rows("select count(distinct load_id) from staging.transactions where partition_date = %s", day(2))
    assert loads == [(2,)], "the load that passed and its predecessor, which the next load deletes"


@pytest.mark.parametrize("new", ["product", "customer"])
def test_a_sale_of_the_next_day_is_there_though_the_day_before_died_half_way(platform: Platform, new: str) -> None:
    """The sale stayed missing until its own day was run again."""
    platform.load(1, customers=[customer(1)], products=[product(1)])
    platform.export(2, customers=[customer(2, on=2)], products=[product(2, on=2)])
    died_after = f"production.{new}s"
    tables = list(table_assets())
    platform.run(2, only=[*STAGING, *tables[: tables.index(died_after) + 1]])
    buyer, bought = (2, 1) if new == "customer" else (1, 2)
    platform.load(
        3, transactions=[order(1, on=3), order(2, buyer, on=3)], transaction_items=[line(1, 1), line(2, 1, bought)]
    )
    platform.run(2)
    assert sales(platform) == {day(3): Decimal("20.00")}


@pytest.mark.parametrize("died_after", [name for name in table_assets() if name != "warehouse.dim_date"])
def test_the_next_day_makes_good_what_a_run_that_died_has_left_undone(platform: Platform, died_after: str) -> None:
    """This holds for any next day, without a rerun of the day that died."""
    platform.load(1, customers=[customer(1)], products=[product(1)])
    platform.export(2, **second_day())
    tables = list(table_assets())
    platform.run(2, only=[*STAGING, *tables[: tables.index(died_after) + 1]])
    is_known = tables.index(died_after) >= tables.index("production.loaded_days")
    platform.load(3, transactions=[order(20, on=3)], transaction_items=[line(20, 1)])
    expected = {day(2): Decimal("40.00"), day(3): Decimal("10.00")}
    expected = expected if is_known else {day(3): Decimal("10.00")}
    assert sales(platform) == expected
    assert dict(platform.rows("select sale_date, revenue from warehouse.agg_daily_sales")) == expected
    assert platform.rows("select sum(revenue) from warehouse.mart_customer_monthly") == [(sum(expected.values()),)]
    assert platform.rows("select sum(revenue) from warehouse.agg_customer_metrics") == [(sum(expected.values()),)]


def test_a_sale_has_the_age_group_of_its_day(platform: Platform) -> None:
    """Birthdays created no version: 10% of a shop's revenue was reported under the wrong age group."""
    platform.load(1, customers=[customer(1, date_of_birth="1989-01-03")], products=[product(1)])
    for number in (2, 3, 4):
        platform.load(number, transactions=[order(number, on=number)], transaction_items=[line(number, 1)])
    assert platform.rows(
        "select sale_date, age_group from warehouse.fact_sales join warehouse.dim_customer using (customer_key)"
        " order by sale_date"
    ) == [(day(2), "25-34"), (day(3), "35-44"), (day(4), "35-44")]


def test_a_vip_ages_too(platform: Platform) -> None:
    """A VIP's purchase creates no version, so the customer is skipped, except after a birthday."""
    platform.load(1, customers=[customer(1, date_of_birth="1989-01-04")], products=[product(1)])
    numbers = range(100, 110)
    platform.load(
        2,
        transactions=[order(n, on=2, total="1000.00") for n in numbers],
        transaction_items=[line(n, 1, quantity=100) for n in numbers],
    )
    platform.load(5, transactions=[order(5, on=5)], transaction_items=[line(5, 1)])
    assert platform.rows(
        "select distinct sale_date, segment, age_group"
        " from warehouse.fact_sales join warehouse.dim_customer using (customer_key) order by sale_date"
    ) == [(day(2), "VIP", "25-34"), (day(5), "VIP", "35-44")]


def segments(platform: Platform) -> list[tuple]:
    return platform.rows(
        "select valid_from, segment from warehouse.dim_customer where customer_id = 1 order by valid_from"
    )


def test_only_purchases_that_change_a_segment_compute_a_customer_again(platform: Platform) -> None:
    """Most customers of a day are Regular and stay so: their histories were read, and their versions compared."""
    platform.load(1, customers=[customer(1)], products=[product(1)])
    for number in (2, 3, 6, 7):
        platform.load(number, transactions=[order(number, on=number)], transaction_items=[line(number, 1)])
    first = (dt.date(2000, 1, 1), "New")
    assert segments(platform) == [first, (day(6), "Regular")]
    # An order that comes late is the third one.
    platform.load(8, transactions=[order(5, on=5)], transaction_items=[line(5, 1)])
    assert segments(platform) == [first, (day(5), "Regular")]
    # The tenth order, on a day before the last one, makes a VIP.
    numbers = range(20, 26)
    platform.load(
        9,
        transactions=[order(n, on=6, total="2000.00") for n in numbers],
        transaction_items=[line(n, 1, quantity=200) for n in numbers],
    )
    assert segments(platform) == [first, (day(5), "Regular"), (day(6), "VIP")]


def test_loading_the_day_of_a_purchase_again_repairs_the_customer(platform: Platform) -> None:
    platform.load(1, customers=[customer(1)], products=[product(1)])
    for number in (2, 3, 4, 5):
        platform.load(number, transactions=[order(number, on=number)], transaction_items=[line(number, 1)])
    whole = segments(platform)
    with psycopg.connect(platform.url, autocommit=True) as connection:
        connection.execute(
            "update warehouse.dim_customer set segment = 'VIP' where customer_id = 1 and valid_from = '2000-01-01'"
        )
    platform.run(5)
    assert segments(platform) == whole


def test_a_late_customer_has_the_age_of_the_days_of_her_purchases(platform: Platform) -> None:
    platform.load(1, products=[product(1)], transactions=[order(1)], transaction_items=[line(1, 1)])
    platform.load(4, customers=[customer(1, on=4, date_of_birth="1989-01-03")])
    assert platform.rows(
        "select sale_date, age_group from warehouse.fact_sales join warehouse.dim_customer using (customer_key)"
    ) == [(day(1), "25-34")]


def test_a_sale_whose_version_goes_falls_to_the_unknown_member_until_it_is_pointed_at_another(
    platform: Platform,
) -> None:
    """The sale was deleted with its version, and was missing for readers until the next run."""
    platform.load(1, customers=[customer(1)], products=[product(1)])
    platform.load(2, **second_day())
    platform.export(2, **{**second_day(), "customers": []})
    tables = list(table_assets())
    platform.run(2, only=[*STAGING, *tables[: tables.index("warehouse.fact_sales")]])
    assert sales(platform) == {day(2): Decimal("40.00")}
    assert platform.rows("select distinct customer_id, customer_key from warehouse.fact_sales") == [(1, 0)]
    platform.run(3, only=tables)
    assert platform.rows(
        "select distinct state from warehouse.fact_sales join warehouse.dim_customer using (customer_key)"
    ) == [("TX",)]
    assert platform.rows("select member from warehouse.mart_daily_breakdown where breakdown = 'state'") == [("US-TX",)]


def test_a_writer_locks_every_table_that_a_deletion_reaches(platform: Platform) -> None:
    """Deleting an order cascaded to its lines without locking their table: another writer could lose or keep them."""
    with PostgresConnection(url=platform.url, role="loader").connect() as connection:

        def reached(name: str) -> set[str]:
            return {each.child for each in consequences(connection, describe(connection, *name.split(".")))}

        assert reached("production.transactions") == {"production.transaction_items", "production.returns"}
        assert reached("production.customers") == {
            "production.customer_versions",
            "production.transactions",
            "production.transaction_items",
            "production.returns",
        }
        assert reached("production.product_categories") == {
            "production.products",
            "production.product_versions",
            "production.transaction_items",
            "production.returns",
        }
        assert reached("warehouse.dim_customer") == {"warehouse.fact_sales", "warehouse.fact_returns"}
        assert reached("warehouse.fact_sales") == set()


def test_a_day_is_loaded_when_its_slices_have_passed_and_every_table_is_up_to_date(platform: Platform) -> None:
    """Dagster's events and production disagreed about which days were loaded."""

    def loaded() -> set:
        with PostgresConnection(url=platform.url, role="loader").connect() as connection:
            found = what_is_loaded(connection)
            # The harness does not load the extracts, so they have no watermark.
            return {
                *found.days,
                *(["behind"] if [name for name in found.behind if not name.startswith("analytics")] else []),
            }

    platform.load(1, customers=[customer(1)], products=[product(1)])
    platform.export(2, **second_day())
    platform.run(2, only=[*STAGING, *list(table_assets())[:-1]])
    assert "behind" in loaded()
    platform.run(2)
    with PostgresConnection(url=platform.url, role="loader").connect() as connection:
        assert behind(connection) == {}
    refuse_a_correction(platform)
    assert day(2) not in loaded()


def test_staging_is_written_as_versions_of_a_slice() -> None:
    assert (STAGED.load, STAGED.pinned_by) == ("load_id", "production.loaded_days")


def test_a_day_with_the_greatest_amounts_that_a_file_may_hold_is_loaded_and_right(platform: Platform) -> None:
    """A contract limited profit more tightly than the table, and rejected the day."""
    most = "9999999999.99"
    platform.load(
        1,
        customers=[customer(1)],
        products=[product(1, price=most, cost=most)],
        transactions=[order(1, total=most), order(2)],
        transaction_items=[
            line(1, 1, unit_price=most, line_total=most),
            line(2, 1, quantity=999_999_999, unit_price="10.00", line_total="9999999990.00"),
        ],
    )
    assert platform.rows("select sum(revenue), sum(cost) from warehouse.agg_daily_sales") == [
        (Decimal("19999999989.99"), Decimal(most) * 1_000_000_000)
    ]
    with PostgresConnection(url=platform.url, role="loader").connect() as connection:
        failed = [
            f"{check.table} {check.name}: {outcome.description}"
            for check in table_checks(raw_folder=lambda: platform.raw)
            if check.severity == "ERROR" and not check.table.startswith(("analytics", "monitoring"))
            if not (outcome := check.run(connection)).passed
        ]
    assert failed == []


def test_a_load_that_gave_way_stays_until_every_reader_knows(platform: Platform) -> None:
    """A run stopped in the warehouse, its correction died in production: an old entry released the rows too early."""
    platform.load(1, customers=[customer(1)], products=[product(1)])
    tables = list(table_assets())
    platform.export(
        2,
        customers=[customer(1, on=2, state="CA")],
        transactions=[order(1, on=2), order(2, on=2)],
        transaction_items=[line(1, 1), line(2, 1)],
    )
    platform.run(2, only=[*STAGING, *tables[: tables.index("warehouse.dim_customer")]])
    platform.export(2, transactions=[order(1, on=2)], transaction_items=[line(1, 1)])
    platform.run(2, only=[*STAGING, *tables[: tables.index("production.loaded_days") + 1]])
    for number in (3, 4):
        platform.load(number)
        assert sales(platform) == {day(2): Decimal("10.00")}
        assert platform.rows("select state from production.customers") == [("TX",)]


def test_unread_loads_are_deleted_after_a_second_load_of_many_days_too(platform: Platform) -> None:
    """The log recorded a full refresh and named no load: staging kept every row twice forever."""
    for number in range(1, 8):
        platform.export(number, customers=[customer(n, on=number) for n in range(1, 200)])
    for _ in range(2):
        platform.run(1, 7)
    for number in (8, 9):
        platform.load(number)
    assert platform.rows("select count(*) from staging.customers") == [(7 * 199,)]


def test_a_second_run_waits_before_it_deletes_what_the_first_is_about_to_read(platform: Platform) -> None:
    """One run had passed a load, but not yet committed; another run staged the day again and deleted its rows."""
    platform.load(1, customers=[customer(1)], products=[product(1)])
    platform.load(2, **second_day())
    lock = "select pg_advisory_lock(hashtextextended('write production.loaded_days', 0))"
    with psycopg.connect(platform.url, autocommit=True) as passing:
        passing.execute(lock)
        staging = threading.Thread(target=platform.run, args=(2,), kwargs={"only": STAGING})
        staging.start()
        staging.join(2)
        assert staging.is_alive(), "the delete does not wait for the run that decides which load is read"
        passing.execute("select pg_advisory_unlock_all()")
        staging.join(60)
    assert not staging.is_alive()


def test_a_reader_on_its_first_pass_misses_nothing(platform: Platform) -> None:
    """The reader was not registered, and an entry added during its full refresh was pruned."""
    platform.load(1, customers=[customer(1)], products=[product(1)])
    platform.load(2, **second_day())
    platform.execute("delete from platform.watermarks where reader = 'warehouse.agg_customer_metrics'")
    with PostgresConnection(url=platform.url, role="loader").connect() as connection:
        logs = logs_of(connection, ["warehouse.mart_customer_monthly"])
        register(connection, "warehouse.agg_customer_metrics", logs)
        assert "warehouse.agg_customer_metrics" in behind(connection)
        tables = [name for name in table_assets() if name != "warehouse.agg_customer_metrics"]
        for number in (3, 4):
            platform.export(
                number, transactions=[order(number * 10, on=number)], transaction_items=[line(number * 10, 1)]
            )
            platform.run(number, only=[*STAGING, *tables])
        (source,) = sources_of(connection, "warehouse.agg_customer_metrics", logs)
        assert source.is_everything
        entries = connection.execute("select count(*) from change_log.warehouse_mart_customer_monthly").fetchone()
        assert entries
        assert entries[0] >= 2, "the entries of two days wait for the reader"


def test_a_day_counts_as_loaded_only_once_every_table_has_read_its_sources(platform: Platform) -> None:
    platform.export(1, customers=[customer(1)])
    platform.run(1, only=[*STAGING, "production.loaded_days"])
    platform.export(2, customers=[customer(1, on=2)])
    platform.run(2, only=[*STAGING, "production.loaded_days"])
    with PostgresConnection(url=platform.url, role="loader").connect() as connection:
        loaded = what_is_loaded(connection)
    assert (loaded.days, loaded.passed) == (set(), {day(1), day(2)})


def test_rows_that_were_read_before_those_that_are_stored_are_read_again(platform: Platform) -> None:
    """Of two writers of one extract, the slower one stored older rows but advanced the watermark past newer changes."""
    platform.load(1, customers=[customer(1)], products=[product(1)])
    platform.load(2, **second_day())
    select = (
        "select 'New' as segment, 1 as customers, 1 as buyers, 1::bigint as orders, 1.00 as revenue, 1.00 as profit,"
    )
    select += " 1.00 as average_order_value, 1.00 as customer_share, 1.00 as revenue_share, 1.00 as costed_revenue"
    name, reads = "analytics.customer_segments", ["warehouse.agg_customer_metrics"]
    with PostgresConnection(url=platform.url, role="loader").connect() as connection:
        table = describe(connection, *name.split("."))

        def store(frame: pd.DataFrame) -> None:
            rows = RowStream.of(pa.Table.from_pandas(frame, preserve_index=False))
            write(connection, table, Merge(key=("segment",)), rows, Window(), frame.attrs["read_up_to"])

        first = read_frame(connection, select, reader=name, reads=reads)
        platform.load(3, transactions=[order(30, on=3)], transaction_items=[line(30, 1)])
        store(read_frame(connection, select, reader=name, reads=reads))
        with pytest.raises(psycopg.errors.SerializationFailure, match="read again"):
            store(first)
        # Each write to the source prunes entries that were read: the log may be empty, or start over.
        for number in (4, 5):
            platform.load(number)
            store(read_frame(connection, select, reader=name, reads=reads))
        platform.load(6, transactions=[order(60, on=6)], transaction_items=[line(60, 1)])
        store(read_frame(connection, select, reader=name, reads=reads))


@pytest.mark.parametrize("former", ["warehouse.mart_gone", "warehouse.dim_payment"])
def test_no_log_waits_for_a_table_that_reads_it_no_more(platform: Platform, former: str) -> None:
    """A mart was removed from the code, or lost a source: its watermark blocked pruning until the log collapsed."""
    platform.load(1, customers=[customer(1)], products=[product(1)], transactions=[order(1)])
    platform.execute(
        "insert into platform.watermarks select %s, source, position from platform.watermarks"
        " where reader = 'warehouse.fact_sales' on conflict do nothing",
        former,
    )
    entries = "select count(*) from change_log.production_transactions"
    for number in (2, 3):
        platform.load(number, transactions=[order(number, on=number)], transaction_items=[line(number, 1)])
    assert platform.rows(entries) == [(2,)]
    note_what_is_expected(platform.url, None)
    platform.load(4, transactions=[order(4, on=4)], transaction_items=[line(4, 1)])
    assert platform.rows(entries) == [(1,)]


def test_a_change_of_many_rows_that_affects_no_reader_triggers_no_full_refresh(platform: Platform) -> None:
    """When 1,100 of 2,000 products were restocked, every order line in the history was recomputed, each day."""
    products = [product(number) for number in range(1, 2001)]
    platform.load(1, customers=[customer(1)], products=products)
    platform.load(2, **second_day())
    restocked = [product(number, on=3, stock_quantity="9") for number in range(1, 1101)]
    platform.load(3, products=restocked)
    said = platform.rows("select count(*) from change_log.production_products where operation = '*'")
    assert said == [(0,)]
    with PostgresConnection(url=platform.url, role="loader").connect() as connection:
        logs = logs_of(connection, ["production.products"])
        for reader in ("production.transaction_items", "production.rejected_rows"):
            assert not any(source.is_everything for source in sources_of(connection, reader, logs))


def test_sales_wait_for_dimensions_that_were_never_written(platform: Platform) -> None:
    """A user materializes only the fact table on an empty platform: there is no unknown member to point to yet."""
    platform.export(1, customers=[customer(1)], products=[product(1)])
    tables = [name for name in table_assets() if not name.startswith("warehouse.dim_customer")]
    platform.run(1, only=[*STAGING, *tables])
    platform.load(2, **second_day())
    assert sales(platform) == {day(2): Decimal("40.00")}
