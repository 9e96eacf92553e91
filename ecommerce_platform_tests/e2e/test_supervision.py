"""How `up` supervises its processes: none dies unnoticed, none outlives it, and Ctrl-C stops them cleanly.

The tests are consecutive steps of one story: the processes are restarted only if a step ends them.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.client import HTTPConnection
from urllib.parse import quote

import psycopg
import pytest
from dagster import DagsterRunStatus

from ecommerce_platform_tests.e2e.served import CLI, Served, still_running, wait_for

MUTATION = "mutation { setNuxSeen }"


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    served = Served(tmp_path_factory.mktemp("supervised") / "platform", {})
    try:
        served.up("--days", "1")
        yield served
    finally:
        served.close()


def ask(served: Served, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, str]:
    """Return the webserver's status and response; header names are written with underscores."""
    connection = HTTPConnection("127.0.0.1", served.port, timeout=30)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, body, named)
    answer = connection.getresponse()
    text = answer.read().decode(errors="replace")
    connection.close()
    return answer.status, text


def test_the_address_is_reported_once_something_is_behind_it(platform: Served) -> None:
    wait_for("the link", lambda: f"Dagster UI: {platform.url}" in platform.log.read_text(), 30)
    assert platform.log.read_text().count("Dashboards: http") == 1


def test_a_start_is_quiet(platform: Served) -> None:
    """The webserver and the daemon used to start before the code server, and each logged long errors."""
    wait_for("the link", lambda: f"Dagster UI: {platform.url}" in platform.log.read_text(), 30)
    told = platform.log.read_text().partition("Dagster UI:")[0]
    assert "Traceback" not in told
    assert "Error loading" not in told


def test_another_site_cannot_drive_dagster(platform: Served) -> None:
    """Any web page could: by GET, by a form, and through its own host name that resolves to 127.0.0.1."""
    get = f"/graphql?query={quote(MUTATION)}"
    assert ask(platform, "GET", get)[0] == 405
    assert ask(platform, "GET", get, origin="https://evil.example")[0] == 405
    report = "/report_asset_materialization/warehouse/fact_sales"
    assert ask(platform, "POST", report, origin="https://evil.example")[0] == 403
    assert ask(platform, "POST", f"/graphql?query={quote(MUTATION)}", sec_fetch_site="cross-site")[0] == 403
    status, said = ask(platform, "GET", "/", host="evil.example")
    assert status == 403
    assert "ECOMMERCE_ALLOWED_HOSTS" in said
    body = b'{"query": "{ version }"}'
    own = {"origin": platform.url, "content_type": "application/json", "sec_fetch_site": "same-origin"}
    assert ask(platform, "POST", "/graphql", body, **own)[0] == 200
    assert ask(platform, "GET", f"/graphql?query={quote('{ version }')}")[0] == 200


def test_a_run_cannot_send_our_password_elsewhere(platform: Served) -> None:
    answer = platform.graphql(
        """
        mutation Launch($config: RunConfigData!) {
          launchRun(executionParams: {
            selector: {
              repositoryName: "__repository__", repositoryLocationName: "ecommerce_platform", pipelineName: "daily"
            }
            mode: "default"
            runConfigData: $config
          }) { __typename ... on RunConfigValidationInvalid { errors { message } } }
        }
        """,
        config={"resources": {"database": {"config": {"url": "postgresql://evil.example/x"}}}},
    )["launchRun"]
    assert answer["__typename"] == "RunConfigValidationInvalid"
    assert 'unexpected config entry "url"' in answer["errors"][0]["message"]


@pytest.mark.parametrize(
    "words",
    [
        ("dagster", "code-server", "start"),
        ("dagster", "api grpc"),  # the process that runs the code; its parent survives and still reports "serving"
        ("ecommerce_platform.web.webserver",),
        ("dashboard", "--quiet"),
    ],
)
def test_a_process_that_is_killed_is_started_again(platform: Served, words: tuple[str, ...]) -> None:
    before = wait_for("the process", lambda: platform.pids_with(*words), 60)
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    wait_for("another one", lambda: platform.pids_with(*words) - before, 90)
    wait_for("the code behind the UI", lambda: answers(platform), 90)
    assert platform.process is not None
    assert platform.process.poll() is None


