"""What was parsed is kept, and parsed again as soon as anything that it depends on is another."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecommerce_platform.settings import load_settings
from ecommerce_platform.tables.remembered import remembered

pytestmark = pytest.mark.unit


@pytest.fixture
def home(data_dir: Path) -> Path:
    return load_settings().dagster_home


def parsed(file: Path, answers: list[int]) -> dict[str, int]:
    return remembered("numbers", [file], lambda: {"number": answers.pop(0)})


def test_it_is_parsed_once(home: Path, tmp_path: Path) -> None:
    home.mkdir(parents=True)
    file = tmp_path / "a.sql"
    file.write_text("select 1")
    answers = [1, 2]
    assert parsed(file, answers) == parsed(file, answers) == {"number": 1}
    file.write_text("select 2")
    assert parsed(file, answers) == {"number": 2}


@pytest.mark.parametrize("broken", [b"", b"[]", b"\xff", b'{"digest": "x"}', b"null"])
def test_a_file_that_was_tampered_with_is_parsed_again(home: Path, tmp_path: Path, broken: bytes) -> None:
    home.mkdir(parents=True)
    file = tmp_path / "a.sql"
    file.write_text("select 1")
    parsed(file, [1])
    (home / "numbers.json").write_bytes(broken)
    assert parsed(file, [2]) == {"number": 2}


def test_without_dagsters_home_nothing_is_written(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "a.sql"
    file.write_text("select 1")
    assert parsed(file, [1]) == {"number": 1}
    assert not home.exists()
