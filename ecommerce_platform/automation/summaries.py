"""The weekly summary: written to a file, sent by e-mail, and sent by a schedule every week.

The schedule exists once ECOMMERCE_REPORT_TO names a recipient. Every morning it asks the database whether the last week
is completely loaded, so that a day that comes late delays the summary instead of falsifying it. A record of each week
that was sent keeps a week from being sent twice.
"""

import datetime as dt
import json
from collections.abc import Collection
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from pathlib import Path
from typing import TYPE_CHECKING

from dagster import (
    DefaultScheduleStatus,
    Failure,
    JobDefinition,
    OpExecutionContext,
    RunRequest,
    ScheduleDefinition,
    ScheduleEvaluationContext,
    SkipReason,
    job,
    op,
    schedule,
)

from ecommerce_platform.addresses import mail_address, mail_addresses
from ecommerce_platform.automation.daily import what_is_loaded_now
from ecommerce_platform.automation.mail import POLICY, MailError, send
from ecommerce_platform.files import write_atomically
from ecommerce_platform.io_managers.connection import PostgresConnection
from ecommerce_platform.partitions import days_of_run, range_tags
from ecommerce_platform.resources.database import Database
from ecommerce_platform.settings import Settings, SettingsError, load_settings

if TYPE_CHECKING:
    # Its imports take longer than those of the definitions, and only the step and the command need them.
    from dashboards.weekly.summary import Summary
    from dashboards.weekly.weeks import Week

SENDING, SENT = "sending", "sent"


class SummaryError(RuntimeError):
    """There is no summary to write. The message says why, and what to do."""


def chosen_week(loaded: Collection[dt.date], today: dt.date) -> "Week":
    """The last ISO week before today that is completely loaded.

    Raises:
        SummaryError: there is none.
    """
    from dashboards.weekly.weeks import last_loaded_week

    week = last_loaded_week(loaded, today)
    if week is None:
        raise SummaryError(
            "No week from Monday to Sunday is completely loaded. See what is missing with: ecommerce-platform status;"
            " or name a week with --week"
        )
    return week


def message_of(summary: "Summary", settings: Settings, now: dt.datetime) -> EmailMessage:
    """The summary as a message: plain text, and HTML with its pictures.

    Raises:
        SettingsError: no recipient is set.
    """
    from dashboards.weekly.page import html, pictures, subject, text

    sender, recipients = parties(settings)
    message = EmailMessage(policy=POLICY)
    message["Subject"] = subject(summary)
    message["From"] = sender
    message["To"] = recipients
    message["Date"] = format_datetime(now)
    message["Message-ID"] = make_msgid(domain=sender.domain)
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text(summary, settings.dashboard_url))
    images = pictures(summary)
    ids = {name: make_msgid(name, domain=sender.domain) for name in images}
    sources = {name: f"cid:{content_id[1:-1]}" for name, content_id in ids.items()}
    message.add_alternative(html(summary, sources, settings.dashboard_url), subtype="html")
    page = message.get_body(("html",))
    assert isinstance(page, EmailMessage)
    for name, image in images.items():
        page.add_related(image, "image", "png", cid=ids[name], filename=f"{name}.png", disposition="inline")
    return message


def parties(settings: Settings) -> tuple[Address, tuple[Address, ...]]:
    """The sender and the recipients.

    Raises:
        SettingsError: no recipient is set.
    """
    if settings.report_to is None or settings.report_from is None:
        raise SettingsError(
            "ECOMMERCE_REPORT_TO is not set: nobody to send the summary to; for example"
            " ECOMMERCE_REPORT_TO=ada@example.com"
        )
    return mail_address(settings.report_from), mail_addresses(settings.report_to)


