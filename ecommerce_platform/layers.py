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
    """

    name: str
    description: str
    owners: tuple[str, ...]
    kinds: frozenset[str]


LATE_AFTER = dt.timedelta(hours=26)
STALE_AFTER = dt.timedelta(hours=36)
"""How old the last materialization of a daily asset may grow before Dagster warns, and before its freshness fails."""

LAYERS: dict[str, Layer] = {
    layer.name: layer
    for layer in (
        Layer("raw", "The files as exported.", ("team:data-engineering",), frozenset({"csv"})),
        Layer(
            "staging", "Exact text replicas of the files.", ("team:data-engineering",), frozenset({"postgres", "table"})
        ),
        Layer(
            "production", "Typed, clean 3NF model.", ("team:data-engineering",), frozenset({"postgres", "sql", "table"})
        ),
        Layer(
            "warehouse",
            "Star schema with history, and its aggregates.",
            ("team:analytics-engineering",),
            frozenset({"postgres", "sql", "table"}),
        ),
        Layer("analytics", "Extracts for analysts.", ("team:analytics",), frozenset({"postgres", "pandas", "csv"})),
        Layer(
            "monitoring",
            "What the platform says of itself.",
            ("team:data-engineering",),
            frozenset({"postgres", "json"}),
        ),
    )
}
