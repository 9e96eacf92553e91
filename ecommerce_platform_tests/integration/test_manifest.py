"""The committed manifest matches its source files, and a run needs nothing else from them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from ecommerce_platform.checks.compiler import compile_contract
from ecommerce_platform.checks.manifest_builder import build_manifest, manifest_text
from ecommerce_platform.postgres.embedded import EmbeddedPostgres
from ecommerce_platform.postgres.facts import catalogue
from ecommerce_platform.settings import PROJECT_DIR
from ecommerce_platform.tables import manifest
from ecommerce_platform.tables.columns import columns_of
from ecommerce_platform_tests.conftest import TEMPLATE

ONE_DAY = """
import sys, datetime as dt
from dagster import DagsterInstance
from ecommerce_platform.automation.runner import run_days
from ecommerce_platform.definitions import defs
from ecommerce_platform.settings import load_settings
load_settings().dagster_home.mkdir(parents=True)
with DagsterInstance.from_config(sys.argv[1]) as instance:
    outcome = run_days(defs, instance, dt.date(2024, 1, 1), dt.date(2024, 1, 1))
print(outcome.failures, [name for name in ("pandera", "ibis", "sqlglot") if name in sys.modules])
"""


def test_the_manifest_says_what_the_files_say(postgres_server: EmbeddedPostgres) -> None:
    built = manifest_text(build_manifest(postgres_server.url(TEMPLATE)))
    assert json.loads(built) == json.loads(manifest.MANIFEST.read_text(encoding="utf-8")), (
        "sql/manifest.json is outdated; run: ecommerce-platform manifest"
    )
    assert built == manifest.MANIFEST.read_text(encoding="utf-8")


def test_the_manifest_is_the_same_in_every_process(postgres_server: EmbeddedPostgres) -> None:
    """Ibis orders the values of a set by hash, which depends on the hash seed of the process."""
    program = (
        "import sys\nfrom ecommerce_platform.checks.manifest_builder import build_manifest, manifest_text\n"
        "print(manifest_text(build_manifest(sys.argv[1])), end='')"
    )
    for seed in ("1", "77"):
        done = subprocess.run(
            [sys.executable, "-c", program, postgres_server.url(TEMPLATE)],
            cwd=PROJECT_DIR,
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout == manifest.MANIFEST.read_text(encoding="utf-8")


def test_a_run_needs_neither_pandera_nor_ibis_nor_sqlglot(database_url: str, tmp_path: Path) -> None:
    environment = {
        "ECOMMERCE_DATABASE_URL": database_url,
        "ECOMMERCE_DATA_DIR": str(tmp_path / "data"),
        "ECOMMERCE_ORDERS_PER_DAY": "10",
        "ECOMMERCE_CUSTOMERS": "30",
        "ECOMMERCE_PRODUCTS": "10",
        "DAGSTER_DISABLE_TELEMETRY": "1",
    }
    done = subprocess.run(
        [sys.executable, "-c", ONE_DAY, str(PROJECT_DIR)],
        cwd=PROJECT_DIR,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.returncode) == ("[] []\n", 0), done.stderr[-2000:]


@pytest.mark.parametrize(
    "change",
    [
        "drop constraint mart_product_daily_orders_check",
        "alter column orders drop not null",
        "alter column orders type bigint",
        "add check (units > 1)",
    ],
)
def test_a_contract_of_the_manifest_counts_for_a_database_that_enforces_the_same(
    postgres_server: EmbeddedPostgres, change: str
) -> None:
    table = "warehouse.mart_product_daily"
    known = manifest.entry(table)
    with psycopg.connect(postgres_server.url(TEMPLATE), cursor_factory=psycopg.ClientCursor) as connection:
        assert catalogue(connection, [table])[table] == known.facts
        assert compile_contract(table, known.facts) == known.contract
        connection.execute(f"alter table {table} {change}")
        assert catalogue(connection, [table])[table] != known.facts
        connection.rollback()


def test_a_table_that_the_manifest_does_not_know_is_reported_with_the_remedy() -> None:
    with pytest.raises(manifest.ManifestError, match="ecommerce-platform manifest"):
        columns_of("warehouse.no_such_table")


def test_an_invalid_manifest_is_reported_with_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "manifest.json"
    monkeypatch.setattr(manifest, "MANIFEST", broken)
    for text in ("", "[]", '{"warehouse.dim_date": {}}', None):
        if text is None:
            broken.unlink()
        else:
            broken.write_text(text)
        manifest.manifest.cache_clear()
        with pytest.raises(manifest.ManifestError, match="ecommerce-platform manifest"):
            manifest.manifest()
    manifest.manifest.cache_clear()
