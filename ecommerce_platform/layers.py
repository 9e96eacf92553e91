"""The layers in flow order. A layer is a schema, an asset group and a module of the same name."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass


@dataclass(frozen=True)
class Layer:
    """What all assets of a layer have in common.

    Attributes:
        name: schema, group and module.
        description: what the layer holds.
        owners: who is asked about it, as Dagster owners.
        kinds: the technologies that Dagster shows on each asset.
        holds_personal_data: whether its tables or files may name people. The database role that dashboards and analysts
            use can read none of these.
    """

    name: str
    description: str
    owners: tuple[str, ...]
    kinds: frozenset[str]
    holds_personal_data: bool


ENGINEERING = ("team:data-engineering",)
ANALYTICS = ("team:analytics",)
LATE_AFTER = dt.timedelta(hours=26)
STALE_AFTER = dt.timedelta(hours=36)
"""How old the last materialization of a daily asset may grow before Dagster warns, and before its freshness fails."""

LAYERS: dict[str, Layer] = {
    layer.name: layer
    for layer in (
        Layer("raw", "The exported files, unchanged.", ENGINEERING, frozenset({"csv"}), True),
        Layer("staging", "Exact text replicas of the files.", ENGINEERING, frozenset({"postgres", "table"}), True),
        Layer("production", "Typed, clean 3NF model.", ENGINEERING, frozenset({"postgres", "sql", "table"}), True),
        Layer(
            "warehouse",
            "Star schema with history, and its aggregates.",
            ("team:analytics-engineering",),
            frozenset({"postgres", "sql", "table"}),
            False,
        ),
        Layer("analytics", "Extracts for analysts.", ANALYTICS, frozenset({"postgres", "pandas", "csv"}), False),
        Layer("monitoring", "Platform monitoring.", ENGINEERING, frozenset({"postgres", "json"}), False),
    )
}
