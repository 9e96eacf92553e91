"""``status`` and ``verify``: what is loaded, what is missing, what fails."""

from __future__ import annotations

import datetime as dt
import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click
from rich.table import Table

from ecommerce_platform.cli.preparation import dagster_instance, require_running
from ecommerce_platform.cli.terminal import EXIT_FAILED, console, one_clear_error, progress_bar, show, yesterday
from ecommerce_platform.settings import Settings, load_settings

if TYPE_CHECKING:
    from ecommerce_platform.checks.results import CheckResult


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@one_clear_error
def status(as_json: bool) -> None:
    """Show what is loaded, missing or failing: days, rows per table, and the last materialization of each table.

    Exits with status 1 if a check with severity ERROR fails.
    """
    settings = load_settings()
    require_running(settings)
    with dagster_instance() as instance:
        from ecommerce_platform.automation.daily import what_is_loaded_now
        from ecommerce_platform.reports.status import failing_checks_now, table_states
        from ecommerce_platform.tables.raw_files import last_day_to_load

        loaded = what_is_loaded_now()
        end = last_day_to_load(settings, yesterday())
        missing = loaded.missing(settings.first_day, end)
        states = table_states(instance)
        failing = failing_checks_now()
    if as_json:
        answer = {
            "missing_days": [[first.isoformat(), last.isoformat()] for first, last in missing],
            "behind": loaded.behind,
            "failing_checks": [result.to_json() for result in failing],
            "tables": [state.to_json() for state in states],
        }
        click.echo(json.dumps(answer, indent=2))
        sys.exit(EXIT_FAILED if failing else 0)
    table = Table("table", "rows", "latest day", "last materialized (UTC)", title="Tables")
    table.columns[1].justify = "right"
    for state in states:
        moment = f"{state.materialized_at:%Y-%m-%d %H:%M:%S}" if state.materialized_at else "never"
        table.add_row(state.table, f"{state.rows:,}", str(state.latest_day or ""), moment)
    show(table)
    if loaded.behind:
        console.print(
            f"Not up to date: {', '.join(loaded.behind)}. The next run, for any day, applies the pending changes:"
            " ecommerce-platform up --no-serve",
            markup=False,
        )
    tell_missing(missing, settings)
    if not missing:
        console.print(f"Every day from {settings.first_day} to {end} is loaded.")
    if tell_failing_checks(failing):
        sys.exit(EXIT_FAILED)


def tell_missing(missing: Sequence[tuple[dt.date, dt.date]], settings: Settings) -> None:
    """Print the days that are not loaded, and how to load them."""
    if missing:
        spans = ", ".join(str(a) if a == b else f"{a} to {b}" for a, b in missing)
        drop = "Load" if settings.source == "synthetic" else f"Put their files into {settings.landing}, then load"
        console.print(f"Missing days: {spans}. {drop} them with: ecommerce-platform up --no-serve", markup=False)


def tell_failing_checks(failing: Sequence[CheckResult]) -> bool:
    """Print the failing checks and what to do; return whether there are any."""
    for result in failing:
        told = f"{result.table} {result.check} failed over {result.days}: {result.description}"
        console.print(told, style="red", markup=False)
    if failing:
        console.print("A check stays failed until it passes for these days: run them again, or run `verify`.")
    return bool(failing)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@one_clear_error
def verify(as_json: bool) -> None:
    """Check every promise across the whole database: numbers agree, no row is lost, history has no gaps.

    Exits with status 1 if a check fails, and shows the rows.
    """
    settings = load_settings()
    require_running(settings)
    from ecommerce_platform.checks.verify import all_verification_checks
    from ecommerce_platform.checks.verify import verify as run_checks
    from ecommerce_platform.resources.database import Database, database_url

    outcomes = []
    with Database(role="loader").connect() as connection, progress_bar() as progress:
        task = progress.add_task("verifying", total=None)
        for outcome in run_checks(connection, all_verification_checks(database_url(settings))):
            outcomes.append(outcome)
            progress.update(task, description=f"{outcome.table} {outcome.name}", completed=len(outcomes))
    failed = [outcome for outcome in outcomes if not outcome.passed and outcome.severity == "ERROR"]
    if as_json:
        click.echo(json.dumps([_outcome_json(outcome) for outcome in outcomes], indent=2, default=str))
    else:
        table = Table("table", "check", "result", "rows", "violations", title="Verification")
        for column in table.columns[3:]:
            column.justify = "right"
        for outcome in outcomes:
            result = "ok" if outcome.passed else "FAILED" if outcome.severity == "ERROR" else "warning"
            result = result if outcome.is_judged else "not evaluated"
            style = {"ok": None, "FAILED": "bold red"}.get(result, "yellow")
            counts = (f"{outcome.rows_tested or 0:,}", f"{outcome.violations or 0:,}")
            table.add_row(outcome.table, outcome.name, result, *counts, style=style)
        show(table)
        for outcome in outcomes:
            if not outcome.passed or not outcome.is_judged:
                console.print(f"\n{outcome.table} {outcome.name}: {outcome.description}", markup=False)
                for sample in outcome.samples:
                    console.print(f"  {sample}", markup=False)
    warnings = sum(not outcome.passed for outcome in outcomes) - len(failed)
    console.print(f"\n{len(outcomes)} checks, {len(failed)} failed, {warnings} warnings")
    if failed:
        sys.exit(EXIT_FAILED)


def _outcome_json(outcome: Any) -> dict[str, Any]:
    names = ("table", "name", "severity", "passed", "is_judged", "rows_tested", "violations", "description", "samples")
    return {name: getattr(outcome, name) for name in names}
