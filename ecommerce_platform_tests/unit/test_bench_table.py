"""The table that `ecommerce-platform bench` prints."""

from __future__ import annotations

import json
from dataclasses import fields

from ecommerce_platform.cli.bench import Measured
from ecommerce_platform.cli.development import _figures


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
