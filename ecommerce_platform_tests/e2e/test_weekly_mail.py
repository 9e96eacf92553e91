"""The weekly summary by e-mail, by hand and by its schedule, from a loaded platform to a real mail server."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner, Result
from dagster import DagsterInstance, ExecuteInProcessResult, RunRequest, SkipReason, build_schedule_context

from ecommerce_platform import cli
from ecommerce_platform.automation.runner import run_days
from ecommerce_platform.automation.sensors import problems
from ecommerce_platform.automation.summaries import Record, weekly_summary, weekly_summary_job
from ecommerce_platform.definitions import build_definitions, defs
from ecommerce_platform.postgres.ddl import apply_ddl
from ecommerce_platform.resources.database import Database, database_url, embedded_server
from ecommerce_platform.settings import PROJECT_DIR, load_settings
from ecommerce_platform_tests.harness import day
from ecommerce_platform_tests.mailbox import Mailbox, mail_server

DAYS = 15
"""Two weeks, the first day of which is a Monday, and a day."""

MONDAY = dt.datetime(2024, 1, 15, 6, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DagsterInstance]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "DATA_DIR": str(tmp_path_factory.mktemp("platform")),
            "ORDERS_PER_DAY": "20",
            "CUSTOMERS": "60",
            "PRODUCTS": "40",
        }.items():
            patch.setenv(f"ECOMMERCE_{name}", value)
        # The commands prepare .env for Dagster; tests must not change the developer's file.
        patch.setattr("ecommerce_platform.instance.home.set_key", lambda *_: None)
        patch.setattr("ecommerce_platform.cli.dotenv.load_dotenv", lambda *_, **__: None)
        load_settings.cache_clear()
        apply_ddl(database_url(load_settings()))
        with DagsterInstance.from_config(str(PROJECT_DIR)) as instance:
            assert run_days(defs, instance, day(1), day(DAYS)).success
            yield instance
        embedded_server(load_settings()).stop("immediate")
    load_settings.cache_clear()


@pytest.fixture
def box(instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mailbox]:
    """A mail server that the settings name; nothing is sent yet."""
    with mail_server() as box:
        for name, value in {
            "SMTP_HOST": "localhost",
            "SMTP_PORT": str(box.port),
            "SMTP_SECURITY": "none",
            "REPORT_FROM": "Shop <shop@example.com>",
            "REPORT_TO": "ada@example.com, Grace Hopper <grace@example.com>",
            "DASHBOARD_URL": "https://dash.example.com",
        }.items():
            monkeypatch.setenv(f"ECOMMERCE_{name}", value)
        load_settings.cache_clear()
        yield box
    for week in ("2024-W01", "2024-W02"):
        Record(load_settings().sent_summaries, week).release()
    load_settings.cache_clear()


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli.main, ["report", "weekly", *arguments])


def tick(instance: DagsterInstance, moment: dt.datetime = MONDAY) -> RunRequest | SkipReason:
    found = weekly_summary(build_schedule_context(instance, moment))
    assert isinstance(found, RunRequest | SkipReason)
    return found


def execute(instance: DagsterInstance, request: RunRequest | SkipReason) -> ExecuteInProcessResult:
    assert isinstance(request, RunRequest)
    return weekly_summary_job.execute_in_process(instance=instance, tags=dict(request.tags), raise_on_error=False)


def revenue(first: int, last: int) -> str:
    with psycopg.connect(database_url(load_settings())) as connection:
        row = connection.execute(
            "select sum(revenue) from warehouse.fact_sales where sale_date between %s and %s", (day(first), day(last))
        ).fetchone()
    assert row is not None
    return f"${row[0]:,}"


def test_by_hand_the_last_loaded_week_is_written_and_sent(box: Mailbox, tmp_path: Path) -> None:
    file = tmp_path / "reports" / "week.html"
    done = run("--to", str(file), "--send")
    assert done.exit_code == 0, done.output
    assert "Sent 2024-W02 to 2 recipients." in done.output
    (message,) = box.messages
    assert box.envelopes == [("shop@example.com", ["ada@example.com", "grace@example.com"])]
    assert str(message["To"]) == "ada@example.com, Grace Hopper <grace@example.com>"
    assert str(message["Subject"]).startswith("Week 2024-W02: $")
    plain, page = message.get_body(("plain",)), message.get_body(("html",))
    assert plain is not None
    assert page is not None
    for content in (plain.get_content(), page.get_content(), file.read_text()):
        assert revenue(8, 14) in content
        assert revenue(1, 7) in content
        assert "https://dash.example.com/?from=2024-01-08&" in content
    pictures = {part["Content-ID"]: part for part in message.walk() if part.get_content_type() == "image/png"}
    assert len(pictures) == 2
    for content_id, picture in pictures.items():
        assert f'src="cid:{content_id[1:-1]}"' in page.get_content()
        assert picture.get_content()[:4] == b"\x89PNG"
        assert picture.get_content_disposition() == "inline"
    assert [part.get_content_type() for part in message.walk()] == [
        "multipart/alternative",
        "text/plain",
        "multipart/related",
        "text/html",
        "image/png",
        "image/png",
    ]
    assert (file.stat().st_mode & 0o777) == 0o600


def test_by_hand_a_week_is_sent_again_and_the_schedule_knows(box: Mailbox, instance: DagsterInstance) -> None:
    assert run("--send").exit_code == 0
    assert run("--send", "--week", "2024-W02").exit_code == 0
    assert len(box.messages) == 2
    skipped = tick(instance)
    assert isinstance(skipped, SkipReason)
    assert str(skipped.skip_message).startswith("2024-W02 was sent at ")


def test_seven_days_to_any_day_can_be_written(box: Mailbox, tmp_path: Path) -> None:
    done = run("--to", str(tmp_path / "days.html"), "--end", "2024-01-12")
    assert done.exit_code == 0, done.output
    assert revenue(6, 12) in (tmp_path / "days.html").read_text()
    assert "Seven days to Fri 12 Jan 2024" in (tmp_path / "days.html").read_text()
    assert box.messages == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "say where to"),
        (("--to", "x", "--week", "2024-W01", "--end", "2024-01-07"), "use one of them"),
        (("--to", "x", "--week", "2024-W60"), "there is no such week"),
        (("--to", "x", "--end", "0001-01-03"), "date value out of range"),
    ],
)
def test_a_wrong_option_is_one_clear_error(box: Mailbox, arguments: tuple[str, ...], said: str) -> None:
    done = run(*arguments)
    assert done.exit_code == 2
    assert said in done.output


def test_what_goes_wrong_by_hand_is_one_message(box: Mailbox, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = run("--to", str(tmp_path / "file" / "week.html"))
    assert done.exit_code == 2
    assert "cannot be written" in done.output
    box.refused = "ada@example.com"
    done = run("--send")
    assert done.exit_code == 1
    assert f"localhost:{box.port} refused the recipient ada@example.com" in " ".join(done.output.split())
    assert isinstance(done.exception, SystemExit)
    assert Record(load_settings().sent_summaries, "2024-W02").state() is None
    # A day of each week has a later load that has not passed.
    with psycopg.connect(database_url(load_settings()), autocommit=True) as connection:
        newer = "update platform.slices set load_id = load_id + %s where slice = any(%s)"
        connection.execute(newer, (1_000_000, [day(3), day(10)]))
        done = run("--to", str(tmp_path / "week.html"))
        connection.execute(newer, (-1_000_000, [day(3), day(10)]))
    assert done.exit_code == 1
    assert "No week from Monday to Sunday is completely loaded." in done.output


def test_nobody_to_send_to_is_said_before_anything_is_read(
    box: Mailbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("ECOMMERCE_REPORT_TO")
    load_settings.cache_clear()
    done = run("--send", "--to", str(tmp_path / "week.html"))
    assert done.exit_code == 2
    assert "ECOMMERCE_REPORT_TO is not set" in done.output
    assert not (tmp_path / "week.html").exists()


def test_without_a_recipient_there_is_no_schedule(box: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    assert build_definitions().resolve_schedule_def("weekly_summary").cron_schedule == "0 6 * * *"
    monkeypatch.delenv("ECOMMERCE_REPORT_TO")
    load_settings.cache_clear()
    without = build_definitions()
    assert {each.name for each in without.schedules or ()} == {"every_day", "every_week"}
    assert "weekly_summary" not in {each.name for each in without.jobs or ()}


def test_the_schedule_sends_a_week_once(box: Mailbox, instance: DagsterInstance) -> None:
    request = tick(instance)
    assert execute(instance, request).success
    assert len(box.messages) == 1
    assert str(box.messages[0]["Subject"]).startswith("Week 2024-W02: $")
    assert isinstance(tick(instance), SkipReason)
    assert isinstance(tick(instance, MONDAY + dt.timedelta(days=1)), SkipReason)
    # Somebody executes the run again.
    assert execute(instance, request).success
    assert len(box.messages) == 1


def test_a_week_that_is_not_completely_loaded_waits(box: Mailbox, instance: DagsterInstance) -> None:
    skipped = tick(instance, MONDAY + dt.timedelta(days=7))
    assert isinstance(skipped, SkipReason)
    days = ", ".join(str(day(number)) for number in range(16, 22))
    assert skipped.skip_message == f"2024-W03 is not completely loaded: {days}."


def test_a_failed_sending_fails_the_run_and_the_next_morning_tries_again(
    box: Mailbox, instance: DagsterInstance
) -> None:
    box.answer = "451 4.3.0 try later"
    failed = execute(instance, tick(instance))
    assert not failed.success
    (failure,) = [event for event in failed.all_node_events if event.is_step_failure]
    told = failure.step_failure_data.user_failure_data
    assert told is not None
    assert told.description == (
        f"The mail server localhost:{box.port} refused the message: 451 4.3.0 try later Nothing was sent."
    )
    open_now = {incident.key for incident in problems(instance, "", (), Database(role="loader"))[0]}
    assert "run weekly_summary, 2024-01-08 to 2024-01-14" in open_now
    box.answer = "250 OK"
    again = tick(instance, MONDAY + dt.timedelta(days=1))
    assert isinstance(again, RunRequest)
    assert again.run_key != "2024-W02@2024-01-15"
    assert execute(instance, again).success
    assert len(box.messages) == 1
    assert not any("weekly_summary" in each.key for each in problems(instance, "", (), Database(role="loader"))[0])


def test_a_sending_that_a_crash_interrupted_is_not_repeated_by_itself(box: Mailbox, instance: DagsterInstance) -> None:
    """The server may have taken the message before the crash."""
    record = Record(load_settings().sent_summaries, "2024-W02")
    request = tick(instance)
    assert record.claim(MONDAY)
    failed = execute(instance, request)
    assert not failed.success
    assert box.messages == []
    (failure,) = [event for event in failed.all_node_events if event.is_step_failure]
    told = failure.step_failure_data.user_failure_data
    assert told is not None
    assert "ecommerce-platform report weekly --week 2024-W02 --send" in str(told.description)
    assert isinstance(tick(instance), SkipReason)
    assert run("--send", "--week", "2024-W02").exit_code == 0
    assert len(box.messages) == 1
    assert record.state() is not None
    assert json.loads((load_settings().sent_summaries / "2024-W02.json").read_text())["state"] == "sent"


def test_an_empty_record_of_a_crash_counts_as_an_attempt(tmp_path: Path) -> None:
    (tmp_path / "2024-W02.json").touch()
    record = Record(tmp_path, "2024-W02")
    assert record.state() == ("sending", "an unknown time")
    assert not record.claim(MONDAY)
