"""A sentence about the data in view, and what the rules that find sentences share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from dashboards.app.chart_data import Answer, Pairs

LEADS_BY = Decimal("1.5")
"""The first member leads if it has this many times the revenue of the second, or of an equal share."""
STANDS_OUT = Decimal(25)
"""Per cent from the median at which a period, a weekday or a cohort stands out."""


@dataclass(frozen=True)
class Sentence:
    """A sentence about the data in view.

    Attributes:
        text: the sentence.
        pairs: the filters that show what it is about; empty for what is in view already.
        size: how large the effect is, as a multiple of the size from which on it is stated; at least 1.
        window: the ``from`` and ``to`` that show it, for a sentence about other days.
    """

    text: str
    pairs: Pairs = ()
    size: float = 1.0
    window: tuple[str, str] | None = None


Rule = Callable[[Answer], Sentence | None]


def numbers(answer: Answer, column: str) -> list[Decimal | None]:
    """The values of a column; None for those that are no numbers."""
    return [Decimal(cell) if isinstance(cell, int | Decimal) else None for cell in answer.column(column)]


def clicks(answer: Answer, row: int) -> Pairs:
    """The filters that a click on a row sets."""
    return answer.clicks[row] if answer.clicks else ()
