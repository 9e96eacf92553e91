"""Which file of a folder is which kind of file of a connector, by name and header."""

from __future__ import annotations

import datetime as dt
import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from ecommerce_platform.connectors.connector import Connector, Role
from ecommerce_platform.connectors.errors import ConnectorError, shown
from ecommerce_platform.connectors.source_files import SourceFile, is_archive, is_export, look_at, normal, visible_files

NEARLY = 0.5
"""A file that lacks fewer than this share of a kind's required columns, but some, is a faulty file of that kind."""


@dataclass(frozen=True)
class Match:
    """A file and the kind that it is of.

    Attributes:
        role: the kind, as connector.toml names it.
        file: the file.
        columns: for each column of the kind that the file has, its header in the file.
        day: the day in the file's name; None for a snapshot.
    """

    role: str
    file: SourceFile
    columns: Mapping[str, str]
    day: dt.date | None = None


@dataclass(frozen=True)
class Matches:
    """The files of a folder that a connector reads, in the order in which they count; of the others, why not."""

    used: Sequence[Match]
    ignored: Mapping[Path, str]

    @property
    def paths(self) -> list[Path]:
        """The files that are read."""
        return [match.file.path for match in self.used]


def match_folder(connector: Connector, folder: Path) -> Matches:
    """Find the files of a connector in a folder.

    Raises:
        ConnectorError: a kind of file is missing, or a file nearly is of a kind.
    """
    used: list[Match] = []
    ignored: dict[Path, str] = {}
    problems: list[ConnectorError] = []
    for path in visible_files(folder):
        match = match_file(connector, path, problems) if is_export(path) else None
        if match is None:
            ignored[path] = why_not(connector, path)
        else:
            used.append(match)
    missing = [name for name, role in connector.files.items() if not role.is_optional]
    missing = [name for name in missing if not any(match.role == name for match in used)]
    if problems:
        raise problems[0]
    if missing:
        others = ", ".join(shown(path.name) for path in list(ignored)[:5]) or "no file"
        raise ConnectorError(
            str(folder),
            f"no file holds the {missing[0]} of the connector {connector.name}: there is {others}",
            "export it (a .zip must be unpacked), or see which connector fits: ecommerce-platform source guess FILE",
        )
    # The latest file counts last; the name decides between files of one moment.
    used.sort(key=lambda match: (match.day or dt.date.min, match.file.path.stat().st_mtime_ns, match.file.path.name))
    return Matches(used, ignored)


def match_file(connector: Connector, path: Path, problems: list[ConnectorError]) -> Match | None:
    """The kind that a file is of; None if it is of none. A file that nearly is of one is added to ``problems``."""
    fits, nearly = [], []
    for name, role in connector.files.items():
        if not _fits_the_name(role, path):
            continue
        file = look_at(path, role.encodings)
        columns = columns_of(role, file)
        missing = [column for column in role.required if column not in columns]
        if not missing:
            fits.append((len(columns), name, file, columns))
        elif len(missing) < NEARLY * len(role.required):
            nearly.append((len(missing), name, file, missing))
    if not fits:
        if nearly:
            _, name, file, missing = min(nearly, key=lambda found: found[0])
            problems.append(_lacks(connector, name, file, missing))
        return None
    fits.sort(key=lambda fit: -fit[0])
    if len(fits) > 1 and fits[0][0] == fits[1][0]:
        raise ConnectorError(
            str(path),
            f"the file may hold the {fits[0][1]} or the {fits[1][1]} of the connector {connector.name}",
            "narrow the pattern of one of them in connector.toml",
        )
    _, name, file, columns = fits[0]
    return Match(name, file, columns, _day_of(connector, path))


def why_not(connector: Connector, path: Path) -> str:
    """Why a file that matches no kind of a connector is not read."""
    if is_archive(path):
        return "it must be unpacked first"
    if not is_export(path):
        return "this kind of file is not known"
    if not any(_fits_the_name(role, path) for role in connector.files.values()):
        return "no pattern in connector.toml fits the name"
    return "no header fits"


def told_of(ignored: Mapping[str, str]) -> Iterator[str]:
    """Which files are not read, one line for each reason."""
    for reason in sorted(set(ignored.values())):
        names = ", ".join(repr(name) for name, why in ignored.items() if why == reason)
        yield f"not read, because {reason}: {names}"


def _fits_the_name(role: Role, path: Path) -> bool:
    return any(fnmatchcase(path.name.lower(), each.lower()) for each in role.pattern)


def columns_of(role: Role, file: SourceFile) -> dict[str, str]:
    """The columns of a kind that a file has, with their headers. Names are compared by letters and digits only.

    Raises:
        ConnectorError: a column is there twice.
    """
    found: dict[str, str] = {}
    by_name: dict[str, list[str]] = {}
    for header in file.header:
        by_name.setdefault(normal(header), []).append(header)
    for column, headers in role.columns.items():
        # The first of several names for one column counts.
        names = next((by_name[name] for name in map(normal, headers) if name in by_name), [])
        if len(names) > 1:
            raise ConnectorError(
                str(file.path),
                f"the header has {' and '.join(shown(name) for name in names)}, both for {column}",
                "leave out one of them",
            )
        if names:
            found[column] = names[0]
    return found


def _lacks(connector: Connector, role: str, file: SourceFile, missing: Sequence[str]) -> ConnectorError:
    column = missing[0]
    wanted = connector.files[role].required[column]
    near = [name for each in wanted for name in difflib.get_close_matches(each, file.header, n=1)]
    like = f" ({shown(near[0])} looks like it)" if near else ""
    more = f" and {len(missing) - 1} more required columns" if len(missing) > 1 else ""
    return ConnectorError(
        str(file.path),
        f"this looks like the {role} of the connector {connector.name},"
        f" but it lacks the column {shown(wanted[0])}{more}{like}",
        "export it with that column; take the file out of the folder if it is none; or if the shop has renamed it,"
        f" add its new name to {column} in [files.{role}.required] of {connector.folder / 'connector.toml'}",
    )


def _day_of(connector: Connector, path: Path) -> dt.date | None:
    if connector.kind != "daily":
        return None
    found = re.search(r"(\d{4})-?(\d{2})-?(\d{2})", path.name)
    try:
        return dt.date(*map(int, found.groups())) if found else _no_day(path)
    except ValueError:
        return _no_day(path)


def _no_day(path: Path) -> dt.date:
    raise ConnectorError(str(path), "the name has no day", "name the file after its day, as orders-2024-01-31.csv")
