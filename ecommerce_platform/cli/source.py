"""``source``: from a user's own export files to a load, and the conversion that precedes a load."""

from __future__ import annotations

import datetime as dt
import json
import shlex
import sys
import tempfile
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ecommerce_platform.cli.terminal import EXIT_FAILED, console, one_clear_error, progress_bar, show, yesterday
from ecommerce_platform.files import printable
from ecommerce_platform.money import named
from ecommerce_platform.resources.exports import money_of
from ecommerce_platform.settings import CONNECTORS_DIR, PROJECT_DIR, Settings, SettingsError, load_settings

if TYPE_CHECKING:
    from ecommerce_platform.connectors.connector import Connector
    from ecommerce_platform.connectors.conversion import Converted
    from ecommerce_platform.connectors.guessing import Guess
    from ecommerce_platform.connectors.judging import Judgement
    from ecommerce_platform.feeds.folder_check import FolderCheck

_FOLDER = click.argument("folder", required=False, type=click.Path(exists=True, file_okay=False, path_type=Path))
_CONNECTOR = click.option(
    "--connector", metavar="NAME", help="Instead of ECOMMERCE_SOURCE: a connector's name or folder."
)


@click.group()
def source() -> None:
    """Your own exports: which connector reads them, what comes out, and whether it can be loaded."""


@source.command("guess")
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--draft", type=click.Path(path_type=Path), help="Write a new connector for the first file into this folder."
)
@one_clear_error
def source_guess(files: tuple[Path, ...], draft: Path | None) -> None:
    """Look at the headers of FILES, and say which connector reads them.

    Exits with status 1 if none does. With --draft, writes a new connector with the columns that it recognizes.
    """
    from ecommerce_platform.connectors import guessing
    from ecommerce_platform.connectors.connector import read_connector, shipped_connectors
    from ecommerce_platform.connectors.source_files import look_at

    if draft is not None:
        columns = guessing.draft(files[0], draft)
        for meaning, header in columns.items():
            _say(f"{meaning}: {header!r}")
        _say(f"Wrote a connector to {draft}. Read its files: docs/connectors/README.md explains them.")
        drafted = guessing.guess([read_connector(draft)], files)
        for fit in drafted:
            _tell_guess(fit)
        _say("Next:")
        _say_next(_source_name(draft), [match.file.path for fit in drafted for match in fit.matches])
        return
    guesses = guessing.guess(shipped_connectors(), files)
    complete = [guess for guess in guesses if not guess.missing and not guess.faults]
    for guess in complete or guesses:
        _tell_guess(guess)
    if complete and len(complete) > 1 and complete[0].score == complete[1].score:
        _say("Both fit. Look at what comes out of each: ecommerce-platform source preview --connector NAME FOLDER")
    if complete:
        _say(f"\nThe connector {complete[0].connector.name} fits. Next:")
        _say_next(complete[0].connector.name, [match.file.path for match in complete[0].matches])
        return
    if not guesses:
        for path in files:
            known = guessing.recognized(look_at(path))
            told = ", ".join(f"{header!r} as {meaning}" for meaning, header in known.items())
            _say(f"{path}: no connector fits. Recognized: {told or 'no column'}.")
        _say("To draft a connector from these columns: ecommerce-platform source guess FILE --draft connectors/my_shop")
    sys.exit(EXIT_FAILED)


def _tell_guess(guess: Guess) -> None:
    from ecommerce_platform.connectors.matching import told_of

    _say(f"{guess.connector.name}: {guess.connector.title}")
    for match in guess.matches:
        known = f"{len(match.columns)} of {len(match.file.header)} columns are used"
        _say(f"  {match.file.path.name}: {match.role} ({known})")
        for sheet in match.file.skipped:
            _say(f"  not read, because its header is another one: sheet {sheet!r}")
    for role in guess.missing:
        _say(f"  missing: a file with the {role}")
    for line in told_of(guess.ignored):
        _say(f"  {line}")
    for fault in guess.faults:
        _say(f"  ! {fault}")


def _say_next(name: str, files: Sequence[Path]) -> None:
    """Print the commands that load the files, as they can be typed in the current folder."""
    settings = load_settings()
    is_here = Path.cwd() == PROJECT_DIR
    landing = settings.landing_dir if is_here else settings.landing
    names = " ".join(shlex.quote(str(path)) for path in files)
    _say(f"  mkdir -p {shlex.quote(str(landing))} && cp -- {names} {shlex.quote(str(landing))}/")
    _say(f"  echo ECOMMERCE_SOURCE={shlex.quote(name)} >> {'.env' if is_here else PROJECT_DIR / '.env'}")
    _say("  ecommerce-platform source check")
    _say("  ecommerce-platform up")


