"""Defects of the exports: duplicate, late, changed and lost rows, and invalid values.

A row has at most one defect. It is drawn for the day to which the row belongs, so a day's file holds that day's
rows, minus withheld ones, plus delayed ones from at most LONGEST_DELAY earlier days.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from ecommerce_platform.shop import draws, text
from ecommerce_platform.shop.draws import I64

Spoil = Callable[[pa.Array, I64], pa.Array]  # from the texts and their row numbers to the faulty texts


@dataclass(frozen=True)
class Kind:
    """One way for a row to go wrong.

    weight: its share among the kinds of its feed. days: the row, without the fault, appears in the file of one of
    these days later; empty for never. withheld: it is missing from its own day's file. twice: it appears twice in its
    own day's file. column and spoil: the text of that column is changed in its own day's file.
    """

    weight: int
    days: tuple[int, ...] = ()
    withheld: bool = False
    twice: bool = False
    column: str = ""
    spoil: Spoil | None = None


def _blank(values: pa.Array, _: I64) -> pa.Array:
    return pa.nulls(len(values), pa.string())


def _padded(values: pa.Array, _: I64) -> pa.Array:
    return text.join("  ", values, " ")


def _with_comma(values: pa.Array, _: I64) -> pa.Array:
    return text.substituted(values, ".", ",")


def _negative(values: pa.Array, _: I64) -> pa.Array:
    return text.join("-", values)


def _tenfold_and_more(values: pa.Array, _: I64) -> pa.Array:
    return text.join("9", values)


def _one_of(*texts: str) -> Spoil:
    pool = pa.array(texts)
    return lambda _, rows: text.pick(pool, rows % len(texts))


_no_date = _one_of("2024-02-30", "31/12/2024", "n/a")
_no_email = _one_of("not-an-email", "jane.doe.example.com", "@example.com", "john@")
_no_product = _one_of("999999001", "999999002", "999999003")
_no_order = _one_of("99999999000001", "99999999000002", "99999999000003")

SOON = (1, 2, 3)

# A broken image of a customer or product is corrected within three days; otherwise all its orders would be rejected
# for months.
CUSTOMERS = {
    "duplicate": Kind(20, twice=True),
    "late": Kind(25, days=SOON, withheld=True),
    "bad email": Kind(20, column="email", spoil=_no_email),
    "blank id": Kind(8, days=SOON, column="customer_id", spoil=_blank),
    "no date": Kind(12, days=SOON, column="date_of_birth", spoil=_no_date),
    "whitespace": Kind(15, column="last_name", spoil=_padded),
}
PRODUCTS = {
    "duplicate": Kind(25, twice=True),
    "late": Kind(15, days=SOON, withheld=True),
    "blank name": Kind(20, days=SOON, column="product_name", spoil=_blank),
    "unknown number": Kind(20, days=SOON, column="price", spoil=_with_comma),
    "whitespace": Kind(20, column="brand", spoil=_padded),
}
# Defects of an order apply to the header and its lines, except where only the header is named.
ORDERS = {
    "re-sent": Kind(25, days=(1, 2, 3, 4, 5)),
    "re-sent with a correction": Kind(20, days=(1, 2, 3, 4, 5)),
    "late": Kind(25, days=(1, 2, 3, 4), withheld=True),
    "header late": Kind(20, days=SOON, withheld=True),
    "header lost": Kind(10, withheld=True),
}
HEADERS = {
    "duplicate": Kind(30, twice=True),
    "wrong total": Kind(20, column="total_amount", spoil=_tenfold_and_more),
    "blank date": Kind(12, column="transaction_date", spoil=_blank),
    "no date": Kind(15, column="transaction_date", spoil=_no_date),
    "blank customer": Kind(8, column="customer_id", spoil=_blank),
    "whitespace": Kind(15, column="payment_method", spoil=_padded),
}
LINES = {
    "duplicate": Kind(25, twice=True),
    "negative quantity": Kind(15, column="quantity", spoil=_negative),
    "wrong total": Kind(15, column="line_total", spoil=_tenfold_and_more),
    "unknown product": Kind(15, column="product_id", spoil=_no_product),
    "unknown number": Kind(15, column="unit_price", spoil=_with_comma),
    "whitespace": Kind(15, column="quantity", spoil=_padded),
}
RETURNS = {
    "duplicate": Kind(40, twice=True),
    "unknown order": Kind(30, column="transaction_id", spoil=_no_order),
    "negative quantity": Kind(30, column="quantity", spoil=_negative),
}

KINDS = {
    "customers": CUSTOMERS,
    "products": PRODUCTS,
    "orders": ORDERS,
    "transactions": HEADERS,
    "transaction_items": LINES,
    "returns": RETURNS,
}
LONGEST_DELAY = max(day for kinds in KINDS.values() for kind in kinds.values() for day in kind.days)

_WEIGHTS = {stream: draws.cumulative([kind.weight for kind in kinds.values()]) for stream, kinds in KINDS.items()}
# Sixty is a multiple of every kind's number of days, so one draw below sixty works for all.
_DELAYS = {
    stream: np.array([(kind.days or (0,)) * (60 // len(kind.days or (0,))) for kind in kinds.values()])
    for stream, kinds in KINDS.items()
}


class Fates(NamedTuple):
    """The rows of a day that have a defect, ascending; the kind; and the delay in days."""

    kinds: dict[str, Kind]
    rows: I64
    which: I64  # position in kinds
    delays: I64  # 0 if the row does not appear again

    def of(self, *names: str) -> I64:
        """Return the rows with one of these defects."""
        return self.rows[np.array([name in names for name in self.kinds])[self.which]]

    def withheld(self) -> I64:
        """Return the rows that are missing from their own day's file."""
        return self.rows[np.array([kind.withheld for kind in self.kinds.values()])[self.which]]

    def twice(self) -> I64:
        """Return the rows that appear twice in their own day's file."""
        return self.rows[np.array([kind.twice for kind in self.kinds.values()])[self.which]]

    def after(self, delay: int) -> Fates:
        """Return only the rows that appear again that many days later."""
        due = self.delays == delay
        return Fates(self.kinds, self.rows[due], self.which[due], self.delays[due])


