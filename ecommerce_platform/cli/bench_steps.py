"""The steps of the benchmark that run in separate processes, with its settings in their environment."""

from __future__ import annotations

import datetime as dt
import json
import sys
import time
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any


def generate(first: str, last: str) -> dict[str, Any]:
    """Generate and write the files of some days; return rows, orders and seconds."""
    from ecommerce_platform.feeds.columns import FEEDS
    from ecommerce_platform.resources.source import Source

    source, rows, orders, begin = Source(), 0, 0, time.monotonic()
    day = dt.date.fromisoformat(first)
    while day <= dt.date.fromisoformat(last):
        for feed in FEEDS:
            written = source.export(feed, day).file.rows
            rows += written
            orders += written if feed == "transactions" else 0
        day += dt.timedelta(days=1)
    return {"rows": rows, "orders": orders, "seconds": time.monotonic() - begin}


def prepare() -> dict[str, Any]:
    """Create the tables; return the URL of the database."""
    from ecommerce_platform.postgres.ddl import apply_ddl
    from ecommerce_platform.resources.database import database_url
    from ecommerce_platform.settings import load_settings

    load_settings().dagster_home.mkdir(parents=True, exist_ok=True)
    url = database_url(load_settings())
    apply_ddl(url)
    return {"url": url}


def load(first: str, last: str, answer: str, select: str | None = None) -> dict[str, Any]:
    """Load some days in one run; return its id."""
    from dagster import DagsterInstance

    from ecommerce_platform.automation.runner import run_days
    from ecommerce_platform.definitions import defs

    with DagsterInstance.get() as instance:
        outcome = run_days(defs, instance, dt.date.fromisoformat(first), dt.date.fromisoformat(last), select)
    Path(answer).write_text(json.dumps({"run_id": outcome.run_id}), encoding="utf-8")
    if not outcome.success:
        sys.exit("\n".join(outcome.failures))
    return {"run_id": outcome.run_id}


def record(day: str, script: str) -> dict[str, Any]:
    """Load a day, and write the statements of its assets to a script for psql; return the run's id."""
    from ecommerce_platform.cli.bench_day import recording

    with recording(Path(script)):
        return load(day, day, f"{script}.json")


def steps(run_id: str) -> dict[str, Any]:
    """Return how a run's time divides among its steps, in seconds; see :func:`shares`.

    ``written_s`` is the part of the assets' own work: generating files, and the transactions of the tables.
    """
    from dagster import DagsterEventType, DagsterInstance

    with DagsterInstance.get() as instance:
        spans = {
            each.step_key: (each.start_time or 0.0, each.end_time or 0.0)
            for each in instance.get_run_step_stats(run_id)
        }
        steps = shares(spans)
        began: Any = instance.get_run_stats(run_id)
        written: dict[str, float] = {}
        for entry in instance.all_logs(run_id, of_type=DagsterEventType.ASSET_MATERIALIZATION):
            event = entry.get_dagster_event()
            metadata = event.step_materialization_data.materialization.metadata
            if event.step_key is not None:
                # The latest partition's event, which is the last, says how long the write took.
                start, end = spans[event.step_key]
                spent: Any = metadata["seconds"].value if "seconds" in metadata else end - start
                part = min(1.0, float(spent) / (end - start)) if end > start else 0.0
                written[event.step_key] = part * steps[event.step_key]
    return {"started_at": began.start_time, "steps": steps, "written_s": sum(written.values())}


def shares(spans: Mapping[str, tuple[float, float]]) -> dict[str, float]:
    """Divide the time in which steps run among them: where two run side by side, each gets half.

    Args:
        spans: the start and end of each step, in seconds.

    Returns:
        The seconds of each step. Together, they are the time in which at least one step ran.
    """
    moments = sorted({moment for span in spans.values() for moment in span})
    given = dict.fromkeys(spans, 0.0)
    for start, end in pairwise(moments):
        running = [name for name, span in spans.items() if span[0] <= start and end <= span[1]]
        for name in running:
            given[name] += (end - start) / len(running)
    return given


def stop() -> dict[str, Any]:
    """Stop the embedded server."""
    from ecommerce_platform.resources.database import embedded_server
    from ecommerce_platform.settings import load_settings

    return {"stopped": embedded_server(load_settings()).stop()}


if __name__ == "__main__":
    COMMANDS: dict[str, Callable[..., dict[str, Any]]] = {
        "generate": generate,
        "prepare": prepare,
        "load": load,
        "record": record,
        "steps": steps,
        "stop": stop,
    }
    print(json.dumps(COMMANDS[sys.argv[1]](*sys.argv[2:])))
