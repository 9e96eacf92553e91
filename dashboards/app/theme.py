"""Colors and fonts of the charts, in light and dark mode. assets/style.css uses the same colors for the page.

The categorical colors are based on the palette by Okabe and Ito, which is distinguishable for color-blind people.
"""

from __future__ import annotations

from dataclasses import dataclass

FONT = "Inter, system-ui, -apple-system, 'Segoe UI', Roboto, 'Liberation Sans', sans-serif"


@dataclass(frozen=True)
class Theme:
    """The colors of a mode."""

    name: str
    text: str
    muted: str
    grid: str
    surface: str
    tooltip: str
    accent: str
    accent_soft: str
    series: tuple[str, ...]
    sequence: tuple[str, ...]
    """From low to high, for maps."""
    heat: tuple[str, ...]
    """From low to high, for heat maps; ``text`` is readable on all of them."""
    good: str
    warning: str
    bad: str


LIGHT = Theme(
    "light",
    text="#172033",
    muted="#5b667a",
    grid="#e8ebf1",
    surface="#ffffff",
    tooltip="#172033",
    accent="#2a66c8",
    accent_soft="rgba(42,102,200,0.10)",
    series=("#2a66c8", "#e09a1a", "#17977a", "#c26aa0", "#62aee0", "#c9572a", "#8791a3", "#5a4fb0", "#a3a13a"),
    sequence=("#e6effb", "#bcd3f3", "#86afe6", "#4d85d3", "#2a62b4", "#163f80"),
    heat=("#f0f5fc", "#cfe0f7", "#adcaf1", "#8cb5ea"),
    good="#17977a",
    warning="#e09a1a",
    bad="#c9432f",
)
DARK = Theme(
    "dark",
    text="#e8ecf4",
    muted="#a3aec2",
    grid="#2a3447",
    surface="#151c2b",
    tooltip="#2b3852",
    accent="#6ea3f2",
    accent_soft="rgba(110,163,242,0.14)",
    series=("#6ea3f2", "#f0b24a", "#3fbf9f", "#dd8fbf", "#8ccdf5", "#e67f52", "#9aa5b8", "#9b91ea", "#c6c45e"),
    sequence=("#1c2a42", "#23406c", "#2f5c9c", "#437fcb", "#6ea3f2", "#b4d1fb"),
    heat=("#1a2539", "#20395f", "#274d86", "#2f62ac"),
    good="#3fbf9f",
    warning="#f0b24a",
    bad="#f0806c",
)
THEMES = {theme.name: theme for theme in (LIGHT, DARK)}
