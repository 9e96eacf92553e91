"""Colors of members, and text on them."""

from __future__ import annotations

import pytest

from dashboards.app.theme import DARK, LIGHT, Theme, contrast, mixed
from dashboards.spec.colors import KNOWN, NOBODY, color_index


def test_a_color_depends_on_all_members_and_not_on_those_in_view():
    assert [color_index(name, KNOWN["segment"]) for name in ("VIP", "Regular", "New", "Guest")] == [0, 1, 2, -1]
    assert color_index("PayPal", ["Unknown", "Cash", "PayPal"]) == 1
    assert color_index("Unknown", ["Unknown", "Cash", "PayPal"]) == -1


def test_both_modes_have_as_many_colors():
    assert len(LIGHT.series) == len(DARK.series) == len({*LIGHT.series}) == len({*DARK.series})


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_members_beyond_the_palette_have_colors_of_their_own(theme: Theme):
    colors = [theme.color(index) for index in range(2 * len(theme.series))]
    assert len({*colors, theme.color(-1)}) == len(colors) + 1
    assert theme.color(-1) == theme.neutral


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("opacity", [1.0, 0.32])
def test_text_on_a_colored_mark_can_be_read(theme: Theme, opacity: float):
    """WCAG 2.2, 1.4.3: a contrast of at least 4.5."""
    for index in range(-1, 2 * len(theme.series)):
        color = theme.color(index)
        seen = mixed(color, theme.surface, opacity)
        assert contrast(theme.text_on(color, opacity), seen) >= 4.5, (index, color)


def test_every_known_member_is_a_member_or_nobody():
    assert all(len(members) == len({*members}) for members in KNOWN.values())
    assert {member for members in KNOWN.values() for member in members} & {*NOBODY} == {"Guest"}
