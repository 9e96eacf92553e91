"""Colors and fonts of the charts, in light and dark mode. assets/style.css uses the same colors for the page.

``spec/colors.py`` says which member has which categorical color.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dashboards.spec.colors import NEUTRAL, PALETTE

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
    """Categorical colors; the same place is the same hue in both modes."""
    neutral: str
    sequence: tuple[str, ...]
    """From low to high, for maps."""
    heat: tuple[str, ...]
    """From low to high, for heat maps; ``text`` is readable on all of them."""
    good: str
    warning: str
    bad: str

    def color(self, index: int) -> str:
        """The categorical color with an index; -1 is neutral. Beyond the palette, colors come back paler."""
        if index < 0:
            return self.neutral
        color = self.series[index % len(self.series)]
        return mixed(color, self.surface, 0.55) if index // len(self.series) % 2 else color

    def text_on(self, color: str, opacity: float = 1.0) -> str:
        """The color of readable text on a mark of a color and an opacity (WCAG 2.2: a contrast of at least 4.5)."""
        seen = mixed(color, self.surface, opacity)
        return max((INK, PAPER), key=lambda text: contrast(text, seen))


INK, PAPER = "#000000", "#ffffff"


def _channels(color: str) -> tuple[int, int, int]:
    red, green, blue = (int(color[place : place + 2], 16) for place in (1, 3, 5))
    return red, green, blue


def mixed(color: str, ground: str, share: float) -> str:
    """A hexadecimal color painted with an opacity over another one."""
    pairs = zip(_channels(color), _channels(ground), strict=True)
    return "#" + "".join(f"{round(over * share + under * (1 - share)):02x}" for over, under in pairs)


def between(colors: Sequence[str], place: float) -> str:
    """The color at a place from 0 to 1 of a scale with evenly spaced colors."""
    position = min(max(place, 0.0), 1.0) * (len(colors) - 1)
    step = min(int(position), len(colors) - 2)
    return mixed(colors[step + 1], colors[step], position - step)


def contrast(one: str, other: str) -> float:
    """The contrast between two colors, from 1 to 21, as WCAG defines it."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(color: str) -> float:
    parts = [part / 255 for part in _channels(color)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


LIGHT = Theme(
    "light",
    text="#172033",
    muted="#5b667a",
    grid="#e8ebf1",
    surface="#ffffff",
    tooltip="#172033",
    accent="#2a66c8",
    accent_soft="rgba(42,102,200,0.10)",
    series=PALETTE,
    neutral=NEUTRAL,
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
    series=("#6ea3f2", "#f0b24a", "#3fbf9f", "#dd8fbf", "#8ccdf5", "#e67f52", "#9b91ea", "#c6c45e"),
    neutral="#9aa5b8",
    sequence=("#1c2a42", "#23406c", "#2f5c9c", "#437fcb", "#6ea3f2", "#b4d1fb"),
    heat=("#1a2539", "#20395f", "#274d86", "#2f62ac"),
    good="#3fbf9f",
    warning="#f0b24a",
    bad="#f0806c",
)
THEMES = {theme.name: theme for theme in (LIGHT, DARK)}
