"""The audit in `make lint` finds inconsistencies between project, lock files, and installed packages."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path
from types import ModuleType

import pytest

from ecommerce_platform.settings import PROJECT_DIR


@pytest.fixture
def audit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script, looking at copies of the files."""
    spec = importlib.util.spec_from_file_location("audit", PROJECT_DIR / ".ci" / "audit.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name in ("pyproject.toml", "requirements.lock", "requirements-dev.lock"):
        shutil.copy(PROJECT_DIR / name, tmp_path)
    monkeypatch.setattr(module, "ROOT", tmp_path)
    return module


def test_the_project_agrees_with_its_locks_and_with_what_is_installed(audit: ModuleType) -> None:
    assert audit.faults() == []


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("pyproject.toml", '"click>=8.1"', '"click>=99"', "requires click>=99, but the lock file has click=="),
        (
            "pyproject.toml",
            '"click>=8.1"',
            '"not-there>=1"',
            "requires not-there>=1, but the lock file does not contain it",
        ),
        ("requirements-dev.lock", "\nclick==", "\nclick==0.", "is installed, but 0."),
        ("requirements.lock", "\nclick==", "\nclick>=", "requirements.lock: click is not pinned"),
        ("requirements-dev.lock", "\nruff==", "\nruffs==", "ruff is installed, but no lock file contains it"),
    ],
)
def test_a_disagreement_is_named(audit: ModuleType, file: str, old: str, new: str, said: str) -> None:
    path = audit.ROOT / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    assert [fault for fault in audit.faults() if said in fault]


def test_a_package_without_a_hash_is_named(audit: ModuleType) -> None:
    path = audit.ROOT / "requirements.lock"
    path.write_text("stranger==1.0\n" + path.read_text(encoding="utf-8"), encoding="utf-8")
    assert "requirements.lock: stranger has no hash" in audit.faults()
