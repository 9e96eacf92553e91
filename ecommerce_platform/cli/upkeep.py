"""``maintenance``, ``clean-data``, ``watch`` and ``alert-test``: upkeep of the platform."""

from __future__ import annotations

import datetime as dt
import json
import shutil
import sys
import time
from contextlib import suppress
from pathlib import Path

import click
from rich.table import Table

from ecommerce_platform.cli.loading import somebody_loads
from ecommerce_platform.cli.preparation import dagster_instance, require_running
from ecommerce_platform.cli.terminal import EXIT_FAILED, console, end_when_told, one_clear_error, show
from ecommerce_platform.settings import SettingsError, load_settings

WRITTEN_BY_US = (
    *("raw", "converted", "analytics", "monitoring", "postgres", "dagster", "bench", "sent_summaries"),
    *("first_day", "currency", "up.lock"),
)
"""The entries that the platform creates in the data folder, which ``clean-data`` may delete."""


TICK_SECONDS = 60
"""Seconds between checks by ``up`` and ``watch`` that sensors tick."""


@click.command()
@click.option("--dry-run", is_flag=True, help="Show what would be deleted, and delete nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@one_clear_error
def maintenance(dry_run: bool, as_json: bool) -> None:
    """Delete records older than ECOMMERCE_RETENTION_DAYS that are no longer needed, as the weekly job does.

    These are Dagster's runs, events, ticks and logs, and files that a crash left. The record of loaded days, the last
    result of every check and every staging slice that production was built from are retained.
    """
    settings = load_settings()
    require_running(settings)
    from ecommerce_platform.instance.retention import plan
    from ecommerce_platform.resources.database import Database

    done = []
    with dagster_instance() as instance:
        for task in plan(instance, Database(role="loader"), settings, dt.datetime.now(dt.UTC)):
            if not dry_run:
                task.delete()
            done.append({"what": task.name, "count": task.count, "bytes": task.size})
    if as_json:
        click.echo(json.dumps({"dry_run": dry_run, "deleted": done}, indent=2))
        return
    table = Table("what", "count", "bytes", title="Would delete" if dry_run else "Deleted")
    for column in table.columns[1:]:
        column.justify = "right"
    for row in done:
        table.add_row(str(row["what"]), f"{row['count']:,}", f"{row['bytes']:,}")
    show(table)
    console.print(
        f"Retained: everything from the last {settings.retention_days} days (ECOMMERCE_RETENTION_DAYS), and older"
        " records that are still needed."
    )


@click.command()
@click.option(
    "--heartbeat",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File to touch after each look, for a health check.",
)
@one_clear_error
def watch(heartbeat: Path | None) -> None:
    """Send an alert when Dagster's sensors stop ticking. `up` does this itself; only containers need this command."""
    from ecommerce_platform.automation.pulse import TickWatch
    from ecommerce_platform.automation.receivers import receivers

    end_when_told()
    settings = load_settings()
    require_running(settings)
    with dagster_instance() as instance:
        now = dt.datetime.now(dt.UTC)
        ticks = TickWatch(instance, console.print, receivers(settings), settings.ui_url, now)
        while True:
            if ticks.look(dt.datetime.now(dt.UTC)) and heartbeat is not None:
                heartbeat.touch()
            time.sleep(TICK_SECONDS)


@click.command("alert-test")
@one_clear_error
def alert_test() -> None:
    """Send a test message to the webhook of ECOMMERCE_ALERT_WEBHOOK_URL and to each URL of ECOMMERCE_ALERT_URLS."""
    from ecommerce_platform.automation.alerts import DeliveryError, Incident
    from ecommerce_platform.automation.receivers import receivers

    settings = load_settings()
    found = receivers(settings)
    if not found:
        raise click.UsageError(
            "Neither ECOMMERCE_ALERT_WEBHOOK_URL nor ECOMMERCE_ALERT_URLS is set: alerts go to the log only"
        )
    now = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
    has_failed = False
    for receiver in found:
        try:
            receiver.tell([Incident("test", "Only a test", "", settings.ui_url, now)], [])
        except DeliveryError as error:
            has_failed = True
            console.print(f"Not delivered: {error}", style="red", markup=False)
        else:
            console.print(f"Delivered to {receiver.name}.", markup=False)
    if has_failed:
        sys.exit(EXIT_FAILED)


@click.command("clean-data")
@click.confirmation_option(prompt="This stops the embedded server and deletes the data folder. Continue?")
@one_clear_error
def clean_data() -> None:
    """Stop the embedded server and delete the data folder: the files, and the embedded database.

    A database in ECOMMERCE_DATABASE_URL is not deleted; db reset empties it. Nor are files in ECOMMERCE_STORAGE_URL.
    """
    from ecommerce_platform.cli.supervisor import FolderLock
    from ecommerce_platform.resources.database import EMBEDDED_DATABASE, embedded_server

    settings = load_settings()
    strangers = sorted(path.name for path in settings.data.glob("*") if path.name not in WRITTEN_BY_US)
    if strangers:
        raise SettingsError(
            f"ECOMMERCE_DATA_DIR: {settings.data} contains files that the platform did not write"
            f" ({', '.join(strangers[:5])}): move them away, or delete the folder yourself"
        )
    if settings.data.exists():
        # No `up` may be serving from the folder.
        lock = FolderLock(settings.data / "up.lock")
        lock.take({}, patience=0)
        lock.give_back()
    server = embedded_server(settings)
    if server.is_running() and somebody_loads(server.url(EMBEDDED_DATABASE)):
        raise SettingsError(f"ECOMMERCE_DATA_DIR: a load is writing to {settings.data}: stop it first")
    server.stop()
    files, size = 0, 0
    for path in settings.data.rglob("*"):
        with suppress(FileNotFoundError):
            files, size = files + path.is_file(), size + path.lstat().st_size * path.is_file()
    shutil.rmtree(settings.data, ignore_errors=True)
    if settings.data.exists():
        raise SettingsError(
            f"ECOMMERCE_DATA_DIR: {settings.data} could not be deleted; its files belong to another user"
        )
    console.print(f"Deleted {settings.data}: {files:,} files, {size / 1e6:,.0f} MB.", markup=False)
    if settings.storage_url:
        console.print(f"The files in {settings.storage} (ECOMMERCE_STORAGE_URL) are left.", markup=False)
