"""Schemas define valid values, and their checks are known without importing pandera."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys

import pytest

from ecommerce_platform.checks import table_checks
from ecommerce_platform.checks.freshness import latest_expected_day
from ecommerce_platform.checks.volume import usual_range
from ecommerce_platform.schemas import schema_name, schema_of
from ecommerce_platform.tables.manifest import tables


def test_every_table_of_the_ddl_has_a_schema_of_its_name() -> None:
    assert [schema_of(table).name for table in tables()] == list(tables())
    assert schema_name("warehouse.agg_daily_sales") == "AggDailySales"


def test_an_unknown_table_has_no_schema() -> None:
    with pytest.raises(KeyError, match=r"warehouse\.nothing"):
        schema_of("warehouse.nothing")


def test_the_checks_are_known_without_importing_pandera() -> None:
    program = (
        "import sys; from ecommerce_platform.checks import all_checks; all_checks();"
        " sys.exit(any(name in sys.modules for name in ('pandera', 'ibis', 'sqlglot')))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_every_table_has_a_contract_and_no_two_checks_one_name() -> None:
    names = [(check.table, check.name) for check in table_checks()]
    assert len(names) == len(set(names))
    assert [table for table, name in names if name == "contract"] == list(tables())


def test_every_rule_has_a_name_of_its_own() -> None:
    for table in tables():
        schema = schema_of(table)
        names = [f"{name}: {check.error}" for name, column in schema.columns.items() for check in column.checks]
        names += [str(check.error) for check in schema.checks]
        assert len(names) == len(set(names)), table


def test_yesterday_is_due_at_six() -> None:
    assert latest_expected_day(dt.datetime(2024, 3, 10, 5, 59, tzinfo=dt.UTC)) == dt.date(2024, 3, 8)
    assert latest_expected_day(dt.datetime(2024, 3, 10, 6, 0, tzinfo=dt.UTC)) == dt.date(2024, 3, 9)
    in_tokyo = dt.datetime(2024, 3, 10, 14, 0, tzinfo=dt.timezone(dt.timedelta(hours=9)))
    assert latest_expected_day(in_tokyo) == dt.date(2024, 3, 8)


def test_days_that_were_all_alike_still_allow_what_counting_allows() -> None:
    assert usual_range([100, 100, 100, 100]) == (70, 130)
    assert usual_range([0, 0, 0, 0]) == (0, 3)
