"""``rejects``: lists the rows that production rejected."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click
from rich.table import Table
from rich.text import Text

from ecommerce_platform.cli.preparation import require_running
from ecommerce_platform.cli.terminal import Day, ListByDefault, console, one_clear_error, show
from ecommerce_platform.settings import load_settings


@click.group(cls=ListByDefault)
def rejects() -> None:
    """Show rows that production rejected, with every reason.

    \b
    To load a rejected row:
      1. correct the file (the defects of the synthetic shop are intentional)
      2. ecommerce-platform materialize --start DAY --end DAY
      3. the rejected rows of that day are gone, and its rows are in production

    A row that is waiting for its parent (an order for its customer, an order line for its order or product, a return
    for its order line) needs no action: it is accepted once the parent arrives.
    """


def _which_rejects(command: Callable) -> Callable:
    """Add the options that filter rejected rows; the command receives a connection and a RejectFilter."""
    from ecommerce_platform.feeds.columns import FEEDS

    @click.option("--feed", type=click.Choice(list(FEEDS)), help="Only this feed.")
    @click.option("--day", type=Day(), help="Business day: YYYY-MM-DD or yesterday.")
    @click.option("--start", type=Day(), help="First business day.")
    @click.option("--end", type=Day(), help="Last business day, inclusive.")
    @click.option("--reason", metavar="TEXT", help="Only reasons that contain this text (case-insensitive).")
    @one_clear_error
    @wraps(command)
    def wrapped(
        feed: str | None,
        day: dt.date | None,
        start: dt.date | None,
        end: dt.date | None,
        reason: str | None,
        **rest: Any,
    ) -> None:
        if day is not None and (start is not None or end is not None):
            raise click.UsageError("give --day, or --start and --end")
        require_running(load_settings())
        from ecommerce_platform.reports.rejects import RejectFilter
        from ecommerce_platform.resources.database import Database

        with Database(role="loader").connect() as connection:
            command(connection, RejectFilter(feed, day or start, day or end, reason), **rest)

    return wrapped


@rejects.command("list")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="Show at most this many rows.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@_which_rejects
def rejects_list(connection: Any, wanted: Any, limit: int, as_json: bool) -> None:
    """Show rejected rows, newest first, with the value behind each reason."""
    from ecommerce_platform.reports.rejects import list_rejects

    rows = list_rejects(connection, wanted, limit)
    if as_json:
        click.echo(json.dumps([row.to_json() for row in rows], indent=2, ensure_ascii=False))
        return
    table = Table("file", "row", "reasons", "waits for", title="Rejected rows")
    table.columns[0].overflow = "fold"  # a narrow terminal must not truncate the day
    for row in rows:
        reasons = Text("\n".join(row.explained_reasons()))
        table.add_row(Text(row.source_file), str(row.source_row), reasons, Text(row.waits_for()))
    show(table)
    if len(rows) == limit:
        console.print(f"Showing the newest {limit}. Use --limit to show more, and `rejects count` to count all.")


@rejects.command("count")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@_which_rejects
def rejects_count(connection: Any, wanted: Any, as_json: bool) -> None:
    """Count rejected rows by feed and reason; a row with two reasons counts for both."""
    from ecommerce_platform.reports.rejects import count_rejects

    counts = count_rejects(connection, wanted)
    if as_json:
        click.echo(json.dumps([count.to_json() for count in counts], indent=2))
        return
    table = Table("feed", "reason", "rows", "first day", "last day", title="Rejected rows by reason")
    for count in counts:
        table.add_row(count.feed, Text(count.reason), f"{count.rows:,}", str(count.first_day), str(count.last_day))
    show(table)


@rejects.command("export")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@_which_rejects
def rejects_export(connection: Any, wanted: Any, file: Path) -> None:
    """Write rejected rows with their original fields to a CSV FILE, safe to open in a spreadsheet."""
    from ecommerce_platform.files import write_atomically
    from ecommerce_platform.reports.rejects import list_rejects, rejects_csv

    rows = list_rejects(connection, wanted)
    write_atomically(file, rejects_csv(rows))
    console.print(f"Wrote {len(rows):,} rows to {file}.", markup=False)
