"""The data dictionary says what the manifest says, and every table and column has a description."""

from __future__ import annotations

import re

import pytest

from ecommerce_platform.tables import manifest
from ecommerce_platform.tables.dictionary import DICTIONARY, data_dictionary

pytestmark = pytest.mark.unit


def test_the_data_dictionary_is_the_one_that_the_manifest_gives() -> None:
    assert DICTIONARY.read_text(encoding="utf-8") == data_dictionary(manifest.manifest()), (
        "docs/data-dictionary.md is out of date: ecommerce-platform manifest"
    )


def test_every_table_and_every_column_has_a_description() -> None:
    entries = manifest.manifest()
    assert [table for table, entry in entries.items() if not entry.comment] == []
    without = [f"{table}.{c.name}" for table, entry in entries.items() for c in entry.columns if not c.comment]
    assert without == []


def test_every_link_of_the_data_dictionary_leads_to_a_heading_or_a_file() -> None:
    text = DICTIONARY.read_text(encoding="utf-8")
    anchors = {heading.lower().replace(".", "") for heading in re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)}
    assert set(re.findall(r"\]\(#([^)]+)\)", text)) <= anchors
    assert [path for path in re.findall(r"\]\(([^#)]+)\)", text) if not (DICTIONARY.parent / path).exists()] == []


def test_the_dictionary_names_primary_and_foreign_keys() -> None:
    section = DICTIONARY.read_text(encoding="utf-8").partition("### warehouse.fact_sales\n")[2].partition("\n### ")[0]
    assert re.search(r"^\| item_id \| bigint \| no \| PK \|", section, flags=re.MULTILINE)
    assert "FK to [warehouse.dim_customer](#warehousedim_customer)" in section
