"""Links from an asset to its files: to this checkout, or where the settings name one, to the repository on the web."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from dagster import AnchorBasedFilePathMapping, link_code_references_to_git

from ecommerce_platform.settings import PROJECT_DIR, load_settings

ANCHOR = "pyproject.toml"


def linked(assets: Iterable[Any]) -> list[Any]:
    """Assets whose code references lead to ECOMMERCE_REPOSITORY_URL; as they are where it is not set."""
    settings = load_settings()
    if settings.repository_url is None:
        return list(assets)
    # Both hosts of repositories that Dagster knows; one of your own usually runs GitLab.
    host = urlsplit(settings.repository_url).hostname or ""
    is_github = host == "github.com" or host.endswith(".github.com")
    return list(
        link_code_references_to_git(
            list(assets),
            git_url=settings.repository_url.rstrip("/").removesuffix(".git"),
            git_branch=settings.repository_branch,
            platform="github" if is_github else "gitlab",
            file_path_mapping=AnchorBasedFilePathMapping(
                local_file_anchor=PROJECT_DIR / ANCHOR, file_anchor_path_in_repository=ANCHOR
            ),
        )
    )
