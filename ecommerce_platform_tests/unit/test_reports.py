"""Reports: scores, grades, spreadsheets, and JSON."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal

import pandas as pd
import pytest

from ecommerce_platform.assets.monitoring import grade_of, score_of
from ecommerce_platform.files import json_rows, spreadsheet_csv, write_atomically


@pytest.mark.parametrize(
    ("passed", "rows", "violations", "score", "grade"),
    [
        (True, 1000, 0, 100.0, "A"),
        (True, None, None, 100.0, "A"),
        (False, None, None, 0.0, "F"),
        (False, 0, 3, 0.0, "F"),
        (False, 1000, 5, 99.5, "B"),
        (False, 1000, 20, 98.0, "C"),
        (False, 1000, 100, 90.0, "D"),
        (False, 1000, 500, 50.0, "F"),
        (False, 10, 500, 0.0, "F"),
    ],
)
def test_a_check_has_the_documented_score_and_grade(
    passed: bool, rows: int | None, violations: int | None, score: float, grade: str
) -> None:
    assert score_of(passed, rows, violations) == score
    assert grade_of(passed, score) == grade


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\r=1", "\n=1", "\uff1d1+1"])
def test_a_name_that_a_spreadsheet_would_run_is_only_text(text: str) -> None:
    content = spreadsheet_csv(pd.DataFrame({"name": [text]})).decode()
    assert f"'{text}" in content


def test_numbers_below_zero_stay_numbers() -> None:
    content = spreadsheet_csv(pd.DataFrame({"profit": [Decimal("-1.50"), -2]}))
    assert content == b"profit\n-1.50\n-2\n"


def test_a_column_of_whole_numbers_with_a_gap_stays_whole() -> None:
    """The rank of a product was written as 1.0 once another product had none."""
    frame = pd.DataFrame({"rank": pd.array([1, None], dtype="Int64"), "name": ["a", "=b"]})
    assert spreadsheet_csv(frame) == b"rank,name\n1,a\n,'=b\n"
    assert spreadsheet_csv(frame.head(0)) == b"rank,name\n"


def test_a_report_is_json_that_another_program_reads() -> None:
    frame = pd.DataFrame({"day": [dt.date(2024, 1, 1)], "rows": pd.array([None], dtype="Int64"), "note": ["Ünïcode"]})
    assert json.loads(json_rows(frame)) == [{"day": "2024-01-01T00:00:00.000", "rows": None, "note": "Ünïcode"}]


def test_a_file_is_replaced_whole_and_leaves_nothing_behind(tmp_path) -> None:
    path = tmp_path / "reports" / "report.json"
    write_atomically(path, b"old")
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    assert [file.name for file in path.parent.iterdir()] == ["report.json"]
