"""The files for Prometheus and Grafana: valid, tested rules, and no query of a metric that does not exist."""

from __future__ import annotations

import datetime as dt
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ecommerce_platform.instance.activity import BUCKETS, Activity, Durations, Ticks
from ecommerce_platform.reports.metrics import _activity
from ecommerce_platform.settings import PROJECT_DIR

pytestmark = pytest.mark.unit

PROMETHEUS = PROJECT_DIR / "deploy" / "prometheus"
GRAFANA = PROJECT_DIR / "deploy" / "grafana"
DASHBOARD = json.loads((GRAFANA / "ecommerce.json").read_text())
ALERTS = yaml.safe_load((PROMETHEUS / "alerts.yml").read_text())["groups"][0]["rules"]
DOCUMENT = PROJECT_DIR / "docs" / "observability.md"


def promtool(*arguments: str) -> str:
    program = shutil.which("promtool")
    if program is None:
        pytest.skip("promtool is not installed: apt-get install prometheus")
    done = subprocess.run([program, *arguments], cwd=PROMETHEUS, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_prometheus_accepts_its_configuration_and_the_rules() -> None:
    assert "SUCCESS" in promtool("check", "config", "prometheus.yml")


def test_each_alert_fires_when_it_must_and_only_then() -> None:
    assert "SUCCESS" in promtool("test", "rules", "alerts_test.yml")


def test_every_alert_is_seen_firing_by_the_test_of_the_rules() -> None:
    text = (PROMETHEUS / "alerts_test.yml").read_text()
    fired = set(re.findall(r"'\{alertname=\"(\w+)\"\}'", text))
    assert {rule["alert"] for rule in ALERTS} == fired


def test_every_alert_names_a_section_that_exists() -> None:
    headings = re.findall(r"^#+ (.+)$", (PROJECT_DIR / "docs/operations.md").read_text(), flags=re.MULTILINE)
    anchors = {re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    named = {anchor for rule in ALERTS for anchor in re.findall(r"#([a-z-]+)", rule["annotations"]["description"])}
    assert len(named) > 4
    assert named <= anchors


def queries() -> Iterator[tuple[str, str]]:
    """Return each query of the alerts and the dashboard, with where it is from."""
    for rule in ALERTS:
        yield rule["alert"], rule["expr"]
    for panel in DASHBOARD["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["expr"]


def documented() -> set[str]:
    """Return the names in the table of metrics, which a test compares with what the platform serves."""
    return set(re.findall(r"^\| `(ecommerce_\w+)`", DOCUMENT.read_text(), flags=re.MULTILINE))


def test_every_query_is_of_metrics_that_the_platform_serves() -> None:
    known = documented()
    known |= {f"ecommerce_run_duration_seconds_{part}" for part in ("bucket", "sum", "count")}
    found = list(queries())
    assert len(found) > 25
    for where, query in found:
        assert set(re.findall(r"ecommerce_\w+", query)) <= known, where


def test_prometheus_understands_every_query_of_the_dashboard(tmp_path: Path) -> None:
    rules = [
        {"record": f"query:{number}", "expr": query.replace("$instance", ".*")}
        for number, (_, query) in enumerate(queries())
    ]
    file = tmp_path / "rules.yml"
    file.write_text(json.dumps({"groups": [{"name": "queries", "rules": rules}]}))
    assert f"{len(rules)} rules found" in promtool("check", "rules", str(file))


def test_the_dashboard_is_on_the_data_source_that_is_provisioned_and_no_panel_overlaps() -> None:
    (source,) = yaml.safe_load((GRAFANA / "provisioning/datasources/prometheus.yaml").read_text())["datasources"]
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        assert {panel["datasource"]["uid"], *(target["datasource"]["uid"] for target in panel["targets"])} == {
            source["uid"]
        }
        at: dict[str, Any] = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells


def test_a_run_counts_in_each_bucket_that_it_fits_in() -> None:
    counts = [1, 0, 2, *[0] * (len(BUCKETS) - 3), 1]
    now = dt.datetime(2024, 3, 1, tzinfo=dt.UTC).timestamp()
    found = Activity([Durations("daily", "success", counts, 9000.0, now - 5)], {"queued": 0}, now - 90, {}, [], 1)
    samples = {
        (sample.name, sample.labels.get("le")): sample.value
        for metric in _activity(found, now)
        for sample in metric.samples
    }
    by_limit = [samples["ecommerce_run_duration_seconds_bucket", str(float(limit))] for limit in BUCKETS]
    assert by_limit == [1, 1, 3, *[3] * (len(BUCKETS) - 3)]
    assert samples["ecommerce_run_duration_seconds_bucket", "+Inf"] == 4
    assert samples["ecommerce_run_duration_seconds_count", None] == 4
    assert samples["ecommerce_run_duration_seconds_sum", None] == 9000
    assert samples["ecommerce_oldest_queued_run_age_seconds", None] == 90


def test_a_sensor_that_never_ticked_has_no_age() -> None:
    found = Activity([], {}, None, {}, [Ticks("sensor", "alerts", None, False)], 1)
    names = [sample.name for metric in _activity(found, 0.0) for sample in metric.samples]
    assert "ecommerce_tick_failed" in names
    assert "ecommerce_tick_age_seconds" not in names
