"""The names of datasets in events of OpenLineage, and events of runs that an older version has made."""

from __future__ import annotations

from pathlib import Path

import pytest
from dagster import AssetCheckEvaluation, AssetCheckSeverity, AssetKey

from ecommerce_platform.reports.lineage_events import Datasets, datasets_of_step
from ecommerce_platform.settings import Settings

pytestmark = pytest.mark.unit

DATABASE = "postgresql://ada@db.example.com:6432/shop"


def datasets(tmp_path: Path, storage: str | None = None) -> Datasets:
    return Datasets(Settings(data_dir=tmp_path, database_url=DATABASE, storage_url=storage))


def test_a_dataset_is_named_as_openlineage_names_its_kind(tmp_path: Path) -> None:
    """https://openlineage.io/docs/spec/naming"""
    found = datasets(tmp_path)
    assert found.identity("warehouse.fact_sales") == ("postgres://db.example.com:6432", "shop.warehouse.fact_sales")
    assert found.identity("raw.customers") == ("file", f"{tmp_path}/raw/customers")


@pytest.mark.parametrize(
    ("url", "identity"),
    [
        ("s3://bucket/shop", ("s3://bucket", "shop/raw/customers")),
        ("gs://bucket", ("gs://bucket", "raw/customers")),
    ],
)
def test_raw_files_in_an_object_store_are_named_by_bucket_and_key(
    tmp_path: Path, url: str, identity: tuple[str, str]
) -> None:
    assert datasets(tmp_path, url).identity("raw.customers") == identity


def check(*key: str) -> AssetCheckEvaluation:
    return AssetCheckEvaluation(AssetKey(key), "contract", passed=True, metadata={}, severity=AssetCheckSeverity.ERROR)


def test_tables_that_are_gone_are_left_out(tmp_path: Path) -> None:
    checks = [check("warehouse", "mart_of_old"), check("old"), check("warehouse", "fact_sales"), check("raw", "orders")]
    reads, writes = datasets_of_step("check__warehouse__fact_sales", checks, datasets(tmp_path))
    assert [dataset.name for dataset in reads] == ["shop.warehouse.fact_sales"]
    assert writes == []
    assert datasets_of_step("warehouse__mart_of_old", [], datasets(tmp_path)) == ([], [])
