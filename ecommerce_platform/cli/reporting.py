"""``report``: summaries for people, as a file or by e-mail."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ecommerce_platform.cli.preparation import require_running
from ecommerce_platform.cli.serving import show_the_currency_of
from ecommerce_platform.cli.terminal import Day, console, one_clear_error
from ecommerce_platform.settings import load_settings

if TYPE_CHECKING:
    from dashboards.weekly.weeks import Week


@click.group()
def report() -> None:
    """Write or send summaries for people."""


@report.command("weekly")
@click.option("--to", "file", type=click.Path(dir_okay=False, path_type=Path), help="Write it to this file, as HTML.")
@click.option("--send", is_flag=True, help="Send it to ECOMMERCE_REPORT_TO, even if it was sent before.")
@click.option("--week", "name", help="ISO week, such as 2026-W47; by default, the last one that is completely loaded.")
@click.option("--end", type=Day(), help="Last of the seven days, instead of a week: YYYY-MM-DD or yesterday.")
@one_clear_error
def weekly(file: Path | None, send: bool, name: str | None, end: dt.date | None) -> None:
    """Summarize a week: revenue, orders, margin, best products, compared with the week before and a year before.

    The numbers are those of the dashboards for the same days.
    """
    if file is None and not send:
        raise click.UsageError("say where to: --to FILE, --send, or both")
    if name is not None and end is not None:
        raise click.UsageError("--week and --end name the same thing: use one of them")
    settings = load_settings()
    if send:
        from ecommerce_platform.automation.summaries import parties

        parties(settings)  # fails before anything is read
    require_running(settings)
    from dashboards.weekly.page import page
    from dashboards.weekly.summary import read_summary
    from ecommerce_platform.automation.daily import what_is_loaded_now
    from ecommerce_platform.automation.summaries import chosen_week, send_summary
    from ecommerce_platform.files import write_atomically
    from ecommerce_platform.resources.database import Database, database_url

    show_the_currency_of(database_url(settings))
    now = dt.datetime.now(dt.UTC)
    loaded = what_is_loaded_now().days
    week = _named(name, end) or chosen_week(loaded, now.date())
    with console.status("Reading the sales"):
        summary = read_summary(Database(role="reader"), week, loaded, now)
    if file is not None:
        try:
            write_atomically(file, page(summary, settings.dashboard_url).encode())
        except OSError as error:
            raise click.UsageError(f"--to {file}: cannot be written: {error.strerror}") from None
        console.print(f"Wrote {week.name} to {file}.", markup=False)
    if send:
        console.print(send_summary(summary, settings, now, again=True), markup=False)


def _named(name: str | None, end: dt.date | None) -> Week | None:
    from dashboards.weekly.weeks import YEAR, Week

    try:
        week = Week(end) if end is not None else Week.named(name) if name is not None else None
        if week is not None:
            week.before(YEAR + 1)
    except (ValueError, OverflowError) as error:
        raise click.UsageError(str(error)) from None
    return week
