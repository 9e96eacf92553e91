"""IO manager writes are atomic and always match the table."""

from __future__ import annotations

import datetime as dt
import threading

import psycopg
import pyarrow as pa
import pytest

from ecommerce_platform.io_managers import Merge, PostgresConnection, Query, ReplaceSlice, WriteError, postgres
from ecommerce_platform.io_managers.lookup import describe
from ecommerce_platform.io_managers.modes import RowStream, Window
from ecommerce_platform.io_managers.postgres import read_arrow, read_frame
from ecommerce_platform.io_managers.writes import write
from ecommerce_platform_tests.harness import Platform, customer, day, order, product

KEYED = Merge(key=("category",))
COLUMNS = (
    "category",
    "orders",
    "units",
    "revenue",
    "cost",
    "profit",
    "profit_margin",
    "revenue_share",
    "costed_revenue",
    "returned_units",
    "returns",
    "net_revenue",
    "return_rate",
)
NO_DAYS = Window()


def rows(*categories: str, revenue: str = "10.00") -> pa.Table:
    size = len(categories)
    values = [list(categories), [1] * size, [1] * size, [revenue] * size, ["4.00"] * size, ["6.00"] * size]
    return pa.table(
        {
            **dict(zip(COLUMNS, values, strict=False)),
            "profit_margin": ["60.00"] * size,
            "revenue_share": [None] * size,
            "costed_revenue": [revenue] * size,
            "returned_units": [0] * size,
            "returns": ["0.00"] * size,
            "net_revenue": [revenue] * size,
            "return_rate": [None] * size,
        }
    )


def put(url: str, table: pa.Table, mode: Merge = KEYED):
    with PostgresConnection(url=url, role="loader").connect() as connection:
        return write(
            connection, describe(connection, "analytics", "category_sales"), mode, RowStream.of(table), NO_DAYS
        )


def stored(url: str) -> dict[str, str]:
    with psycopg.connect(url) as connection:
        return dict(connection.execute("select category, revenue::text from analytics.category_sales").fetchall())


def test_a_merge_counts_what_it_inserts_updates_deletes_and_leaves(database_url: str) -> None:
    first = put(database_url, rows("A", "B", "C"))
    assert (first.inserted, first.updated, first.deleted, first.unchanged) == (3, 0, 0, 0)
    again = put(database_url, rows("A", "B", "C"))
    assert (again.inserted, again.updated, again.deleted, again.unchanged) == (0, 0, 0, 3)
    changed = put(database_url, pa.concat_tables([rows("A"), rows("B", "D", revenue="11.00")]))
    assert (changed.inserted, changed.updated, changed.deleted, changed.unchanged) == (1, 1, 1, 1)
    assert stored(database_url) == {"A": "10.00", "B": "11.00", "D": "11.00"}


def test_a_write_of_a_whole_table_knows_its_rows_and_of_a_slice_those_of_its_days(platform: Platform) -> None:
    """dagster/row_count and dagster/partition_row_count come from the write, without a count of a large table."""
    assert put(platform.url, rows("A", "B", "C")).total == 3
    platform.export(1, customers=[customer(1), customer(2)], transactions=[order(1), order(2, 2)], products=[product()])
    platform.export(2, customers=[customer(1, on=2, city="Dallas")], transactions=[order(2, 2, on=2), order(3, on=2)])
    first = platform.run(1, 2)
    assert first["staging.customers"].by_day == {day(1): 2, day(2): 1}
    assert first["staging.transaction_items"].by_day == {day(1): 0, day(2): 0}
    assert first["production.customers"].by_day == {day(1): 1, day(2): 1}
    assert first["production.transactions"].by_day == {day(1): 1, day(2): 2}
    assert first["production.transactions"].total == 3
    assert first["warehouse.dim_payment"].total == 2
    assert first["warehouse.dim_payment"].by_day == {}
    # Order 2 comes back to the first day, and the second day keeps one.
    platform.export(2, transactions=[order(3, on=2)])
    again = platform.run(2)
    assert again["production.transactions"].by_day == {day(2): 1}
    assert again["production.transactions"].total is None
    held = "select partition_date, count(*) from production.transactions group by 1 order by 1"
    assert platform.rows(held) == [(day(1), 2), (day(2), 1)]


@pytest.mark.parametrize(
    ("limit", "expected"), [(8 * 2**20, {"dagster/row_count": 3}), (0, {"estimated_row_count": 3})]
)
def test_a_table_is_counted_while_it_is_small_and_an_estimate_is_called_one(
    database_url: str, monkeypatch: pytest.MonkeyPatch, limit: int, expected: dict[str, int]
) -> None:
    put(database_url, rows("A", "B", "C"))
    monkeypatch.setattr(postgres, "COUNTED_BYTES", limit)
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("analyze analytics.category_sales")
    with PostgresConnection(url=database_url, role="loader").connect() as connection:
        table = describe(connection, "analytics", "category_sales")
        assert postgres._row_count(connection, table, None) == expected
        assert postgres._row_count(connection, table, 7) == {"dagster/row_count": 7}


def test_statistics_of_a_few_rows_are_taken_when_they_arrive_and_not_each_time_they_change(database_url: str) -> None:
    """Each day changes every row of most extracts: a commit to analyze three rows waited for the disk once more."""

    def analyzed() -> int:
        with psycopg.connect(database_url) as connection:
            row = connection.execute("select analyze_count from pg_stat_user_tables where relname = 'category_sales'")
            (count,) = row.fetchone() or (0,)
        return count

    put(database_url, rows("A", "B", "C"))
    assert analyzed() == 1
    assert put(database_url, rows("A", "B", "C", revenue="11.00")).updated == 3
    assert analyzed() == 1