def _source_name(folder: Path) -> str:
    """What ECOMMERCE_SOURCE must be for a connector in a folder: its name, or its path as seen from the project."""
    path = folder.resolve()
    if path.parent == CONNECTORS_DIR:
        return path.name
    return f"./{path.relative_to(PROJECT_DIR)}" if path.is_relative_to(PROJECT_DIR) else str(path)


@source.command("preview")
@_FOLDER
@_CONNECTOR
@click.option("--rows", default=5, type=click.IntRange(1, 1000), show_default=True, help="Rows of each feed.")
@one_clear_error
def source_preview(folder: Path | None, connector: str | None, rows: int) -> None:
    """Show the first rows of each feed, as they come out of the exports in FOLDER (ECOMMERCE_LANDING_DIR)."""
    from ecommerce_platform.connectors.conversion import opened

    settings = load_settings()
    chosen = _chosen(settings, connector)
    if chosen is None:
        raise SettingsError(
            "ECOMMERCE_SOURCE: name a connector; for example ECOMMERCE_SOURCE=shopify, or --connector shopify"
        )
    with (
        _work() as work,
        opened(chosen, folder or settings.landing, work, settings.time_zone, money_of(settings)) as (_, _, outputs),
    ):
        _say(f"Amounts are in {named(outputs.currency)}.")
        for feed in outputs.feeds:
            table = Table(*outputs.columns(feed), title=f"{feed}: {outputs.rows(feed):,} rows", title_justify="left")
            for row in outputs.first_rows(feed, rows):
                table.add_row(*(_plain(value or "") for value in row))
            show(table)


@source.command("check")
@_FOLDER
@_CONNECTOR
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
@one_clear_error
def source_check(folder: Path | None, connector: str | None, as_json: bool) -> None:
    """Check the exports in FOLDER (ECOMMERCE_LANDING_DIR) before anything is loaded.

    Without a connector, the files are FOLDER/FEED/YYYY-MM-DD.csv. Exits with status 1 if something prevents the load of
    a day: a feed or a day without a file, a file that cannot be read, or so many invalid values that the staging check
    blocks the day. A few invalid rows do not prevent a load: they are rejected one by one (ecommerce-platform rejects).
    """
    settings = load_settings()
    folder = folder or settings.landing
    chosen = _chosen(settings, connector)
    if chosen is None:
        report = _check_feeds(folder)
        _print_check(report.to_json() if as_json else report.lines())
        sys.exit(EXIT_FAILED if report.prevents_a_load else 0)
    judgement, report = _check_exports(chosen, folder, settings)
    faults = list(_value_lines(report))
    # A first day that is only noted gives way to an earlier one.
    is_set = "first_day" in settings.model_fields_set and not settings.first_day_file.exists()
    if is_too_late := is_set and judgement.last_day < settings.first_day:
        faults.append(f"! {too_late_a_first_day(settings, judgement.first_day, judgement.last_day)}")
    can_load = not report.prevents_a_load and not is_too_late
    if as_json:
        _print_check({"connector": chosen.name, **judgement.to_json(), "values": report.to_json()})
    else:
        _print_check([*judgement.lines(), *faults, _next_line(chosen, settings, folder, can_load)])
    sys.exit(0 if can_load else EXIT_FAILED)


def _check_feeds(folder: Path) -> FolderCheck:
    from ecommerce_platform.feeds.columns import FEEDS
    from ecommerce_platform.feeds.days import days_of_feed
    from ecommerce_platform.feeds.folder_check import check_folder

    with progress_bar() as progress:
        task = progress.add_task("reading", total=sum(len(days_of_feed(folder, feed)[0]) for feed in FEEDS))
        return check_folder(
            folder, lambda check: progress.update(task, advance=1, description=f"{check.feed} {check.day}")
        )


def _check_exports(connector: Connector, folder: Path, settings: Settings) -> tuple[Judgement, FolderCheck]:
    """Judge the feeds of a connector as a whole, and their values as those of landed files."""
    from ecommerce_platform.connectors.conversion import opened, write_days
    from ecommerce_platform.connectors.judging import judge

    with _work() as work:
        with opened(connector, folder, work, settings.time_zone, money_of(settings)) as (matches, loaded, outputs):
            judgement = judge(outputs, loaded, {path.name: reason for path, reason in matches.ignored.items()})
            feeds = work / "feeds"
            write_days(outputs, feeds, min(judgement.last_day, yesterday()))
        return judgement, _check_feeds(feeds)


