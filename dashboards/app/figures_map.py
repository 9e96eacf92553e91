"""The map of the US states, with its color scale and the codes of the states."""

from __future__ import annotations

from dashboards.app.drawing import HOVER, Drawing, Figure, base_layout, number
from dashboards.app.formats import axis_ticks
from dashboards.app.theme import between

# fmt: off
US_STATES = (
    "AL", "AK", "AZ", "AR", "CA", "CO", "CT", "DC", "DE", "FL", "GA", "HI", "IA", "ID", "IL", "IN", "KS",
    "KY", "LA", "MA", "MD", "ME", "MI", "MN", "MO", "MS", "MT", "NC", "ND", "NE", "NH", "NJ", "NM", "NV",
    "NY", "OH", "OK", "OR", "PA", "RI", "SC", "SD", "TN", "TX", "UT", "VA", "VT", "WA", "WI", "WV", "WY",
)
"""The states that the map draws; those without orders stay pale."""
SMALL_STATES = ("CT", "DC", "DE", "HI", "MA", "MD", "NH", "NJ", "RI", "VT")
"""States without room for their code."""
# fmt: on
NEAREST_LABELS = 0.28
"""The distance between labels of the color scale, of its length, so that they have room on a phone."""


def state_map(drawing: Drawing) -> Figure:
    """A map of the US states, shaded by the measure."""
    answer, theme = drawing.answer, drawing.theme
    rows = [row for row in range(len(answer.rows)) if answer.clicks[row][0][1].startswith("US-")]
    codes = [answer.clicks[row][0][1].removeprefix("US-") for row in rows]
    values = [max(number(answer.rows[row][1]) or 0, 0) for row in rows]
    chosen = [drawing.is_chosen(row) for row in rows]
    opacities = [1.0 if here or not any(chosen) else 0.45 for here in chosen]
    steps, most = len(theme.sequence) - 1, max(values, default=0) ** 0.5
    trace = {
        "type": "choropleth",
        "locationmode": "USA-states",
        "locations": codes,
        # A few states dwarf the rest. The square root keeps the others distinguishable.
        "z": [value**0.5 for value in values],
        "customdata": [drawing.custom(row) for row in rows],
        "hovertemplate": HOVER,
        "colorscale": [[step / steps, color] for step, color in enumerate(theme.sequence)],
        "zmin": 0,
        "zmax": most or 1,
        "showscale": most > 0,
        "colorbar": _color_bar(drawing, max(values, default=0)),
        "marker": {
            "line": {
                "color": [theme.text if here else theme.surface for here in chosen],
                "width": [2.2 if here else 0.8 for here in chosen],
            },
            "opacity": opacities,
        },
    }
    layout = base_layout(
        theme,
        geo={
            "scope": "usa",
            "fitbounds": False,
            "bgcolor": "rgba(0,0,0,0)",
            "showland": False,
            "showlakes": False,
            "showframe": False,
            "projection": {"type": "albers usa"},
        },
        margin={"l": 0, "r": 0, "t": 0, "b": 34},
    )
    without_sales = [code for code in US_STATES if code not in codes]
    ground = {
        "type": "choropleth",
        "locationmode": "USA-states",
        "locations": without_sales,
        "z": [0] * len(without_sales),
        "colorscale": [[0, theme.grid], [1, theme.grid]],
        "showscale": False,
        "hoverinfo": "skip",
        "marker": {"line": {"color": theme.surface, "width": 0.8}},
    }
    shades = {code: theme.text_on(theme.grid) for code in without_sales}
    for code, value, opacity in zip(codes, values, opacities, strict=True):
        shades[code] = theme.text_on(between(theme.sequence, value**0.5 / (most or 1)), opacity)
    labeled = [code for code in US_STATES if code not in (*SMALL_STATES, "FL")]
    names = {
        "type": "scattergeo",
        "mode": "text",
        "locationmode": "USA-states",
        "locations": labeled,
        "text": labeled,
        "textfont": {"size": 9, "color": [shades[code] for code in labeled]},
        "hoverinfo": "skip",
        "showlegend": False,
    }
    # The middle of Florida's bounds is in the sea.
    florida = {**names, "locations": None, "lon": [-81.7], "lat": [28.2], "text": ["FL"]}
    florida["textfont"] = {"size": 9, "color": [shades["FL"]]}
    return {"data": [trace, *([ground] if without_sales else []), names, florida], "layout": layout}


def _color_bar(drawing: Drawing, most: float) -> Figure:
    """The color scale below the map. Its labels are values; its places are their square roots."""
    theme, ticks = drawing.theme, axis_ticks(drawing.answer.columns[1].format, [most])
    labels: list[tuple[float, str]] = []
    for value, text in reversed(list(zip(ticks["tickvals"], ticks["ticktext"], strict=True))):
        if not labels or labels[0][0] - value**0.5 >= NEAREST_LABELS * most**0.5:
            labels.insert(0, (value**0.5, text))
    return {
        "orientation": "h",
        "x": 0.5,
        "xanchor": "center",
        "y": 0,
        "yanchor": "top",
        "len": 0.6,
        "thickness": 8,
        "outlinewidth": 0,
        "ticks": "",
        "tickfont": {"color": theme.muted, "size": 11},
        "tickmode": "array",
        "tickangle": 0,
        "tickvals": [place for place, _ in labels],
        "ticktext": [text for _, text in labels],
    }
