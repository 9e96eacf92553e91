"""A table's SQL files read only the assets upstream in Dagster and write nothing; the IO manager writes the table."""

from __future__ import annotations

import re

import pytest
from dagster import AssetKey

from ecommerce_platform.checks.fates import FATES
from ecommerce_platform.definitions import build_definitions
from ecommerce_platform.feeds.columns import FEEDS
from ecommerce_platform.feeds.values import VALUE_RULES
from ecommerce_platform.io_managers import Merge
from ecommerce_platform.settings import SQL_DIR
from ecommerce_platform.tables.asset import table_asset
from ecommerce_platform.tables.lineage import scope_path, tables_read, transform_path, transformed_tables

LAYERS = ("staging", "production", "warehouse", "analytics", "monitoring")
NAME = re.compile(rf"\b(?:from|join)\s+(?:({'|'.join(LAYERS)})\.(\w+)|({'|'.join(LAYERS)})_(\w+)_changes)\b")
WRITES = re.compile(r"\b(insert|update|delete|truncate|merge|create|alter|drop|copy)\b")
VIEWS = {
    "staged_identifiers",
    *(f"parsed_{feed}" for feed in FEEDS),
}
WAREHOUSE_VIEWS = {"warehouse.customer_rfm": {"warehouse.agg_customer_metrics", "warehouse.agg_daily_sales"}}
"""Views of tables of the warehouse, with these tables."""


def text_of(table: str) -> str:
    """Return the SQL of a table without comments and string literals."""
    files = [transform_path(table), *filter(None, [scope_path(table)])]
    text = "\n".join(path.read_text(encoding="utf-8") for path in files)
    return re.sub(r"'[^']*'", "''", re.sub(r"--.*", "", text))


def names_in(text: str) -> set[str]:
    """Return the tables and views in a SQL text, found independently of the parser that lineage uses."""
    return {f"{schema or owner}.{name or changed}" for schema, name, owner, changed in NAME.findall(text)}


def is_view(name: str) -> bool:
    return name.removeprefix("production.") in VIEWS or name.startswith("production.typed_")


@pytest.mark.parametrize("table", transformed_tables())
def test_dagster_shows_upstream_every_table_that_the_select_and_the_scope_read(table: str) -> None:
    """Ten files read tables that Dagster did not show as upstream."""
    graph = build_definitions().resolve_asset_graph()
    shown = {".".join(key.path) for key in graph.get(AssetKey(table.split("."))).parent_keys}
    read = names_in(text_of(table))
    named = set().union(*(WAREHOUSE_VIEWS.get(name, {name}) for name in read))
    assert named or table == "warehouse.dim_date"
    of_views = {name for name in named if is_view(name)}
    assert named - of_views - {table} <= shown
    # A view stands for its sources: production's views for staging, and the views of passed loads also for loaded_days.
    if of_views:
        assert any(name.startswith("staging.") for name in shown)
    if any(name.startswith("production.typed_") for name in of_views):
        assert "production.loaded_days" in shown
    assert shown == set(tables_read(table))


@pytest.mark.parametrize("table", transformed_tables())
def test_no_file_of_a_table_writes(table: str) -> None:
    """Four files wrote to other tables."""
    assert WRITES.findall(text_of(table)) == []
    assert not (SQL_DIR / "effects").exists()


def test_every_feed_has_rules_for_its_values_and_a_fate_for_its_rows() -> None:
    """A feed that row accounting does not know is silently left out of it."""
    assert set(FATES) == set(VALUE_RULES) == set(FEEDS)


def test_a_scope_without_its_columns_is_refused() -> None:
    with pytest.raises(ValueError, match=r"warehouse\.agg_daily_sales: there is a .*, but write= has no scope columns"):
        table_asset("warehouse.agg_daily_sales", write=Merge(key=("sale_date",)), description="")
