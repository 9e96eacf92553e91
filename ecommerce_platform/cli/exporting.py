"""``export`` and ``source``: exports the dashboards to other tools, and checks a user's own files."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click
from rich.console import Console

from ecommerce_platform.cli.preparation import require_running
from ecommerce_platform.cli.terminal import EXIT_FAILED, console, one_clear_error, progress_bar
from ecommerce_platform.settings import load_settings


@click.group()
def export() -> None:
    """Export the dashboards' specification and data for other tools."""


@export.command("powerbi")
@click.option(
    "--folder", type=click.Path(file_okay=False, path_type=Path), help="Output folder; dashboards/powerbi if omitted."
)
@one_clear_error
def export_powerbi(folder: Path | None) -> None:
    """Write the Power BI project from the specification in dashboards/spec."""
    from dashboards.spec.powerbi import FOLDER, write_project

    written = list(write_project(folder or FOLDER))
    console.print(f"Wrote {len(written)} files to {folder or FOLDER}.", markup=False)


@export.command("tableau")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@one_clear_error
def export_tableau(file: Path) -> None:
    """Write the star schema of the warehouse to FILE, a Tableau .hyper extract (pip install '.[tableau]')."""
    require_running(load_settings())
    from dashboards.spec.tableau import write_extract
    from ecommerce_platform.resources.database import Database

    with console.status("Writing the extract"):
        rows = write_extract(Database(role="reader"), file)
    console.print(f"Wrote {sum(rows.values()):,} rows of {len(rows)} tables to {file}.", markup=False)


@click.group()
def source() -> None:
    """Check your own exports, for ECOMMERCE_SOURCE=landing."""


@source.command("check")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
def source_check(folder: Path, as_json: bool) -> None:
    """Check the files in FOLDER/FEED/YYYY-MM-DD.csv before anything is loaded.

    Exits with status 1 if something prevents the load of a day: a feed or a day without a file, a file that cannot be
    read, or so many invalid values that the staging check blocks the day. A few invalid rows do not prevent a load:
    they are rejected one by one (ecommerce-platform rejects).
    """
    from ecommerce_platform.feeds.columns import FEEDS
    from ecommerce_platform.feeds.days import days_of_feed
    from ecommerce_platform.feeds.folder_check import check_folder

    with progress_bar() as progress:
        task = progress.add_task("reading", total=sum(len(days_of_feed(folder, feed)[0]) for feed in FEEDS))
        report = check_folder(
            folder, lambda check: progress.update(task, advance=1, description=f"{check.feed} {check.day}")
        )
    if as_json:
        click.echo(json.dumps(report.to_json(), indent=2, ensure_ascii=False))
    else:
        Console(highlight=False, emoji=False).print("\n".join(report.lines()), markup=False, soft_wrap=True)
    if report.prevents_a_load:
        sys.exit(EXIT_FAILED)
