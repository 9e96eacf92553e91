"""The Power BI project and the Tableau extract, validated against Microsoft's schemas and the database."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner
from jsonschema import Draft7Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT7

from dashboards.spec import powerbi, powerbi_files, powerbi_model, powerbi_report
from dashboards.spec.pages import NEXT, ORDERS, PAGES
from dashboards.spec.powerbi_charts import CHARTS
from dashboards.spec.powerbi_next import EXTRACTS
from ecommerce_platform.cli import main
from ecommerce_platform.io_managers import PostgresConnection
from ecommerce_platform.settings import PROJECT_DIR
from ecommerce_platform_tests.harness import Platform

SCHEMAS = PROJECT_DIR.parent / "shared" / "schemas" / "powerbi" / "fabric"
FILES = powerbi.project()
JSON_FILES = [
    name
    for name in FILES
    if (Path(name).suffix in (".json", ".pbip", ".pbir", ".pbism") or ".platform" in name)
    and "/StaticResources/" not in name  # a theme, which names no schema
]
TMDL = {Path(name).stem: text for name, text in FILES.items() if "/tables/" in name}


def test_the_project_on_disk_is_what_the_specification_makes():
    on_disk = {
        str(path.relative_to(powerbi.FOLDER)): path.read_text(encoding="utf-8")
        for part in (powerbi_files.MODEL, powerbi_files.REPORT, f"{powerbi_files.NAME}.pbip")
        for path in ([powerbi.FOLDER / part] if part.endswith(".pbip") else (powerbi.FOLDER / part).rglob("*"))
        if path.is_file()
    }
    assert on_disk == FILES, "outdated; run: ecommerce-platform export powerbi"


def test_the_command_writes_the_project_and_removes_what_is_no_longer_in_it(tmp_path):
    stray = tmp_path / powerbi_files.REPORT / "definition" / "pages" / "old" / "page.json"
    stray.parent.mkdir(parents=True)
    stray.touch()
    (tmp_path / "notes.txt").touch()
    done = CliRunner().invoke(main, ["export", "powerbi", "--folder", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()} == {*FILES, "notes.txt"}


@pytest.fixture(scope="module")
def registry() -> Registry:
    if not SCHEMAS.is_dir():
        pytest.skip("Microsoft's schemas are not available: ../shared/schemas/powerbi")
    resources = []
    for path in SCHEMAS.rglob("*.json"):
        address = f"{powerbi_files.SCHEMAS}/{path.relative_to(SCHEMAS).as_posix()}"
        resources.append((address, Resource(json.loads(path.read_text(encoding="utf-8-sig")), DRAFT7)))
    return Registry().with_resources(resources)


@pytest.mark.parametrize("name", JSON_FILES)
def test_every_json_file_is_what_microsoft_says(registry: Registry, name: str):
    content = json.loads(FILES[name])
    schema = registry.contents(content["$schema"])
    # Some schemas have an ID that differs from their URL, and references would be resolved against the ID.
    validator = Draft7Validator({**schema, "$id": content["$schema"]}, registry=registry)
    assert [error.message for error in validator.iter_errors(content)] == []


def test_a_wrong_file_would_be_found(registry: Registry):
    name = next(name for name in JSON_FILES if name.endswith("revenue_trend/visual.json"))
    content = json.loads(FILES[name])
    content["visual"]["query"]["queryState"]["Y"]["projections"][0]["field"] = {"Nonsense": {}}
    schema = registry.contents(content["$schema"])
    assert list(Draft7Validator({**schema, "$id": content["$schema"]}, registry=registry).iter_errors(content))


# Model and database


def declared(table: str, kind: str) -> dict[str, str]:
    """Return the columns or measures of a model table: name to the expression after the equals sign, if any."""
    pattern = rf"^\t{kind} ('(?:[^']|'')+'|\w+)(?: = (.*))?$"
    found = re.findall(pattern, TMDL[table], flags=re.MULTILINE)
    return {name.strip("'").replace("''", "'"): expression for name, expression in found}


MEASURES = declared("fact_sales", "measure")


def test_every_table_of_the_warehouse_is_in_the_model(sales: Platform):
    tables = sales.rows("select tablename from pg_tables where schemaname = 'warehouse'")
    kept = {row[0] for row in tables} - set(powerbi_model.TABLES_LEFT_OUT)
    assert kept | set(powerbi_model.VIEWS) | set(EXTRACTS) == set(TMDL) == set(powerbi_model.TABLES)


@pytest.mark.parametrize("table", powerbi_model.TABLES)
def test_every_column_of_the_model_is_in_the_database_with_its_type(sales: Platform, table: str):
    columns = dict(
        sales.rows(
            "select column_name, data_type from information_schema.columns where table_schema = %s and table_name = %s",
            powerbi_model.schema_of(table),
            table,
        )
    )
    model = {name for name, expression in declared(table, "column").items() if not expression}
    left_out = {column for owner, column in powerbi_model.LEFT_OUT if owner == table}
    assert model == set(columns) - left_out
    for name, type_, _ in powerbi_model.model_columns(table):
        assert columns[name] == type_
        block = TMDL[table].split(f"\tcolumn {name}\n")[1].split("\n\n")[0]
        assert f"dataType: {powerbi_model.TYPES[type_]}" in block
        assert f"sourceColumn: {name}" in block
        assert f'"{name}"' in TMDL[table].split("Table.SelectColumns")[1]
    assert f'[Schema = "{powerbi_model.schema_of(table)}", Item = "{table}"]' in TMDL[table]


def test_every_relationship_leads_from_a_column_to_a_key(sales: Platform):
    for start, end in powerbi_model.RELATIONSHIPS:
        for side in (start, end):
            table, column = side.split(".")
            assert column in declared(table, "column"), side
        table, column = end.split(".")
        read_from = f"{powerbi_model.schema_of(table)}.{table}"
        total, distinct = sales.rows(f"select count(*), count(distinct {column}) from {read_from}")[0]
        assert total == distinct, f"{end} is not unique"
    text = FILES[f"{powerbi_files.MODEL}/definition/relationships.tmdl"]
    assert text.count("relationship ") == len(powerbi_model.RELATIONSHIPS)


def test_there_is_one_way_from_each_table_to_each_other():
    """Power BI rejects two active paths between two tables."""
    ways: dict[str, list[str]] = {}
    for start, end in powerbi_model.RELATIONSHIPS:
        ways.setdefault(end.split(".")[0], []).append(start.split(".")[0])

    def paths(table: str) -> Iterator[str]:
        for other in ways.get(table, []):
            yield other
            yield from paths(other)

    for table in powerbi_model.TABLES:
        reached = list(paths(table))
        assert len(reached) == len(set(reached)), f"{table} reaches {reached}"


@pytest.mark.parametrize("table", powerbi_model.TABLES)
def test_names_in_a_table_differ_by_more_than_case(table: str):
    """Desktop refused the project: fact_sales had a measure Profit and a column profit."""
    names = [name.casefold() for kind in ("column", "measure", "hierarchy") for name in declared(table, kind)]
    assert len(names) == len(set(names))


def test_names_of_measures_and_tables_are_unique_in_the_model():
    for names in ([*MEASURES], powerbi_model.TABLES):
        assert len({name.casefold() for name in names}) == len(names)


def test_every_hierarchy_goes_over_columns_of_its_table():
    for table, name, levels in powerbi_model.MODEL_HIERARCHIES:
        assert f"\thierarchy {name}\n" in TMDL[table]
        assert {column for _, column in levels} <= set(declared(table, "column"))


def test_every_name_in_dax_is_a_measure_or_a_column():
    calculated = [(column.table, column.dax) for column in powerbi_model.CALCULATED]
    for owner, dax in [*(("fact_sales", text) for text in MEASURES.values()), *calculated]:
        assert dax.count("(") == dax.count(")")
        for table, column in re.findall(r"(\w+)\[([^\]]+)\]", dax):
            assert column in declared(table, "column"), dax
        named = set(re.findall(r'"(\w+)", M(?:IN|AX)', dax))
        for name in re.findall(r"(?<!\w)\[([^\]]+)\]", dax):
            assert name in MEASURES or name in named, f"{owner}: {dax}"


def test_a_single_day_is_compared_with_the_same_weekday_and_nothing_with_days_before_the_history():
    dax = MEASURES["Prior period revenue"]
    assert "IF ( dayCount = 1, 7, dayCount )" in dax
    assert "IF ( firstDay - daysBack >= firstSale," in dax
    assert "firstDay - daysBack, firstDay - daysBack + dayCount - 1" in dax
    assert ">= firstSale" in MEASURES["Days in range"]


def test_every_lineage_tag_is_used_once():
    tags = [tag for text in FILES.values() for tag in re.findall(r"lineageTag: (\S+)", text)]
    assert len(tags) == len(set(tags)) > 150


# Report and model


def fields(node: Any) -> Iterator[tuple[str, str, str]]:
    """Return kind, table, and name of every field that a visual uses."""
    if isinstance(node, dict):
        for kind in ("Column", "Measure"):
            if kind in node and "Entity" in node[kind].get("Expression", {}).get("SourceRef", {}):
                yield kind, node[kind]["Expression"]["SourceRef"]["Entity"], node[kind]["Property"]
        if "HierarchyLevel" in node:
            hierarchy = node["HierarchyLevel"]["Expression"]["Hierarchy"]
            table = hierarchy["Expression"]["SourceRef"]["Entity"]
            yield "Level", table, f"{hierarchy['Hierarchy']}.{node['HierarchyLevel']['Level']}"
        for child in node.values():
            yield from fields(child)
    elif isinstance(node, list):
        for child in node:
            yield from fields(child)


def test_every_field_of_every_visual_is_in_the_model():
    levels = {
        (table, f"{name}.{level}")
        for table, name, level_list in powerbi_model.MODEL_HIERARCHIES
        for level, _ in level_list
    }
    used = 0
    for name, text in FILES.items():
        if not name.endswith("visual.json"):
            continue
        for kind, table, field in fields(json.loads(text)):
            used += 1
            if kind == "Level":
                assert (table, field) in levels, name
            else:
                assert field in declared(table, kind.lower()), f"{name}: {table}.{field}"
    assert used > 80


def test_the_report_has_the_pages_and_charts_of_the_specification():
    pages = [page for page in PAGES if page.in_powerbi]
    order = json.loads(FILES[f"{powerbi_files.REPORT}/definition/pages/pages.json"])["pageOrder"]
    assert order == [page.id for page in pages]
    assert [page.id for page in PAGES if not page.in_powerbi] == ["health"]
    for page in pages:
        folder = f"{powerbi_files.REPORT}/definition/pages/{page.id}"
        visuals = {
            name.split("/")[-2]: json.loads(FILES[name]) for name in FILES if name.startswith(f"{folder}/visuals/")
        }
        charts = {visual.id for visual in page.visuals}
        assert charts <= set(visuals)
        slicers = sum(visual["visual"]["visualType"] == "slicer" for visual in visuals.values())
        assert slicers == (len(powerbi_report.SLICERS) if page.id != "next" else 0)
        assert sum(visual["visual"]["visualType"] == "card" for visual in visuals.values()) == len(page.kpis)
        layout = json.loads(FILES[f"{folder}/page.json"])
        clicks = layout["visualInteractions"]
        assert {click["type"] for click in clicks} <= {"DataFilter", "NoFilter"}
        assert {(click["source"], click["target"]) for click in clicks} == {
            (one, other) for one in charts for other in charts if one != other
        }
        boxes = [visual["position"] for visual in visuals.values()]
        for box in boxes:
            assert 0 <= box["x"] < box["x"] + box["width"] <= powerbi_report.WIDTH
            assert 0 <= box["y"] < box["y"] + box["height"] <= layout["height"]
            assert box["height"] >= 50
        for place, one in enumerate(boxes):
            for other in boxes[:place]:
                apart = (
                    one["x"] + one["width"] <= other["x"]
                    or other["x"] + other["width"] <= one["x"]
                    or one["y"] + one["height"] <= other["y"]
                    or other["y"] + other["height"] <= one["y"]
                )
                assert apart, page.id


def visual_file(page: str, visual: str) -> dict[str, Any]:
    """Return the content of a visual of the report."""
    return json.loads(FILES[f"{powerbi_files.REPORT}/definition/pages/{page}/visuals/{visual}/visual.json"])


def test_a_click_on_a_discount_does_not_inflate_the_return_rate():
    """No relationship carries a column of fact_sales to fact_returns: units sold shrank, and units returned did not."""
    clicks = json.loads(FILES[f"{powerbi_files.REPORT}/definition/pages/products/page.json"])["visualInteractions"]
    unfiltered = [(click["source"], click["target"]) for click in clicks if click["type"] == "NoFilter"]
    assert unfiltered == [("discount_impact", "return_rates")]
    guide = (PROJECT_DIR / "dashboards" / "README.md").read_text(encoding="utf-8")
    assert "A click on a discount does not filter the return rates" in guide


def test_guests_are_not_one_big_customer():
    (kept,) = visual_file("customers", "top_customers")["filterConfig"]["filters"]
    assert list(fields(kept["field"])) == [("Column", "customer_profile", "current_segment")]
    assert "'Guest'" in json.dumps(kept["filter"])
    assert "Not" in kept["filter"]["Where"][0]["Condition"]


def test_a_chart_has_its_other_measures_in_its_tooltip():
    """Margins never said how much of the revenue they are about."""
    for name, expected in {
        "category_margin": ["Total revenue", "Profit", "Revenue with known cost (%)"],
        "discount_impact": [
            *("Total revenue", "Share of revenue", "Orders", "Total discount", "Revenue with known cost (%)")
        ],
        "long_tail": ["Total revenue"],
        "return_rates": ["Units returned", "Returns", "Net revenue", "Units sold"],
    }.items():
        state = visual_file("products", name)["visual"]["query"]["queryState"]
        assert [field for _, _, field in fields(state["Tooltips"])] == expected, name
    for name in ("top_customers", "cohort_retention"):
        assert "Tooltips" not in visual_file("customers", name)["visual"]["query"]["queryState"]


def page_file(page: str) -> dict[str, Any]:
    """Return the content of a page of the report."""
    return json.loads(FILES[f"{powerbi_files.REPORT}/definition/pages/{page}/page.json"])


def test_a_mark_of_any_page_drills_through_to_its_orders():
    """Each field by which a chart groups sales must be a drill-through filter of the page Orders, bound by name."""
    target = page_file(ORDERS.id)
    filters = {one["name"]: one["field"] for one in target["filterConfig"]["filters"]}
    binding = target["pageBinding"]
    assert (target["type"], binding["type"], binding["acceptsFilterContext"]) == (
        "Drillthrough",
        "Drillthrough",
        "Default",
    )
    assert {one["boundFilter"]: one["fieldExpr"] for one in binding["parameters"]} == filters
    assert len({one["name"] for one in binding["parameters"]}) == len(filters)
    accepted = {field for one in filters.values() for field in fields(one)}
    led_by_mark = {("Column", "dim_date", "month_name"), ("Column", "fact_sales", "Months since first order")}
    for page in PAGES:
        for visual in page.visuals:
            if not page.in_powerbi or page.id == ORDERS.id:
                continue
            grouped = grouping_fields(visual_file(page.id, visual.id))
            if page.id == NEXT.id and visual.id != "forecast":
                assert grouped.isdisjoint(accepted), visual.id
            else:
                assert grouped & accepted, f"nothing offers the orders of {visual.id}"
                # The page takes over the other filters of a mark: a month of Seasonality is one of the mark's year.
                assert grouped - accepted <= led_by_mark, visual.id
    guide = (PROJECT_DIR / "dashboards" / "README.md").read_text(encoding="utf-8")
    assert "On *What next*, only the days of the forecast lead to orders." in guide


def grouping_fields(visual: dict[str, Any]) -> set[tuple[str, str, str]]:
    """Return the columns by which a visual groups, those behind the levels of a hierarchy included."""
    columns = {
        (table, f"{name}.{level}"): column
        for table, name, levels in powerbi_model.MODEL_HIERARCHIES
        for level, column in levels
    }
    used = fields(visual["visual"]["query"]["queryState"])
    return {
        ("Column", table, columns[table, field] if kind == "Level" else field)
        for kind, table, field in used
        if kind != "Measure"
    }


def test_a_product_is_one_member_whatever_its_name_was():
    """Charts and drill-through took the name on the order date: a renamed product was two with some orders each."""
    name = ("Column", "dim_product", "Product")
    for page in PAGES:
        for visual in page.visuals:
            if visual.dimension == "product" or visual.hierarchy == "products":
                assert name in grouping_fields(visual_file(page.id, visual.id)), visual.id
    assert name in {field for one in page_file(ORDERS.id)["filterConfig"]["filters"] for field in fields(one)}
    dax = declared("dim_product", "column")["Product"]
    assert "dim_product[is_current], TRUE ()" in dax
    named = {field for text in FILES.values() if text.startswith("{") for field in fields(json.loads(text))}
    assert ("Column", "dim_product", "product_name") not in named
    assert not [name for name, dax in MEASURES.items() if "dim_product[product_name]" in dax]


def test_orders_without_a_customer_are_those_of_guests(sales: Platform):
    assert declared("customer_profile", "column")["Customer"] == (
        'IF ( customer_profile[current_segment] = "Guest", "Guest", customer_profile[customer_code] )'
    )
    found = sales.rows(
        "select distinct current_segment = 'Guest' from warehouse.fact_sales"
        " join warehouse.customer_profile using (customer_key) where fact_sales.customer_id is null"
    )
    assert found == [(True,)]


def test_a_day_without_orders_before_the_forecast_has_no_revenue_instead_of_a_gap():
    dax = MEASURES["Revenue before the forecast"]
    assert "MAX ( firstSale, lastSale - 59 )" in dax
    assert dax.endswith("CALCULATE ( [Total revenue], shown ) + 0 )")


def test_the_median_of_days_between_orders_has_a_decimal():
    block = TMDL["fact_sales"].split("\tmeasure 'Median days between orders'")[1].split("\n\n")[0]
    assert "\t\tformatString: #,0.0\n" in block


@pytest.mark.parametrize("visual", [name for name, shown in CHARTS.items() if "Values" in shown.roles])
def test_every_column_of_a_table_has_a_heading(visual: str):
    content = visual_file("orders" if visual == "orders" else "next", visual)
    for one in content["visual"]["query"]["queryState"]["Values"]["projections"]:
        heading = one.get("displayName", one["nativeQueryRef"])
        assert heading[0].isupper(), heading
        assert "_" not in heading


def test_orders_are_listed_as_in_the_web_application():
    state = visual_file("orders", "orders")["visual"]["query"]["queryState"]["Values"]["projections"]
    assert [field for one in state for field in fields(one["field"])] == [
        ("Column", "fact_sales", "Order"),
        ("Column", "dim_date", "calendar_date"),
        ("Column", "customer_profile", "state_name"),
        ("Column", "customer_profile", "Customer"),
        ("Column", "dim_payment", "payment_method"),
        ("Measure", "fact_sales", "Order lines"),
        ("Measure", "fact_sales", "Units sold"),
        ("Measure", "fact_sales", "Total revenue"),
    ]


def test_what_next_shows_each_extract_and_follows_no_filters():
    used = {
        table
        for visual in CHARTS
        if visual != "orders"
        for _, table, _ in fields(visual_file("next", visual)["visual"]["query"]["queryState"])
    }
    measured = {table for dax in MEASURES.values() for table in re.findall(r"(\w+)\[", dax)}
    assert set(EXTRACTS) <= used | measured
    assert {click["type"] for click in page_file("next")["visualInteractions"]} == {"NoFilter"}
    related = {side.split(".")[0] for pair in powerbi_model.RELATIONSHIPS for side in pair}
    assert related & set(EXTRACTS) == {"sales_forecast"}


def test_statuses_and_columns_that_the_report_names_are_those_of_the_database(sales: Platform):
    statuses = sales.rows("select pg_get_functiondef('warehouse.stock_status(numeric, numeric)'::regprocedure)")[0][0]
    (only,) = visual_file("next", "stock_cover")["filterConfig"]["filters"]
    named = re.findall(r"\"'([^']+)'\"", json.dumps(only["filter"]))
    named += re.findall(r'"([^"]+)"', MEASURES["Products about to run out"])
    assert len(named) == 6
    for status in named:
        assert f"'{status}'" in statuses


# Tableau


def test_the_tableau_extract_holds_the_star_schema(sales: Platform, tmp_path: Path):
    hyper = pytest.importorskip(
        "tableauhyperapi", reason="the extra tableau is not installed: pip install '.[tableau]'"
    )
    from dashboards.spec.tableau import write_extract

    path = tmp_path / "shop.hyper"
    rows = write_extract(PostgresConnection(url=sales.url, role="reader"), path)
    assert rows["fact_sales"] == sales.rows("select count(*) from warehouse.fact_sales")[0][0]
    by_state = """
        select "state_name", sum("revenue"), count(distinct "transaction_id")
        from "warehouse"."fact_sales" join "warehouse"."customer_profile" using ("customer_key")
        group by "state_name" order by "state_name"
    """
    with (
        hyper.HyperProcess(hyper.Telemetry.DO_NOT_SEND_USAGE_DATA_TO_TABLEAU, parameters={"log_config": ""}) as process,
        hyper.Connection(process.endpoint, path) as extract,
    ):
        read = [(row[0], Decimal(str(row[1])), row[2]) for row in extract.execute_list_query(by_state)]
    with psycopg.connect(sales.url) as connection:
        assert read == connection.execute(by_state.encode()).fetchall()
    assert [entry.name for entry in tmp_path.iterdir()] == ["shop.hyper"]


def test_without_the_extra_the_command_says_what_to_install(sales: Platform, tmp_path: Path):
    try:
        import tableauhyperapi  # noqa: F401  # ty: ignore[unresolved-import]
    except ImportError:
        from dashboards.spec.tableau import TableauError, write_extract

        with pytest.raises(TableauError, match="tableau"):
            write_extract(PostgresConnection(url=sales.url, role="reader"), tmp_path / "shop.hyper")
        assert list(tmp_path.iterdir()) == []
    else:
        pytest.skip("the extra is installed")
