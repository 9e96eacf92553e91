"""The dbt project of `ecommerce-platform bench --dbt`: every table, its columns, its sources, its tests."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from ecommerce_platform.cli import bench_dbt
from ecommerce_platform.cli.bench import BenchError, run_bench
from ecommerce_platform.cli.bench_dbt import PROJECT, Model, models, properties, sources, write_project
from ecommerce_platform.tables.manifest import entry, tables

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bench") / "dbt"
    write_project(folder)
    return folder


def made_by(folder: str) -> list[str]:
    return [model.table for model in models() if model.folder == folder]


def test_dbt_makes_every_table_of_three_layers_once() -> None:
    """A new table that sql/baseline or the project forgets is found here, before a benchmark runs for minutes."""
    made = made_by("tables")
    assert sorted(made) == sorted(
        table
        for table in tables()
        if table.split(".")[0] in ("production", "warehouse", "analytics")
        and table not in ("production.identifiers", "analytics.sales_forecast")
    )
    assert {"work.typed_orders", "work.order_sums"} <= set(made_by("work"))
    assert set(made_by("views")) >= {"production.typed_transactions", "production.parsed_transactions"}


def test_a_table_has_the_columns_and_types_of_the_platform_in_the_same_order() -> None:
    """The contents are compared by a checksum over the row, in which 1 as bigint differs from 1 as numeric."""
    for model in models():
        if model.folder == "tables":
            selected = re.findall(r"^    .*::([^:]+) as (\w+),?$", model.select.split("\nfrom (\n")[0], re.MULTILINE)
            assert selected == [(column.type, column.name) for column in entry(model.table).columns], model.table


def test_a_generated_column_is_computed_as_in_the_ddl() -> None:
    (customers,) = [model for model in models() if model.table == "production.customers"]
    assert re.search(r"\(\n\s+email ~ '.+'\n\s+\)::boolean as email_is_valid", customers.select)


def test_dbt_knows_each_table_that_a_model_reads(project: Path) -> None:
    """A name that stays as it is would read a table that dbt may not have made yet."""
    known = {model.table.removeprefix("work.") for model in models()} | set(sources())
    files = list((project / "models").rglob("*.sql"))
    assert len(files) == len(models())
    for path in files:
        text = re.sub(r"\{\{ (?:ref|source)\([^)]*\) \}\}", "", path.read_text())
        assert [name for name in re.findall(r"\b\w+\.\w+\b(?!\()", text) if name in known] == [], path.stem
        assert [name for name in re.findall(r"\b(?:from|join) (\w+)\b", text) if name in known] == [], path.stem
    facts = (project / "models" / "tables" / "warehouse__fact_sales.sql").read_text()
    assert "from {{ ref('production__transaction_items') }} as lines" in facts
    views = project / "models" / "views"
    assert "from {{ source('staging', 'customers') }} as s" in (views / "production__parsed_customers.sql").read_text()


def test_the_tests_are_those_of_the_contracts(project: Path) -> None:
    written = json.loads((project / "models" / "properties.yml").read_text())
    assert written == properties()
    by_name = {model["name"]: model for model in written["models"]}
    assert set(by_name) == {table.replace(".", "__") for table in made_by("tables")}

    def tests_of(model: str, column: str) -> list:
        (found,) = [each["data_tests"] for each in by_name[model]["columns"] if each["name"] == column]
        return found

    segments = {"accepted_values": {"arguments": {"values": ["New", "Regular", "VIP"]}}}
    assert tests_of("warehouse__dim_customer", "customer_key") == ["not_null", "unique"]
    assert tests_of("warehouse__dim_customer", "segment") == [segments]
    (groups,) = [test for test in tests_of("analytics__rfm_segments", "rfm_group") if "accepted_values" in test]
    assert "Can''t lose them" in groups["accepted_values"]["arguments"]["values"], "dbt puts it between quotes as it is"
    assert tests_of("warehouse__fact_sales", "product_key") == [
        {"relationships": {"arguments": {"to": "ref('warehouse__dim_product')", "field": "product_key"}}}
    ]
    assert by_name["warehouse__fact_sales"]["data_tests"] == [
        {"unique": {"arguments": {"column_name": "(transaction_id, item_id)"}}}
    ]
    (to_line,) = [
        test["relationships"] for test in by_name["production__returns"]["data_tests"] if "relationships" in test
    ]
    assert to_line["arguments"] == {
        "to": "ref('production__transaction_items')",
        "field": "(transaction_id, item_id)",
        "column_name": "(transaction_id, item_id)",
    }


def test_every_table_has_a_test_of_its_key() -> None:
    for model in properties()["models"]:
        tests = [test for column in model["columns"] for test in column["data_tests"]] + model["data_tests"]
        assert any(test == "unique" or "unique" in test for test in tests), model["name"]


def test_dbt_sends_nothing_and_takes_its_database_from_the_environment() -> None:
    settings = yaml.safe_load((PROJECT / "dbt_project.yml").read_text())
    assert settings["flags"] == {"send_anonymous_usage_stats": False}
    (output,) = yaml.safe_load((PROJECT / "profiles.yml").read_text())[settings["profile"]]["outputs"].values()
    assert {name for name, value in output.items() if "env_var" not in str(value)} == {"type", "schema", "password"}
    assert set(settings["models"]["ecommerce"]) == {model.folder for model in models()}


def test_without_dbt_the_command_says_what_installs_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_dbt, "PYTHON", tmp_path / ".venv-dbt" / "bin" / "python")
    with pytest.raises(BenchError, match="make bench-dbt"):
        run_bench(1_000, tmp_path / "bench", print, with_dbt=True)
    assert not (tmp_path / "bench").exists()


def test_a_column_that_nothing_fills_is_an_error() -> None:
    with pytest.raises(BenchError, match="does not fill the column no_such_column"):
        bench_dbt._generated("no_such_column")


def test_a_model_is_named_after_its_table() -> None:
    assert Model("analytics.payment_methods", "tables", "select 1").name == "analytics__payment_methods"
