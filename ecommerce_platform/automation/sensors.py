"""The sensor that watches runs, checks and freshness, and tells of what is wrong.

It looks at states, not at events: what is wrong now is held against what was open at the last look, which is the
sensor's cursor. So a restart tells nothing twice, and a recovery closes what it cured.
"""

import datetime as dt
from collections.abc import Collection, Iterator, Sequence

import psycopg
from dagster import (
    AssetKey,
    DagsterEventType,
    DagsterInstance,
    DagsterRun,
    DagsterRunStatus,
    DefaultSensorStatus,
    RunsFilter,
    SensorEvaluationContext,
    SkipReason,
    sensor,
)

from ecommerce_platform.automation.alerts import (
    CHECK,
    DATABASE,
    FORGET_AFTER,
    FRESHNESS,
    RUN,
    Book,
    Incident,
    compare,
    deliver,
)
from ecommerce_platform.automation.receivers import receivers
from ecommerce_platform.checks.results import failing_checks, last_results
from ecommerce_platform.instance.records import is_retried_automatically, stale_assets
from ecommerce_platform.io_managers.connection import PostgresConnection
from ecommerce_platform.partitions import days_of_run
from ecommerce_platform.resources.database import Database
from ecommerce_platform.settings import load_settings

RUNS_LOOKED_AT = 1000


@sensor(
    name="alerts",
    minimum_interval_seconds=60,
    default_status=DefaultSensorStatus.RUNNING,
    description="Reports failed runs, failed checks and stale tables to the log, and to ECOMMERCE_ALERT_WEBHOOK_URL and"
    " ECOMMERCE_ALERT_URLS if set. Each problem is reported once, and once more when it is resolved.",
)
def alerts(context: SensorEvaluationContext):
    """Look, log what changed, tell the receivers; one that is down is tried again at the next look."""
    settings = load_settings()
    assert context.repository_def is not None
    graph = context.repository_def.asset_graph
    book = Book.from_text(context.cursor)
    failing, undecided = problems(
        context.instance,
        settings.ui_url,
        sorted(graph.materializable_asset_keys),
        Database(role="loader"),
        book.incidents,
    )
    look = compare(book, failing, undecided, dt.datetime.now(dt.UTC))
    for incident in look.opened:
        context.log.error(f"{incident.title}. {incident.detail} {incident.link}")
    for incident in look.closed:
        context.log.info(f"Resolved: {incident.title}. {incident.link}")
    book, faults = deliver(look.book, receivers(settings))
    for error in faults:
        context.log.error(f"Alerts could not be delivered and will be sent again: {error}")
    context.update_cursor(book.to_text())
    return SkipReason(f"{len(book.incidents)} open, {len(look.opened)} new, {len(look.closed)} resolved")


def problems(
    instance: DagsterInstance,
    ui: str,
    assets: Sequence[AssetKey],
    database: PostgresConnection,
    known: Collection[str] = (),
) -> tuple[list[Incident], set[str]]:
    """Everything that is wrong now, and the keys of what nothing can be said about at this moment.

    Args:
        instance: whose records are read.
        ui: address of Dagster's UI, for the links.
        assets: whose freshness counts.
        database: the platform's, where the last results of its checks are.
        known: keys of incidents whose details need not be looked up again.
    """
    failing, is_answered = _checks(database, ui)
    undecided = set() if is_answered else {key for key in known if key.startswith(CHECK)}
    return [*_runs(instance, ui, known), *failing, *_freshness(instance, ui, assets)], undecided


def _runs(instance: DagsterInstance, ui: str, known: Collection[str]) -> Iterator[Incident]:
    """Failed runs that no later run has made good; an incident for each job and its days."""
    ended = [DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE]
    wanted = RunsFilter(statuses=ended, updated_after=dt.datetime.now(dt.UTC) - FORGET_AFTER)
    later: list[DagsterRun] = []
    seen: set[str] = set()
    for record in instance.get_run_records(filters=wanted, limit=RUNS_LOOKED_AT):  # newest first
        run = record.dagster_run
        if run.status == DagsterRunStatus.SUCCESS:
            later.append(run)
            continue
        days = days_of_run(run.tags)
        what = f"run {run.run_id[:8]}" if days is None else " to ".join(map(str, dict.fromkeys(days)))
        name = f"{run.job_name.strip('_')}, {what}"
        key = f"{RUN}{_root(run) if days is None else name}"
        # Dagster runs a run again whose process died: that one is not lost yet.
        if key in seen or is_retried_automatically(run) or any(_makes_good(other, run) for other in later):
            continue
        seen.add(key)
        detail = "" if key in known else _failed_steps(instance, run)
        # The moment of the failure: from then on it counts until it is forgotten, whenever it was seen.
        ended_at = dt.datetime.fromtimestamp(record.end_time or record.update_timestamp.timestamp(), dt.UTC)
        since = ended_at.isoformat(timespec="seconds")
        yield Incident(key, f"Run failed: {name}", detail, f"{ui}/runs/{run.run_id}", since)


def _root(run: DagsterRun) -> str:
    return run.root_run_id or run.run_id


def _makes_good(success: DagsterRun, failure: DagsterRun) -> bool:
    """Whether a later success is a re-execution, or did the same job's assets for the same days and maybe more."""
    if _root(success) == _root(failure):
        return True
    did, wanted = days_of_run(success.tags), days_of_run(failure.tags)
    if success.job_name != failure.job_name or did is None or wanted is None:
        return False
    if not (did[0] <= wanted[0] and wanted[1] <= did[1]):
        return False
    if not success.asset_selection:
        return True
    return bool(failure.asset_selection) and failure.asset_selection <= success.asset_selection


def _failed_steps(instance: DagsterInstance, run: DagsterRun) -> str:
    """Which steps failed. Not with which message: it may quote a row."""
    records = instance.get_records_for_run(run.run_id, of_type=DagsterEventType.STEP_FAILURE).records
    steps = sorted({record.event_log_entry.step_key or "" for record in records})
    tables = [step.removeprefix("check__").replace("__", ".") for step in steps]
    return f"Failed: {', '.join(dict.fromkeys(tables))}." if tables else "The process that executed the run exited."


def _checks(database: PostgresConnection, ui: str) -> tuple[list[Incident], bool]:
    """Checks that fail with severity ERROR over any days, one incident per check, and whether the database answers.

    That it does not is an incident of its own.
    """
    try:
        with database.connect() as connection:
            results = failing_checks(last_results(connection))
    except psycopg.OperationalError as error:
        reason = " ".join(str(error).split())
        return [Incident(DATABASE, "The database does not answer", reason, f"{ui}/runs")], False
    failing: dict[str, Incident] = {}
    for result in results:
        name = f"{result.table} {result.check}"
        link = f"{ui}/assets/{result.table.replace('.', '/')}?view=checks&checkDetail={result.check}"
        detail = f"{result.days}: {result.description}"
        failing.setdefault(f"{CHECK}{name}", Incident(f"{CHECK}{name}", f"Check failed: {name}", detail, link))
    return list(failing.values()), True


def _freshness(instance: DagsterInstance, ui: str, assets: Sequence[AssetKey]) -> Iterator[Incident]:
    """Assets that were not materialized in the time that their policy allows."""
    for key, since in stale_assets(instance, assets).items():
        name = ".".join(key.path)
        text = f"Not materialized in time; its freshness failed at {since:%Y-%m-%d %H:%M} UTC."
        yield Incident(f"{FRESHNESS}{name}", f"No longer fresh: {name}", text, f"{ui}/assets/{'/'.join(key.path)}")
