"""How an incomplete period is drawn: hollow, with a dashed line to and from it, or hatched."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from dashboards.app.drawing import Figure
from dashboards.app.theme import Theme

INCOMPLETE = " (incomplete)"


def marked(label: str, row: int, partial: Collection[int]) -> str:
    """The title of a tooltip, which says whether the row's period is incomplete."""
    return label + INCOMPLETE if row in partial else label


def hollow(color: str, rows: Sequence[int], partial: Collection[int], theme: Theme, width: float = 1.5) -> Figure:
    """The markers of a line: filled, or hollow where the period is incomplete."""
    return {
        "color": [theme.surface if row in partial else color for row in rows],
        "line": {
            "color": [color if row in partial else theme.surface for row in rows],
            "width": [2 if row in partial else width for row in rows],
        },
    }


def with_dashes(trace: Figure, partial: Collection[int]) -> list[Figure]:
    """The traces of a line: solid between complete periods, dashed to and from incomplete ones.

    Args:
        trace: a scatter trace with a line and markers.
        partial: the positions of its points whose period is incomplete.

    Returns:
        The parts of the line, and the trace itself without its line, which keeps the markers, tooltips and clicks. The
        first part stands for all in the legend.
    """
    values = trace["y"]
    if not partial or len(values) < 2:
        return [trace]
    is_dashed = [place in partial or place + 1 in partial for place in range(len(values) - 1)]
    parts = []
    for dash in ("solid", "dot"):
        x, y = [], []
        for place, here in enumerate(is_dashed):
            if here == (dash == "dot"):
                x += [trace["x"][place], trace["x"][place + 1], trace["x"][place + 1]]
                y += [values[place], values[place + 1], None]
        part = {"type": "scatter", "mode": "lines", "x": x, "y": y, "hoverinfo": "skip", "showlegend": dash == "solid"}
        if "name" in trace:
            part |= {"name": trace["name"], "legendgroup": trace["name"]}
        parts.append(part | {"line": {**trace["line"], "dash": dash}})
    more = {"legendgroup": trace["name"]} if "name" in trace else {}
    return [*parts, {**trace, **more, "showlegend": False, "line": {**trace["line"], "width": 0}}]


def hatched(rows: Sequence[int], partial: Collection[int], theme: Theme) -> Figure:
    """The pattern of columns: hatched where the period is incomplete."""
    return {
        "shape": ["/" if row in partial else "" for row in rows],
        "fillmode": "overlay",
        "fgcolor": theme.surface,
        "size": 6,
        "solidity": 0.45,
    }
