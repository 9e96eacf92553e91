"""Gives each row of an answer the color of its member, which is the same under every filter and in both modes."""

from __future__ import annotations

from dataclasses import replace

from dashboards.app.chart_data import Answer
from dashboards.app.snapshot import Snapshot
from dashboards.spec.colors import color_index
from dashboards.spec.page_types import Visual

COLORED = ("donut", "stack", "share_stack", "lines", "curves")
"""The kinds of charts whose series or slices have the colors of members."""


def with_colors(answer: Answer, visual: Visual, snapshot: Snapshot) -> Answer:
    """Add the dimension that the colors of a chart stand for, and the color index of each row; see ``Theme.color``."""
    # Two columns side by side have a color per measure.
    if not answer.clicks or visual.beside or not (visual.kind in COLORED or visual.dimension == "segment"):
        return answer
    if visual.kind == "lines":
        members = sorted({month[:4] for month in snapshot.members["month"]})
        of_row = [dict(pairs)["period"][:4] for pairs in answer.clicks]
        members += sorted(set(of_row) - set(members))  # years that only have days without orders
        return replace(answer, color_of="year", colors=tuple(color_index(member, members) for member in of_row))
    dimension = visual.dimension
    if dimension is None:
        return answer
    of_row = [dict(pairs).get(dimension, "") for pairs in answer.clicks]
    members = list(snapshot.members[dimension])
    if dimension == "payment":
        members.sort()  # the keys of payment methods have no order that Power BI would know
    index = {member: color_index(member, members) for member in dict.fromkeys(of_row)}
    return replace(answer, color_of=dimension, colors=tuple(index[member] for member in of_row))
