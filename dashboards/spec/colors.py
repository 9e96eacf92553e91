"""Which color each member of a dimension has. A color belongs to a member, never to its rank among those in view."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ecommerce_platform.schemas import domains

PALETTE = ("#2a66c8", "#e09a1a", "#17977a", "#c26aa0", "#62aee0", "#c9572a", "#5a4fb0", "#a3a13a")
"""Based on the palette by Okabe and Ito, which is distinguishable for color-blind people; on a light background."""
NEUTRAL = "#8791a3"
"""The color of what has no member: unknown payment methods, and orders without a customer."""
NOBODY = ("Unknown", domains.GUEST, domains.GUEST.lower())
"""Members that stand for the lack of one, in neutral gray."""

KNOWN: Mapping[str, Sequence[str]] = {
    "segment": (*reversed(domains.SEGMENTS), domains.GUEST),
    "buyer": ("New", "Returning", domains.GUEST),
    "price_range": tuple(domains.PRICE_RANGES),
    "payment": ("Apple Pay", "Bank Transfer", "Credit Card", "Debit Card", "Gift Card", "Google Pay", "PayPal"),
}
"""The members that are known without data, in the order in which they get their colors: those of fixed lists, and the
payment methods of the synthetic shop. Power BI gives other members the next colors of the report's theme."""


def color_index(member: str, members: Sequence[str]) -> int:
    """The position of a member's color in a palette, among all members of its dimension; -1 is the neutral color."""
    if member in NOBODY:
        return -1
    return [name for name in members if name not in NOBODY].index(member)
