"""The table that `ecommerce-platform bench` prints."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import click
import pytest

from ecommerce_platform.cli.bench import Measured
from ecommerce_platform.cli.bench_steps import shares
from ecommerce_platform.cli.development import _earlier, _figures, _remember


def test_every_figure_of_a_benchmark_is_a_row() -> None:
    """The list of days ended the command with a traceback, after minutes of work."""
    known = {"phases": {"staging": 12.5}, "queries_ms": {"top_products": 3.1}, "next_days_s": [5.1, 4.9]}
    measured = Measured(**{field.name: known.get(field.name, 1234) for field in fields(Measured)})
    rows = dict(_figures(json.loads(measured.to_json())))
    assert rows["orders"] == "1,234"
    assert rows["next_days_s"] == "5.1  4.9"
    assert (rows["staging"], rows["top_products"]) == ("12.5", "3.1")
    assert len(rows) == len(fields(Measured))


def test_what_was_not_measured_is_no_row() -> None:
    rows = dict(_figures({"ratio": 1.23, "dbt_s": None}))
    assert rows == {"ratio": "1.23"}


def test_a_history_holds_one_result_per_line_and_refuses_anything_else(tmp_path: Path) -> None:
    history = tmp_path / "bench.jsonl"
    assert _earlier(history) == []
    measured = Measured(**{field.name: 7 for field in fields(Measured)})
    _remember(history, measured)
    _remember(history, measured)
    first, second = _earlier(history)
    assert first["orders"] == second["orders"] == 7
    assert first["machine"]["cores"] >= 1
    assert "measured_at" not in dict(_figures(first))
    for line in ("no json", "{}", "[]", '{"orders": 1, "machine": null}'):
        history.write_text(json.dumps(first) + "\n" + line, encoding="utf-8")
        with pytest.raises(click.UsageError, match="line 2 is not a result"):
            _earlier(history)


def test_steps_that_run_side_by_side_share_the_time() -> None:
    assert shares({"a": (0.0, 4.0), "b": (1.0, 3.0), "c": (6.0, 7.0)}) == {"a": 3.0, "b": 1.0, "c": 1.0}
    assert shares({}) == {}
    assert shares({"at once": (1.0, 1.0)}) == {"at once": 0.0}