def answers(served: Served) -> bool:
    try:
        found = served.graphql("{ workspaceOrError { ... on Workspace { locationEntries { loadStatus name } } } }")
        dashboard = f"http://127.0.0.1:{served.environment['ECOMMERCE_DASHBOARD_PORT']}/healthz"
        urllib.request.urlopen(dashboard, timeout=10).close()
    except (OSError, urllib.error.URLError):
        return False
    return [entry["loadStatus"] for entry in found["workspaceOrError"]["locationEntries"]] == ["LOADED"]


def test_a_second_up_says_who_serves_the_folder(platform: Served) -> None:
    second = platform.command("up")
    assert second.returncode == 1
    said = " ".join(second.stderr.split())
    assert f"Another `up` is already serving {platform.data}" in said
    assert platform.process is not None
    assert f"process {platform.process.pid}" in said
    assert platform.url in said


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGHUP])
def test_nothing_outlives_up_and_the_next_one_starts(platform: Served, number: signal.Signals) -> None:
    everything = platform.processes()
    assert len(everything) >= 6
    assert platform.process is not None
    platform.process.send_signal(number)
    code = platform.process.wait(30)
    assert code == (0 if number == signal.SIGHUP else -number)
    wait_for("the end of all of them", lambda: not still_running(everything), 30)
    platform.up()


def test_a_run_whose_worker_died_with_up_keeps_nobody_waiting(platform: Served) -> None:
    """The next `up` loads before a daemon looks after old runs."""
    day = str(platform.rows("select max(partition_date) from production.loaded_days")[0][0])
    waiting = "select pid from pg_locks where locktype = 'advisory' and not granted"
    with psycopg.connect(platform.server.url("ecommerce"), autocommit=True) as writer:
        writer.execute("select pg_advisory_lock(hashtextextended('write warehouse.fact_sales', 0))")
        run_id = platform.launch(["warehouse.fact_sales"], {"dagster/partition": day})
        wait_for("the run before its write", lambda: platform.rows(waiting), 120)
        assert platform.process is not None
        everything = platform.processes()
        for process in everything:  # the worker among them, which else would note that it was ended
            process.kill()
        platform.process.wait()
        wait_for("the end of all of them", lambda: not still_running(everything), 30)
    done = platform.command("materialize", "--start", day, "--end", day, timeout=180)
    assert done.returncode == 0, done.stderr
    with platform.instance() as instance:
        run = instance.get_run_by_id(run_id)
        assert run is not None
        assert run.status == DagsterRunStatus.FAILURE
    platform.up()


def test_a_signal_that_ends_up_is_one_line_and_no_error(platform: Served) -> None:
    already = len(platform.log.read_text())
    assert platform.process is not None
    os.killpg(platform.process.pid, signal.SIGINT)
    assert platform.process.wait(60) == 0
    said = platform.log.read_text()[already:]
    assert "Dagster and the dashboards have stopped. PostgreSQL is still running" in " ".join(said.split())
    assert "Traceback" not in said
    assert "Aborted" not in said


def test_up_and_the_dashboards_end_although_they_were_told_to_ignore_ctrl_c(platform: Served) -> None:
    """As with nohup, or & in a script: two tests waited forever."""
    for arguments in (["dashboard"], ["up"]):
        with platform.log.open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, "-c", CLI, *arguments],
                cwd=platform.project,
                env=platform.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
            )
        try:
            dashboard = f"http://127.0.0.1:{platform.environment['ECOMMERCE_DASHBOARD_PORT']}/healthz"

            def is_up(address: str = dashboard) -> bool:
                try:
                    urllib.request.urlopen(address, timeout=10).close()
                except OSError:
                    return False
                return True

            wait_for("the dashboards", is_up, 90)
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 0
        finally:
            process.kill()
