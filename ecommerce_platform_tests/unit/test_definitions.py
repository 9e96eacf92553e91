"""What Dagster is told of the platform: the graph, jobs, schedules, sensors and checks, and what it shows of an asset.

The graph is held by a snapshot, definitions.json. Written anew by:
python -m ecommerce_platform_tests.unit.test_definitions
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from dagster import (
    AssetKey,
    CodeReferencesMetadataValue,
    Definitions,
    LocalFileCodeReference,
    TableColumnDep,
    TableColumnLineage,
    UrlCodeReference,
)

from ecommerce_platform.assets import external
from ecommerce_platform.automation.runner import SelectionError, selected_keys
from ecommerce_platform.definitions import build_definitions
from ecommerce_platform.feeds.columns import FEEDS
from ecommerce_platform.layers import LAYERS
from ecommerce_platform.partitions import days_of_run, range_tags
from ecommerce_platform.settings import PROJECT_DIR, SQL_DIR, load_settings
from ecommerce_platform.tables.asset import code_version
from ecommerce_platform.tables.lineage import transformed_tables
from ecommerce_platform_tests.harness import day

SNAPSHOT = Path(__file__).with_name("definitions.json")
REGENERATE = "python -m ecommerce_platform_tests.unit.test_definitions"


@cache
def definitions() -> Definitions:
    return build_definitions()


def graph():
    return definitions().resolve_asset_graph()


def snapshot() -> dict[str, Any]:
    """The platform as Dagster sees it, as plain JSON; nothing in it depends on the settings or the machine."""
    repository = definitions().get_repository_def()
    assets = {}
    for key in sorted(graph().get_all_asset_keys()):
        node = graph().get(key)
        spec = next(spec for spec in definitions().resolve_all_asset_specs() if spec.key == key)
        described: dict[str, Any] = {
            "group": node.group_name,
            "deps": sorted(".".join(parent.path) for parent in node.parent_keys),
            "kinds": sorted(spec.kinds),
            "owners": list(spec.owners),
        }
        if node.is_materializable:
            asset = repository.assets_defs_by_key[key]
            described |= {
                "partitions": None if node.partitions_def is None else type(node.partitions_def).__name__,
                "backfill": node.backfill_policy and node.backfill_policy.policy_type.value,
                "pool": asset.op.pool,
                "io_manager": asset.get_io_manager_key_for_asset_key(key),
                "freshness": None
                if spec.freshness_policy is None
                else str(spec.freshness_policy.fail_window.to_timedelta()),
                "tags": {name: value for name, value in sorted(spec.tags.items()) if not name.startswith("dagster/")},
                "checks": [check.name for check in sorted(graph().get_check_keys_for_assets({key}))],
            }
        else:
            described["external"] = True
        assets[".".join(key.path)] = described
    return {
        "assets": assets,
        "jobs": {
            job.name: sorted(node.name for node in job.nodes)
            for job in repository.get_all_jobs()
            if not job.name.startswith("__")
        },
        "schedules": {
            each.name: {
                "job": each.job_name,
                "cron": each.cron_schedule,
                "timezone": each.execution_timezone,
                "default": each.default_status.value,
            }
            for each in repository.schedule_defs
        },
        "sensors": {
            each.name: {"seconds": each.minimum_interval_seconds, "default": each.default_status.value}
            for each in repository.sensor_defs
        },
        "resources": sorted(repository.get_top_level_resources()),
    }


def text_of_snapshot() -> str:
    return json.dumps(snapshot(), indent=1) + "\n"


def test_the_graph_jobs_schedules_sensors_and_checks_are_those_of_the_snapshot() -> None:
    known = json.loads(SNAPSHOT.read_text(encoding="utf-8"))
    assert snapshot() == known, f"the definitions are not those of {SNAPSHOT.name}. If that is meant: {REGENERATE}"
    assert text_of_snapshot() == SNAPSHOT.read_text(encoding="utf-8"), REGENERATE


# ---- what stands before raw and after analytics --------------------------------------------------

EXTERNAL = {spec.key for spec in external.external_assets}


def test_lineage_begins_at_the_shop_and_ends_at_the_dashboards() -> None:
    for feed in FEEDS:
        assert graph().get(AssetKey(["raw", feed])).parent_keys == {external.SHOP}
    assert graph().get(AssetKey(["dashboards", "power_bi"])).parent_keys >= {AssetKey(["warehouse", "fact_sales"])}
    assert graph().external_asset_keys == EXTERNAL


def test_what_the_platform_does_not_run_is_in_no_job_and_has_no_freshness_policy() -> None:
    job = definitions().resolve_job_def("daily")
    assert set(job.asset_layer.executable_asset_keys) == set(graph().materializable_asset_keys)
    assert not EXTERNAL & set(job.asset_layer.executable_asset_keys)
    for key in EXTERNAL:
        assert graph().get(key).freshness_policy is None
        assert graph().get_check_keys_for_assets({key}) == set()


def test_a_selection_that_reaches_them_leaves_them_out() -> None:
    assert selected_keys(definitions(), '+key:"raw/customers"') == [AssetKey(["raw", "customers"])]
    with pytest.raises(SelectionError, match="no such asset"):
        selected_keys(definitions(), "group:dashboards")


VIEW = re.compile(r"create (?:or replace )?view (\S+) as\n(.*?);\n", re.DOTALL)
NAMED = re.compile(r"\b(?:from|join)\s+((?:production|warehouse|analytics|monitoring|platform)\.\w+)(?!\w*\()")


def tables_in(text: str, views: dict[str, str]) -> set[str]:
    """The tables that a text reads, views resolved; bookkeeping is none."""
    found: set[str] = set()
    for name in NAMED.findall(text):
        found |= tables_in(views[name], views) if name in views else {name}
    return {name for name in found if not name.startswith("platform.")}


SOURCE = re.compile(r'Schema = "(\w+)", Item = "(\w+)"')


def test_the_dashboards_read_what_lineage_shows() -> None:
    ddl = [path.read_text(encoding="utf-8") for path in sorted((SQL_DIR / "ddl").glob("*.sql"))]
    views = {name: body for text in ddl for name, body in VIEW.findall(text)}
    folder = PROJECT_DIR / "dashboards"
    app = "\n".join(path.read_text(encoding="utf-8") for path in sorted((folder / "app").glob("*.py")))
    assert tables_in(app, views) == set(external.SEEN_BY_THE_WEB_APPLICATION)
    tables = (folder / "powerbi/Ecommerce.SemanticModel/definition/tables").glob("*.tmdl")
    sources = [SOURCE.search(path.read_text(encoding="utf-8")) for path in tables]
    named = [f"{source[1]}.{source[2]}" for source in sources if source is not None]
    assert len(named) == len(sources)
    assert of_model(named, views) == set(external.SEEN_BY_POWER_BI)
    listed = re.search(r"^TABLES = \((.*)\)$", (folder / "spec/tableau.py").read_text(encoding="utf-8"), re.MULTILINE)
    assert listed is not None
    named = [f"warehouse.{name}" for name in re.findall(r'"(\w+)"', listed[1])]
    assert of_model(named, views) == set(external.SEEN_BY_TABLEAU)


def of_model(names: list[str], views: dict[str, str]) -> set[str]:
    return tables_in("\n".join(f"from {name}" for name in names), views)


# ---- what Dagster shows of an asset --------------------------------------------------------------


def references(key: str, defs: Definitions | None = None) -> list[LocalFileCodeReference | UrlCodeReference]:
    asset = (defs or definitions()).resolve_asset_graph().get(AssetKey(key.split(".")))
    value = asset.metadata["dagster/code_references"]
    assert isinstance(value, CodeReferencesMetadataValue)
    return list(value.code_references)


def test_each_link_to_a_file_says_what_the_file_is() -> None:
    assert [each.label for each in references("warehouse.fact_sales")] == [
        "Transform: fact_sales.sql",
        "Scope: fact_sales.sql",
        "Asset: warehouse.py",
    ]
    for key in graph().materializable_asset_keys:
        files = references(".".join(key.path))
        assert len({each.label for each in files}) == len(files) > 0
        assert all(isinstance(each, LocalFileCodeReference) and Path(each.file_path).exists() for each in files)


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    load_settings.cache_clear()
    yield monkeypatch
    monkeypatch.undo()
    load_settings.cache_clear()


@pytest.mark.parametrize(
    ("repository", "start"),
    [
        ("https://github.com/example/shop.git", "https://github.com/example/shop/tree/v1/"),
        ("https://gitlab.com/group/shop/", "https://gitlab.com/group/shop/-/tree/v1/"),
        ("https://code.example.com/shop", "https://code.example.com/shop/-/tree/v1/"),
    ],
)
def test_the_links_lead_to_the_repository_that_the_settings_name(
    settings: pytest.MonkeyPatch, repository: str, start: str
) -> None:
    settings.setenv("ECOMMERCE_REPOSITORY_URL", repository)
    settings.setenv("ECOMMERCE_REPOSITORY_BRANCH", "v1")
    links = references("warehouse.fact_sales", build_definitions())
    assert [each.url for each in links if isinstance(each, UrlCodeReference)] == [
        f"{start}sql/transform/warehouse/fact_sales.sql#L1",
        f"{start}sql/scope/warehouse/fact_sales.sql#L1",
        f"{start}ecommerce_platform/assets/warehouse.py#L1",
    ]
    assert links[0].label == "Transform: fact_sales.sql"


def test_a_table_has_a_code_version_that_changes_with_its_sql_alone(tmp_path: Path) -> None:
    versions = {spec.key: spec.code_version for spec in definitions().resolve_all_asset_specs()}
    assert all(versions[AssetKey(table.split("."))] for table in transformed_tables())
    unix, windows, other = (tmp_path / name for name in ("a.sql", "b.sql", "c.sql"))
    unix.write_bytes(b"select 1\nfrom a\n")
    windows.write_bytes(b"select 1\r\nfrom a\r\n")
    other.write_bytes(b"select 2\nfrom a\n")
    assert code_version([unix]) == code_version([windows])
    assert len({code_version([unix]), code_version([other]), code_version([unix, other]), code_version([])}) == 4


def test_tags_say_the_layer_the_grain_and_whether_people_are_named() -> None:
    tags = {
        spec.key: {name: value for name, value in spec.tags.items() if not name.startswith("dagster/")}
        for spec in definitions().resolve_all_asset_specs()
    }
    assert tags[AssetKey(["warehouse", "fact_sales"])] == {
        "ecommerce/layer": "warehouse",
        "ecommerce/grain": "transaction_id.item_id",
        "ecommerce/personal_data": "no",
    }
    named = {key.path[0] for key, held in tags.items() if held.get("ecommerce/personal_data") == "yes"}
    assert named == {"raw", "staging", "production"}


def test_dagster_shows_the_sources_of_each_column() -> None:
    def sources(table: str, column: str) -> list[TableColumnDep]:
        lineage = graph().get(AssetKey(table.split("."))).metadata["dagster/column_lineage"]
        assert isinstance(lineage, TableColumnLineage)
        return list(lineage.deps_by_column[column])

    assert sources("warehouse.fact_sales", "revenue") == [
        TableColumnDep(AssetKey(["production", "transaction_items"]), "line_total")
    ]
    assert sources("staging.customers", "email") == [TableColumnDep(AssetKey(["raw", "customers"]), "email")]
    for key in graph().materializable_asset_keys:
        if "dagster/column_lineage" in graph().get(key).metadata:
            lineage = graph().get(key).metadata["dagster/column_lineage"]
            read = {dep.asset_key for deps in lineage.deps_by_column.values() for dep in deps}
            assert read <= graph().get(key).parent_keys


@pytest.mark.parametrize(("last", "text"), [(1, "2024-01-01"), (60, "2024-01-01 to 2024-02-29")])
def test_a_run_is_tagged_with_its_days_in_words(last: int, text: str) -> None:
    tags = range_tags(day(1), day(last))
    assert tags["ecommerce/days"] == text
    assert days_of_run(tags) == (day(1), day(last))


# ---- what people read ----------------------------------------------------------------------------


def test_everything_has_a_description_in_plain_english() -> None:
    repository = definitions().get_repository_def()
    texts = {
        **{".".join(spec.key.path): spec.description for spec in definitions().resolve_all_asset_specs()},
        **{job.name: job.description for job in repository.get_all_jobs() if not job.name.startswith("__")},
        **{each.name: each.description for each in [*repository.schedule_defs, *repository.sensor_defs]},
        **{name: resource.description for name, resource in repository.get_top_level_resources().items()},
        **{layer.name: layer.description for layer in LAYERS.values()},
    }
    for name, text in texts.items():
        assert text, name
        assert text.endswith((".", ")")), name
        assert not re.search(r"\b(one|a) (row|file|run) an? |says? of itself|\b[Ss]olved", text), (name, text)


if __name__ == "__main__":
    SNAPSHOT.write_text(text_of_snapshot(), encoding="utf-8")
