"""Converts a shop's files into feed files, ``FEED/YYYY-MM-DD.csv``, in the shape that the platform loads.

A conversion is all or nothing: every feed is computed first, and only then does a file change. A day whose rows are
the same keeps its file, with its modification time, and is not loaded again. A day that is gone from the exports keeps
files without rows, so that its sales disappear.
"""

from __future__ import annotations

import datetime as dt
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Collection, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from ecommerce_platform.connectors.connector import Connector
from ecommerce_platform.connectors.currencies import UNSET, Money
from ecommerce_platform.connectors.errors import ConnectorError
from ecommerce_platform.connectors.loading import Loaded, load
from ecommerce_platform.connectors.matching import Matches, match_folder
from ecommerce_platform.connectors.queries import Outputs, outputs_of
from ecommerce_platform.feeds.columns import FEEDS
from ecommerce_platform.feeds.days import days_of_feed
from ecommerce_platform.feeds.files import write_feed_file
from ecommerce_platform.files import states_of

STATE = "conversion.json"

WORK = ".work-"


@dataclass(frozen=True)
class Exported:
    """All files of one kind.

    Attributes:
        files: how many there are.
        rows: their rows; those that a later file replaces included.
        bytes: their size.
        sha256: that of the file, or where there are several, of the lines that ``sha256sum`` prints for them, by name.
    """

    files: int
    rows: int
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Converted:
    """What a conversion has done.

    Attributes:
        is_new: whether anything was converted; False where neither the files nor the connector have changed.
        first_day: the first day with an order.
        last_day: the last day that has files.
        rows: the rows of each feed, of all days.
        later: orders after the last day, which wait until their day is over.
        changed_days: days of which a file was written.
        currency: the reporting currency.
        exports: the files that were read, by kind.
    """

    is_new: bool
    first_day: dt.date
    last_day: dt.date
    rows: Mapping[str, int]
    later: int
    changed_days: int
    currency: str
    exports: Mapping[str, Exported] = field(default_factory=dict)


@contextmanager
def opened(
    connector: Connector,
    source: Path,
    work: Path,
    time_zone: str | None = None,
    money: Money = UNSET,
    matches: Matches | None = None,
) -> Generator[tuple[Matches, Sequence[Loaded], Outputs]]:
    """The feeds of the exports in a folder, ready to be read; ``work`` is an existing folder for what that takes.

    Args:
        matches: the files of the folder, where somebody has looked for them already.

    Raises:
        ConnectorError: a file or the connector is wrong.
    """
    matches = matches or match_folder(connector, source)
    before = states_of(matches.paths)
    loaded, scratch = load(connector, matches, work, time_zone)
    if states_of(matches.paths) != before:
        raise ConnectorError(str(source), "a file changed while it was read", "try again once it is complete")
    with outputs_of(connector, scratch, money) as outputs:
        if outputs.days() is None:
            raise ConnectorError(
                str(source),
                "the files hold no order with a date",
                "look at the feeds: ecommerce-platform source preview",
            )
        yield matches, loaded, outputs


def convert(
    connector: Connector,
    source: Path,
    target: Path,
    last_day: dt.date,
    time_zone: str | None = None,
    money: Money = UNSET,
) -> Converted:
    """Convert the exports in ``source`` into feed files below ``target``, up to a day.

    Does nothing if neither the exports nor the connector have changed since the last time.

    Raises:
        ConnectorError: a file or the connector is wrong; no feed file has changed.
    """
    target.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _alone(target):
        matches = match_folder(connector, source)
        said = [connector.digest, time_zone, str(last_day), money.digest]
        digest, known = _last(target)
        # Without a setting, the reporting currency stays what the first conversion made it.
        if (
            known is not None
            and digest == [*said, money.currency or known.currency, states_of(matches.paths)]
            and _are_there(target, known)
        ):
            return known
        with (
            working_folder(target) as work,
            opened(connector, source, work, time_zone, money, matches) as (_, loaded, outputs),
        ):
            states = states_of(matches.paths)
            exports = _exported(loaded)
            converted = replace(_write(outputs, work / "new", target, last_day), exports=exports)
        state = {"digest": [*said, converted.currency, states], "converted": asdict(converted)}
        # Written last, and deleted before a file changes: after a crash, the next conversion does everything again.
        write_feed_file(target / STATE, json.dumps(state, default=str, indent=2).encode())
        return converted


