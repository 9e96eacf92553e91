"""Lets plain ``dagster`` and ``dg`` commands in the project folder find the platform's instance."""

from __future__ import annotations

import contextlib
from pathlib import Path

from dotenv import dotenv_values, set_key

from ecommerce_platform.settings import PROJECT_DIR, Settings


def make_private(folder: Path) -> None:
    """Create a folder that only its owner may enter, or restrict an existing one: exports contain personal data.

    The permissions of a folder with another owner, such as a volume, are left unchanged.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with contextlib.suppress(PermissionError):
        if folder.stat().st_mode & 0o077:
            folder.chmod(0o700)


def prepare_dagster_home(settings: Settings, project: Path = PROJECT_DIR) -> dict[str, str]:
    """Set Dagster's home in the project's ``.env``, and create the folder for its files. Idempotent.

    Every dagster command reads ``.env`` in its working directory before it looks for its instance. The home is the
    project folder, because ``dagster.yaml`` is there; that file stores everything in the data folder. The telemetry
    variable keeps Dagster from creating two empty log folders in its home. Other lines of ``.env`` are left unchanged.

    Returns:
        The variables, for the environment of child processes.
    """
    make_private(settings.data)
    if isinstance(settings.storage, Path):
        # Others may share an existing folder, so its permissions are left unchanged.
        settings.storage.mkdir(mode=0o700, parents=True, exist_ok=True)
    settings.dagster_home.mkdir(parents=True, exist_ok=True)
    variables = {"DAGSTER_HOME": str(project), "DAGSTER_DISABLE_TELEMETRY": "1"}
    env_file = project / ".env"
    known = dotenv_values(env_file, interpolate=False)
    # In a container, the project folder is read-only and the image sets the variables.
    with contextlib.suppress(OSError):
        for name, value in variables.items():
            if known.get(name) != value:
                set_key(env_file, name, value)
    return variables
