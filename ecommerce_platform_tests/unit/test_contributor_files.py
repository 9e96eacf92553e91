"""The files that a contributor looks for: they parse, and what they name exists."""

from __future__ import annotations

import configparser
import json
import re
from pathlib import Path

import pytest
import yaml

from ecommerce_platform.settings import PROJECT_DIR

pytestmark = pytest.mark.unit

DOCUMENTS = sorted(
    [*PROJECT_DIR.glob("*.md"), *(PROJECT_DIR / "docs").rglob("*.md"), PROJECT_DIR / "dashboards" / "README.md"]
)
DECISIONS = PROJECT_DIR / "docs" / "decisions"


def named(path: Path) -> str:
    return path.relative_to(PROJECT_DIR).as_posix()


def anchors(text: str) -> set[str]:
    """The anchors of the headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


# Documents


@pytest.mark.parametrize("path", DOCUMENTS, ids=named)
def test_every_link_of_a_document_leads_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        other = (path.parent / file).resolve() if file else path
        assert other.exists(), target
        assert not anchor or anchor in anchors(other.read_text(encoding="utf-8")), target


@pytest.mark.parametrize("document", ["docs/architecture.md", "CONTRIBUTING.md"])
def test_every_file_that_a_document_names_exists(document: str) -> None:
    folders = ("ecommerce_platform", "ecommerce_platform_tests", "dashboards", "sql")
    files = [f"/{named(path)}" for folder in folders for path in (PROJECT_DIR / folder).rglob("*.*")]
    text = (PROJECT_DIR / document).read_text(encoding="utf-8")
    found = {name for name in re.findall(r"`([\w./]+\.(?:py|sql))`", text) if name == name.lower()}
    assert len(found) > 10
    not_there = {
        "psycopg.sql",
        "sql/transform/warehouse/mart_weekday_sales.sql",
        "sql/scope/warehouse/mart_weekday_sales.sql",
    }
    assert {name for name in found - not_there if not any(file.endswith(f"/{name}") for file in files)} == set()


def test_the_changelog_has_the_headings_of_keep_a_changelog() -> None:
    text = (PROJECT_DIR / "CHANGELOG.md").read_text(encoding="utf-8")
    assert text.startswith("# Changelog\n")
    assert re.findall(r"^## (.+)$", text, flags=re.MULTILINE)[0] == "[Unreleased]"
    kinds = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    assert set(re.findall(r"^### (.+)$", text, flags=re.MULTILINE)) <= kinds


def test_the_index_of_the_decisions_lists_each_record_in_order() -> None:
    records = sorted(path.name for path in DECISIONS.glob("[0-9]*.md"))
    assert re.findall(r"\((\d{4}-[a-z0-9-]+\.md)\)", (DECISIONS / "README.md").read_text(encoding="utf-8")) == records
    for number, name in enumerate(records, start=1):
        text = (DECISIONS / name).read_text(encoding="utf-8")
        assert name.startswith(f"{number:04d}-")
        assert text.startswith(f"# {number}. ")
        assert re.findall(r"^## (.+)$", text, flags=re.MULTILINE) == ["Context", "Decision", "Consequences"]


# Tools


def test_the_workflow_calls_the_ci_script_with_actions_of_a_fixed_version() -> None:
    workflow = yaml.safe_load((PROJECT_DIR / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    assert ".ci/run" in [step.get("run") for step in steps]
    assert [step["uses"] for step in steps if "uses" in step and not re.search(r"@v\d", step["uses"])] == []
    assert workflow["permissions"] == {"contents": "read"}


def test_the_issue_forms_parse_and_each_field_has_a_label() -> None:
    forms = [path for path in (PROJECT_DIR / ".github" / "ISSUE_TEMPLATE").glob("*.yml") if path.name != "config.yml"]
    assert len(forms) == 2
    for path in forms:
        form = yaml.safe_load(path.read_text(encoding="utf-8"))
        assert {"name", "description", "body"} <= set(form)
        fields = [field for field in form["body"] if field["type"] != "markdown"]
        assert all(field["attributes"]["label"] for field in fields)
        assert len({field["id"] for field in fields}) == len(fields)


def test_the_hooks_are_the_linters_of_the_makefile_and_fetch_nothing() -> None:
    (repository,) = yaml.safe_load((PROJECT_DIR / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
    assert repository["repo"] == "local"
    makefile = (PROJECT_DIR / "Makefile").read_text(encoding="utf-8")
    for hook in repository["hooks"]:
        assert hook["language"] == "system"
        program = hook["entry"].split()[0]
        assert program.startswith(".venv/bin/")
        assert f"'{program.removeprefix('.venv/bin/')} " in makefile


def test_the_development_container_is_built_from_a_file_beside_it_and_installs_what_tests_and_linters_need() -> None:
    folder = PROJECT_DIR / ".devcontainer"
    container = json.loads((folder / "devcontainer.json").read_text(encoding="utf-8"))
    assert (folder / container["build"]["dockerfile"]).exists()
    target = container["postCreateCommand"].removeprefix("make ")
    makefile = (PROJECT_DIR / "Makefile").read_text(encoding="utf-8").replace("$(VENV)", ".venv")
    assert f"\n{target}: requirements-dev.lock " in makefile


def test_the_editor_configuration_parses_and_agrees_with_ruff() -> None:
    parser = configparser.ConfigParser()
    parser.read_string("[root]\n" + (PROJECT_DIR / ".editorconfig").read_text(encoding="utf-8"))
    assert parser["root"]["root"] == "true"
    assert parser["*.py"]["max_line_length"] == "120"
    assert parser["Makefile"]["indent_style"] == "tab"