def _value_lines(report: FolderCheck) -> Iterator[str]:
    """What is wrong with rows and single values; which files there are has been said."""
    for feed in report.feeds:
        yield from (f"! {error}" for error in feed.errors)
        if feed.malformed_rows:
            yield f"{feed.feed}: {feed.malformed_rows:,} rows are malformed and will be rejected"
        for name, days in feed.stopped_days.items():
            yield f"! {feed.feed}: {name}: too many invalid values; staging's check will block {len(days):,} days"
        for hint in feed.hints:
            advice = f"; {hint.advice}" if hint.advice else ""
            yield (
                f"{feed.feed}: {hint.rows:,} rows ({hint.share:.1%}) will be rejected: {hint.column} is {hint.fault},"
                f" such as {hint.example!r}{advice}"
            )


def too_late_a_first_day(settings: Settings, first: dt.date, last: dt.date) -> str:
    """What is wrong with ECOMMERCE_FIRST_DAY where it is later than all days of the exports."""
    return (
        f"ECOMMERCE_FIRST_DAY: {settings.first_day} is after {last}, the last day of the exports: set an earlier day,"
        f" such as {first}, or none"
    )


def _next_line(connector: Connector, settings: Settings, folder: Path, can_load: bool) -> str:
    if not can_load:
        return "These exports cannot be loaded as they are: correct the lines marked with !"
    lines = [f"ECOMMERCE_SOURCE={_source_name(connector.folder)}", f"ECOMMERCE_LANDING_DIR={folder.resolve()}"]
    is_set = settings.connector_dir == connector.folder.resolve() and settings.landing == folder.resolve()
    return (
        "These exports can be loaded. "
        + ("" if is_set else f"Settings: {' '.join(lines)}. ")
        + "Next: ecommerce-platform up"
    )


def _plain(value: str) -> Text:
    """A value as text that cannot format the terminal."""
    return Text(printable(value))


def _print_check(answer: object) -> None:
    if isinstance(answer, dict):
        click.echo(json.dumps(answer, indent=2, ensure_ascii=False))
    elif isinstance(answer, list):
        _say("\n".join(answer))


def _say(text: str) -> None:
    # Names of files and columns are a stranger's: they must not format the terminal.
    Console(highlight=False, emoji=False).print(printable(text, keep="\n"), markup=False, soft_wrap=True)


def _chosen(settings: Settings, name: str | None) -> Connector | None:
    """The connector that is named, or that of the settings; None where there is none."""
    from ecommerce_platform.connectors.connector import read_connector

    if name is None:
        return None if settings.connector_dir is None else read_connector(settings.connector_dir)
    return read_connector(Path(name) if "/" in name else CONNECTORS_DIR / name)


@contextmanager
def _work() -> Generator[Path]:
    with tempfile.TemporaryDirectory(prefix="ecommerce-source-") as folder, console.status("Reading the exports"):
        yield Path(folder)


def convert_exports(settings: Settings, *, goes_on: bool = False) -> Converted | None:
    """Convert the user's exports if a connector is set and anything has changed; return what has files now.

    The first day with an order becomes the platform's first day, unless ECOMMERCE_FIRST_DAY is set.

    Args:
        goes_on: print an error instead of raising it, if anything was converted before.

    Raises:
        ConnectorError: a file or the connector is wrong; what was converted before is unchanged.
        SettingsError: the database holds the synthetic shop.
    """
    if settings.connector_dir is None:
        return None
    from ecommerce_platform.connectors.conversion import last_conversion
    from ecommerce_platform.connectors.errors import ConnectorError
    from ecommerce_platform.resources import exports
    from ecommerce_platform.resources.database import database_url
    from ecommerce_platform.tables.loaded_days import require_the_same_shop

    require_the_same_shop(database_url(settings), settings)
    try:
        with console.status(f"Converting the exports in {settings.landing}"):
            converted = exports.convert_exports(settings, yesterday())
    except ConnectorError as error:
        known = last_conversion(settings.feed_files) if goes_on else None
        if known is None:
            raise
        console.print(str(error), style="red", markup=False)
        console.print(f"What was converted before, up to {known.last_day}, stays.", markup=False)
        return known
    if converted is None:
        return None
    for line in exports.told_of(settings, converted):
        console.print(line, markup=False)
    return converted