class Record:
    """Which weeks were sent: a file for each, which at most one process can create."""

    def __init__(self, folder: Path, week: str):
        self._file = folder / f"{week}.json"

    def state(self) -> tuple[str, str] | None:
        """Whether the week is being sent or was sent, and since when (ISO 8601); None if neither."""
        try:
            content = json.loads(self._file.read_text(encoding="utf-8"))
            return str(content["state"]), str(content["at"])
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError):
            return SENDING, "an unknown time"  # a crash left an empty file

    def claim(self, now: dt.datetime) -> bool:
        """Note that the week is about to be sent; whether nobody had noted that before."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        try:
            with self._file.open("x", encoding="utf-8") as file:
                file.write(_entry(SENDING, now))
        except FileExistsError:
            return False
        return True

    def confirm(self, now: dt.datetime) -> None:
        """Note that the week was sent."""
        write_atomically(self._file, _entry(SENT, now).encode())

    def release(self) -> None:
        """Forget a week that was not sent after all."""
        self._file.unlink(missing_ok=True)


def _entry(state: str, now: dt.datetime) -> str:
    return json.dumps({"state": state, "at": now.isoformat(timespec="seconds")}) + "\n"


def send_summary(summary: "Summary", settings: Settings, now: dt.datetime, *, again: bool) -> str:
    """Send the summary of a week, unless it was sent before.

    Args:
        summary: what to send.
        settings: name the mail server and the recipients.
        now: the current time.
        again: whether to send it even if it was sent before.

    Returns:
        One line that says what was done.

    Raises:
        SettingsError: no recipient is set.
        MailError: it was not sent. It can be sent later, unless the error says that it may have been sent.
    """
    sender, recipients = parties(settings)
    message = message_of(summary, settings, now)
    record = Record(settings.sent_summaries, summary.week.name) if summary.week.is_iso else None
    is_ours = record is not None and record.claim(now)
    if record is not None and not is_ours and not again:
        state, since = record.state() or (SENDING, "an unknown time")
        if state == SENT:
            return f"{summary.week.name} was sent already, at {since}."
        raise MailError(
            f"{summary.week.name} may have been sent: an attempt began at {since}, and its end is not known. To send it"
            f" again: ecommerce-platform report weekly --week {summary.week.name} --send",
            may_have_been_sent=True,
        )
    try:
        send(settings, message, sender, recipients)
    except MailError as error:
        if record is not None and is_ours and not error.may_have_been_sent:
            record.release()
        raise
    if record is not None:
        record.confirm(now)
    count = len(recipients)
    return f"Sent {summary.week.name} to {count} {'recipient' if count == 1 else 'recipients'}."


@op(description="Sends the summary of the last week that is completely loaded, or of the run's days, by e-mail.")
def send_weekly_summary(context: OpExecutionContext) -> None:
    """Send the week of the run's tags; without them, the last loaded one. Never a week twice."""
    from dashboards.weekly.summary import read_summary
    from dashboards.weekly.weeks import Week

    now = dt.datetime.now(dt.UTC)
    loaded = what_is_loaded_now().days
    days = days_of_run(context.run.tags)
    week = chosen_week(loaded, now.date()) if days is None else Week(days[1])
    reader: PostgresConnection = Database(role="reader")
    try:
        done = send_summary(read_summary(reader, week, loaded, now), load_settings(), now, again=False)
    except MailError as error:
        # A claim that stays would fail every retry.
        raise Failure(str(error), allow_retries=not error.may_have_been_sent) from None
    context.log.info(done)
    context.add_output_metadata({"week": week.name, "result": done})


@job(name="weekly_summary", description="Sends the weekly summary to ECOMMERCE_REPORT_TO.")
def weekly_summary_job() -> None:
    """One step."""
    send_weekly_summary()


@schedule(
    name="weekly_summary",
    job=weekly_summary_job,
    cron_schedule="0 6 * * *",
    execution_timezone="UTC",
    default_status=DefaultScheduleStatus.RUNNING,
    description="Sends the summary of the last week on Monday at 06:00 UTC, or on the first later day on which the week"
    " is completely loaded. It exists only if ECOMMERCE_REPORT_TO is set.",
)
def weekly_summary(context: ScheduleEvaluationContext):
    """One run for the last week, until it was sent; a tick that says why if there is none."""
    from dashboards.weekly.weeks import Week

    today = context.scheduled_execution_time.astimezone(dt.UTC).date()
    week = Week.before_day(today)
    state = Record(load_settings().sent_summaries, week.name).state()
    if state is not None:
        return SkipReason(f"{week.name} was {'sent' if state[0] == SENT else 'being sent'} at {state[1]}.")
    missing = week.missing(what_is_loaded_now().days)
    if missing:
        return SkipReason(f"{week.name} is not completely loaded: {', '.join(map(str, missing))}.")
    return RunRequest(run_key=f"{week.name}@{today}", tags=range_tags(*week.span))


def summary_jobs(settings: Settings) -> list[JobDefinition]:
    """The job, if there is a recipient."""
    return [] if settings.report_to is None else [weekly_summary_job]


def summary_schedules(settings: Settings) -> list[ScheduleDefinition]:
    """The schedule, if there is a recipient."""
    return [] if settings.report_to is None else [weekly_summary]
