"""Dagster's webserver behind the guard: ``python -m ecommerce_platform.web.webserver``, with Dagster's options."""

from __future__ import annotations

from typing import Any

from dagster_webserver import cli

from ecommerce_platform.settings import load_settings
from ecommerce_platform.web.guard import GuardedAsgi


def main() -> None:
    """Run ``dagster-webserver`` behind the guard.

    Its command has no option for middleware, so the function that creates the application is replaced.
    dagster-webserver is pinned, and a test queries the running server.
    """
    make = cli.create_app_from_workspace_process_context

    def guarded(*args: Any, **options: Any) -> Any:
        return GuardedAsgi(make(*args, **options), load_settings().known_hosts)

    cli.create_app_from_workspace_process_context = guarded  # ty: ignore[invalid-assignment]
    cli.main()


if __name__ == "__main__":
    main()
