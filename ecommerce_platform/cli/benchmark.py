"""``bench``: prints what :mod:`.bench` measures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.table import Table

from ecommerce_platform.cli.terminal import console, one_clear_error, show
from ecommerce_platform.settings import load_settings

if TYPE_CHECKING:
    pass


@click.command()
@click.option("--orders", type=click.IntRange(1_000, 30_000_000), default=1_000_000, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@click.option("--folder", type=click.Path(path_type=Path), help="Where its files lie; about 2 KB an order.")
@click.option("--plans", type=click.Path(path_type=Path), help="Write the plans of the extracts' queries to this file.")
@one_clear_error
def bench(orders: int, as_json: bool, folder: Path | None, plans: Path | None) -> None:
    """Measure the platform beside plain SQL in psql: the same files, the same tables, the same server.

    Works in a folder and on a server of its own, a year of the synthetic shop, and removes both.
    """
    from ecommerce_platform.cli.bench import run_bench

    measured = run_bench(orders, (folder or load_settings().data / "bench").absolute(), console.print, plans)
    if as_json:
        click.echo(measured.to_json())
        return
    table = Table("measure", "value", title=f"{measured.orders:,} orders, {measured.rows:,} rows")
    table.columns[1].justify = "right"
    for name, value in json.loads(measured.to_json()).items():
        for label, figure in value.items() if isinstance(value, dict) else [(name, value)]:
            table.add_row(label, f"{figure:,}")
    show(table)