@lru_cache(maxsize=64)
def fates(seed: int, stream: str, day: int, rows: int, rate: float) -> Fates:
    """Draw the defects of the rows of a day (an ordinal) for a stream of KINDS; `rate` is their share."""
    kinds = KINDS[stream]
    if rate <= 0:
        none = np.zeros(0, dtype=np.int64)
        return Fates(kinds, none, none, none)
    bits = draws.drawn(seed, f"{stream} fates", day, 1, rows)[0]
    hit = np.flatnonzero(draws.high(bits) < int(rate * (1 << 32)))
    which = draws.choose(_WEIGHTS[stream], bits[hit] & np.uint64(0xFFFF))
    return Fates(kinds, hit, which, _DELAYS[stream][which, draws.below(bits[hit], 60, 16)])


def spoil(columns: dict[str, pa.Array], kept: I64, faults: Fates) -> dict[str, pa.Array]:
    """Change the text of faulty rows; `kept` lists, ascending, the day's rows with which the columns begin."""
    for name, kind in faults.kinds.items():
        if kind.spoil is None:
            continue
        faulty = faults.of(name)
        if len(faulty):
            faulty = np.flatnonzero(among(kept, faulty))
        if len(faulty):
            values = columns[kind.column]
            columns[kind.column] = text.replaced(values, faulty, kind.spoil(text.pick(values, faulty), faulty))
    return columns


def among(rows: I64, some: I64) -> np.ndarray:
    """Return for each of `rows`, ascending, whether it is one of `some`, also ascending."""
    if not len(some):
        return np.zeros(len(rows), dtype=bool)
    return some[np.minimum(np.searchsorted(some, rows), len(some) - 1)] == rows
