"""Compare pyproject.toml, the two lock files, and the installed packages. Needs no network.

It does not check for known vulnerabilities, which requires a network: pip-audit queries PyPI or OSV for each package
and has no offline database. With a network, run `pip-audit --require-hashes -r requirements.lock`.
"""

import re
import sys
import tomllib
from importlib.metadata import distributions
from pathlib import Path

from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
NOT_LOCKED = {"pip", "uv", "ecommerce-platform"}
"""pip comes with the virtual environment, uv writes the lock files, and the platform is the project itself."""


def locked(name: str) -> dict[str, tuple[Requirement, int]]:
    """Return the packages of a lock file by canonical name: the pin with its marker, and the number of hashes."""
    found = {}
    for entry in re.split(r"\n(?=\S)", (ROOT / name).read_text(encoding="utf-8").strip()):
        requirement = Requirement(entry.split("\\")[0].split(" --hash")[0].strip())
        hashes = re.findall(r"--hash=sha256:[0-9a-f]{64}\b", entry)
        found[canonicalize_name(requirement.name)] = (requirement, len(hashes))
    return found


def version_of(requirement: Requirement) -> str:
    """Return the version of a pin."""
    (pin,) = requirement.specifier
    return pin.version


def faults() -> list[str]:
    """Return all inconsistencies, one line each."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    runtime, development = locked("requirements.lock"), locked("requirements-dev.lock")
    said = []
    for name, lock in (("requirements.lock", runtime), ("requirements-dev.lock", development)):
        for package, (requirement, hashes) in lock.items():
            if len(requirement.specifier) != 1 or next(iter(requirement.specifier)).operator != "==":
                said.append(f"{name}: {package} is not pinned")
            if not hashes:
                said.append(f"{name}: {package} has no hash")
    for needed, lock in (
        (project["dependencies"], runtime),
        ([*project["dependencies"], *project["optional-dependencies"]["dev"]], development),
    ):
        for requirement in map(Requirement, needed):
            pinned = lock.get(canonicalize_name(requirement.name))
            if pinned is None:
                said.append(
                    f"pyproject.toml requires {requirement}, but the lock file does not contain it; run: make lock"
                )
            elif not requirement.specifier.contains(version_of(pinned[0]), prereleases=True):
                said.append(f"pyproject.toml requires {requirement}, but the lock file has {pinned[0]}; run: make lock")
    here = default_environment()
    installed = {canonicalize_name(item.metadata["Name"]): item.version for item in distributions()}
    for package, (requirement, _) in development.items():
        if requirement.marker is not None and not requirement.marker.evaluate(dict(here)):
            continue
        if installed.get(package) != version_of(requirement):
            said.append(
                f"{package} {installed.get(package)} is installed, but {version_of(requirement)} is locked;"
                " run: make clean install"
            )
    said += [
        f"{package} is installed, but no lock file contains it"
        for package in installed
        if package not in {*development, *NOT_LOCKED}
    ]
    return said


if __name__ == "__main__":
    for fault in (found := faults()):
        print(fault)
    sys.exit(bool(found))
