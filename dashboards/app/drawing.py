"""What all figures share: the drawing context, the base layout, tooltips, and click targets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from html import escape as escape_html
from textwrap import wrap
from typing import Any

from dashboards.app.chart_data import Answer, Cell, Pairs
from dashboards.app.filters import Filters
from dashboards.app.formats import exact
from dashboards.app.theme import FONT, Theme
from dashboards.spec.page_types import Visual

Figure = dict[str, Any]
Address = Callable[[Pairs], str]
"""Returns the URL that a click on a point leads to, given the filters that it sets."""

FADED = 0.32
STANDOFF = 6
"""Pixels between an axis and the labels below it."""
TOOLTIP_WIDTH = 44
"""Characters of a value in a tooltip, after which it goes on in the next line."""


class Drawing:
    """Everything that a figure is drawn from."""

    def __init__(self, visual: Visual, answer: Answer, filters: Filters, theme: Theme, address: Address):
        self.visual = visual
        self.answer = answer
        self.filters = filters
        self.theme = theme
        self.address = address

    def is_chosen(self, row: int) -> bool:
        """Whether the filters select all of the row's members."""
        clicks = self.answer.clicks
        return bool(clicks) and self.filters.select_all(clicks[row])

    def opacities(self, rows: Sequence[int]) -> list[float]:
        """1 for selected rows, or for all rows if none is selected; a lower value for the others."""
        chosen = [self.is_chosen(row) for row in rows]
        return [1.0 if here or not any(chosen) else FADED for here in chosen]

    def color(self, row: int) -> str:
        """The color of a row's member; the accent color if the chart's colors mean nothing."""
        return self.theme.color(self.answer.colors[row]) if self.answer.colors else self.theme.accent

    def custom(self, row: int, title: str | None = None) -> list[str]:
        """URL and tooltip of a row."""
        clicks = self.answer.clicks[row] if self.answer.clicks else ()
        cells, columns = self.answer.rows[row], self.answer.columns
        lines = [
            f"{escape(column.label)}  <b>{_wrapped(exact(cell, column.format))}</b>"
            for cell, column in zip(cells[1:], columns[1:], strict=True)
            if cell != ""
        ]
        head = escape(title if title is not None else exact(cells[0], columns[0].format))
        return [self.address(clicks) if clicks else "", f"<b>{head}</b><br>" + "<br>".join(lines)]


def escape(text: str) -> str:
    """Escape text for plotly, which interprets a few tags and does not decode the entity for a quotation mark."""
    return escape_html(text, quote=False)


def _wrapped(text: str) -> str:
    return "<br>".join(escape(line) for line in wrap(text, TOOLTIP_WIDTH, break_on_hyphens=False)) or escape(text)


def number(cell: Cell) -> float | None:
    """A cell as a float; None if it is not a number."""
    return float(cell) if isinstance(cell, int | Decimal) else None


def base_layout(theme: Theme, **more: Any) -> Figure:
    """The layout that all figures start from; axes in ``more`` extend the default axis."""
    axis = {
        "showgrid": False,
        "zeroline": False,
        "showline": False,
        "ticks": "",
        "automargin": True,
        "fixedrange": True,
        "tickfont": {"color": theme.muted, "size": 12},
        "title": {"text": "", "font": {"color": theme.muted, "size": 12}},
    }
    layout = {
        "font": {"family": FONT, "size": 12, "color": theme.text},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "margin": {"l": 4, "r": 8, "t": 8, "b": 4},
        "showlegend": False,
        "hoverlabel": {
            "bgcolor": theme.tooltip,
            "bordercolor": theme.tooltip,
            "font": {"family": FONT, "size": 12.5, "color": "#ffffff"},
            "align": "left",
        },
        "hovermode": "closest",
        "dragmode": False,
        "clickmode": "event",
        "colorway": list(theme.series),
        "uirevision": "same",
        "separators": ".,",
        "legend": {
            "orientation": "h",
            "x": 0,
            "y": 1.02,
            "xanchor": "left",
            "yanchor": "bottom",
            "font": {"color": theme.muted, "size": 12},
            "itemclick": False,
            "itemdoubleclick": False,
        },
    }
    for name, value in more.items():
        # Labels below an axis keep clear of the lowest one beside it.
        apart = {"ticklabelstandoff": STANDOFF} if name == "xaxis" else {}
        layout[name] = {**axis, **apart, **value} if name.startswith(("xaxis", "yaxis")) else value
    return layout


HOVER = "%{customdata[1]}<extra></extra>"


def with_opacity(color: str, opacity: float) -> str:
    """A hexadecimal color as rgba()."""
    red, green, blue = (int(color[place : place + 2], 16) for place in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"


def is_inside(name: str, period: str | None) -> bool:
    """Whether a year, month, or day is within the selected period."""
    return period is not None and name.startswith(period)
