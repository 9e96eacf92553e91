"""The sensor that sees new and changed files of the user's own, converts exports, and requests the days that changed.

Nothing here decides whether a day is loaded: the database does, as for the schedule and for ``up``. The sensor's cursor
only remembers how far it has come with the files as they are. So a daemon that is killed anywhere in between looks
again, finds the exports converted and the days still due, and requests them under the same run key.

The synthetic shop has no files, so it has no such sensor: one that always skips would only fill the list of ticks.
"""

import datetime as dt
import hashlib
import json
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum

from dagster import (
    DefaultSensorStatus,
    RunRequest,
    SensorDefinition,
    SensorEvaluationContext,
    SkipReason,
    sensor,
)

from ecommerce_platform.assets.external import observe_exports
from ecommerce_platform.automation.daily import daily_job, days_under_way
from ecommerce_platform.connectors.connector import read_connector
from ecommerce_platform.connectors.errors import ConnectorError
from ecommerce_platform.connectors.source_files import is_export, visible_files
from ecommerce_platform.feeds.columns import FEEDS, OPTIONAL_FEEDS
from ecommerce_platform.feeds.days import days_of_feed, spans_of
from ecommerce_platform.feeds.files import feed_file_name
from ecommerce_platform.files import states_of
from ecommerce_platform.instance.orphaned_runs import fail_orphaned_runs
from ecommerce_platform.io_managers.connection import ClientConnection
from ecommerce_platform.partitions import daily, range_tags
from ecommerce_platform.resources.database import Database
from ecommerce_platform.resources.exports import convert_exports, told_of
from ecommerce_platform.settings import Settings, load_settings
from ecommerce_platform.tables.loaded_days import Span, what_is_loaded
from ecommerce_platform.tables.raw_files import days_refused, days_taken, days_with_a_new_file, hashes_taken

MOST_AGAIN = 10
"""At most so many runs are requested for days that have failed before; ``up`` tries all of them."""

NEEDED = [feed for feed in FEEDS if feed not in OPTIONAL_FEEDS]
"""The feeds of which a complete day has a file."""


class Step(StrEnum):
    """How far the sensor has come with the files as they are."""

    RESTING = "resting"
    """They have changed and may still be being written."""
    WHOLE = "whole"
    """They have not changed for long enough."""
    CONVERTED = "converted"
    """They are converted, but a run is at work on one of the days that are due."""
    DONE = "done"
    """What they have changed is requested, or they cannot be converted."""


@dataclass(frozen=True)
class Seen:
    """The sensor's cursor.

    Attributes:
        state: a digest of the files, see :func:`state_of_files`.
        since: since when they have been the same, ISO 8601.
        step: how far the sensor has come with them.
        fault: why they cannot be converted; blank if they can.
    """

    state: str
    since: str
    step: Step = Step.RESTING
    fault: str = ""

    @classmethod
    def from_text(cls, text: str | None) -> "Seen | None":
        """The cursor that :meth:`to_text` gave; None for nothing, and for a text that somebody else wrote."""
        try:
            known = json.loads(text or "")
            dt.datetime.fromisoformat(known["since"])
            return cls(str(known["state"]), known["since"], Step(known["step"]), str(known["fault"]))
        except (ValueError, KeyError, TypeError):
            return None

    def to_text(self) -> str:
        """As JSON."""
        return json.dumps(asdict(self))


def look(before: Seen | None, state: str, now: dt.datetime, rest: dt.timedelta) -> Seen:
    """What the sensor knows of the files after a look at them.

    Args:
        before: what it knew.
        state: the digest of the files now.
        now: the moment of the look, with its time zone.
        rest: how long files must not change before they count as complete.
    """
    seen = before
    if seen is None or seen.state != state or dt.datetime.fromisoformat(seen.since) > now:
        seen = Seen(state, now.isoformat())
    if seen.step == Step.RESTING and now - dt.datetime.fromisoformat(seen.since) >= rest:
        return replace(seen, step=Step.WHOLE)
    return seen


def state_of_files(settings: Settings, last_day: dt.date) -> str:
    """A digest that changes with the files that can be loaded up to a day, and with what they are converted by.

    Files are compared by name, size and modification time; none is opened.

    Raises:
        ConnectorError: the connector or the folder is missing or wrong.
    """
    said: list[object] = [settings.source, settings.time_zone, last_day.isoformat()]
    if settings.connector_dir is not None:
        said += [read_connector(settings.connector_dir).digest, settings.currency]
        paths = [path for path in visible_files(settings.landing) if is_export(path)]
        paths += [] if settings.rates is None else [settings.rates]
    else:
        paths = [
            feed_file_name(settings.landing, feed, day)
            for feed in FEEDS
            for day in days_of_feed(settings.landing, feed)[0]
            if day <= last_day
        ]
    return _digest([*said, *states_of(paths)])


def days_due(
    complete: Collection[dt.date],
    changed: Collection[dt.date],
    passed: Collection[dt.date],
    refused: Collection[dt.date],
) -> list[Span]:
    """The runs that load what has changed, each a range of days.

    That is one run, from the first changed day to the last. It is divided only where a day in between would fail it:
    one without files, or one whose files, as they are, were refused or have failed their checks. Such days get runs of
    their own, which their run keys allow only once.

    Args:
        complete: the days with a file of each feed.
        changed: the days whose files have not been taken as they are.
        passed: the days whose files, as they are, have passed.
        refused: the days of which a file was refused.
    """
    fresh = set(complete).intersection(changed).difference(refused)
    doubtful = set(complete).difference(passed, fresh)
    days = set(complete) - doubtful
    runs = [
        (min(inside), max(inside))
        for first, last in spans_of(sorted(days))
        if (inside := [day for day in fresh if first <= day <= last])
    ]
    alone = [(day, day) for day in sorted(doubtful.intersection(refused))]
    return [*runs, *[*spans_of(sorted(doubtful.difference(refused))), *alone][:MOST_AGAIN]]


