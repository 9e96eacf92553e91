"""``bench`` and ``manifest``: commands for developers of the platform."""

from __future__ import annotations

import datetime as dt
import json
import os
import platform
import tempfile
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.table import Table

from ecommerce_platform.cli.terminal import console, one_clear_error, show
from ecommerce_platform.settings import load_settings

if TYPE_CHECKING:
    from ecommerce_platform.cli.bench import Measured


@click.command()
@click.option(
    "--orders", type=click.IntRange(1_000, 30_000_000), default=1_000_000, show_default=True, help="Number of orders."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    help="Temporary folder, which must not exist; needs about 2 KB per order.",
)
@click.option(
    "--plans", type=click.Path(path_type=Path), help="Also write the query plans of the extracts to this file."
)
@click.option(
    "--history",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Also append the result to this file, one JSON object per line, and print the one before it beside it.",
)
@click.option("--dbt", "with_dbt", is_flag=True, help="Also build the same tables with dbt.")
@one_clear_error
def bench(
    orders: int, as_json: bool, folder: Path | None, plans: Path | None, history: Path | None, with_dbt: bool
) -> None:
    """Compare the platform with plain SQL in psql: the same files, tables and server.

    Loads a year of the synthetic shop into a temporary folder and database server, and removes both afterwards.
    """
    from ecommerce_platform.cli.bench import run_bench

    earlier = _earlier(history)
    measured = run_bench(orders, (folder or load_settings().data / "bench").absolute(), console.print, plans, with_dbt)
    if history is not None:
        _remember(history, measured)
    if as_json:
        click.echo(measured.to_json())
        return
    before = next((each for each in reversed(earlier) if each["orders"] == measured.orders), None)
    table = Table("measure", "value", title=f"{measured.orders:,} orders, {measured.rows:,} rows")
    if before is not None:
        table.add_column(f"on {before['machine']['measured_at'][:16]}")
    for column in table.columns[1:]:
        column.justify = "right"
    known = dict(_figures(before or {}))
    for label, figure in _figures(json.loads(measured.to_json())):
        table.add_row(label, figure, *([] if before is None else [known.get(label, "")]))
    show(table)


def _earlier(history: Path | None) -> Sequence[dict[str, Any]]:
    """The results in a history file, oldest first; none if it does not exist.

    Raises:
        UsageError: a line is not a result.
    """
    if history is None:
        return []
    try:
        history.open("a").close()  # now, and not after minutes of measuring
    except OSError as error:
        raise click.UsageError(f"--history {history}: {error.strerror}") from None
    results: list[dict[str, Any]] = []
    for number, line in enumerate(history.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            result = json.loads(line)
            result["orders"], result["machine"]["measured_at"][:16]
        except (ValueError, KeyError, TypeError):
            raise click.UsageError(f"--history {history}: line {number} is not a result of bench") from None
        results.append(result)
    return results


def _remember(history: Path, measured: Measured) -> None:
    machine = {
        "measured_at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "version": metadata.version("ecommerce-platform"),
    }
    with history.open("a", encoding="utf-8") as file:
        file.write(json.dumps({"machine": machine, **json.loads(measured.to_json())}) + "\n")


def _figures(measured: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The name and the text of each figure of a benchmark; what was not measured is left out."""
    for name, value in measured.items():
        if value is None or name == "machine":
            continue
        for label, figure in value.items() if isinstance(value, dict) else [(name, value)]:
            figures = figure if isinstance(figure, list) else [figure]
            yield label, "  ".join(f"{each:,}" for each in figures)


@click.command("manifest")
@one_clear_error
def write_manifest() -> None:
    """Update sql/manifest.json and docs/data-dictionary.md after a change to sql/ or ecommerce_platform/schemas.

    The manifest describes the columns, lineage and contracts of all tables. The command starts a temporary server.
    """
    from ecommerce_platform.checks.manifest_builder import build_manifest, manifest_text
    from ecommerce_platform.files import write_atomically
    from ecommerce_platform.postgres.ddl import apply_ddl
    from ecommerce_platform.postgres.embedded import EmbeddedPostgres
    from ecommerce_platform.tables.dictionary import DICTIONARY, data_dictionary
    from ecommerce_platform.tables.manifest import MANIFEST, from_json

    with tempfile.TemporaryDirectory(prefix="ecommerce-manifest-") as folder:
        server = EmbeddedPostgres(Path(folder) / "postgres", {"fsync": "off"})
        server.start()
        try:
            server.create_database("manifest")
            apply_ddl(server.url("manifest"))
            built = build_manifest(server.url("manifest"))
        finally:
            server.stop("immediate")
    dictionary = data_dictionary({table: from_json(held) for table, held in built.items()})
    for path, text in ((MANIFEST, manifest_text(built)), (DICTIONARY, dictionary)):
        has_changed = not path.exists() or path.read_text(encoding="utf-8") != text
        if has_changed:
            write_atomically(path, text.encode(), 0o644)
        console.print(f"{path.name} {'was updated' if has_changed else 'is up to date'}.")