def test_an_empty_frame_empties_the_table(database_url: str) -> None:
    put(database_url, rows("A"))
    assert put(database_url, rows("A").slice(0, 0)).deleted == 1
    assert stored(database_url) == {}


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (rows("A").drop(["cost"]), "missing: cost"),
        (rows("A").append_column("tax", [["1"]]), "unknown: tax"),
        (rows("A", "A"), "occurs 2 times"),
        (rows("A").set_column(1, "orders", [["many"]]), "invalid input syntax"),
        (rows("A").set_column(1, "orders", pa.array([None], pa.int64())), "null value"),
    ],
    ids=["missing column", "unknown column", "duplicate key", "wrong type", "null"],
)
def test_rows_that_do_not_fit_change_nothing(database_url: str, table: pa.Table, words: str) -> None:
    put(database_url, rows("Z"))
    with pytest.raises((WriteError, psycopg.Error), match=words):
        put(database_url, table)
    assert stored(database_url) == {"Z": "10.00"}


def test_an_empty_text_is_not_a_null(database_url: str) -> None:
    put(database_url, rows(""))
    assert stored(database_url) == {"": "10.00"}


def test_a_row_outside_its_slice_is_refused(database_url: str) -> None:
    day = dt.date(2024, 1, 1)
    feed = pa.table(
        {
            "partition_date": [day, day + dt.timedelta(days=1)],
            "source_row": [1, 1],
            "source_file": ["a", "b"],
            "loaded_at": [dt.datetime(2024, 1, 2, tzinfo=dt.UTC)] * 2,
        }
    )
    with PostgresConnection(url=database_url, role="loader").connect() as connection:
        table = describe(connection, "staging", "products")
        for name in table.columns:
            if name not in feed.column_names:
                feed = feed.append_column(name, pa.array([None, None], pa.string()))
        with pytest.raises(WriteError, match="outside the slice"):
            write(
                connection,
                table,
                ReplaceSlice("partition_date"),
                RowStream.of(feed),
                Window(day, day + dt.timedelta(days=1)),
            )
        assert connection.execute("select count(*) from staging.products").fetchone() == (0,)


def test_a_table_without_ddl_is_not_made_up(database_url: str) -> None:
    with (
        PostgresConnection(url=database_url, role="loader").connect() as connection,
        pytest.raises(WriteError, match="apply the DDL"),
    ):
        describe(connection, "analytics", "not_there")


def test_two_writers_of_one_table_wait_for_each_other(database_url: str) -> None:
    tables = [rows("A", "B", revenue="1.00"), rows("B", "C", revenue="2.00")]
    threads = [threading.Thread(target=put, args=(database_url, table)) for table in tables * 4]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert stored(database_url) in ({"A": "1.00", "B": "1.00"}, {"B": "2.00", "C": "2.00"})


def test_a_first_load_leaves_every_constraint_and_index_as_it_was(database_url: str) -> None:
    def definitions() -> list[tuple]:
        with psycopg.connect(database_url) as connection:
            return connection.execute(
                "select conname, pg_get_constraintdef(oid) from pg_constraint"
                " where connamespace in ('production'::regnamespace, 'warehouse'::regnamespace)"
                " union all select indexname, indexdef from pg_indexes where schemaname in ('production', 'warehouse')"
                " order by 1, 2"
            ).fetchall()

    before = definitions()
    with PostgresConnection(url=database_url, role="loader").connect() as connection:
        table = describe(connection, "production", "transaction_items")
        nothing = "select * from production.transaction_items where false"
        write(connection, table, Merge(key=("transaction_id", "item_id")), Query(nothing), NO_DAYS)
        # Sales reference the dimension's key, and its versions must not overlap.
        dimension = describe(connection, "warehouse", "dim_customer")
        write(
            connection,
            dimension,
            Merge(key=("customer_key",)),
            Query("select * from warehouse.dim_customer where false"),
            NO_DAYS,
        )
        orphan = (
            "select 1::bigint as transaction_id, 1::bigint as item_id, 1::bigint as product_id, 1 as quantity,"
            " 1.00 as unit_price, 0.00 as discount_amount, 1.00 as line_total, date '2024-01-01' as partition_date,"
            " 1 as source_row"
        )
        with pytest.raises(psycopg.errors.ForeignKeyViolation):
            write(connection, table, Merge(key=("transaction_id", "item_id")), Query(orphan), NO_DAYS)
    assert definitions() == before


def test_what_is_read_keeps_its_types(database_url: str) -> None:
    select = (
        "select 1::bigint as n, 1.50::numeric(12, 2) as money, date 'infinity' as forever,"
        " ''::text as empty, null::text as none, true as yes"
    )
    with PostgresConnection(url=database_url, role="loader").connect() as connection:
        (row,) = read_arrow(connection, select).to_pylist()
        frame = read_frame(connection, select)
    assert (row["n"], str(row["money"]), row["forever"], row["empty"], row["none"], row["yes"]) == (
        1,
        "1.50",
        None,
        "",
        None,
        True,
    )
    assert str(frame.dtypes["n"]) == "Int64"


@pytest.mark.parametrize("schema", ["production", "staging", "platform"])
def test_the_reader_never_sees_personal_data(database_url: str, schema: str) -> None:
    with PostgresConnection(url=database_url, role="reader").connect() as connection:
        connection.execute("select * from warehouse.fact_sales, analytics.geography, monitoring.quality_report limit 0")
        table = {"production": "customers", "staging": "customers", "platform": "watermarks"}[schema]
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(f"select * from {schema}.{table}")


def test_the_loader_writes_rows_and_changes_no_table(database_url: str) -> None:
    with PostgresConnection(url=database_url, role="loader").connect() as connection:
        for statement in ("drop table staging.customers", "alter table warehouse.fact_sales add x int"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)