def due_now(connection: ClientConnection, settings: Settings, last_day: dt.date) -> list[Span]:
    """The runs that load what the files have changed, up to a day; see :func:`days_due`."""
    first_day = max(settings.first_day, _first_day())
    found = set.intersection(*(set(days_of_feed(settings.feed_files, feed)[0]) for feed in NEEDED))
    complete = {day for day in found if first_day <= day <= last_day}
    landed_again = days_with_a_new_file(connection, settings)
    changed = landed_again | (complete - days_taken(connection))
    passed = what_is_loaded(connection).without(landed_again).passed
    return days_due(complete, changed, passed, days_refused(connection))


def request(settings: Settings, span: Span, taken: Sequence[str]) -> RunRequest:
    """A request for a range of days. Its key says which files take the place of which: Dagster runs that once.

    Args:
        taken: the SHA-256 of the files of these days that were taken last: an old file may come back.
    """
    first, last = span
    days = [first + dt.timedelta(days=number) for number in range((last - first).days + 1)]
    files = states_of([feed_file_name(settings.feed_files, feed, day) for day in days for feed in FEEDS])
    return RunRequest(run_key=f"{first}..{last}@{_digest([files, *taken])[:16]}", tags=range_tags(first, last))


@sensor(
    name="landed_files",
    job=daily_job,
    minimum_interval_seconds=30,
    default_status=DefaultSensorStatus.RUNNING,
    description="Looks at the files in ECOMMERCE_LANDING_DIR. Once new or changed ones have not changed for"
    " ECOMMERCE_LANDING_REST_SECONDS, converts them if a connector is set, and requests the days that changed in one"
    " run.",
)
def landed_files(context: SensorEvaluationContext):
    """Look at the files; if they have come to rest, convert them and request what they have changed, once."""
    settings = load_settings()
    now = dt.datetime.now(dt.UTC)
    last_day = now.date() - dt.timedelta(days=1)
    rest = dt.timedelta(seconds=settings.landing_rest_seconds)
    try:
        state = state_of_files(settings, last_day)
        seen = look(Seen.from_text(context.cursor), state, now, rest)
        if seen.step == Step.WHOLE:
            seen = _convert(context, settings, seen, last_day)
            if state_of_files(settings, last_day) != state:
                # It may have been half a file: the next look begins again.
                seen = Seen(state, now.isoformat())
    except ConnectorError as error:
        return SkipReason(str(error))
    answer: SkipReason | list[RunRequest]
    if seen.step == Step.RESTING:
        seconds = f"{settings.landing_rest_seconds:g} seconds"
        answer = SkipReason(f"The files have changed. They are read once they have not changed for {seconds}.")
    elif seen.step == Step.DONE:
        answer = SkipReason(seen.fault or "No file has changed.")
    else:
        seen, answer = _request(context, seen, last_day)
    context.update_cursor(seen.to_text())
    return answer


def _convert(context: SensorEvaluationContext, settings: Settings, seen: Seen, last_day: dt.date) -> Seen:
    """Convert the files, and record them; files that cannot be converted are left alone until something changes."""
    try:
        converted = convert_exports(settings, last_day)
    except ConnectorError as error:
        context.log.error(str(error))
        return replace(seen, step=Step.DONE, fault=f"Waiting for other files: {error}"[:1000])
    if converted is not None:
        for line in told_of(settings, converted):
            context.log.info(line)
        observe_exports(context.instance, converted)
        if load_settings().first_day < (first_day := _first_day()):
            context.log.warning(f"Orders before {first_day} are loaded after a restart: ecommerce-platform up")
    return replace(seen, step=Step.CONVERTED)


def _request(
    context: SensorEvaluationContext, seen: Seen, last_day: dt.date
) -> tuple[Seen, SkipReason | list[RunRequest]]:
    """Request the days that are due, unless a run is at work on one of them, which may have read an older file."""
    settings = load_settings()
    fail_orphaned_runs(context.instance)
    under_way = days_under_way(context.instance)
    with Database(role="loader").connect() as connection:
        spans = due_now(connection, settings, last_day)
        requests = [request(settings, span, hashes_taken(connection, *span)) for span in spans]
    busy = [day for day in sorted(under_way) if any(str(first) <= day <= str(last) for first, last in spans)]
    if busy:
        return seen, SkipReason(f"A run is loading {busy[0]}. What has changed is requested after it.")
    done = replace(seen, step=Step.DONE)
    if not spans:
        return done, SkipReason("The files change no day.")
    return done, requests


def _first_day() -> dt.date:
    """The first day that the definitions know, whatever the settings have learned since these were loaded."""
    return daily.start.date()


def landed_sensors(settings: Settings) -> Sequence[SensorDefinition]:
    """The sensor, if there are files to see."""
    return [] if settings.source == "synthetic" else [landed_files]


def _digest(said: object) -> str:
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()
