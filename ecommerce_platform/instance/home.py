"""Makes plain ``dagster`` and ``dg`` commands in the project folder find the platform's instance."""

from __future__ import annotations

import contextlib
from pathlib import Path

from dotenv import dotenv_values, set_key

from ecommerce_platform.settings import PROJECT_DIR, Settings


def make_private(folder: Path) -> None:
    """Make a folder that only its owner may enter, because the exports in it name people; an older one is narrowed.

    A folder that belongs to somebody else, such as a volume, keeps the rights that it has.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with contextlib.suppress(PermissionError):
        if folder.stat().st_mode & 0o077:
            folder.chmod(0o700)


def prepare_dagster_home(settings: Settings, project: Path = PROJECT_DIR) -> dict[str, str]:
    """Tell Dagster through the project's ``.env`` where its home is, and make the folder of its files.

    Every dagster command reads ``.env`` in the folder where it is run before it looks for its instance. The
    home is the project itself, because ``dagster.yaml`` lies there; that file sends everything to the data
    folder. The telemetry variable keeps Dagster from making two empty log folders in its home. Other lines of
    ``.env`` stay as they are, and the second time changes nothing.

    Returns:
        The variables, for the environment of child processes.
    """
    make_private(settings.data)
    settings.dagster_home.mkdir(parents=True, exist_ok=True)
    variables = {"DAGSTER_HOME": str(project), "DAGSTER_DISABLE_TELEMETRY": "1"}
    env_file = project / ".env"
    known = dotenv_values(env_file, interpolate=False)
    # A container's project folder is read-only; its image sets the variables.
    with contextlib.suppress(OSError):
        for name, value in variables.items():
            if known.get(name) != value:
                set_key(env_file, name, value)
    return variables
