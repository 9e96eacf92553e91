"""From table checks to Dagster's asset checks: one step per table, and one for all of staging."""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from itertools import groupby
from typing import Any

import psycopg
from dagster import (
    AssetCheckExecutionContext,
    AssetCheckResult,
    AssetChecksDefinition,
    AssetCheckSeverity,
    AssetCheckSpec,
    AssetKey,
    MetadataValue,
    TableColumn,
    TableRecord,
    TableSchema,
    multi_asset_check,
)

from ecommerce_platform.checks.outcome import CheckOutcome, TableCheck
from ecommerce_platform.checks.results import record_results
from ecommerce_platform.io_managers.failures import retry_if_transient
from ecommerce_platform.partitions import window_of_run
from ecommerce_platform.resources.database import Database
from ecommerce_platform.resources.stored import retry_later
from ecommerce_platform.storage import StorageError

AT_ONCE = 2
"""Checks of one step that run at the same time, each on a connection of its own."""

LOOK_AGAIN = 0.2
"""Seconds after which a step that waits for its checks can be interrupted."""


def asset_checks(checks: Iterable[TableCheck]) -> list[AssetChecksDefinition]:
    """Blocking asset checks, the checks of a table in one step, and those of staging together: production waits for all
    of its tables anyway, and the long check of one leaves a core to the others. Each can also be run alone.

    All are blocking, so that they come before what is downstream; a WARN stops nothing all the same. They
    need the resource ``database``, and look at the days of the run, or at whole tables when the run has none.
    """
    by_step = groupby(sorted(checks, key=lambda check: check.table), key=_step_of)
    return [_checks_of_step(step, list(group)) for step, group in by_step]


def _step_of(check: TableCheck) -> str:
    return f"check__{'staging' if check.table.startswith('staging.') else check.table.replace('.', '__')}"


def _checks_of_step(step: str, checks: Sequence[TableCheck]) -> AssetChecksDefinition:
    by_key = {(check.table, check.name): check for check in checks}
    if len(by_key) < len(checks):
        raise ValueError(f"{step}: two checks have one name among {', '.join(check.name for check in checks)}")

    @multi_asset_check(
        name=step,
        description=f"Runs the checks of {', '.join(sorted({check.table for check in checks}))}.",
        specs=[_spec(check) for check in checks],
        can_subset=True,
    )
    def evaluate(context: AssetCheckExecutionContext, database: Database) -> Iterator[AssetCheckResult]:
        window = window_of_run(context.run.tags)
        wanted = {(".".join(key.asset_key.path), key.name) for key in context.selected_asset_check_keys}
        selected = [check for key, check in by_key.items() if key in wanted]

        def judge(check: TableCheck) -> CheckOutcome:
            with database.connect() as connection:
                return check.run(connection, window)

        # They only read. A table's contract, its first check, uses several cores; the last ones need one the longest.
        pool = ThreadPoolExecutor(AT_ONCE)
        try:
            futures = [(check, pool.submit(judge, check)) for check in reversed(selected)]
            # In short waits, because an interrupt reaches this thread between two of them.
            while wait([future for _, future in futures], LOOK_AGAIN).not_done:
                pass
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
        judged = [(check, future) for check, future in reversed(futures)]
        known = [(check, future.result()) for check, future in judged if future.exception() is None]
        try:
            with database.connect() as connection:
                record_results(connection, window, known)
            for check, outcome in known:
                yield asset_check_result(check, outcome)
            for _, future in judged:
                future.result()
        except psycopg.Error as error:
            retry_if_transient(error)
            raise
        except StorageError as error:
            retry_later(error)
            raise

    return evaluate


def _spec(check: TableCheck) -> AssetCheckSpec:
    return AssetCheckSpec(
        name=check.name,
        asset=AssetKey(check.table.split(".")),
        description=check.description,
        blocking=True,
        additional_deps=[AssetKey(table.split(".")) for table in check.reads],
        metadata={"severity": check.severity},
    )


def asset_check_result(check: TableCheck, outcome: CheckOutcome) -> AssetCheckResult:
    """An outcome as Dagster shows it: integers become plots, failing rows a table."""
    metadata: dict[str, Any] = {
        "rows_tested": outcome.rows_tested,
        "violations": outcome.violations,
        **{
            name: MetadataValue.md(f"```\n{value}\n```") if isinstance(value, str) and "\n" in value else value
            for name, value in outcome.metadata.items()
        },
    }
    if outcome.samples:
        names = list(dict.fromkeys(name for sample in outcome.samples for name in sample))
        metadata["failing_rows"] = MetadataValue.table(
            [TableRecord({name: sample.get(name) or "" for name in names}) for sample in outcome.samples],
            TableSchema([TableColumn(name) for name in names]),
        )
    return AssetCheckResult(
        asset_key=AssetKey(check.table.split(".")),
        check_name=check.name,
        passed=outcome.passed,
        severity=AssetCheckSeverity.ERROR if check.severity == "ERROR" else AssetCheckSeverity.WARN,
        description=outcome.description,
        metadata=metadata,
    )
