"""Bar charts as PNG: mail programs show neither SVG nor scripts.

Pillow's own font has no letters beyond ASCII. So a picture has names of days and numbers only; what is in the shop's
words, and in which currency, the page says in text.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont

from dashboards.app.theme import LIGHT

WIDTH, HEIGHT = 600, 200
"""In the pixels of a page. A picture has twice as many, for sharp text on small screens."""

SCALE = 2
TOP, BOTTOM, SIDE = 24, 24, 4
FONT_SIZE = 12
BEFORE = "#c3cedf"
"""The color of what a bar is compared with."""


class Bar(NamedTuple):
    """A bar: its label, its value with its text, and the value that it is compared with; None if there is none."""

    label: str
    value: float | None
    text: str
    before: float | None = None


def bar_chart(bars: Sequence[Bar], *, last_only: bool = False) -> bytes:
    """A column chart as PNG, with the value that a bar is compared with as a lighter bar on its left.

    Args:
        bars: at least one.
        last_only: whether the last bar is the subject, and the others are only its history.
    """
    image = Image.new("RGB", (WIDTH * SCALE, HEIGHT * SCALE), LIGHT.surface)
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(FONT_SIZE * SCALE)
    values = [value for bar in bars for value in (bar.value, bar.before) if value is not None]
    highest = max([*values, 0.0]) or 1.0
    floor, room = (HEIGHT - BOTTOM) * SCALE, (HEIGHT - TOP - BOTTOM) * SCALE
    step = (WIDTH - 2 * SIDE) * SCALE / len(bars)
    has_before = any(bar.before is not None for bar in bars)

    def column(left: float, right: float, value: float, color: str) -> None:
        top = floor - round(max(value, 0.0) / highest * room)
        if top < floor:
            draw.rectangle((round(left), top, round(right) - 1, floor - 1), fill=color)

    def text(center: float, y: float, what: str, color: str) -> None:
        draw.text((center, y), plain(what), font=font, fill=color, anchor="ms")

    for place, bar in enumerate(bars):
        left = SIDE * SCALE + place * step
        middle = left + step / 2
        start = left + step * (0.38 if has_before else 0.2)
        is_subject = not last_only or place == len(bars) - 1
        if bar.before is not None:
            column(left + step * 0.14, start, bar.before, BEFORE)
        if bar.value is not None:
            column(start, left + step * 0.86, bar.value, LIGHT.accent if is_subject else BEFORE)
        if is_subject:
            top = floor - max(bar.value or 0.0, 0.0) / highest * room
            text((start + left + step * 0.86) / 2, top - 6 * SCALE, bar.text, LIGHT.text)
        text(middle, (HEIGHT - 6) * SCALE, bar.label, LIGHT.muted)
    draw.line((0, floor, WIDTH * SCALE, floor), fill=LIGHT.muted, width=SCALE)
    content = io.BytesIO()
    image.quantize(32).save(content, "PNG", optimize=True)
    return content.getvalue()


def plain(text: str) -> str:
    """A text without the characters that the font of a picture does not have; special spaces become blanks."""
    return "".join(" " if letter.isspace() else letter for letter in text if letter.isascii() or letter.isspace())
