"""The Power BI project, generated from the specification: a semantic model (TMDL) and a report (PBIR), both plain text.

``project()`` returns the content of every file in dashboards/powerbi; the same specification gives the same bytes.
``ecommerce-platform export powerbi`` writes them. Power BI doesn't run on Linux, so the tests validate the JSON against
Microsoft's schemas and compare the names with the database.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from dashboards.spec.powerbi_files import MODEL, REPORT
from dashboards.spec.powerbi_model import model_files
from dashboards.spec.powerbi_report import report_files
from ecommerce_platform.settings import PROJECT_DIR

FOLDER = PROJECT_DIR / "dashboards" / "powerbi"


def project() -> dict[str, str]:
    """All files of the project: relative path to content."""
    return dict(sorted({**model_files(), **report_files()}.items()))


def write_project(folder: Path = FOLDER) -> Iterable[str]:
    """Write the project to a folder. Stale files of the model and the report are removed; other files are kept.

    Returns:
        The relative paths of the files written.
    """
    for part in (MODEL, REPORT):
        shutil.rmtree(folder / part, ignore_errors=True)
    files = project()
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
    return files
