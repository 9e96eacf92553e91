"""The sources of a column are derived from the SQL, and what cannot be derived is refused."""

from __future__ import annotations

import pytest

from ecommerce_platform.tables.column_lineage import LineageError, lineage_of_select, relations_of_views
from ecommerce_platform.tables.manifest import manifest

COLUMNS = {
    "production.orders": ["order_id", "customer_id", "day", "amount"],
    "production.customers": ["customer_id", "state"],
    "warehouse.mart": ["key", "value"],
}


def sources(select: str, views=None, generated=None) -> list[tuple[str, str]]:
    """The sources of ``value`` in a SELECT of key and value."""
    return list(lineage_of_select("warehouse.mart", select, COLUMNS, views or {}, generated)["value"])


def test_an_expression_depends_on_the_columns_it_names_through_with_and_union() -> None:
    select = """
        with some as (select o.order_id, o.amount * 2 as doubled from production.orders as o),
        more as (
            select * from some
            union all
            select order_id, case when day > '2024-01-01' then 0 end from production.orders
        )
        select order_id as key, sum(doubled) as value from more group by order_id
    """
    assert sources(select) == [("production.orders", "amount"), ("production.orders", "day")]


def test_joins_and_filters_are_no_sources_and_a_count_has_none() -> None:
    select = """
        select o.order_id as key, count(*) as value from production.orders as o
        inner join production.customers as c on o.customer_id = c.customer_id where o.day > '2024-01-01' group by 1
    """
    assert sources(select) == []


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("row_number() over (order by amount)", ["amount"]),
        ("row_number() over latest", ["amount", "customer_id"]),
        ("sum(amount) over (partition by customer_id)", ["amount"]),
        ("(select max(x.day) from production.orders as x where x.customer_id = o.customer_id)", ["day"]),
        ("to_jsonb(o)", ["amount", "customer_id", "day", "order_id"]),
    ],
)
def test_windows_subqueries_and_whole_rows(value: str, expected: list[str]) -> None:
    select = f"""
        select order_id as key, {value} as value from production.orders as o
        window latest as (partition by customer_id order by amount)
    """
    assert sources(select) == [("production.orders", name) for name in expected]


def test_lateral_rows_depend_on_their_own_parts() -> None:
    select = """
        select o.order_id as key, member.name as value from production.orders as o
        cross join lateral (values ('a', o.day), ('b', o.amount)) as member (kind, name)
    """
    assert sources(select) == [("production.orders", "amount"), ("production.orders", "day")]


def test_a_view_is_resolved_to_its_tables() -> None:
    ddl = """
        create view production.first as select o.order_id, upper(o.day) as word from production.orders as o;
        create view production.second as select f.* from production.first as f;
    """
    views = relations_of_views(ddl, COLUMNS)
    assert sources("select order_id as key, word as value from production.second", views) == [
        ("production.orders", "day")
    ]


def test_a_generated_column_depends_on_the_sources_of_its_own_columns() -> None:
    select = "select amount as key from production.orders"
    assert sources(select, generated={"value": "(key > 0)"}) == [("production.orders", "amount")]


def test_bookkeeping_and_the_tables_own_rows_are_left_out() -> None:
    select = """
        select s.slice as key, coalesce(o.day, s.slice, m.value) as value from platform.slices as s
        join production.orders as o on o.day = s.slice left join warehouse.mart as m on m.key = s.slice
    """
    assert sources(select) == [("production.orders", "day")]


@pytest.mark.parametrize(
    ("select", "words"),
    [
        ("select s.order_id as key, s.order_id as value from production.orders as o, scope as s", "only selects rows"),
        ("select order_id as key from production.orders", "its SELECT returns key; its columns are key, value"),
        ("select order_id as key, nothing as value from production.orders", "nothing is not a column"),
        ("select o.order_id as key, o.nothing as value from production.orders as o", "has a column nothing"),
        ("select customer_id as key, customer_id as value from production.orders, production.customers", "ambiguous"),
        ("select key, value from elsewhere", "elsewhere is neither a table"),
        ("select key, value from production.elsewhere", "production.elsewhere is neither"),
        ("select key, value from generate_series(1, 2)", "add column names"),
        ("select *, 1 as value from platform.slices", "are unknown"),
    ],
)
def test_what_cannot_be_derived_is_refused(select: str, words: str) -> None:
    with pytest.raises(LineageError, match=words):
        sources(select)


def test_the_manifest_knows_where_each_column_of_the_facts_comes_from() -> None:
    lineage = manifest()["warehouse.fact_sales"].lineage
    assert lineage is not None
    assert lineage["revenue"] == (("production.transaction_items", "line_total"),)
    assert lineage["profit"] == (
        ("production.transaction_items", "line_total"),
        ("production.transaction_items", "quantity"),
        ("warehouse.dim_product", "cost"),
    )
    assert ("staging.customers", "email") in (manifest()["production.customers"].lineage or {})["email_is_valid"]
