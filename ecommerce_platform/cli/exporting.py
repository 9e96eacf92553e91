"""``export``: exports the dashboards to other tools."""

from __future__ import annotations

from pathlib import Path

import click

from ecommerce_platform.cli.preparation import require_running
from ecommerce_platform.cli.terminal import console, one_clear_error
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
