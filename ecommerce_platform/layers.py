"""The layers in flow order. A layer is a schema, an asset group and a module of the same name."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from dagster import FreshnessPolicy


@dataclass(frozen=True)
class Layer:
    """What all assets of a layer have in common.

    Attributes:
        name: schema, group and module.
        description: what the layer holds.
        owners: who is asked about it, as Dagster owners.
        kinds: the technologies that Dagster shows on each asset.
        freshness: how old its last materialization may grow before Dagster warns, and fails.
    """

    name: str
    description: str
    owners: tuple[str, ...]
    kinds: frozenset[str]
    freshness: FreshnessPolicy


def _daily(warn_hours: int, fail_hours: int) -> FreshnessPolicy:
    return FreshnessPolicy.time_window(
        fail_window=dt.timedelta(hours=fail_hours), warn_window=dt.timedelta(hours=warn_hours)
    )


LAYERS: dict[str, Layer] = {
    layer.name: layer
    for layer in (
        Layer("raw", "The files as exported.", ("team:data-engineering",), frozenset({"csv"}), _daily(26, 36)),
        Layer(
            "staging",
            "Exact text replicas of the files.",
            ("team:data-engineering",),
            frozenset({"postgres", "table"}),
            _daily(26, 36),
        ),
        Layer(
            "production",
            "Typed, clean 3NF model.",
            ("team:data-engineering",),
            frozenset({"postgres", "sql", "table"}),
            _daily(26, 36),
        ),
        Layer(
            "warehouse",
            "Star schema with history, and its aggregates.",
            ("team:analytics-engineering",),
            frozenset({"postgres", "sql", "table"}),
            _daily(26, 36),
        ),
        Layer(
            "analytics",
            "Extracts for analysts.",
            ("team:analytics",),
            frozenset({"postgres", "pandas", "csv"}),
            _daily(26, 36),
        ),
        Layer(
            "monitoring",
            "What the platform says of itself.",
            ("team:data-engineering",),
            frozenset({"postgres", "json"}),
            _daily(26, 36),
        ),
    )
}