@contextmanager
def working_folder(parent: Path) -> Generator[Path]:
    """A folder for one conversion, which is deleted afterwards with what it holds: personal data in plain text."""
    folder = Path(tempfile.mkdtemp(prefix=WORK, dir=parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _alone(target: Path) -> Generator[None]:
    """One conversion at a time; removes what one that was killed has left."""
    with (target / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for folder in target.glob(f"{WORK}*"):
            shutil.rmtree(folder, ignore_errors=True)
        yield


def _exported(loaded: Sequence[Loaded]) -> dict[str, Exported]:
    found: dict[str, Exported] = {}
    for role in dict.fromkeys(each.match.role for each in loaded):
        # A spreadsheet is here once per sheet; its file is listed once.
        paths = sorted({each.match.file.path for each in loaded if each.match.role == role})
        hashes = [_sha256(path) for path in paths]
        lines = "".join(f"{sha256}  {path.name}\n" for sha256, path in zip(hashes, paths, strict=True))
        # A file name need not be valid UTF-8.
        listed = lines.encode("utf-8", "surrogateescape")
        found[role] = Exported(
            files=len(paths),
            rows=sum(each.rows for each in loaded if each.match.role == role),
            bytes=sum(path.stat().st_size for path in paths),
            sha256=hashes[0] if len(paths) == 1 else hashlib.sha256(listed).hexdigest(),
        )
    return found


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def last_conversion(target: Path) -> Converted | None:
    """What the last conversion into a folder has found, whatever has changed since; None where there was none."""
    return _last(target)[1]


def _last(target: Path) -> tuple[object, Converted | None]:
    """The last conversion, and what it was of."""
    try:
        state = json.loads((target / STATE).read_text(encoding="utf-8"))
        known = state["converted"]
        first, last = (dt.date.fromisoformat(known[name]) for name in ("first_day", "last_day"))
        exports = {role: Exported(**facts) for role, facts in known["exports"].items()}
        converted = Converted(False, first, last, known["rows"], known["later"], 0, known["currency"], exports)
        return state["digest"], converted
    except (OSError, ValueError, KeyError, TypeError):
        return None, None


def _are_there(target: Path, known: Converted) -> bool:
    """Whether the last conversion's files are there: somebody may have deleted some."""
    days = (known.last_day - known.first_day).days + 1
    wanted = {known.first_day + dt.timedelta(days=number) for number in range(days)}
    return all(wanted.issubset(days_of_feed(target, feed)[0]) for feed in FEEDS)


def _write(outputs: Outputs, new: Path, target: Path, last_day: dt.date) -> Converted:
    first, last = outputs.days() or (last_day, last_day)
    last = min(last, last_day)
    earlier = {day for feed in FEEDS for day in days_of_feed(target, feed)[0]}
    rows = write_days(outputs, new, last, earlier)
    (target / STATE).unlink(missing_ok=True)
    # One call instead of one for each of some thousand small files.
    os.sync()
    changed = set()
    for feed in FEEDS:
        (target / feed).mkdir(mode=0o700, exist_ok=True)
        for path in sorted((new / feed).iterdir()):
            kept = target / feed / path.name
            if not (
                kept.exists() and kept.stat().st_size == path.stat().st_size and kept.read_bytes() == path.read_bytes()
            ):
                path.replace(kept)
                changed.add(path.stem)
    later = outputs.orders_after(last_day)
    # A day at the end whose orders are gone from the exports has files without rows, and is to be loaded again.
    last = max({last, *(day for day in earlier if day <= last_day)})
    return Converted(True, first, last, rows, later, len(changed), outputs.currency)


def write_days(outputs: Outputs, folder: Path, last_day: dt.date, others: Collection[dt.date] = ()) -> dict[str, int]:
    """Write the files of every feed and day from the first order to a day, and of other days; return the rows.

    Raises:
        ConnectorError: the first order is of a later day.
    """
    first, _ = outputs.days() or (last_day, last_day)
    if first > last_day:
        raise ConnectorError(
            "the exports", f"the first order is of {first}, which is not over yet", "load them once its day is over"
        )
    days = {first + dt.timedelta(days=number) for number in range((last_day - first).days + 1)} | set(others)
    return {feed: _write_feed(outputs, feed, folder, days) for feed in FEEDS}


def _write_feed(outputs: Outputs, feed: str, folder: Path, days: set[dt.date]) -> int:
    """Write the files of a feed, one for each of the days; return their rows."""
    (folder / feed).mkdir(mode=0o700, parents=True)
    header = ",".join(FEEDS[feed])
    foreign_days = outputs.foreign_days(feed) if feed in outputs.feeds else set()
    for day in days:
        more = ",currency" if day in foreign_days else ""
        (folder / feed / f"{day}.csv").write_text(f"{header}{more}\n", encoding="utf-8", newline="\n")
    # A feed that the connector does not know has files without rows: another connector may have written some.
    if feed not in outputs.feeds:
        return 0
    for day, part in outputs.lines(feed):
        if day in days:
            with (folder / feed / f"{day}.csv").open("ab") as file:
                file.write(part)
    return outputs.rows(feed)
